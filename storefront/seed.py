"""The demo world: three cities, two drops, plans, handsets, couriers, logins. Made once, then kept."""

import csv
import json
import random
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from checkout import catalogue, offers
from inventory import drops, numbers, patterns, queue_rules, segments, serials, units
from logistics import couriers, partners
from runtime import clock
from runtime.bulk import insert_new
from runtime.db import reading, writing
from runtime.files import write_private
from runtime.settings import settings
from storefront import reservations, staff
from storefront.models import ReservationCampaign, Seeded

Say = Callable[[str], None]
CITIES = ("110", "310", "510")
NOW, SOON = "first-round", "second-round"
COMING = "yunque-first"  # the round for those who reserve its handset
_STOCK = {NOW: 10_000, SOON: 10_000, COMING: 1_000}
_FROM = {NOW: 0, SOON: 2, COMING: 1}  # quarters of a city's segments, so that no number is in two pools
_COMING_HANDSET = "yunque-y2"
_UNITS = 200  # of each handset sku in a drop
_OPS = "zhao"
_DEMO = Path(__file__).parent / "demo"
CATALOGUE = (
    catalogue.DATA / "plans.toml", catalogue.DATA / "iphone4_8gb.toml", _DEMO / "shanlan_s1.toml",
    _DEMO / "yunque_y2.toml",
)  # fmt: skip
_CARDS = ("prepaid-20", "prepaid-46", "3g-66", "3g-96")
_FIRST = ("3g-186", 24)  # of a handset's contracts the one that is chosen at first
_COURIERS = (
    ("EMS", "邮政EMS", "EMS", [""], True, 10),
    ("SF", "顺丰速运", "SF Express", ["11", "31", "4401", "4403"], True, 30),
    ("ZJS", "宅急送", "ZJS Express", ["11", "12", "31", "32"], True, 20),
)


def demo(say: Say) -> None:
    """Make what is missing of the demo world; each step is one transaction or can be run again."""
    for name, step in (
        ("couriers", _make_couriers),
        ("catalogue", _make_catalogue),
        ("logins", _make_logins),
        ("units", _make_units),
        ("numbers", _make_numbers),
        ("drops", _make_drops),
        ("reservation", _make_reservation),
    ):
        with reading() as session:
            done = session.get(Seeded, name)
        if done is None:
            say(f"demo world: {name}")
            step(say)
            with writing() as session:
                insert_new(session, Seeded, [{"name": name, "at": clock.now()}])
    _tell_twins()


def addresses() -> list[str]:
    """Where to go and with which login, a line each."""
    url, kept = settings().public_url, _kept()
    if not kept:
        return []
    partner = kept["partners"]["SF"]
    return [
        f"shop      {url}/   (sign in with any mobile, e.g. 13800138000; the code is in the SMS outbox)",
        f"ops       {url}/ops   login {kept['ops']['login']}, password {kept['ops']['password']}",
        f"twins     {url}/sandbox/sms  {url}/sandbox/identity  {url}/sandbox/stripe  {url}/sandbox/courier",
        f"partner   {url}/partner/v1   PARTNER={partner['client_id']}:{partner['client_secret']} (SF)",
        f"all demo logins are kept in {_path()}",
    ]


def _make_couriers(_say: Say) -> None:
    with writing() as session:
        for code, zh, en, areas, cod, priority in _COURIERS:
            couriers.add(session, code=code, name_zh=zh, name_en=en, areas=areas, cod=cod, priority=priority)


def _make_catalogue(_say: Say) -> None:
    with writing() as session:
        catalogue.add(session, CATALOGUE, actor="demo", reason="demo world")


def _make_logins(_say: Say) -> None:
    """Logins are random and written down before the tables know them, so that a crash between loses none."""
    kept: dict[str, Any] = {"ops": {"login": _OPS, "password": secrets.token_urlsafe(12)}, "partners": {}}
    with writing() as session:
        for code, _, name, *_ in _COURIERS:
            client_id, secret = partners.add(session, name=name, courier=code)
            kept["partners"][code] = {"client_id": client_id, "client_secret": secret}
        staff.add(session, _OPS, kept["ops"]["password"], "admin")
        _write(_path(), kept)


def _make_units(_say: Say) -> None:
    with writing() as session:
        units.add_sims(session, map(serials.made_up_iccid, range(1, 25_001)))
        each = _UNITS * len(_STOCK)
        for i, sku in enumerate(_skus(session)):
            units.add_handsets(
                session, sku, map(serials.made_up_imei, range(i * each + 1, (i + 1) * each + 1))
            )


def _skus(session: Session) -> list[str]:
    return list(catalogue.current(session).sku)


