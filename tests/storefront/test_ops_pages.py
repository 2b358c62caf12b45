"""The ops console: who may what, a drop from draft to closed, an order found and undone."""

import re
from datetime import timedelta

import pytest

from runtime import clock
from runtime.facts import Invalid
from tests.checkout.shop import DROP
from tests.storefront.conftest import PASSWORD, Site

INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", re.IGNORECASE)


def test_strangers_are_sent_to_the_login_and_come_back(site: Site) -> None:
    asked = site.browser.get(f"/ops/drops/{DROP}")
    assert (asked.url.path, asked.url.params["next"]) == ("/ops/login", f"/ops/drops/{DROP}")
    wrong = site.browser.post("/ops/login", data={"login": "zhao", "password": "no"})
    assert wrong.status_code == 422
    assert 'value="zhao"' in wrong.text
    assert PASSWORD not in wrong.text


@pytest.mark.parametrize(
    "path",
    ["/ops", "/ops/drops/new", f"/ops/drops/{DROP}", "/ops/orders", "/ops/manifests", "/ops/identity"],
)
def test_pages_speak_both_languages_and_hold_nothing_inline(site: Site, path: str) -> None:
    site.staff()
    for language, tag in (("en", "en"), ("zh", "zh-CN")):
        answer = site.browser.get(path, headers={"Accept-Language": language})
        assert answer.status_code == 200
        assert f'<html lang="{tag}">' in answer.text
        assert INLINE.findall(answer.text) == []


def test_a_move_needs_a_reason_and_is_kept_in_the_history(site: Site) -> None:
    site.staff()
    path, csrf = f"/ops/drops/{DROP}", site.csrf(f"/ops/drops/{DROP}")
    without = site.browser.post(f"{path}/moves", data={"move": "pause", "reason": "", "csrf": csrf})
    assert without.status_code == 422
    paused = site.browser.post(f"{path}/moves", data={"move": "pause", "reason": "too hot", "csrf": csrf})
    assert paused.url.path == path
    assert "too hot" in paused.text
    assert "ops:zhao" in paused.text
    assert 'value="resume"' in paused.text


def test_a_viewer_sees_but_does_not_act(site: Site) -> None:
    site.staff("viewer")
    page = site.browser.get(f"/ops/drops/{DROP}").text
    assert "Change its state" not in page
    csrf = site.csrf(f"/ops/drops/{DROP}")
    data = {"move": "pause", "reason": "I want to", "csrf": csrf}
    assert site.browser.post(f"/ops/drops/{DROP}/moves", data=data).status_code == 403


def test_a_form_without_its_token_is_refused(site: Site) -> None:
    site.staff()
    data = {"move": "pause", "reason": "forged"}
    assert site.browser.post(f"/ops/drops/{DROP}/moves", data=data).status_code == 403


def test_the_figures_add_up(site: Site) -> None:
    site.staff()
    site.shop.hold("li")
    told = site.browser.get(f"/ops/drops/{DROP}/figures").json()
    tally = told["tally"]
    assert tally["held"] == 1
    assert tally["loaded"] == sum(tally[name] for name in ("free", "held", "ordered", "paid", "withdrawn"))
    assert sum(told["shares"][name] for name in ("free", "held", "ordered", "paid", "withdrawn")) == (
        pytest.approx(100, abs=0.01)
    )


def test_the_audit_says_that_nothing_differs(site: Site) -> None:
    site.staff()
    path = f"/ops/drops/{DROP}"
    answer = site.browser.post(f"{path}/audit", data={"csrf": site.csrf(path)})
    assert "No difference. Everything adds up." in answer.text


def test_a_new_drop_with_mistakes_keeps_what_was_typed(site: Site) -> None:
    site.staff()
    typed = {"name": "Spring", "id": "spring-2", "opens_at": "soon", "csrf": site.csrf("/ops/drops/new")}
    answer = site.browser.post("/ops/drops/new", data=typed)
    assert answer.status_code == 422
    assert re.findall(r'id="(\w+)-error"', answer.text) == ["opens_at", "plans", "reason"]
    assert 'value="spring-2"' in answer.text


def test_a_new_drop_starts_as_a_draft_with_its_offers(site: Site) -> None:
    site.staff()
    form = site.browser.get("/ops/drops/new").text
    plan = re.findall(r'name="(plan_[^"]+)"', form)[0]
    tomorrow = (clock.now() + timedelta(days=1)).astimezone(clock.SHANGHAI)
    typed = {
        "name": "Spring", "id": "spring-2", "opens_at": tomorrow.strftime("%Y-%m-%dT%H:%M"), "pool": "spring",
        "city_110": "1", plan: "1", "limit_account": "1", "limit_person": "1", "hold_minutes": "15",
        "pay_minutes": "30", "cod": "1", "reason": "spring sale", "csrf": site.csrf("/ops/drops/new"),
    }  # fmt: skip
    made = site.browser.post("/ops/drops/new", data=typed)
    assert made.url.path == "/ops/drops/spring-2"
    assert "Draft" in made.text
    assert "spring sale" in made.text
    assert site.browser.get("/drops/spring-2").status_code == 404


def test_an_order_is_found_by_its_number_and_refunded_with_a_reason(site: Site) -> None:
    order = site.shop.ready()
    site.shop.pay(order)
    site.shop.settle_down()
    site.staff()
    spaced = f"{order.number[:3]} {order.number[3:7]} {order.number[7:]}"
    assert order.id in site.browser.get("/ops/orders", params={"q": spaced}).text
    path = f"/ops/orders/{order.id}"
    assert site.browser.get("/ops/orders", params={"q": order.id}).url.path == path
    sent = {"move": "refund", "reason": "asked by phone", "csrf": site.csrf(path)}
    assert "the refund follows by itself" in site.browser.post(f"{path}/moves", data=sent).text
    site.shop.settle_down()
    page = site.browser.get(path).text
    assert "asked by phone" in page
    assert site.shop.state(order) == "cancelled"


def test_a_manifest_is_cut_now(site: Site) -> None:
    site.shop.ready(payment="cod")
    site.staff()
    page = site.browser.get("/ops/manifests").text
    courier = re.findall(r'action="/ops/manifests/(\w+)"', page)[0]
    done = site.browser.post(f"/ops/manifests/{courier}", data={"csrf": site.csrf("/ops/manifests")})
    assert re.search(r"Manifest \S+ is cut\.", done.text)


def test_cash_at_the_door_is_taken_off_and_on_while_it_sells(site: Site) -> None:
    site.staff()
    path, csrf = f"/ops/drops/{DROP}", site.csrf(f"/ops/drops/{DROP}")

    def turn(which: str) -> tuple[int, str]:
        answer = site.browser.post(
            f"{path}/moves", data={"move": which, "reason": "refused parcels", "csrf": csrf}
        )
        return answer.status_code, answer.text

    stands = site.shop.place("li", site.shop.anyone(0), payment="cod")
    status, page = turn("cash_off")
    assert status == 200
    assert 'value="cash_on"' in page
    assert "Cash at the door off" in page  # in the history
    assert turn("cash_off")[0] == 409
    with pytest.raises(Invalid) as refused:
        site.shop.place("wang", site.shop.anyone(1), payment="cod")
    assert list(refused.value.errors) == ["payment"]
    assert site.browser.get(f"/api/v1/drops/{DROP}").json()["cod"] is False
    assert site.shop.order(stands.id).state == stands.state
    assert turn("cash_on")[0] == 200
    site.shop.place("wang", site.shop.anyone(1), payment="cod")
