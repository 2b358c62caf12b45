"""The ops console's identity cases: shown masked, decided with a verdict and a reason, by an admin alone."""

import re
from datetime import timedelta

import pytest

from kyc import cases
from runtime import clock
from runtime.db import reading, writing
from tests.checkout.shop import LI
from tests.storefront.conftest import Site

INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", re.IGNORECASE)


def waiting(site: Site) -> tuple[str, str]:
    """An order whose case the service never answered, and the case's page."""
    order = site.shop.place()
    with reading() as session:
        clock.shift(timedelta(minutes=31))
        case = cases.for_review(session)[0]
        clock.shift(timedelta())
    cases._give_up(case.id)
    return order.id, f"/ops/identity/{case.id}"


def send(site: Site, path: str, verdict: str, reason: str) -> tuple[int, str, str]:
    data = {"verdict": verdict, "reason": reason, "csrf": site.csrf(path)}
    answer = site.browser.post(f"{path}/verdict", data=data)
    return answer.status_code, answer.url.path, answer.text


def state(site: Site, order: str) -> str:
    site.shop.settle_down()
    return site.shop.order(order).state


def test_a_case_is_listed_masked_counted_and_an_alarm(site: Site) -> None:
    site.staff()
    assert "Nobody waits." in site.browser.get("/ops/identity").text
    assert 'class="count"' not in site.browser.get("/ops").text
    order, path = waiting(site)
    home, listed = site.browser.get("/ops").text, site.browser.get("/ops/identity").text
    assert 'Identity <span class="count">1</span></a>' in home
    assert '<a href="/ops/identity">1</a>' in home
    assert "a person must" in home
    for page in (listed, site.browser.get(path).text):
        assert "李*" in page
        assert f"{LI[1][:3]}{'*' * 11}{LI[1][-4:]}" in page
        assert f"/ops/orders/{order}" in page
        assert LI[0] not in page
        assert LI[1] not in page
        assert INLINE.findall(page) == []
    assert f'href="{path}"' in listed


def test_a_match_lets_the_order_go_on(site: Site) -> None:
    site.staff()
    order, path = waiting(site)
    assert 'name="verdict" value="matched" required checked' not in site.browser.get(path).text
    status, at, text = send(site, path, "matched", "saw the card on video")
    assert (status, at) == (200, "/ops/identity")
    assert "Decided." in text
    assert "Nobody waits." in text
    assert state(site, order) == "awaiting_payment"
    page = site.browser.get(path).text
    assert "This case is decided." in page
    assert "ops:zhao" in page
    assert "saw the card on video" in page
    assert 'name="verdict"' not in page


@pytest.mark.parametrize("verdict", ["mismatched", "not_found"])
def test_a_refusal_ends_the_order(site: Site, verdict: str) -> None:
    site.staff()
    order, path = waiting(site)
    assert send(site, path, verdict, "the card says otherwise")[:2] == (200, "/ops/identity")
    assert state(site, order) == "kyc_failed"


def test_the_service_is_asked_again(site: Site) -> None:
    order, path = waiting(site)
    clock.shift(timedelta(minutes=31))
    site.staff()
    assert "being asked again" in send(site, path, "again", "the service is back")[2]
    assert "Nobody waits." in site.browser.get("/ops/identity").text
    page = site.browser.get(path).text
    assert 'value="again"' not in page
    assert "the service is back" in page
    assert state(site, order) == "awaiting_payment"


@pytest.mark.parametrize(
    ("verdict", "reason", "wrong"),
    [
        ("matched", "", ["reason"]),
        ("matched", "  x ", ["reason"]),
        ("", "saw the card", ["verdict"]),
        ("verified", "saw the card", ["verdict"]),
        ("", "", ["verdict", "reason"]),
    ],
)
def test_nothing_is_decided_without_a_verdict_and_a_reason(
    site: Site, verdict: str, reason: str, wrong: list[str]
) -> None:
    site.staff()
    _, path = waiting(site)
    status, _, text = send(site, path, verdict, reason)
    assert (status, re.findall(r'id="(\w+)-error"', text)) == (422, wrong)
    if reason:
        assert f'value="{reason.strip()}"' in text or f'value="{reason}"' in text
    with reading() as session:
        assert cases.waiting(session) == 1


def test_of_two_who_decide_at_once_the_second_is_told(site: Site) -> None:
    site.staff()
    order, path = waiting(site)
    with writing() as session:
        cases.review(session, path.rpartition("/")[2], "matched", actor="qian", reason="was faster")
    status, _, text = send(site, path, "mismatched", "the card says otherwise")
    assert (status, "This case is decided." in text) == (409, True)
    assert state(site, order) == "awaiting_payment"


@pytest.mark.parametrize("role", ["viewer", "launcher", "finance"])
def test_other_roles_see_the_alarm_but_no_case(site: Site, role: str) -> None:
    site.staff()
    _, path = waiting(site)
    site.staff(role)
    home = site.browser.get("/ops").text
    assert "a person must" in home
    assert "/ops/identity" not in home
    assert site.browser.get("/ops/identity").status_code == 403
    assert site.browser.get(path).status_code == 403
    assert send(site, path, "matched", "saw the card")[0] == 403


def test_a_case_that_is_none_is_not_there(site: Site) -> None:
    site.staff()
    assert site.browser.get("/ops/identity/case_none").status_code == 404
    data = {"verdict": "matched", "reason": "saw the card", "csrf": site.csrf("/ops")}
    assert site.browser.post("/ops/identity/case_none/verdict", data=data).status_code == 404
