"""Searching over HTTP: the filters, what cannot be used, and a drop that is not read yet."""

import time

import pytest
from starlette.testclient import TestClient

from inventory import patterns, shelf
from storefront import app
from tests.checkout.shop import DROP
from tests.storefront.conftest import Site

PATH = f"/api/v1/drops/{DROP}/numbers"


def found(site: Site, query: str) -> list[str]:
    answer = site.browser.get(f"{PATH}?limit=100&{query}")
    assert answer.status_code == 200, answer.text
    return [one["number"] for one in answer.json()["numbers"]]


def test_filters_find_what_they_say(site: Site) -> None:
    every = found(site, "")
    assert every == sorted(every)
    one = every[len(every) // 2]
    assert found(site, f"ending={one}") == [one]
    assert found(site, f"ending={one[-4:]}&segment={one[:7]}&contains={one[3:9]}") == [one]
    assert set(found(site, "no4=1")) == {number for number in every if "4" not in number[-8:]}
    assert set(found(site, "birthday=1")) == {number for number in every if number[-4:] in patterns.DAYS}
    assert set(found(site, "birthday=0512")) == {number for number in every if number.endswith("0512")}
    assert set(found(site, "lucky=1&love=true")) == {
        number for number in every if {"lucky", "love"} <= set(patterns.tags(number).split(","))
    }
    tails = [number[-4:] for number in every]
    assert set(found(site, "couple=1")) == {number for number in every if tails.count(number[-4:]) > 1}
    assert found(site, "city=999") == found(site, "pattern=nonsense") == found(site, "segment=999") == []
    assert found(site, "city=&segment=&contains=&ending=&grade=&birthday=&no4=") == every


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("segment", "12345678"), ("segment", "x"), ("contains", "123456789"), ("ending", "1" * 12),
        ("ending", "１"), ("grade", "0"), ("grade", "best"), ("birthday", "0230"), ("birthday", "19900229"),
        ("birthday", "yes"), ("limit", "0"), ("limit", "101"), ("limit", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(site: Site, field: str, value: str) -> None:
    answer = site.browser.get(PATH, params={field: value})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])


def test_the_page_shows_the_same_filters(site: Site) -> None:
    one = found(site, "")[0]
    page = site.browser.get(f"/drops/{DROP}?has={one[3:9]}&segment={one[:5]}&ending={one}").text
    assert f'value="{one}"' in page
    wrong = site.browser.get(f"/drops/{DROP}?birthday=0230&has=123456789")
    assert wrong.status_code == 422
    assert [name in wrong.text for name in ('id="has-error"', 'id="birthday-error"', 'id="ending-error"')] == [
        True, True, False,
    ]  # fmt: skip


def test_a_web_process_reads_a_drop_when_it_is_first_searched(site: Site) -> None:
    every = found(site, "")
    shelf._shelves.clear()
    with TestClient(app.create()) as web:
        assert [one["number"] for one in web.get(f"{PATH}?limit=100").json()["numbers"]] == every
        assert web.get("/api/v1/drops/none/numbers").status_code == 404


def test_a_drop_that_takes_long_to_read_is_unavailable_and_shown_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    every, read = found(site, ""), shelf._read

    def slowly(drop_id: str) -> shelf._Shelf:
        time.sleep(1)
        return read(drop_id)

    monkeypatch.setattr(shelf, "_read", slowly)
    monkeypatch.setattr(shelf, "_PATIENCE", 0.2)
    shelf._shelves.clear()
    with TestClient(app.create()) as web:
        answer = web.get(PATH)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        deadline = time.monotonic() + 20
        while web.get(PATH).status_code != 200:
            assert time.monotonic() < deadline
        assert [one["number"] for one in web.get(f"{PATH}?limit=100").json()["numbers"]] == every
