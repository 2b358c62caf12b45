"""The twin's events and webhooks: signed as Stripe signs, delivered in no order, tried again for three days."""

import hashlib
import hmac
import json
import ssl
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx2

from checkout.sandbox_stripe_store import Json, Store, made_id
from checkout.sandbox_stripe_wire import Call

API_VERSION = "2026-10-28.endive"
BACKOFF = (1, 5, 30, 120, 600, 1800, 3600)  # seconds; the last one goes on
GIVES_UP_AFTER = 3 * 24 * 3600
THREADS = 2


def endpoint(folder: Path) -> Json:
    """{url, secret, public_url?}: from webhook.json in the state folder, where ops or the page wrote it."""
    try:
        found = json.loads((folder / "webhook.json").read_text())
    except (FileNotFoundError, ValueError):
        return {"url": "", "secret": ""}
    return found if isinstance(found, dict) else {"url": "", "secret": ""}


def set_endpoint(folder: Path, **values: str) -> None:
    """Say where webhooks go: url, secret, public_url (this twin as browsers see it); others stay as they are."""
    draft = folder / "webhook.json.new"
    draft.write_text(json.dumps({**endpoint(folder), **values}))
    draft.replace(folder / "webhook.json")


def emit(store: Store, call: Call, kind: str, thing: Json) -> None:
    """An event of what just happened, in the transaction in which it happened."""
    url = endpoint(store.folder).get("url")
    event: Json = {
        "id": made_id("evt"), "object": "event", "api_version": API_VERSION, "created": int(store.now()),
        "type": kind, "livemode": False, "pending_webhooks": 1 if url else 0,
        "request": {"id": call.request_id, "idempotency_key": call.key}, "data": {"object": thing},
    }  # fmt: skip
    store.put(event, parent=str(thing.get("payment_intent") or thing["id"]))
    if url:
        send(store, event["id"])
        if store.switch("twice") == "on":
            send(store, event["id"])


def send(store: Store, event_id: str, *, at_once: bool = False) -> None:
    """One more delivery of an event; held or late when the page's switches say so."""
    now = store.now()
    held = store.switch("hold") == "on" and not at_once
    due = now if at_once else now + float(store.switch("delay_seconds", "0"))
    store.sql.execute(
        "INSERT INTO deliveries (event, state, due, first_at) VALUES (?, ?, ?, ?)",
        (event_id, "held" if held else "waiting", due, now),
    )


def signature(body: str, secret: str, at: int) -> str:
    mac = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)  # 50 ms, and the same for every twin


class Postman:
    """The threads that deliver. A hanging endpoint holds up one of them only."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.stopping = threading.Event()
        self.http = httpx2.Client(timeout=10, trust_env=False, verify=_trust())
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(THREADS)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.store.wake.set()
        for thread in self.threads:
            thread.join(timeout=11)
        self.http.close()

    def _run(self) -> None:
        while not self.stopping.is_set() and self.store.folder.exists():
            self.store.wake.wait(0.5)  # the half second is for deliveries that fall due by the clock
            self.store.wake.clear()
            while not self.stopping.is_set() and (taken := self._take()):
                self._deliver(*taken)

    def _take(self) -> tuple[int, str, int, float] | None:
        found = self.store.rows(
            "UPDATE deliveries SET state = 'sending', tries = tries + 1 WHERE id = (SELECT id FROM deliveries"
            " WHERE state = 'waiting' AND due <= ? ORDER BY due, id LIMIT 1) RETURNING id, event, tries, first_at",
            self.store.now(),
        )
        return found[0] if found else None

    def _deliver(self, delivery: int, event_id: str, tries: int, first_at: float) -> None:
        event, to = self.store.get("event", event_id), endpoint(self.store.folder)
        answer = self._post(to, json.dumps(event, indent=2)) if to.get("url") else "no endpoint"
        now = self.store.now()
        if answer.startswith("2"):
            state = "delivered"
        else:
            state = "waiting" if now - first_at < GIVES_UP_AFTER else "given up"
        due = now + BACKOFF[min(tries, len(BACKOFF)) - 1]
        self.store.rows(
            "UPDATE deliveries SET state = ?, due = ?, answer = ? WHERE id = ?", state, due, answer, delivery
        )

    def _post(self, to: Json, body: str) -> str:
        """What came back, as text for the page: the status code or the kind of failure."""
        signed = signature(body, to["secret"], int(time.time()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signed,
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            return str(self.http.post(to["url"], content=body, headers=headers).status_code)
        except httpx2.HTTPError as error:
            return type(error).__name__


def deliveries(store: Store, event_id: str) -> list[dict[str, Any]]:
    query = "SELECT id, state, due, tries, answer FROM deliveries WHERE event = ? ORDER BY id"
    names = ("id", "state", "due", "tries", "answer")
    return [dict(zip(names, row, strict=True)) for row in store.rows(query, event_id)]
