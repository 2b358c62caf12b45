"""Manifests: cut once, sealed for good, served as JSON and CSV."""

import csv
import hashlib
import io
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, text, update

from logistics import manifest_body, manifests, warehouse
from logistics.models import Manifest, ManifestLine, SealBroken
from runtime import clock
from runtime.crypto import SealError
from runtime.db import reading, writing
from runtime.facts import NotFound
from tests.logistics.courier_world import Courier, cut, receiver, scan_of, send, together

pytestmark = pytest.mark.usefixtures("world")


def test_numbers_count_the_shanghai_day_and_the_lines_say_all_a_courier_needs() -> None:
    with writing() as session:
        warehouse.describe(session, company="号卡", city="上海市")
    send("ord_1", cod_fen=0, insured_fen=499_900)
    first = cut()
    send("ord_2")
    second = cut()
    day = f"{clock.shanghai_date():%Y%m%d}"
    assert [first.number, second.number] == [f"SF-{day}-0001", f"SF-{day}-0002"]
    body = json.loads(manifests.body(first))
    line = body.pop("lines")[0]
    assert body == {
        "manifest_no": first.number,
        "courier": "SF",
        "sealed_at": first.sealed_at.isoformat().replace("+00:00", "Z"),
        "currency": "CNY",
        "line_count": 1,
        "normal_count": 1,
        "cancelled_count": 0,
        "cod_total_fen": 0,
    }
    assert line["sender"]["company"] == "号卡"
    assert line["receiver"] == {
        "name": "李雷",
        "mobile": "13800138000",
        "province": "上海市",
        "city": "上海市",
        "city_code": "310100",
        "district": "浦东新区",
        "address": "世纪大道100号",
    }
    assert {name: line[name] for name in manifest_body.PLAIN} == {
        "pay_mode": "monthly_account",
        "cod": False,
        "cod_amount_fen": 0,
        "insured": True,
        "insured_fen": 499_900,
        "sign_back": False,
        "id_check_required": True,
        "id_holder": "李*",
        "id_last4": "0019",
        "goods": "SIM kit",
        "quantity": 1,
    }


def test_cash_to_collect_adds_up() -> None:
    send("ord_1", cod_fen=2_000)
    send("ord_2", cod_fen=46_000)
    assert cut("EMS").cod_total_fen == 48_000


def test_nothing_waiting_cuts_nothing_and_a_stranger_is_no_courier() -> None:
    with writing() as session:
        assert manifests.cut(session, "SF") is None
        with pytest.raises(NotFound):
            manifests.cut(session, "XX")


def test_a_wave_is_bounded_and_the_rest_goes_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "WAVE", 3)
    for n in range(7):
        send(f"ord_{n}")
    send("ord_far", "540100")
    assert manifests.tick() == 4
    assert manifests.tick() == 0
    with reading() as session:
        cut_now = session.query(Manifest).order_by(Manifest.courier, Manifest.position).all()
        assert [(m.courier, m.position, m.line_count) for m in cut_now] == [
            ("EMS", 1, 1), ("SF", 1, 3), ("SF", 2, 3), ("SF", 3, 1),
        ]  # fmt: skip


def test_six_cutters_at_once_put_no_parcel_into_two_manifests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "WAVE", 7)
    for n in range(40):
        send(f"ord_{n}")

    def cut_all(_who: int) -> list[str]:
        made: list[str] = []
        while True:
            with writing() as session:
                manifest = manifests.cut(session, "SF")
            if manifest is None:
                return made
            made.append(manifest.number)

    numbers = [number for made in together(cut_all, 6) for number in made]
    with reading() as session:
        lines = session.query(ManifestLine).all()
        positions = [m.position for m in session.query(Manifest).order_by(Manifest.position)]
    assert sorted(line.order_id for line in lines) == sorted(f"ord_{n}" for n in range(40))
    assert len(set(numbers)) == len(numbers) == len(positions)
    assert positions == list(range(1, len(numbers) + 1))


