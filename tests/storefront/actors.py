"""Who comes to the shop, each with the proof of who they are, and one thing of each kind to ask for."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from starlette.routing import BaseRoute, Mount, Route

from checkout.models import Order
from inventory import drops, queue_rules
from kyc import people, phones
from kyc.models import Person, VerificationCase
from logistics import couriers, partners
from logistics.models import Manifest
from runtime import clock
from runtime.crypto import blind_index, digest
from runtime.db import reading, writing
from storefront import accounts, app, reservations, reviews, staff
from storefront.models import Account, OpsSession, OpsUser, ShopperSession
from tests.checkout.shop import CARD, DROP, SKU, WANG, Shop

ACTORS = ("nobody", "A", "B", "viewer", "launcher", "finance", "admin", "SF", "EMS")


@dataclass
class World:
    """A shop where shopper A has an order, a contract, a parcel in SF's manifest, and number after number on hold."""

    shop: Shop
    accounts: dict[str, str] = field(default_factory=dict)
    partners: dict[str, tuple[str, str]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)

    def hold(self) -> str:
        """A's live hold."""
        self.params["hold"] = self.shop.hold(self.accounts["A"]).id
        return self.params["hold"]

    def proof(self, actor: str) -> tuple[dict[str, str], str]:
        """Headers of a session made just now, and the token of its forms."""
        if actor in self.accounts:
            token, csrf = shopper_session(self.accounts[actor])
            return {"Cookie": f"sid={token}"}, csrf
        if actor in self.partners:
            with writing() as session:
                token = partners.grant(session, *self.partners[actor]).token
            return {"Authorization": f"Bearer {token}"}, ""
        if actor == "nobody":
            return {}, ""
        with writing() as session:
            at = clock.now()
            session.add(OpsSession(id=staff._key(actor), login=actor, created_at=at, seen_at=at))
        return {"Cookie": f"ops={actor}"}, digest("ops-csrf", actor)[:32]

    def forget(self, actor: str) -> None:
        with writing() as session:
            if found := session.get(OpsSession, staff._key(actor)):
                session.delete(found)


def shopper_session(account: str) -> tuple[str, str]:
    """A token of a new session and the token of its forms."""
    at = clock.now()
    identity = accounts.Identity(
        f"{account}-{at.timestamp()}", account, "", clock.epoch_ms(at + accounts.LIFETIME)
    )
    with writing() as session:
        session.add(ShopperSession(id=identity.session, account=account, created_at=at, seen_at=at))
    return accounts.sealed(identity), accounts.csrf_token(identity)


def settle(shop: Shop) -> World:
    world = World(shop)
    with writing() as session:
        for name, phone in (("A", "18600001111"), ("B", "18600002222")):
            world.accounts[name] = f"acc_{name}"
            session.add(
                Account(
                    id=f"acc_{name}", phone_index=blind_index(phone), phone=phone,
                    phone_masked=phones.mask(phone), created_at=clock.now(),
                )
            )  # fmt: skip
        for role in staff.ROLES:
            session.add(OpsUser(login=role, password_hash="", role=role, created_at=clock.now()))
        couriers.add(session, code="EMS", name_zh="邮政", name_en="EMS", areas=["44"])
        for courier in ("SF", "EMS"):
            world.partners[courier] = partners.add(session, name=courier, courier=courier)
        queue_rules.change(session, DROP, actor="zhao", reason="test", mode="off")
    order = shop.activated()
    with writing() as session:  # an account of A's own keeps its limit for holds
        session.execute(update(Order).where(Order.id == order.id).values(account="acc_A"))
    with reading() as session:
        number = session.scalars(select(Manifest.number)).one()
        case = session.scalars(select(VerificationCase.id)).one()
    with writing() as session:
        session.execute(update(Person).values(account="acc_A", state="verified"))
        people.enrol(session, "acc_B", *WANG, min_age=16)
        session.execute(update(Person).values(state="verified"))
        drops.create(
            session, id="coming", name="Coming", opens_at=datetime(2050, 1, 1, tzinfo=UTC), pool="coming",
            cities=["110"], skus={SKU: 2}, actor="zhao",
        )  # fmt: skip
        reservations.create(
            session, "coming", handset="iphone-4-8", drop_id="coming", opens_at=datetime(2020, 1, 1, tzinfo=UTC),
            closes_at=datetime(2049, 1, 1, tzinfo=UTC), rule="draw", redeem=timedelta(days=1), actor="zhao",
            reason="test",
        )  # fmt: skip
    for account in ("acc_A", "acc_B"):
        reservations.register(reservations.Wish("coming", account, SKU, "110100"))
    review = reviews.write("acc_A", order.id, stars=1, text="")
    world.params = {
        "drop": DROP, "order": order.id, "no": number, "case": case, "courier": "SF", "code": "en",
        "rest:path": "sms/", "hold": "", "handset": "iphone-4-8", "goods": "iphone-4-8",
        "campaign": "coming", "review": review.id,
    }  # fmt: skip
    return world


def every_route() -> list[tuple[str, str]]:
    """(method, path) of all routes, HEAD and the twins' many methods left out; a mount of files as GET of one."""

    def walk(routes: list[BaseRoute], prefix: str = "") -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for route in routes:
            if isinstance(route, Mount):
                found += walk(list(route.routes), prefix + route.path) or [("GET", f"{route.path}/site.css")]
            elif isinstance(route, Route):
                found += [(method, prefix + route.path) for method in sorted(route.methods or ())]
        return found

    return [
        (method, path)
        for method, path in walk(app.table())
        if method != "HEAD" and ("/sandbox/" not in path or method == "GET")
    ]


def body_of(path: str, world: World) -> dict[str, Any] | None:
    """JSON that a machine's route takes."""
    receiver = {
        "name": "李雷", "mobile": "18600001111", "province": "", "city": "110100", "district": "海淀区",
        "address": "中关村大街 1 号",
    }  # fmt: skip
    scan = {
        "event_id": "e1",
        "order_no": world.params["order"],
        "status": "in_transit",
        "at": "2026-12-01T00:00Z",
    }
    bodies: dict[str, dict[str, Any]] = {
        "/api/v1/drops/{drop}/holds": {"offer": CARD, "number": "18600131024"},
        "/api/v1/codes": {"phone": "1"},
        "/api/v1/reservations/{campaign}": {"sku": SKU, "city": "110100"},
        "/api/v1/sessions": {"phone": "18600001111", "code": "000000"},
        "/api/v1/orders": {"hold": world.params["hold"], "receiver": receiver, "payment": "shells"},
        "/api/v1/orders/{order}/signature": {"code": "000000"},
        "/api/v1/orders/{order}/payment": {},
        "/api/v1/orders/{order}/cancellation": {},
        "/partner/v1/manifests/{no}/receipt": {"lines": [{"line_id": "x", "result": "accepted"}]},
        "/partner/v1/scans": {"scans": [{**scan, "at": "2026-12-01T00:00:00Z"}]},
    }
    return bodies.get(path)
