"""The offline twin of the identity service: its protocol over HTTP, and a page of its test people."""

import hmac
import sqlite3
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, get_args

import anyio
import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from kyc import id_number, names
from kyc.sandbox_page import AnswersBare, StateFile, clock_time, home, page, style_route
from kyc.sandbox_people import OPEN_FROM, Answers, TestPerson, anyone, listed
from runtime import clock
from runtime.facts import Invalid
from runtime.settings import settings

SLOW = 8.0  # seconds, more than our client's patience
WEATHERS = {"up": "answers at once", "slow": f"answers after {SLOW:.0f} seconds", "down": "answers 503"}
_FAILS_FIRST = 2  # how often `flaky` answers 503 for one request id
_SCHEMA = """
CREATE TABLE IF NOT EXISTS weather (one INTEGER PRIMARY KEY CHECK (one = 1), word TEXT NOT NULL);
INSERT OR IGNORE INTO weather VALUES (1, 'up');
CREATE TABLE IF NOT EXISTS people (id_number TEXT PRIMARY KEY, name TEXT NOT NULL, answers TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS requests (request_id TEXT PRIMARY KEY, asked INTEGER NOT NULL, at TEXT NOT NULL,
  masked_name TEXT NOT NULL, masked_id TEXT NOT NULL, outcome TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS requests_at ON requests (at);
"""


class _Question(msgspec.Struct):
    request_id: str
    name: str
    id_number: str


def app(state_dir: Path) -> Starlette:
    """The twin; its state is `identity.db` in that folder."""
    twin = Starlette(
        routes=[
            Route("/v1/verifications", _verify, methods=["POST"]),
            Route("/", _show),
            Route("/weather", _set_weather, methods=["POST"]),
            Route("/people", _add_person, methods=["POST"]),
            style_route,
        ],
        middleware=[Middleware(AnswersBare)],
    )
    twin.state.key = settings().identity_key.encode()
    twin.state.file = StateFile(state_dir / "identity.db", _SCHEMA)
    return twin


async def _verify(request: Request) -> Response:
    """POST {"request_id", "name", "id_number"} -> 200 {"outcome"} | 400 | 401 | 503."""
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(key.encode(), request.app.state.key):
        return JSONResponse({"error": "unknown key"}, 401, {"WWW-Authenticate": "Bearer"})
    try:
        question = msgspec.json.decode(await request.body(), type=_Question)
        id_number.parse(question.id_number, clock.shanghai_date())
    except (msgspec.DecodeError, Invalid):
        return JSONResponse({"error": "request_id, name and a well-formed id_number are needed"}, 400)
    file: StateFile = request.app.state.file
    weather = await run_in_threadpool(_weather, file)
    if weather == "slow":
        await anyio.sleep(SLOW)
    outcome = "unavailable"
    if weather != "down":
        outcome = await run_in_threadpool(_answer, file, question)
    if outcome == "unavailable":
        return JSONResponse({"error": "unavailable"}, 503, {"Retry-After": "5"})
    return JSONResponse({"outcome": outcome})


def _weather(file: StateFile) -> str:
    with file.open() as db:
        return str(db.execute("SELECT word FROM weather").fetchone()["word"])


def _answer(file: StateFile, question: _Question) -> str:
    """A request id that has its verdict gets it again; that is how a real service bills once."""
    with file.open() as db:
        db.execute("BEGIN IMMEDIATE")
        before = db.execute(
            "SELECT asked, outcome FROM requests WHERE request_id = ?", (question.request_id,)
        ).fetchone()
        if before and before["outcome"] != "unavailable":
            return str(before["outcome"])
        asked = before["asked"] + 1 if before else 1
        outcome = _verdict(db, question, asked)
        masked = names.mask(question.name or "?"), id_number.mask(question.id_number)
        db.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (request_id)"
            " DO UPDATE SET asked = excluded.asked, at = excluded.at, outcome = excluded.outcome",
            (question.request_id, asked, clock.now().isoformat(), *masked, outcome),
        )
    return outcome


def _verdict(db: sqlite3.Connection, question: _Question, asked: int) -> str:
    person = next((one for one in _people(db) if one.id_number == question.id_number.upper()), None)
    if person is None:
        return "matched" if anyone(question.id_number) else "not_found"
    if person.answers == "matched" or (person.answers == "flaky" and asked > _FAILS_FIRST):
        return "matched" if person.name == question.name else "mismatched"
    return "unavailable" if person.answers == "flaky" else person.answers