def _make_numbers(say: Say) -> None:
    path = settings().home / "demo-numbers.csv"
    with open(path, "w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(["number", "city", "pool"])
        table.writerows(_numbers())

    def progress(rows: int, _loaded: int, _bad: int) -> None:
        say(f"demo world: {rows:,} numbers read")

    report = numbers.import_file(path, progress=progress)
    if report.bad:
        raise RuntimeError(f"the demo numbers are bad: {report.bad[:3]}")


def _numbers() -> Iterator[tuple[str, str, str]]:
    """Ordinary numbers of three cities, a pool for each drop; the same in every demo world."""
    chance = random.Random(19)
    for pool, count in _STOCK.items():
        for i, city in enumerate(CITIES):
            codes = sorted(code for code, home in segments.table().items() if home == city)
            want = count // len(CITIES) + (1 if i < count % len(CITIES) else 0)
            seen: set[str] = set()
            start = len(codes) * _FROM[pool] // 4
            while len(seen) < want:
                number = f"{codes[start + chance.randrange(6)]}{chance.randrange(10_000):04}"
                if number not in seen and patterns.grade_of(patterns.classify(number)).grade == 9:
                    seen.add(number)
                    yield number, city, pool


def _make_drops(_say: Say) -> None:
    with reading() as session:
        skus = dict.fromkeys(_skus(session), _UNITS)
    at = clock.now()
    for drop, name, opens in (
        (NOW, "首轮放号 First round", at),
        (SOON, "次轮放号 Second round", at + timedelta(minutes=10)),
    ):
        with writing() as session:
            _make_drop(session, drop, name, opens, skus)
            if drop == SOON and queue_rules.find(session, drop) is None:
                queue_rules.change(session, drop, actor="demo", reason="demo world", rate=50, cap=500)
        _advance(drop)


def _make_reservation(_say: Say) -> None:
    """A handset that can be reserved from now on, drawn in an hour and bought in the two days after."""
    at = clock.now()
    with writing() as session:
        known = catalogue.current(session)
        skus = {one.code: _UNITS for one in known.skus_of(_COMING_HANDSET)}
        _make_drop(
            session, COMING, "云雀首发 Yunque first sale", at + timedelta(minutes=65), skus, cards=False
        )
        if session.get(ReservationCampaign, COMING) is None:
            reservations.create(
                session, COMING, handset=_COMING_HANDSET, drop_id=COMING, opens_at=at,
                closes_at=at + timedelta(hours=1), rule="draw", redeem=timedelta(days=2), actor="demo",
                reason="demo world",
            )  # fmt: skip
    _advance(COMING)


def _make_drop(
    session: Session, drop: str, name: str, opens: datetime, skus: dict[str, int], *, cards: bool = True
) -> None:
    if any(d.id == drop for d in drops.listing(session)):
        return
    drops.create(
        session, id=drop, name=name, opens_at=opens, pool=drop, cities=list(CITIES), skus=skus, actor="demo",
        reason="demo world",
    )  # fmt: skip
    for i, plan in enumerate(_CARDS if cards else ()):
        offers.add(session, id=f"{drop}-card-{plan}", drop_id=drop, plan_id=plan, position=i)
    known, position = catalogue.current(session), len(_CARDS)
    for sku in (known.sku[code] for code in skus):
        contracts = [(one.plan, one.months) for one in known.policies_of(sku.handset)]
        for plan, months in sorted(contracts, key=lambda one: (one != _FIRST, one[1])):
            offers.add(
                session, id=f"{drop}-{sku.code.lower()}-{plan}-{months}"[:40], drop_id=drop, plan_id=plan,
                sku=sku.code, months=months, position=position,
            )  # fmt: skip
            position += 1


def _advance(drop: str) -> None:
    for state, verb in (("draft", drops.schedule), ("scheduled", drops.warm)):
        with writing() as session:
            if drops.find(session, drop).state == state:
                verb(session, drop, actor="demo", reason="demo world")


def _tell_twins() -> None:
    """What the outside world must know of us: where webhooks go, which couriers have which credentials."""
    folder = settings().home / "twins"
    folder.mkdir(parents=True, exist_ok=True)
    webhook = {
        "url": f"http://{settings().host}:{settings().port}/stripe/webhook",
        "secret": settings().stripe_webhook_secret,
        "public_url": f"{settings().public_url}/sandbox/stripe",  # where browsers reach its pages
    }
    _write(folder / "webhook.json", webhook)
    _write(folder / "couriers.json", _kept()["partners"])


def _path() -> Path:
    return settings().home / "demo.json"


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(_path().read_text()) if _path().exists() else {}
    return kept


def _write(path: Path, value: object) -> None:
    write_private(path, json.dumps(value, indent=1, ensure_ascii=False))
