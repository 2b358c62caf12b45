"""The token endpoint: OAuth2 client credentials as RFC 6749 wants them."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from logistics import partners
from runtime import clock
from runtime.db import reading, writing
from runtime.facts import Invalid, NotFound
from tests.logistics.courier_world import Courier, api

pytestmark = pytest.mark.usefixtures("world")
CC = {"grant_type": "client_credentials"}


@pytest.fixture
def sf(world: None) -> Courier:
    return Courier("SF")


def ask(sf: Courier, data: Any = None, **more: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    client = TestClient(api(), base_url="http://testserver/partner/v1/")
    answer = client.post("token", data=data, **more)
    return answer.status_code, answer.json(), dict(answer.headers)


def test_credentials_by_basic_or_in_the_body_give_a_token(sf: Courier) -> None:
    in_body = {**CC, "client_id": sf.client_id, "client_secret": sf.secret}
    for status, body, headers in (
        ask(sf, CC, auth=(sf.client_id, sf.secret)),
        ask(sf, in_body),
        ask(sf, {**CC, "client_id": sf.client_id}, auth=(sf.client_id, sf.secret)),
    ):
        assert status == 200
        assert {**body, "access_token": ""} == {
            "access_token": "",
            "token_type": "Bearer",
            "expires_in": 600,
            "scope": "manifests:read receipts:write scans:write",
        }
        assert len(body["access_token"]) == 43
        assert (headers["cache-control"], headers["pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize(
    ("form", "error", "status"),
    [
        ({}, "invalid_request", 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
        ({**CC, "scope": "manifests:read orders:write"}, "invalid_scope", 400),
        ({**CC, "client_secret": "x"}, "invalid_request", 400),
        ({**CC, "client_id": "someone-else"}, "invalid_request", 400),
        ({**CC, "padding": "x" * 9000}, "invalid_request", 400),
        ("grant_type=client_credentials&scope=a&scope=b", "invalid_request", 400),
    ],
)
def test_wrong_requests_get_rfc_6749s_errors(sf: Courier, form: Any, error: str, status: int) -> None:
    more: dict[str, Any] = {"auth": (sf.client_id, sf.secret)}
    if isinstance(form, str):
        more |= {"content": form, "headers": {"content-type": "application/x-www-form-urlencoded"}}
        form = None
    got, body, headers = ask(sf, form or None, **more)
    assert (got, body["error"], headers["cache-control"]) == (status, error, "no-store")
    assert set(body) == {"error", "error_description"}


def test_wrong_credentials_are_401_with_a_challenge(sf: Courier) -> None:
    broken = {"Authorization": "Basic " + base64.b64encode(b"nocolon").decode()}
    for got in (
        ask(sf, CC),
        ask(sf, CC, auth=(sf.client_id, "wrong")),
        ask(sf, CC, auth=("nobody", sf.secret)),
        ask(sf, {**CC, "client_id": sf.client_id, "client_secret": ""}),
        ask(sf, CC, headers=broken),
        ask(sf, CC, headers={"Authorization": "Basic %%%"}),
        ask(sf, CC, headers={"Authorization": "Bearer x"}),
    ):
        status, body, headers = got
        assert (status, body["error"]) == (401, "invalid_client")
        assert headers["www-authenticate"] == 'Basic realm="haoka partners"'


def test_a_json_body_is_no_form(sf: Courier) -> None:
    status, body, _ = ask(sf, json=CC, auth=(sf.client_id, sf.secret))
    assert (status, body["error"]) == (400, "invalid_request")


def test_basic_credentials_are_form_decoded(sf: Courier) -> None:
    spelled = f"{sf.client_id.replace('-', '%2D')}:{sf.secret.replace('_', '%5F')}"
    header = {"Authorization": "Basic " + base64.b64encode(spelled.encode()).decode()}
    assert ask(sf, CC, headers=header)[0] == 200


def test_secrets_and_tokens_are_not_kept_in_clear(sf: Courier) -> None:
    token = sf.token()
    with reading() as session:
        rows = [
            *session.execute(text("SELECT * FROM partners")),
            *session.execute(text("SELECT * FROM partner_tokens")),
        ]
    assert not any(secret in str(rows) for secret in (sf.secret, token))


def test_rotation_keeps_two_secrets_alive_and_retiring_ends_the_old(sf: Courier) -> None:
    with writing() as session:
        second = partners.rotate(session, sf.client_id)
    assert [ask(sf, CC, auth=(sf.client_id, s))[0] for s in (sf.secret, second)] == [200, 200]
    with writing() as session:
        third = partners.rotate(session, sf.client_id)
    assert [ask(sf, CC, auth=(sf.client_id, s))[0] for s in (sf.secret, second, third)] == [401, 200, 200]
    with writing() as session:
        partners.retire(session, sf.client_id)
    assert [ask(sf, CC, auth=(sf.client_id, s))[0] for s in (second, third, "")] == [401, 200, 401]


def test_a_token_ends_after_ten_minutes(sf: Courier) -> None:
    clock.shift(timedelta(seconds=599))
    assert sf.http.get("manifests").status_code == 200
    clock.shift(timedelta(seconds=601))
    assert sf.http.get("manifests").status_code == 401
    sf.token()
    with reading() as session:
        assert session.execute(text("SELECT count(*) FROM partner_tokens")).scalar_one() == 1


def test_a_partner_shut_out_loses_its_tokens_at_once(sf: Courier) -> None:
    with writing() as session:
        partners.set_active(session, sf.client_id, False)
    assert sf.http.get("manifests").status_code == 401
    assert ask(sf, CC, auth=(sf.client_id, sf.secret))[0] == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic eA==", "bearer  "])
def test_without_a_live_token_nothing_is_served(sf: Courier, header: str) -> None:
    sf.http.headers["Authorization"] = header
    for method, path in (("GET", "manifests"), ("GET", "manifests/SF-1"), ("POST", "scans")):
        answer = sf.http.request(method, path, json={"scans": [_SCAN]} if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


_SCAN = {"event_id": "1", "order_no": "o", "status": "lost", "at": "2026-11-22T10:00:00Z"}


@pytest.mark.parametrize("scope", partners.SCOPES)
def test_a_scope_opens_its_own_doors_only(sf: Courier, scope: str) -> None:
    sf.http.headers["Authorization"] = f"Bearer {sf.token(scope=scope)}"
    line = {"line_id": "x", "result": "rejected", "reason": "r"}
    answers = {
        "manifests:read": [sf.http.get("manifests"), sf.http.get("manifests/SF-1")],
        "receipts:write": [sf.http.post("manifests/SF-1/receipt", json={"lines": [line]})],
        "scans:write": [sf.http.post("scans", json={"scans": [_SCAN]})],
    }
    for needed, got in answers.items():
        assert {answer.status_code == 403 for answer in got} == {needed != scope}


def test_a_partner_cannot_ask_for_more_than_it_was_given() -> None:
    reader = Courier("SF", scopes=["manifests:read"])
    assert ask(reader, {**CC, "scope": "scans:write"}, auth=(reader.client_id, reader.secret))[1][
        "error"
    ] == ("invalid_scope")
    assert reader.http.post("scans", json={"scans": [_SCAN]}).status_code == 403


def test_a_partner_needs_a_courier_and_known_scopes() -> None:
    with writing() as session, pytest.raises(NotFound):
        partners.add(session, name="x", courier="XX")
    with writing() as session, pytest.raises(Invalid):
        partners.add(session, name="x", courier="SF", scopes=["orders:write"])