def _people(db: sqlite3.Connection) -> list[TestPerson]:
    """The listed people and those added by hand; who is added under a listed number replaces that one's name."""
    people = {one.id_number: one for one in listed(clock.shanghai_date())}
    for row in db.execute("SELECT id_number, name, answers FROM people ORDER BY rowid"):
        known = people.get(row["id_number"], TestPerson("", row["id_number"], "", "matched", ""))
        people[known.id_number] = replace(
            known, name=row["name"], answers=row["answers"], note=f"Added here. {known.note}".strip()
        )
    return list(people.values())


async def _set_weather(request: Request) -> Response:
    async with request.form() as form:
        word = str(form.get("weather", ""))
    if word not in WEATHERS:
        return await run_in_threadpool(_page, request, "Choose up, slow or down.")
    await run_in_threadpool(_write, request, "UPDATE weather SET word = ?", word)
    return RedirectResponse(f"{home(request)}/", 303)


async def _add_person(request: Request) -> Response:
    async with request.form() as form:
        given = {field: str(form.get(field, "")) for field in ("name", "id_number", "answers")}
    try:
        name = names.normalise(given["name"])
        number = id_number.parse(given["id_number"], clock.shanghai_date()).value
    except Invalid as wrong:
        return await run_in_threadpool(_page, request, " ".join(wrong.errors.values()))
    if given["answers"] not in get_args(Answers):
        return await run_in_threadpool(_page, request, "Choose an answer from the list.")
    insert = "INSERT OR REPLACE INTO people VALUES (?, ?, ?)"
    await run_in_threadpool(_write, request, insert, number, name, given["answers"])
    return RedirectResponse(f"{home(request)}/", 303)


def _write(request: Request, statement: str, *values: Any) -> None:
    with request.app.state.file.open() as db:
        db.execute(statement, values)


def _show(request: Request) -> Response:
    return _page(request, "")


def _page(request: Request, wrong: str) -> Response:
    with request.app.state.file.open() as db:
        people = _people(db)
        asked = db.execute("SELECT * FROM requests ORDER BY at DESC LIMIT 20").fetchall()
        weather = db.execute("SELECT word FROM weather").fetchone()["word"]
    buttons = "".join(
        f'<button name="weather" value="{word}" aria-pressed="{str(word == weather).lower()}">'
        f"{word.capitalize()}: {text}</button>"
        for word, text in WEATHERS.items()
    )
    rows = "".join(
        f"<tr><td>{escape(one.name)}</td><td class=digits>{one.id_number}</td><td>{escape(one.city)}</td>"
        f"<td class='tag {one.answers}'>{one.answers}</td><td>{escape(one.note)}</td></tr>"
        for one in people
    )
    log = "".join(
        f"<tr><td class=digits>{clock_time(row['at'])}</td><td>{escape(row['masked_name'])}</td>"
        f"<td class=digits>{escape(row['masked_id'])}</td><td class='tag {row['outcome']}'>{row['outcome']}</td>"
        f"<td class=soft>asked {row['asked']} x, {escape(row['request_id'])}</td></tr>"
        for row in asked
    )
    options = "".join(f"<option>{one}</option>" for one in get_args(Answers))
    at = home(request)
    error = f"<section role=alert><p class=wrong>{escape(wrong)}</p></section>" if wrong else ""
    body = f"""{error}
<section><h2>Weather 服务状态: <span class="tag {weather}">{weather}</span></h2>
<form method="post" action="{at}/weather">{buttons}</form></section>
<section><h2>Test people 测试身份</h2>
<p>All made up; the ID numbers carry city-level area codes, which no card does. <b>matched</b> answers to this
name only: any other name is mismatched. Any other well-formed ID number is <b>not_found</b>, except those whose
area code ends in 00 and whose sequence (digits 15 to 17) is {OPEN_FROM} or more: they match any name.</p>
<table><thead><tr><th>Name</th><th>ID number</th><th>City</th><th>Answers</th><th></th></tr></thead>
<tbody>{rows}</tbody></table></section>
<section><h2>Add a person 添加</h2>
<form method="post" action="{at}/people">
<label>Name<input name="name" required autocomplete="off"></label>
<label>ID number<input name="id_number" required autocomplete="off" minlength="18" maxlength="18"></label>
<label>Answers<select name="answers">{options}</select></label><button>Add</button></form></section>
<section><h2>Last questions 查询记录</h2>
<table><thead><tr><th>Time</th><th>Name</th><th>ID number</th><th>Answer</th><th></th></tr></thead>
<tbody>{log or "<tr><td colspan=5 class=soft>Nobody has asked yet.</td></tr>"}</tbody></table></section>"""
    intro = "Tells whether a name and an ID number belong together. The offline twin of the real service."
    return page(request, "Identity service 身份核验", intro, body, status=422 if wrong else 200)
