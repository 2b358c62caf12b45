"""What the desk's two offline twins share: their style sheet, a page's frame, and a small file of state."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime import clock

STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5b6475; --paper: #f5f6f9; --card: #fff;
  --line: #dfe3ea; --accent: #b3123f; --good: #0b6b3a; --warn: #8a5300; --bad: #a11224; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9ecf2; --soft: #a5afc0; --paper: #14171d;
  --card: #1d222b; --line: #343b48; --accent: #ff7a9c; --good: #6fd49a; --warn: #f0b35b; --bad: #ff8b94; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "PingFang SC", "Noto Sans SC", sans-serif; }
header { padding: 1.6rem clamp(1rem, 4vw, 3rem) 0; }
header p { color: var(--soft); margin: .2rem 0 0; max-width: 48rem; }
main { padding: 1rem clamp(1rem, 4vw, 3rem) 3rem; display: grid; gap: 1.2rem; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0; } h2 { font-size: 1.1rem; margin: 0 0 .6rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.1rem 1.2rem;
  overflow-x: auto; }
section p { margin: .3rem 0 .8rem; max-width: 48rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .5rem .8rem .5rem 0;
  border-top: 1px solid var(--line); vertical-align: top; } thead th { border: 0; color: var(--soft);
  font-size: .85rem; font-weight: 600; }
code, .digits { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .95em; }
form { display: flex; flex-wrap: wrap; gap: .7rem; align-items: end; }
label { display: grid; gap: .2rem; font-size: .85rem; color: var(--soft); flex: 1 1 11rem; }
input, select { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--line);
  border-radius: 8px; min-height: 44px; padding: .3rem .7rem; width: 100%; }
button { font: inherit; font-weight: 600; min-height: 44px; padding: .3rem 1.1rem; border-radius: 8px;
  border: 1px solid var(--line); background: var(--paper); color: var(--ink); cursor: pointer; }
button[aria-pressed=true] { background: var(--ink); color: var(--card); border-color: var(--ink); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.tag { font-weight: 600; } .tag, .digits, td:first-child { white-space: nowrap; }
.matched, .up { color: var(--good); }
.mismatched, .not_found, .slow, .flaky { color: var(--warn); } .unavailable, .down, .wrong { color: var(--bad); }
.code { font-size: 1.5rem; letter-spacing: .12em; font-weight: 700; } .soft { color: var(--soft); }
ul.messages { list-style: none; margin: 0; padding: 0; display: grid; gap: .8rem; }
ul.messages li { border: 1px solid var(--line); border-radius: 14px 14px 14px 4px; padding: .8rem 1rem;
  max-width: 40rem; } ul.messages p { margin: .2rem 0; overflow-wrap: anywhere; }
"""


def page(
    request: Request, title: str, intro: str, body: str, *, refresh: int = 0, status: int = 200
) -> Response:
    """One page; `title` and `intro` are text, `body` is HTML whose values are escaped already."""
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    return HTMLResponse(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">{again}
<title>{escape(title)} · Haoka sandbox</title>
<link rel="stylesheet" href="{home(request)}/style.css">
</head>
<body>
<header><h1>{escape(title)}</h1><p>{escape(intro)}</p></header>
<main>{body}</main>
</body>
</html>
""",
        status,
        {"Cache-Control": "no-store"},
    )


def home(request: Request) -> str:
    """The path a twin is mounted at, without a slash at its end."""
    return escape(str(request.scope.get("root_path", "")).rstrip("/"), quote=True)


def clock_time(at: str) -> str:
    """A stored time as people in Shanghai read it: 11-22 11:01:17."""
    return f"{datetime.fromisoformat(at).astimezone(clock.SHANGHAI):%m-%d %H:%M:%S}"


def _style(_request: Request) -> Response:
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "max-age=300"})


style_route = Route("/style.css", _style)


class AnswersBare:
    """The twin answers at its mount's bare path too, without a redirect that `curl` would not follow."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in ("", scope.get("root_path", "")):
            scope = {**scope, "path": f"{scope['path']}/"}
        await self.app(scope, receive, send)


class StateFile:
    """A twin's own SQLite file. It outlives the twin, but nothing in it is worth an fsync."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=15)) as made:
            made.execute("PRAGMA journal_mode=WAL")
            made.executescript(schema)

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are committed at the end of the block."""
        with closing(sqlite3.connect(self.path, timeout=15)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous=OFF")
            with connection:
                yield connection
