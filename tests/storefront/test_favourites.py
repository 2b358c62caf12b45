"""Favourites: marked before the opening, there at the opening, and nobody else's business."""

import re

from storefront import favourites
from tests.checkout.shop import CARD, DROP
from tests.shop import until
from tests.storefront.conftest import Site


def numbers(site: Site) -> list[str]:
    return re.findall(r'name="number" value="(\d{11})"', site.browser.get(f"/drops/{DROP}").text)


def mark(site: Site, number: str, verb: str = "mark", **more: str) -> int:
    form = {verb: number, "offer": CARD, "csrf": site.csrf("/account"), **more}
    return int(site.browser.post(f"/drops/{DROP}/favourites", data=form).status_code)


def listed(site: Site) -> list[str]:
    page = site.browser.get(f"/drops/{DROP}").text
    part = re.findall(r'id="favourites".*?</section>', page, re.DOTALL)
    return re.findall(r'name="number" value="(\d{11})"', part[0]) if part else []


def test_a_marked_number_stands_above_the_shelf_until_the_mark_is_taken_away(site: Site) -> None:
    site.sign_in()
    first, second = numbers(site)[:2]
    assert mark(site, first) == 200
    assert mark(site, second, quiet="1") == 204
    assert mark(site, second, quiet="1") == 204  # again changes nothing
    assert listed(site) == [first, second]
    assert f">{first[:3]}" in site.browser.get("/account").text
    assert mark(site, first, "unmark") == 200
    assert listed(site) == [second]


def test_a_favourite_that_somebody_took_is_shown_as_taken(site: Site) -> None:
    site.sign_in()
    number = numbers(site)[0]
    mark(site, number)
    site.shop.hold("another", number=number)

    def taken() -> bool:
        page = site.browser.get(f"/drops/{DROP}").text
        part = re.findall(r'id="favourites".*?</section>', page, re.DOTALL)[0]
        return re.search(rf'value="{number}" disabled', part) is not None and "Taken" in part

    until(taken)


def test_marks_are_an_accounts_own_and_bounded(site: Site) -> None:
    site.sign_in()
    mark(site, numbers(site)[0])
    site.sign_in("18600002222")
    assert listed(site) == []
    assert mark(site, "18600139999", quiet="1") == 404  # no number of this drop


def test_beyond_the_bound_the_page_says_so_and_keeps_the_rest(site: Site, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    site.sign_in()
    monkeypatch.setattr(favourites, "MOST", 2)
    some = numbers(site)[:3]
    assert [mark(site, one) for one in some] == [200, 200, 422]
    assert listed(site) == some[:2]


def test_who_is_not_signed_in_does_that_first(site: Site) -> None:
    number = numbers(site)[0]
    sent = site.browser.post(f"/drops/{DROP}/favourites", data={"mark": number}, follow_redirects=False)
    assert sent.headers["location"] == f"/login?next=%2Fdrops%2F{DROP}"
