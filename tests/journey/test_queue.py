"""The queue of a whole shop: from before the opening to a held number in a browser on a phone, and by the API."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import browser as steps
from tests.shop import Shop, Shopper, running, until

DROP = "second-round"
ONE_AT_A_TIME = {"rate": 1, "cap": 1, "stay_seconds": 3_600, "come_seconds": 3_600}


@pytest.fixture
def shop() -> Iterator[Shop]:
    """One of its own: its second round is opened and closed."""
    with running() as started:
        yield started


def ops(shop: Shop, form: dict[str, Any], path: str) -> None:
    """Send a form of the ops console as its admin."""
    known = shop.demo["ops"]
    with closing(shop.client()) as console:
        console.post("/ops/login", data={"login": known["login"], "password": known["password"]})
        page = console.get(f"/ops/drops/{DROP}").text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        assert csrf, page[:500]
        answer = console.post(f"/ops/drops/{DROP}/{path}", data={**form, "reason": "a test", "csrf": csrf[1]})
        assert answer.status_code == 303, answer.text[-2000:]


def queue_of(shop: Shop, **rules: Any) -> None:
    given = {"mode": "always", "rate": 50, "cap": 500, "stay_seconds": 300, "come_seconds": 120}
    ops(
        shop,
        {"limit_network": 0, "limit_device": 0, "limit_person": 1, "challenge": 0, **given, **rules},
        "queue",
    )


def standing(who: Shopper) -> dict[str, Any]:
    told: dict[str, Any] = who.http.get(f"/api/v1/drops/{DROP}/queue").raise_for_status().json()
    return told


def place_of(who: Shopper) -> int:
    return int(standing(who)["place"])


def is_called(who: Shopper) -> bool:
    return bool(standing(who)["state"] == "called")


def joined(who: Shopper) -> bool:
    return who.http.post(f"/api/v1/drops/{DROP}/queue").status_code == 200


def hold(who: Shopper, nth: int) -> int:
    """After Redis was lost a web process reads its numbers anew; until then it says so, and one asks again."""
    until(lambda: who.http.get(f"/api/v1/drops/{DROP}/numbers").status_code == 200)
    offer, numbers = who.offer(DROP), who.numbers(DROP, limit=100)
    wish = {"offer": offer["id"], "number": numbers[nth]["number"], "like": numbers[nth]["number"]}
    return who.http.post(f"/api/v1/drops/{DROP}/holds", json=wish).status_code


def headline(page: Page, words: str) -> None:
    expect(page.locator("h1")).to_have_text(words, timeout=60_000)


def watched(page: Page, wrong: list[str]) -> None:
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)


@pytest.mark.browser
@pytest.mark.skipif(
    steps.CHROMIUM is None and not os.environ.get("CI"),  # under CI it must run
    reason="no Chromium on PATH and no root to install it: apt-get install chromium",
)
def test_from_before_the_opening_through_the_draw_to_a_number(shop: Shop) -> None:
    with steps.chromium() as browser:
        walk(shop, browser, lambda _name, _page: None)


def walk(shop: Shop, browser: Browser, show: steps.Step) -> None:
    """Li joins before the opening and gets in, Wang comes late and waits until it is over; their browsers prove some
    work for it. `show` takes pictures."""
    queue_of(shop, **ONE_AT_A_TIME, challenge=2)
    wrong: list[str] = []
    pages = []
    for phone in ("13700000011", "13700000012"):
        page = browser.new_context(viewport=steps.PHONE, locale="zh-CN", device_scale_factor=2).new_page()
        watched(page, wrong)
        steps.sign_in(page, shop, phone)
        pages.append(page)
    li, wang = pages
    li.goto(f"{shop.base}/drops/{DROP}")
    li.click(".turn a.button")
    headline(li, "本场排队")
    li.click("form[action$='/queue'] button")
    headline(li, "您已加入")
    expect(li.locator("output[data-countdown]")).to_be_visible()
    show("queue-before", li)
    li.goto(f"{shop.base}/drops/{DROP}/queue")
    headline(li, "您已加入")

    ops(shop, {"move": "open"}, "moves")
    li.wait_for_url(re.compile(f"/drops/{DROP}$"), timeout=60_000)
    expect(li.locator("#turn")).to_have_text("轮到您了")
    wang.goto(f"{shop.base}/drops/{DROP}/queue")
    wang.click("form[action$='/queue'] button")
    headline(wang, "您正在排队")
    expect(wang.locator("[data-ahead]")).to_have_text("0")
    show("queue-waiting", wang)
    wang.goto(f"{shop.base}/drops/{DROP}")
    expect(wang.locator("button.pick:enabled")).to_have_count(0)
    wang.goto(f"{shop.base}/drops/{DROP}/queue")

    show("queue-turn", li)
    li.locator("button.pick:enabled").first.click()
    li.wait_for_url(re.compile("/checkout/"))
    show("queue-held", li)
    # Li's room is free again, so Wang, whose page is open, is let in.
    wang.wait_for_url(re.compile(f"/drops/{DROP}$"), timeout=60_000)
    expect(wang.locator("button.pick:enabled").first).to_be_visible()

    chen = browser.new_context(viewport=steps.PHONE, locale="zh-CN", device_scale_factor=2).new_page()
    watched(chen, wrong)
    steps.sign_in(chen, shop, "13700000013")
    chen.goto(f"{shop.base}/drops/{DROP}/queue")
    chen.click("form[action$='/queue'] button")
    headline(chen, "您正在排队")
    ops(shop, {"move": "close"}, "moves")
    headline(chen, "本场已结束")
    show("queue-over", chen)

    li.goto(f"{shop.base}/drops/{DROP}/draw")
    li.click("[data-check]")
    expect(li.locator("[data-result]")).to_have_attribute("data-faults", "0")
    show("draw", li)
    assert wrong == []


def test_places_stay_through_killed_processes_and_the_draw_can_be_checked(shop: Shop) -> None:
    people = [Shopper.sign_in(shop, n) for n in range(8)]
    queue_of(shop, **ONE_AT_A_TIME)
    shop.kill("web")
    for who in people[:6]:
        until(partial(joined, who))
    assert {standing(who)["state"] for who in people[:6]} == {"early"}
    assert people[7].http.get(f"/api/v1/drops/{DROP}/queue").json()["state"] == "none"
    ops(shop, {"move": "open"}, "moves")
    until(lambda: standing(people[0])["place"] > 0)
    for who in people[6:]:
        who.http.post(f"/api/v1/drops/{DROP}/queue").raise_for_status()
    places = [until(partial(place_of, who)) for who in people]
    assert sorted(places[:6]) == [1, 2, 3, 4, 5, 6]
    assert places[6:] == [7, 8]
    for part in ("web", "redis", "clock"):
        shop.kill(part)
        assert until(lambda: [standing(who)["place"] for who in people], seconds=60) == places, part

    until(lambda: shop.client().get(f"/api/v1/drops/{DROP}").status_code == 200)  # Redis is well again
    last = people[places.index(max(places))]
    refused = last.http.post(
        f"/api/v1/drops/{DROP}/holds", json={"offer": last.offer(DROP)["id"], "number": "1"}
    )
    assert (refused.status_code, refused.json()["code"], refused.json()["state"]) == (
        403,
        "not_admitted",
        "waiting",
    )
    by_place = sorted(people, key=lambda who: places[people.index(who)])
    for nth, who in enumerate(by_place[:3]):  # one after the other, as each holds
        until(partial(is_called, who))
        assert hold(who, nth) == 201

    address = f"{shop.base}/api/v1/drops/{DROP}/draw"
    until(lambda: shop.client().get(address).json()["seed"])
    checked = shop.haoka("draw", "verify", address)
    assert (checked.returncode, "6 tickets" in checked.stdout) == (0, True), checked.stdout + checked.stderr
    told = shop.client().get(address).json()
    changed = shop.home / "draw.json"
    changed.write_text(json.dumps(told | {"order": told["order"][1::-1] + told["order"][2:]}))
    found = shop.haoka("draw", "verify", str(changed))
    assert (found.returncode, found.stdout) == (1, "wrong: the order is not the drawn one, from place 1 on\n")
    assert [told["order"].index(standing(who)["ticket"]) + 1 for who in people[:6]] == places[:6]


def test_the_stream_tells_ones_place_and_what_is_the_same_for_all(shop: Shop) -> None:
    people = [Shopper.sign_in(shop, n) for n in range(2)]
    with people[0].http.stream("GET", f"/api/v1/drops/{DROP}/queue/stream") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        told = _events(events)
        assert next(told)[1]["state"] == "none"
        people[0].http.post(f"/api/v1/drops/{DROP}/queue").raise_for_status()
        ops(shop, {"move": "open"}, "moves")
        seen = []
        for kind, event in told:
            seen.append((kind, event["state"]))
            if kind == "place" and event["state"] in ("called", "waiting"):
                break
        assert ("news", "before") in seen
        ops(shop, {"move": "close"}, "moves")
        assert next(event for kind, event in told if kind == "news" and event["ended"])
    with shop.client() as nobody:
        assert nobody.get(f"/api/v1/drops/{DROP}/queue/stream").status_code == 401
        signed = {"Authorization": people[0].http.headers["Authorization"]}
        assert nobody.get("/api/v1/drops/nothing/queue/stream", headers=signed).status_code == 404


def _events(answer: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    kind = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))
