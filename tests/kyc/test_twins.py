"""The offline twins of the identity service and the SMS gateway: their protocols and their pages."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from kyc import id_number, sandbox_identity, sandbox_sms
from kyc.sandbox_people import listed
from runtime import clock
from runtime.settings import settings

LI = ("李雷", "110100199001010019")


@pytest.fixture
def http(tmp_path: Path) -> TestClient:
    return at(tmp_path)


def at(folder: Path) -> TestClient:
    mounts = [
        Mount("/sandbox/identity", app=sandbox_identity.app(folder)),
        Mount("/sandbox/sms", app=sandbox_sms.app(folder)),
    ]
    return TestClient(Starlette(routes=mounts), follow_redirects=False)


def ask(http: TestClient, name: str, number: str, request_id: str = "r1", key: str = "") -> tuple[int, Any]:
    reply = http.post(
        "/sandbox/identity/v1/verifications",
        json={"request_id": request_id, "name": name, "id_number": number},
        headers={"Authorization": f"Bearer {key or settings().identity_key}"},
    )
    return reply.status_code, reply.json().get("outcome")


def test_the_listed_people_answer_as_the_page_says(http: TestClient) -> None:
    people = listed(clock.shanghai_date())
    page = http.get("/sandbox/identity/").text
    answers = {}
    for one in people:
        assert one.name in page
        assert one.id_number in page
        assert one.id_number[4:6] == "00"
        answers[one.name] = [ask(http, one.name, one.id_number, one.name)[1] for _ in range(3)][-1]
    expected = {
        one.name: {"flaky": "matched", "unavailable": None}.get(one.answers, one.answers) for one in people
    }
    assert answers == expected
    ages = [id_number.years(id_number.parse(one.id_number, clock.shanghai_date()).birth, clock.shanghai_date())
            for one in people]  # fmt: skip
    assert (len(people) >= 8, 15 in ages, 17 in ages) == (True, True, True)


def test_another_name_or_an_unknown_number(http: TestClient) -> None:
    assert ask(http, "李磊", LI[1], "r1") == (200, "mismatched")
    assert ask(http, "李雷", LI[1], "r2") == (200, "matched")
    assert ask(http, "某某", id_number.made_up("110100", date(1990, 1, 1), 899), "r3") == (200, "not_found")
    assert ask(http, "某某", id_number.made_up("110100", date(1990, 1, 1), 900), "r4") == (200, "matched")
    assert ask(http, "某某", "11010519491231002X", "r5") == (200, "not_found")


def test_a_request_id_keeps_its_answer(http: TestClient) -> None:
    assert ask(http, "李磊", LI[1], "r1") == (200, "mismatched")
    assert ask(http, "李雷", LI[1], "r1") == (200, "mismatched")


def test_wrong_key_wrong_number_wrong_body(http: TestClient) -> None:
    assert ask(http, *LI, key="wrong") == (401, None)
    assert ask(http, "李雷", "110100199001010010") == (400, None)
    headers = {"Authorization": f"Bearer {settings().identity_key}"}
    for content in (b"", b"[]", b"{", b'{"request_id":1}'):
        assert (
            http.post("/sandbox/identity/v1/verifications", content=content, headers=headers).status_code
            == 400
        )


def test_a_person_makes_the_service_go_down_and_adds_a_friend(http: TestClient, tmp_path: Path) -> None:
    assert (
        http.post("/sandbox/identity/weather", data={"weather": "down"}).headers["location"]
        == "/sandbox/identity/"
    )
    assert ask(http, *LI) == (503, None)
    assert http.post("/sandbox/identity/weather", data={"weather": "up"}).status_code == 303
    friend = ("钱多多", id_number.made_up("370100", date(1999, 9, 9), 21))
    assert ask(http, *friend, "r1") == (200, "not_found")
    form = {"name": friend[0], "id_number": friend[1], "answers": "matched"}
    assert http.post("/sandbox/identity/people", data=form).status_code == 303
    again = at(tmp_path)  # the twin is started again
    assert ask(again, *friend, "r2") == (200, "matched")
    assert friend[1] in again.get("/sandbox/identity/").text


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("weather", {"weather": "fog"}),
        ("people", {"name": "钱多多", "id_number": "1", "answers": "matched"}),
        ("people", {"name": "<b>", "id_number": LI[1], "answers": "matched"}),
        ("people", {"name": "钱多多", "id_number": LI[1], "answers": "<b>"}),
    ],
)
def test_a_wrong_form_is_shown_again_with_the_reason(
    http: TestClient, path: str, form: dict[str, str]
) -> None:
    reply = http.post(f"/sandbox/identity/{path}", data=form)
    complaint = reply.text.split("<main>")[1].split("</section>")[0]
    assert (reply.status_code, "role=alert" in complaint, "<b>" in complaint) == (422, True, False)


def test_questions_are_shown_masked(http: TestClient) -> None:
    number = id_number.made_up("370100", date(1999, 9, 9), 23)
    ask(http, "钱多多", number)
    page = http.get("/sandbox/identity/").text
    assert (number in page, id_number.mask(number) in page, "钱**" in page) == (False, True, True)


def sms(http: TestClient, message_id: str, to: str, text: str) -> int:
    headers = {"Authorization": f"Bearer {settings().sms_key}"}
    message = {"id": message_id, "to": to, "text": text}
    return http.post("/sandbox/sms/v1/messages", json=message, headers=headers).status_code


def texts(http: TestClient, query: str = "") -> list[str]:
    return [one["text"] for one in http.get(f"/sandbox/sms/{query}").json()["messages"]]


def test_the_outbox_newest_first_searched_by_phone(http: TestClient) -> None:
    assert sms(http, "1", "18612345678", "first 123456") == 200
    assert sms(http, "2", "+8613012345678", "second") == 200
    assert sms(http, "1", "18612345678", "first again") == 200
    assert sms(http, "3", "18612345678", "third 18612345678") == 200
    assert sms(http, "4", "10086", "nobody") == 400
    assert texts(http) == ["third 18612345678", "second", "first 123456"]
    assert (
        texts(http, "?phone=18612345678")
        == texts(http, "?phone=%2B86+186-1234-5678")
        == texts(http, "?phone=186")
    )
    assert texts(http, "?phone=130") == ["second"]
    assert texts(http, "?phone=x") == []
    messages = http.get("/sandbox/sms/?phone=186").json()["messages"]
    assert [(one["to"], one["code"]) for one in messages] == [
        ("18612345678", None),
        ("18612345678", "123456"),
    ]
    assert sorted(messages[0]) == ["at", "code", "text", "to"]


def test_the_outbox_as_a_page(http: TestClient) -> None:
    sms(http, "1", "18612345678", "<script>alert(1)</script> 654321")
    page = http.get("/sandbox/sms/?phone=186", headers={"Accept": "text/html,*/*"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert 'http-equiv="refresh"' in page.text
    assert "<p class='code digits'>654321</p>" in page.text
    assert "<script>" not in page.text


def test_wrong_key_and_bad_weather_of_the_gateway(http: TestClient) -> None:
    assert http.post("/sandbox/sms/v1/messages", json={}).status_code == 401
    assert http.post("/sandbox/sms/weather", data={"weather": "fog"}).status_code == 400
    assert http.post("/sandbox/sms/weather", data={"weather": "down"}).headers["location"] == "/sandbox/sms/"
    assert sms(http, "1", "18612345678", "lost") == 503
    assert texts(http) == []


@pytest.mark.parametrize("twin", ["identity", "sms"])
def test_pages_keep_a_strict_policy(http: TestClient, twin: str) -> None:
    """No style attribute, no inline style or script; every address stays below the mount."""
    page = http.get(f"/sandbox/{twin}/", headers={"Accept": "text/html"}).text
    assert not re.search(r"<style|<script|\sstyle=|\son[a-z]+=", page)
    links = re.findall(r'(?:href|action|src)="([^"]+)"', page)
    assert links
    assert all(link.startswith(f"/sandbox/{twin}/") for link in links)
    style = http.get(f"/sandbox/{twin}/style.css")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")


def test_the_bare_path_of_the_mount_answers_without_a_redirect(tmp_path: Path) -> None:
    for twin in (sandbox_identity, sandbox_sms):
        bare = TestClient(twin.app(tmp_path), root_path="/sandbox/twin", follow_redirects=False)
        assert [bare.get(f"/sandbox/twin{path}").status_code for path in ("", "/", "/style.css", "/no")] == [
            200, 200, 200, 404,
        ]  # fmt: skip


def test_over_real_http_the_outbox_is_json_for_curl(twins: str) -> None:
    reply = httpx2.get(
        f"{twins}/sms/", params={"phone": "18612345678"}, headers={"Accept": "*/*"}, trust_env=False
    )
    assert (reply.status_code, reply.json()) == (200, {"messages": []})
