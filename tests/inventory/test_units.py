"""Serials with their check digits, and binding them to orders."""

import pytest

from inventory import serials, units
from inventory.facts import SoldOut
from runtime.db import reading, writing
from runtime.facts import Invalid


@pytest.mark.parametrize("imei", ["490154203237518", "352099001761481", "49-015420-323751-8"])
def test_good_imeis(imei: str) -> None:
    assert serials.imei(imei) == imei.replace("-", "")


@pytest.mark.parametrize("iccid", ["89860112000000000014", "89860113900001234562"])
def test_good_iccids(iccid: str) -> None:
    assert serials.iccid(iccid) == iccid


@pytest.mark.parametrize(
    "text", ["490154203237519", "49015420323751", "4901542032375188", "x90154203237518", ""]
)
def test_bad_imeis(text: str) -> None:
    with pytest.raises(Invalid) as fact:
        serials.imei(text)
    assert list(fact.value.errors) == ["imei"]


@pytest.mark.parametrize("text", ["89860112000000000013", "1234", "12340112000000000014"])
def test_bad_iccids(text: str) -> None:
    with pytest.raises(Invalid) as fact:
        serials.iccid(text)
    assert list(fact.value.errors) == ["iccid"]


def test_made_up_serials_are_valid_and_differ() -> None:
    iccids, imeis = (
        units.made_up_iccids(500),
        units.made_up_imeis("ip4", 500) + units.made_up_imeis("ip5", 500),
    )
    assert [serials.iccid(text) for text in iccids] == iccids
    assert [serials.imei(text) for text in imeis] == imeis
    assert (len(set(iccids)), len(set(imeis))) == (500, 1000)


def test_binding_is_once_for_an_order(db: None) -> None:
    with writing() as session:
        assert units.add_sims(session, units.made_up_iccids(3)) == 3
        assert units.add_sims(session, units.made_up_iccids(4)) == 1
        assert units.add_handsets(session, "ip4", units.made_up_imeis("ip4", 2)) == 2
        assert units.in_stock(session) == {"ip4": 2, "sim": 4}
    with writing() as session:
        first = units.bind(session, "o1", "ip4")
        assert units.bind(session, "o1", "ip4") == first
        card = units.bind(session, "o2", "")
    assert (card.imei, card.iccid == first.iccid) == (None, False)
    with writing() as session:
        assert units.in_stock(session) == {"ip4": 1, "sim": 2}
        units.release(session, "o1")
        units.release(session, "o1")
    with reading() as session:
        assert units.in_stock(session) == {"ip4": 2, "sim": 3}


def test_a_handset_that_came_back_waits_for_inspection(db: None) -> None:
    with writing() as session:
        units.add_sims(session, units.made_up_iccids(1))
        units.add_handsets(session, "ip4", units.made_up_imeis("ip4", 1))
        bound = units.bind(session, "o1", "ip4")
        units.inspect(session, "o1")
    with writing() as session:
        assert units.in_stock(session) == {"sim": 0}
        assert units.passed(session, str(bound.imei))
        assert not units.passed(session, str(bound.imei))
        assert units.in_stock(session) == {"ip4": 1, "sim": 0}


def test_an_empty_shelf_is_told(db: None) -> None:
    with writing() as session, pytest.raises(SoldOut) as fact:
        units.bind(session, "o1", "")
    assert fact.value.details == {"what": "sim"}
    with writing() as session:
        units.add_sims(session, units.made_up_iccids(1))
        with pytest.raises(SoldOut) as fact:
            units.bind(session, "o1", "ip4")
    assert fact.value.details == {"what": "ip4"}