def test_the_body_is_sealed_at_rest_and_its_sha256_is_over_the_canonical_bytes() -> None:
    send("ord_1")
    made = cut()
    plain = manifests.body(made)
    assert hashlib.sha256(plain).hexdigest() == made.sha256
    assert manifest_body.canonical(json.loads(plain)) == plain
    with reading() as session:
        stored = session.execute(text("SELECT body FROM manifests")).scalar_one()
    assert "李雷".encode() not in bytes(stored)


@pytest.mark.parametrize(
    "field", ["body", "sha256", "number", "courier", "position", "sealed_at", "cod_total_fen"]
)
def test_an_object_of_a_sealed_manifest_cannot_be_changed(field: str) -> None:
    send("ord_1")
    made = cut()
    new = {"body": b"x", "position": 9, "cod_total_fen": 1, "sealed_at": clock.now()}.get(field, "EMS")
    with pytest.raises(SealBroken, match=field), writing() as session:
        setattr(session.get_one(Manifest, made.id), field, new)
    with reading() as session:
        assert manifests.body(manifests.find(session, made.number)) == manifests.body(made)


def test_no_statement_changes_or_deletes_a_sealed_manifest() -> None:
    send("ord_1")
    cut()
    with writing() as session:
        for statement in (
            update(Manifest).values(body=b"x"),
            update(Manifest).values(sha256="0" * 64, state="closed"),
            delete(Manifest),
        ):
            with pytest.raises(SealBroken):
                session.execute(statement)


def test_sealing_twice_is_refused() -> None:
    send("ord_1")
    made = cut()
    with writing() as session, pytest.raises(SealBroken):
        manifests._seal(session, session.get_one(Manifest, made.id), json.loads(manifests.body(made)))


def test_a_body_changed_or_moved_behind_our_back_is_not_served() -> None:
    send("ord_1")
    first = cut()
    send("ord_2")
    second = cut()
    with writing() as session:
        session.execute(
            text(
                "UPDATE manifests SET body = (SELECT body FROM manifests WHERE number = :a) WHERE number = :b"
            ),
            {"a": first.number, "b": second.number},
        )
    with reading() as session, pytest.raises(SealError):
        manifests.body(manifests.find(session, second.number))


def test_states_go_from_sealed_to_closed() -> None:
    sf = Courier("SF")
    send("ord_1")
    made = cut()
    states = [made.state]

    def look() -> None:
        with reading() as session:
            states.append(manifests.find(session, made.number).state)

    [line] = sf.lines(made.number)
    look()
    sf.receipt(made.number, {"line_id": line["line_id"], "result": "accepted", "waybill_no": "SF1"})
    look()
    manifests.tick()
    look()
    sf.scan(scan_of("ord_1", "returned_to_warehouse"))
    manifests.tick()
    look()
    assert states == ["sealed", "pulled", "acknowledged", "acknowledged", "closed"]


def test_a_day_later_the_numbers_start_again_and_the_positions_go_on() -> None:
    send("ord_1")
    cut()
    clock.shift(timedelta(days=1))
    send("ord_2")
    made = cut()
    assert (made.number, made.position) == (f"SF-{clock.shanghai_date():%Y%m%d}-0001", 2)


def test_csv_has_a_bom_stable_columns_and_no_formulas() -> None:
    attack = receiver(name="=cmd|'/c calc'!A1", address="@SUM(1+1)\t\x00\r\n=2+2", district="  -1")
    send("ord_1", to=attack, goods='+SIM, "kit"')
    raw = manifests.csv_of(cut())
    assert raw.startswith(
        b"\xef\xbb\xbfmanifest_no,line_id,kind,cancels_line_id,order_no,attempt,waybill_no,sender_"
    )
    [row] = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    assert tuple(row) == manifest_body.COLUMNS
    assert (row["receiver_name"], row["receiver_district"]) == ("'=cmd|'/c calc'!A1", "'  -1")
    assert (row["receiver_address"], row["goods"]) == ("'@SUM(1+1) =2+2", '\'+SIM, "kit"')
    assert (row["receiver_mobile"], row["id_last4"], row["cod"]) == ("13800138000", "0019", "0")


@given(st.text())
def test_no_cell_is_a_formula(value: str) -> None:
    made = manifest_body.cell(value)
    assert not made.lstrip().startswith(("=", "+", "-", "@"))
    assert not set(made) & {"\t", "\r", "\n", "\x00"}
