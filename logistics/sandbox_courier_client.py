"""The courier twin's client of the partner API: real HTTP, a real token, a cursor that survives."""

import secrets
from dataclasses import dataclass
from typing import Any

import httpx2

from logistics.sandbox_courier_book import Account, Book
from runtime import clock
from runtime.http import client

_tokens: dict[Account, str] = {}


@dataclass(frozen=True)
class Reply:
    """What came back; status 0 when nothing did."""

    status: int
    body: dict[str, Any]

    @property
    def told(self) -> str:
        """The answer in a line for people."""
        trouble = self.body.get("title") or self.body.get("error_description") or self.body.get("code")
        return "done" if self.status == 200 else str(trouble or "an answer we cannot read")


def pull(book: Book, account: Account) -> int:
    """Fetch every manifest behind our cursor; gives the exchange's number.

    The cursor is kept after the manifests are: a twin killed between the two pulls them again and knows the lines."""
    fetched: list[str] = []
    while True:
        page = _call(
            account, "GET", "/manifests", params={"after": book.cursor(account.courier), "limit": 50}
        )
        if page.status != 200:
            return book.note(account.courier, "GET /manifests", page.status, page.told)
        for head in page.body["manifests"]:
            whole = _call(account, "GET", f"/manifests/{head['manifest_no']}")
            if whole.status != 200:
                return book.note(
                    account.courier, f"GET /manifests/{head['manifest_no']}", whole.status, whole.told
                )
            book.keep_manifest(whole.body)
            fetched.append(head["manifest_no"])
        book.keep_cursor(account.courier, page.body["next"])
        if not page.body["more"]:
            break
    told = f"{len(fetched)} new: {', '.join(fetched)}" if fetched else "nothing new"
    return book.note(account.courier, "GET /manifests", 200, told)


def answer(
    book: Book, account: Account, manifest: str, lines: list[dict[str, Any]], result: str, reason: str
) -> int:
    """Send a receipt for these lines, each accepted with a waybill of ours or rejected with the reason."""
    rows = []
    for line in lines:
        row = {"line_id": line["id"], "result": result, "reason": reason}
        if result == "accepted" and line["kind"] == "normal":
            row["waybill_no"] = line["waybill"] or waybill(account.courier)
        rows.append(row)
    reply = _call(account, "POST", f"/manifests/{manifest}/receipt", json={"lines": rows})
    told = reply.told
    if reply.status == 200:
        for row, outcome in zip(rows, reply.body["lines"], strict=True):
            if outcome["outcome"] in ("recorded", "repeated"):
                book.keep_answer(row["line_id"], result, row.get("waybill_no", ""))
        book.write("UPDATE manifests SET state = ? WHERE number = ?", reply.body["state"], manifest)
        told = f"{result}: " + ", ".join(sorted({outcome["outcome"] for outcome in reply.body["lines"]}))
    return book.note(account.courier, f"POST /manifests/{manifest}/receipt", reply.status, told)


def scan(
    book: Book,
    account: Account,
    line: dict[str, Any],
    status: str,
    *,
    event_id: str,
    door_code: str = "",
    note: str = "",
) -> int:
    """Send one scan; the answer's state and what the door code proved are kept with the parcel."""
    row = {
        "event_id": event_id,
        "order_no": line["order_no"],
        "status": status,
        "at": clock.now().isoformat(),
        "place": f"{line['body'].get('receiver', {}).get('city', '')} {account.courier}",
        "note": note,
        "door_code": door_code,
    }
    reply = _call(account, "POST", "/scans", json={"scans": [row]})
    told, good = reply.told, reply.status == 200
    if good:
        outcome = reply.body["scans"][0]
        told = f"{outcome['outcome']}, the parcel is {outcome.get('state') or 'not ours'}".replace("_", " ")
        if outcome.get("reason"):
            told, good = f"{told}. {outcome['reason']}", False
        if outcome.get("state"):
            book.keep_scan(line["id"], outcome["state"], outcome.get("door", ""))
    return book.note(account.courier, f"POST /scans {status}", reply.status, told, good=good)


def waybill(courier: str) -> str:
    """A made-up waybill number in the courier's form (EMS: UPU S10 with its check digit)."""
    digits = f"{secrets.randbelow(10**10):010d}"
    if courier == "EMS":
        serial = digits[:8]
        check = 11 - sum(int(d) * w for d, w in zip(serial, (8, 6, 4, 2, 3, 5, 9, 7), strict=True)) % 11
        return f"EX{serial}{ {10: 0, 11: 5}.get(check, check) }CN"
    return f"SF{digits}00" if courier == "SF" else digits


def _call(account: Account, method: str, path: str, **more: Any) -> Reply:
    """One call with a token; a token that has died is fetched anew, once."""
    try:
        with client(account.base_url, timeout=10) as http:
            for fresh in (False, True):
                if fresh or account not in _tokens:
                    form = {"grant_type": "client_credentials"}
                    got = http.post("/token", data=form, auth=(account.client_id, account.client_secret))
                    if got.status_code != 200:
                        return _reply(got)
                    _tokens[account] = got.json()["access_token"]
                headers = {"Authorization": f"Bearer {_tokens[account]}"}
                answered = http.request(method, path, headers=headers, **more)
                if answered.status_code != 401:
                    break
            return _reply(answered)
    except (httpx2.HTTPError, httpx2.InvalidURL) as trouble:
        return Reply(0, {"title": f"no answer from {account.base_url}: {type(trouble).__name__}"})


def _reply(answered: httpx2.Response) -> Reply:
    try:
        body = answered.json()
    except ValueError:
        body = {}
    return Reply(answered.status_code, body if isinstance(body, dict) else {})
