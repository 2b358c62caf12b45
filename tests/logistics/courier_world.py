"""The couriers' world for tests: three couriers, parcels to send, and the partner API behind a small application."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.testclient import TestClient

from logistics import couriers, manifests, parcels, partner_api, partners
from logistics.models import Manifest, Parcel
from logistics.parcels import Receiver
from runtime.db import reading, writing
from runtime.facts import Fact, Invalid

BEIJING, SHANGHAI, GUANGZHOU, LHASA = "110100", "310100", "440100", "540100"
STATUS = {"invalid": 422, "not_found": 404, "unauthorized": 401, "forbidden": 403, "receipt_conflict": 409}


def hire() -> None:
    """EMS brings everywhere; SF is quicker in three regions; ZJS takes cash in Beijing only."""
    with writing() as session:
        couriers.add(session, code="EMS", name_zh="邮政速递", name_en="EMS", areas=[""], priority=1)
        couriers.add(
            session,
            code="SF",
            name_zh="顺丰",
            name_en="SF",
            areas=["11", "310000", "44"],
            cod=False,
            priority=9,
        )
        couriers.add(session, code="ZJS", name_zh="宅急送", name_en="ZJS", areas=["1101"], priority=5)


def receiver(city: str = SHANGHAI, **changed: str) -> Receiver:
    fields = {
        "name": "李雷", "mobile": "13800138000", "province": "", "city": city, "district": "浦东新区",
        "address": "世纪大道100号",
    }  # fmt: skip
    return Receiver(**{**fields, **changed})


def send(order: str, city: str = SHANGHAI, **changed: Any) -> Parcel:
    """A parcel for an order; Shanghai prepaid goes with SF, Lhasa with EMS."""
    with writing() as session:
        return create(session, order, city, **changed)


def create(
    session: Session, order: str, city: str = SHANGHAI, *, to: Receiver | None = None, **changed: Any
) -> Parcel:
    fields: dict[str, Any] = {
        "goods": "SIM kit", "cod_fen": 0, "insured_fen": 0, "id_holder": "李*", "id_last4": "0019",
    }  # fmt: skip
    return parcels.create(session, order_id=order, receiver=to or receiver(city), **{**fields, **changed})


def cut(courier: str = "SF") -> Manifest:
    with writing() as session:
        made = manifests.cut(session, courier)
    assert made is not None
    return made


def parcel_of(order: str) -> Parcel:
    with reading() as session:
        found = parcels.of_order(session, order)
    assert found is not None
    return found


def door_code(order: str) -> str:
    with writing() as session:
        return parcels.door_code(session, order)


def wrong(code: str) -> str:
    """Another code than this one."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


def api() -> Starlette:
    """The partner API as the shop mounts it."""
    return Starlette(
        routes=[Mount("/partner/v1", routes=partner_api.routes)], exception_handlers={Fact: _problem}
    )


def _problem(_request: Request, fact: Exception) -> Response:
    assert isinstance(fact, Fact)
    errors = {"errors": fact.errors} if isinstance(fact, Invalid) else {}
    return JSONResponse({**fact.details, **errors, "code": fact.code}, STATUS.get(fact.code, 409))


class Courier:
    """A courier's client of the partner API, in process."""

    def __init__(self, code: str, **more: Any) -> None:
        with writing() as session:
            self.client_id, self.secret = partners.add(session, name=f"{code} robot", courier=code, **more)
        self.http = TestClient(api(), base_url="http://testserver/partner/v1/")
        self.http.headers["Authorization"] = f"Bearer {self.token()}"

    def token(self, **form: str) -> str:
        answer = self.http.post(
            "token", data={"grant_type": "client_credentials", **form}, auth=(self.client_id, self.secret)
        )
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def scan(self, *scans: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.http.post("scans", json={"scans": list(scans)})
        assert answer.status_code == 200, answer.text
        outcomes: list[dict[str, Any]] = answer.json()["scans"]
        return outcomes

    def lines(self, number: str) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = self.http.get(f"manifests/{number}").json()["lines"]
        return lines

    def receipt(self, number: str, *lines: dict[str, Any], status: int = 200) -> dict[str, Any]:
        answer = self.http.post(f"manifests/{number}/receipt", json={"lines": list(lines)})
        assert answer.status_code == status, answer.text
        body: dict[str, Any] = answer.json()
        return body


def scan_of(order: str, status: str, event: str = "", **more: str) -> dict[str, Any]:
    fields = {"event_id": event or f"{order}-{status}", "order_no": order, "status": status}
    return {**fields, "at": "2026-11-22T10:00:00+08:00", **more}


def together(work: Callable[[int], Any], people: int) -> list[Any]:
    """Run work(0), work(1) .. in as many threads, started at one moment; gives what each returned or raised."""
    gate = threading.Barrier(people)
    results: list[Any] = [None] * people

    def run(who: int) -> None:
        gate.wait()
        try:
            results[who] = work(who)
        except Exception as error:
            results[who] = error

    threads = [threading.Thread(target=run, args=(who,)) for who in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """An application behind a real HTTP server; gives its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(15)
