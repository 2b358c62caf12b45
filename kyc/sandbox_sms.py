"""The offline twin of the SMS gateway: takes messages over HTTP and shows them as an outbox."""

import hmac
import re
import sqlite3
from html import escape
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from kyc import phones
from kyc.sandbox_page import AnswersBare, StateFile, clock_time, home, page, style_route
from runtime import clock
from runtime.facts import Invalid
from runtime.settings import settings

SHOWN = 100  # messages
REFRESH = 5  # seconds
WEATHERS = {"up": "takes messages", "down": "answers 503"}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS weather (one INTEGER PRIMARY KEY CHECK (one = 1), word TEXT NOT NULL);
INSERT OR IGNORE INTO weather VALUES (1, 'up');
CREATE TABLE IF NOT EXISTS messages (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  phone TEXT NOT NULL, text TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS messages_phone ON messages (phone, seq);
"""
_CODE = re.compile(r"(?<![0-9])[0-9]{6}(?![0-9])")


class _Message(msgspec.Struct):
    id: str
    to: str
    text: str


def app(state_dir: Path) -> Starlette:
    """The twin; its state is `sms.db` in that folder."""
    twin = Starlette(
        routes=[
            Route("/v1/messages", _take, methods=["POST"]),
            Route("/", _show),
            Route("/weather", _set_weather, methods=["POST"]),
            style_route,
        ],
        middleware=[Middleware(AnswersBare)],
    )
    twin.state.key = settings().sms_key.encode()
    twin.state.file = StateFile(state_dir / "sms.db", _SCHEMA)
    return twin


async def _take(request: Request) -> Response:
    """POST {"id", "to", "text"} -> 200 {"id"} | 400 | 401 | 503; the same id again is the same message."""
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(key.encode(), request.app.state.key):
        return JSONResponse({"error": "unknown key"}, 401, {"WWW-Authenticate": "Bearer"})
    try:
        message = msgspec.json.decode(await request.body(), type=_Message)
        to = phones.normalise(message.to)
    except (msgspec.DecodeError, Invalid):
        return JSONResponse({"error": "id, to (a mainland mobile) and text are needed"}, 400)
    if not await run_in_threadpool(_keep, request.app.state.file, message, to):
        return JSONResponse({"error": "unavailable"}, 503, {"Retry-After": "5"})
    return JSONResponse({"id": message.id})


def _keep(file: StateFile, message: _Message, to: str) -> bool:
    with file.open() as db:
        if db.execute("SELECT word FROM weather").fetchone()["word"] == "down":
            return False
        db.execute(
            "INSERT OR IGNORE INTO messages (id, phone, text, at) VALUES (?, ?, ?, ?)",
            (message.id, to, message.text, clock.now().isoformat()),
        )
    return True


def _show(request: Request) -> Response:
    """The outbox, newest first: a page for a browser, JSON for all others; ?phone= picks one number."""
    asked = request.query_params.get("phone", "")
    with request.app.state.file.open() as db:
        messages = _find(db, asked)
        weather = db.execute("SELECT word FROM weather").fetchone()["word"]
    if "text/html" in request.headers.get("accept", ""):
        return _page(request, asked, messages, weather)
    found = [
        {"to": row["phone"], "text": row["text"], "code": _code(row["text"]), "at": row["at"]}
        for row in messages
    ]
    return JSONResponse({"messages": found}, headers={"Cache-Control": "no-store"})


def _find(db: sqlite3.Connection, asked: str) -> list[sqlite3.Row]:
    """A whole number in any spelling, or some of its digits."""
    try:
        wanted = phones.normalise(asked)
    except Invalid:
        wanted = re.sub(r"[^0-9]", "", asked)
        if asked.strip() and not wanted:
            return []
    if len(wanted) == 11:
        query, values = "WHERE phone = ?", [wanted]
    else:
        query, values = "WHERE phone LIKE ?", [f"%{wanted}%"]
    if not wanted:
        query, values = "", []
    return db.execute(f"SELECT * FROM messages {query} ORDER BY seq DESC LIMIT {SHOWN}", values).fetchall()  # noqa: S608


def _code(text: str) -> str | None:
    found = _CODE.search(text)
    return found.group() if found else None


async def _set_weather(request: Request) -> Response:
    async with request.form() as form:
        word = str(form.get("weather", ""))
    if word not in WEATHERS:
        return JSONResponse({"error": "weather is up or down"}, 400)
    await run_in_threadpool(_write_weather, request.app.state.file, word)
    return RedirectResponse(f"{home(request)}/", 303)


def _write_weather(file: StateFile, word: str) -> None:
    with file.open() as db:
        db.execute("UPDATE weather SET word = ?", (word,))


def _page(request: Request, asked: str, messages: list[sqlite3.Row], weather: str) -> Response:
    items = "".join(
        f"<li><span class=digits>{escape(row['phone'])}</span> <span class=soft>{clock_time(row['at'])}</span>"
        + (f"<p class='code digits'>{code}</p>" if (code := _code(row["text"])) else "")
        + f"<p>{escape(row['text'])}</p></li>"
        for row in messages
    )
    buttons = "".join(
        f'<button name="weather" value="{word}" aria-pressed="{str(word == weather).lower()}">'
        f"{word.capitalize()}: {text}</button>"
        for word, text in WEATHERS.items()
    )
    at = home(request)
    body = f"""
<section><form method="get" action="{at}/"><label>Phone number 手机号<input name="phone" type="search"
inputmode="tel" autocomplete="off" value="{escape(asked, quote=True)}"></label>
<button>Search</button></form></section>
<section><h2>Messages 短信</h2>
<ul class="messages">{items or "<li class=soft>No messages yet. They appear here by themselves.</li>"}</ul></section>
<section><h2>Weather 服务状态: <span class="tag {weather}">{weather}</span></h2>
<form method="post" action="{at}/weather">{buttons}</form></section>"""
    intro = f"What the shop sent, newest first. The page renews itself every {REFRESH} seconds."
    return page(request, "SMS outbox 短信网关", intro, body, refresh=REFRESH)
