"""A small shop for tests: 40 numbers of Beijing, a handset with a contract, and people who buy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path

import httpx2
from sqlalchemy import select

from checkout import audit, catalogue, contracts, jobs, news, offers, orders, payments
from checkout.models import Order
from checkout.orders import OrderRequest
from inventory import drops, holds, numbers, units
from kyc.id_number import made_up
from logistics import couriers, manifests, partners, scans
from logistics.models import Parcel
from logistics.parcels import Receiver
from logistics.scans import Seen
from runtime import clock, outbox
from runtime.db import reading, writing
from runtime.redis import close_async
from tests.loops import in_own_loop

assert jobs  # registered
DROP = "round-1"
CARD, BUNDLE = "card-20", "bundle-186"
SKU = "IP4-8-BLACK"
HOME = Receiver("李雷", "18600001111", "北京市", "110100", "海淀区", "中关村大街 1 号 2 单元 301")
SHANGHAI = {"province": "上海市", "city": "310100", "district": "黄浦区"}
LI = ("李雷", "110100199001010019")  # known to the identity twin
WANG = ("王小明", made_up("440100", date(1988, 8, 18), 3))
ZHOU = ("周捷", made_up("320100", date(1991, 7, 9), 9))  # the records have another name
WU = ("吴晓", made_up("500100", date(1993, 6, 6), 10))  # in no record
MINOR = ("孙悦", made_up("440300", date(date.today().year - 17, 1, 1), 8))  # noqa: DTZ011


@dataclass
class Shop:
    twins: str

    def hold(self, account: str, offer: str = CARD, number: str = "") -> holds.Hold:
        return in_own_loop(_hold(account, offer, number))

    def place(
        self,
        account: str = "li",
        who: tuple[str, str] = LI,
        *,
        payment: str = "card",
        offer: str = CARD,
        key: str = "k1",
        hold: str = "",
        phone: str = "18600001111",
    ) -> Order:
        hold_id = hold or self.hold(account, offer).id
        request = OrderRequest(*who, HOME, payment)
        return orders.place(account=account, phone=phone, hold_id=hold_id, key=key, request=request)

    def settle_down(self) -> None:
        """Everything that happens by itself, until nothing more does."""
        while outbox.drain_all() + news.tick():
            pass

    def sms(self, phone: str = "18600001111") -> list[str]:
        """What the phone has received, newest first."""
        outbox.drain("notices")
        answer = httpx2.get(f"{self.twins}/sms", params={"phone": phone}, follow_redirects=True).json()
        return [message["text"] for message in answer["messages"]]

    def code(self, phone: str = "18600001111") -> str:
        """The newest code the phone has received."""
        outbox.drain("notices")
        answer = httpx2.get(f"{self.twins}/sms", params={"phone": phone}, follow_redirects=True).json()
        return next(str(message["code"]) for message in answer["messages"] if message["code"])

    def sign(self, order: Order) -> Order:
        return contracts.sign(order.id, self.code())

    def ready(self, **how: str) -> Order:
        """An order of Li's that is verified and signed."""
        order = self.place(**how)  # type: ignore[arg-type]
        self.settle_down()
        self.sign(order)
        self.settle_down()
        return self.order(order.id)

    def pay(self, order: Order) -> None:
        """With a card that is good, at Stripe's twin."""
        started = payments.start(order.id, "card", "http://testserver/orders/1")
        paid = httpx2.post(
            f"{self.twins}/stripe/v1/payment_intents/{started.intent_id}/confirm",
            data={"client_secret": started.client_secret, "payment_method": "pm_card_visa"},
            headers={"Authorization": f"Bearer {started.publishable_key}"},
        )
        assert paid.status_code == 200
        assert payments.reconcile(started.payment_id) == "succeeded"

    def activated(self, **how: str) -> Order:
        """An order of Li's, all the way to the door."""
        order = self.ready(**how)
        if order.payment != "cod":
            self.pay(order)
        self.settle_down()
        self.scan(order, "handed_over", "out_for_delivery")
        self.scan(order, "delivered", door_code=self.code())
        return self.order(order.id)

    def anyone(self, i: int) -> tuple[str, str]:
        """One of any number of people the identity twin knows."""
        return "甲乙丙丁戊己庚辛"[i % 8] + "某", made_up("110000", date(1980, 1, 1) + timedelta(i), 901)

    def order(self, order_id: str) -> Order:
        with reading() as session:
            return orders.find(session, order_id)

    def state(self, order: Order) -> str:
        return self.order(order.id).state

    def trail(self, order: Order) -> list[str]:
        """The states an order went through."""
        with reading() as session:
            events = orders.timeline(session, order.id)
        return [event.to_state for event in events if event.to_state != event.from_state]

    def scan(self, order: Order, *statuses: str, door_code: str = "") -> None:
        """The courier says so, after the order's parcel was put into a manifest."""
        with writing() as session:
            parcel = session.scalars(select(Parcel).where(Parcel.order_id == order.id)).one()
            if parcel.manifest_id is None:
                manifests.cut(session, parcel.courier)
        for status in statuses:
            with writing() as session:
                seen = Seen(f"{order.id}-{status}", order.id, status, clock.now(), door_code=door_code)
                assert [one.outcome for one in scans.record(session, parcel.courier, [seen])] == ["recorded"]
            self.settle_down()

    def clean(self) -> bool:
        differences = audit.audit(DROP).differences
        assert differences == [], differences
        return True


