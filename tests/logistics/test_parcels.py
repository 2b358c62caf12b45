"""Parcels: one live parcel an order, cancelled while it is in the house, called back afterwards."""

import pytest
from sqlalchemy import text

from logistics import manifests, parcels
from logistics.models import Parcel
from runtime.db import reading, writing
from runtime.facts import Invalid, WrongMove
from tests.logistics.courier_world import Courier, cut, parcel_of, receiver, scan_of, send, together

pytestmark = pytest.mark.usefixtures("world")


def cancel(order: str) -> bool:
    with writing() as session:
        return parcels.cancel(session, order)


def test_creating_twice_gives_the_same_parcel() -> None:
    first, again = send("ord_1"), send("ord_1", "540100")
    assert (first.id, first.courier, first.state) == (again.id, again.courier, again.state)
    assert (first.courier, first.province, first.city, first.city_code) == (
        "SF",
        "上海市",
        "上海市",
        "310100",
    )


def test_eight_makers_of_one_order_make_one_parcel() -> None:
    made = together(lambda _: send("ord_1").id, 8)
    assert len(set(made)) == 1
    with reading() as session:
        assert session.query(Parcel).count() == 1


def test_a_second_live_parcel_of_an_order_is_refused() -> None:
    send("ord_1")
    with pytest.raises(WrongMove):
        send("ord_1", attempt=2)


def test_a_parcel_that_came_home_makes_room_for_the_next_attempt() -> None:
    sf = Courier("SF")
    send("ord_1")
    cut()
    sf.scan(scan_of("ord_1", "returned_to_warehouse"))
    assert send("ord_1", attempt=2).attempt == 2
    assert (parcel_of("ord_1").attempt, parcel_of("ord_1").state) == (2, "created")


def test_the_receiver_is_sealed_at_rest() -> None:
    send("ord_1", to=receiver(name="韩梅梅", mobile="13912345678", address="秘密路7号"))
    with reading() as session:
        row = session.execute(text("SELECT * FROM parcels")).one()
    stored = b" ".join(v if isinstance(v, bytes) else str(v).encode() for v in row)
    for secret in ("韩梅梅", "13912345678", "秘密路7号"):
        assert secret.encode() not in stored
    assert parcel_of("ord_1").receiver_mobile == "13912345678"


def test_more_of_the_id_number_than_four_characters_is_refused() -> None:
    with pytest.raises(Invalid) as wrong:
        send("ord_1", id_last4="110101199001010019")
    assert list(wrong.value.errors) == ["id_last4"]


def test_cancelled_before_it_is_cut_it_never_stands_in_a_manifest() -> None:
    send("ord_1")
    assert [cancel("ord_1"), cancel("ord_1")] == [True, True]
    assert parcel_of("ord_1").state == "cancelled"
    with writing() as session:
        assert manifests.cut(session, "SF") is None


def test_an_order_without_a_parcel_has_nothing_to_stop() -> None:
    assert cancel("ord_9") is True


def test_cancelled_after_it_was_cut_it_leaves_one_tombstone_in_the_next_manifest() -> None:
    sf = Courier("SF")
    send("ord_1")
    original = sf.lines(cut().number)[0]
    assert [cancel("ord_1"), cancel("ord_1")] == [False, False]
    [tombstone] = sf.lines(cut().number)
    assert tombstone == {
        "line_id": tombstone["line_id"],
        "kind": "cancelled",
        "cancels_line_id": original["line_id"],
        "order_no": "ord_1",
        "attempt": 1,
        "waybill_no": "",
    }
    with writing() as session:
        assert manifests.cut(session, "SF") is None


def test_a_delivered_parcel_cannot_be_called_back() -> None:
    sf = Courier("SF")
    send("ord_1")
    cut()
    with writing() as session:
        code = parcels.door_code(session, "ord_1")
    sf.scan(scan_of("ord_1", "delivered", door_code=code))
    assert cancel("ord_1") is False
    with writing() as session:
        assert manifests.cut(session, "SF") is None


def test_cancel_and_cut_at_once_agree_who_was_first() -> None:
    for round_ in range(10):
        order = f"ord_{round_}"
        send(order)

        def act(who: int, order: str = order) -> object:
            if who:
                return cancel(order)
            with writing() as session:
                return manifests.cut(session, "SF")

        made, cancelled = together(act, 2)
        assert cancelled is (made is None)
        assert parcel_of(order).state == ("cancelled" if cancelled else "manifested")
        with writing() as session:
            manifests.cut(session, "SF")  # the tombstone


def test_the_lattice_only_climbs() -> None:
    for rung, state in enumerate(parcels.LADDER):
        assert not parcels.MOVES[state] & set(parcels.LADDER[: rung + 1])
    assert {state for state, after in parcels.MOVES.items() if not after} == {
        "delivered",
        "cancelled",
        "rejected",
    }
    assert parcels.MOVES["manifested"] - set(parcels.LADDER) == {"rejected"}
