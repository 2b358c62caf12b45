"""A shop with something on every page, and every page there is."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from kyc.id_number import made_up
from tests.shop import Shop, Shopper, until

DROP, NEXT, CAMPAIGN, HANDSET = "first-round", "second-round", "yunque-first", "shanlan-s1"


@dataclass(frozen=True)
class Seen:
    """A page: its name, its path, and who looks at it (`""`: anybody; `li`, `wang`: shoppers; `ops`: staff)."""

    name: str
    path: str
    who: str = ""


@dataclass
class World:
    """Pages of a shop, and the cookies of those who look at them."""

    pages: list[Seen]
    cookies: dict[str, dict[str, str]]


def settle(shop: Shop) -> World:
    """Li has an order to sign, Wang one that was delivered, and Chen has prepared everything and holds a number."""
    li = _shopper(shop, 1, "13800138000", "李雷", made_up("110100", date(1990, 1, 1), 1))
    wang = _shopper(shop, 2, "13800138001", "王小明", made_up("440100", date(1988, 8, 18), 3))
    chen = _shopper(shop, 3, "13800138002", "陈静", made_up("510100", date(2000, 2, 29), 4))
    to_sign, brought = _order(li, "card"), _order(wang, "cod")
    li.until_state(to_sign, "awaiting_payment")
    wang.until_state(brought, "awaiting_payment")
    wang.sign(brought)
    _bring(shop, wang, brought)
    _review(wang, brought)
    _prepare(chen)
    hold = _hold(chen)
    cookies = {name: {"sid": _token(one)} for name, one in (("li", li), ("wang", wang), ("chen", chen))}
    cookies["ops"] = _staff(shop)
    return World(_pages(hold, to_sign, brought), cookies)


def _pages(hold: str, to_sign: str, brought: str) -> list[Seen]:
    return [
        Seen("home", "/"), Seen("login", "/login"), Seen("drop", f"/drops/{DROP}"),
        Seen("drop-search", f"/drops/{DROP}?ending=8&city=110"), Seen("drop-nothing", f"/drops/{DROP}?has=40404040"),
        Seen("drop-before", f"/drops/{NEXT}"), Seen("bundle", f"/drops/{DROP}/bundles/{HANDSET}"),
        Seen("queue", f"/drops/{NEXT}/queue", "wang"), Seen("draw", f"/drops/{NEXT}/draw"),
        Seen("reservation", f"/reservations/{CAMPAIGN}", "chen"),
        Seen("reservation-draw", f"/reservations/{CAMPAIGN}/draw"),
        Seen("reviews", "/reviews/prepaid-20"), Seen("checkout", f"/checkout/{hold}", "chen"),
        Seen("hold-over", f"/checkout/hld_{DROP}_nothing", "chen"), Seen("order", f"/orders/{to_sign}", "li"),
        Seen("order-delivered", f"/orders/{brought}", "wang"), Seen("receipt", f"/orders/{brought}/receipt", "wang"),
        Seen("account", "/account", "wang"), Seen("ready", "/account/ready", "chen"),
        Seen("ready-new", "/account/ready", "wang"), Seen("my-data", "/account/data", "chen"),
        Seen("offline", "/offline"), Seen("not-found", "/nothing-here"),
        Seen("ops-login", "/ops/login"), Seen("ops-home", "/ops", "ops"),
        Seen("ops-drop", f"/ops/drops/{DROP}", "ops"),
        Seen("ops-drop-new", "/ops/drops/new", "ops"), Seen("ops-orders", f"/ops/orders?drop={DROP}", "ops"),
        Seen("ops-order", f"/ops/orders/{brought}", "ops"), Seen("ops-catalogue", "/ops/catalogue", "ops"),
        Seen("ops-manifests", "/ops/manifests", "ops"), Seen("ops-identity", "/ops/identity", "ops"),
        Seen("ops-reviews", "/ops/reviews", "ops"),
    ]  # fmt: skip


def _shopper(shop: Shop, nth: int, phone: str, name: str, id_number: str) -> Shopper:
    return Shopper.sign_in(shop, nth, phone=phone, name=name, id_number=id_number)


def _token(shopper: Shopper) -> str:
    return str(shopper.http.headers["Authorization"]).removeprefix("Bearer ")


def _hold(shopper: Shopper) -> str:
    number = shopper.numbers(DROP, limit=1)[0]["number"]
    return str(shopper.hold(DROP, number, shopper.offer(DROP)["id"]).raise_for_status().json()["hold"])


def _order(shopper: Shopper, payment: str) -> str:
    return str(shopper.place(_hold(shopper), payment).raise_for_status().json()["order"])


def _prepare(shopper: Shopper) -> None:
    """Through the page, and checked by the register."""
    cookies = {"Cookie": f"sid={_token(shopper)}"}
    page = shopper.http.get("/account/ready", headers=cookies).text
    form = {
        "csrf": _csrf(page), "name": shopper.name, "id_number": shopper.id_number, "consent": "yes",
        "receiver_name": shopper.name, "mobile": shopper.phone, "city": "110100", "district": "朝阳区",
        "address": "示范路8号2单元301室", "payment": "alipay",
    }  # fmt: skip
    assert shopper.http.post("/account/ready", data=form, headers=cookies).status_code == 303

    def checked() -> bool:
        told = shopper.http.get("/account/ready", headers={**cookies, "Accept-Language": "en"}).text
        return "being checked" not in told

    until(checked)


def _bring(shop: Shop, shopper: Shopper, order: str) -> None:
    """The courier brings it and types the code of the door."""
    shopper.until_state(order, "packed")
    courier = shopper.order(order)["parcel"]["courier"]
    partner = shop.partner(courier)
    at = datetime.now(UTC)

    def scan(nth: int, status: str, **more: str) -> None:
        told = {"event_id": f"{order}-{nth}", "order_no": order, "status": status, **more}
        told["at"] = (at + timedelta(seconds=nth)).isoformat()
        partner.post("/partner/v1/scans", json={"scans": [told]}).raise_for_status()

    until(lambda: shopper.order(order)["parcel"]["state"] not in ("created",))
    for nth, status in enumerate(("handed_over", "in_transit", "out_for_delivery")):
        scan(nth, status)
    door = until(lambda: shopper.new_code())
    scan(9, "delivered", door_code=str(door))
    shopper.until_state(order, "activated")


def _review(shopper: Shopper, order: str) -> None:
    cookies = {"Cookie": f"sid={_token(shopper)}"}
    page = shopper.http.get(f"/orders/{order}", headers=cookies).text
    form = {
        "csrf": re.findall(r'name="csrf" value="(\w+)"', page)[-1],
        "stars": "4",
        "text": "送货快，就是第一天没信号。",
    }
    assert shopper.http.post(f"/orders/{order}/review", data=form, headers=cookies).status_code == 303


def _csrf(page: str) -> str:
    tokens: list[str] = re.findall(r'name="csrf" value="(\w+)"', page)
    return tokens[-1]


def _staff(shop: Shop) -> dict[str, str]:
    known = shop.demo["ops"]
    with shop.client() as client:
        client.post("/ops/login", data={"login": known["login"], "password": known["password"]})
        return dict(client.cookies)