async def _hold(account: str, offer: str, number: str) -> holds.Hold:
    token, sku = holds.new_token(DROP, account), SKU if offer == BUNDLE else ""
    try:
        return await holds.hold(DROP, token=token, account=account, number=number, offer=offer, sku=sku)
    finally:
        await close_async()  # it belongs to this event loop


@contextmanager
def later(seconds: float) -> Iterator[None]:
    """Time passes for SQL; Redis keeps its own."""
    clock.shift(timedelta(seconds=seconds))
    try:
        yield
    finally:
        clock.shift(timedelta())


def open_shop(folder: Path, twins: str, numbers_wanted: int = 40) -> Shop:
    table = folder / "numbers.csv"
    plain = (f"1860013{i:04d},110,{DROP}" for i in range(1000, 9999) if _plain(f"{i:04d}"))
    rows = list(islice(plain, numbers_wanted))
    table.write_text("number,city,pool\n" + "\n".join(rows) + "\n")
    report = numbers.import_file(table)
    assert (report.loaded, report.bad) == (numbers_wanted, [])
    with writing() as session:
        files = [catalogue.DATA / name for name in ("plans.toml", "iphone4_8gb.toml")]
        catalogue.add(session, files, actor="zhao", reason="test")
        couriers.add(session, code="SF", name_zh="顺丰", name_en="SF", areas=["11"])
        partners.add(session, name="SF", courier="SF")
        units.add_sims(session, units.made_up_iccids(60))
        units.add_handsets(session, SKU, units.made_up_imeis(SKU, 10))
    with writing() as session:
        drops.create(
            session, id=DROP, name="Round 1", opens_at=datetime(2020, 1, 1, tzinfo=UTC), pool=DROP,
            cities=["110"], skus={SKU: 5}, actor="zhao",
        )  # fmt: skip
        offers.add(session, id=CARD, drop_id=DROP, plan_id="prepaid-20")
        offers.add(session, id=BUNDLE, drop_id=DROP, plan_id="3g-186", sku=SKU, months=24, position=1)
    with writing() as session:
        drops.schedule(session, DROP, actor="zhao", reason="test")
    with writing() as session:
        drops.warm(session, DROP, actor="zhao", reason="test")
    return Shop(twins)


def _plain(tail: str) -> bool:
    """No pattern worth money: neighbours differ and do not count up or down."""
    steps = [int(b) - int(a) for a, b in pairwise(tail)]
    return 0 not in steps and steps[1:] != steps[:-1] and tail[:2] != tail[2:] and abs(steps[-1]) != 1
