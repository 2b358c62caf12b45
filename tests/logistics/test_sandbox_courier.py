"""The courier's twin, driven as a person would, over real HTTP against the partner API."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from logistics import parcels, partners, sandbox_courier
from logistics.models import Manifest
from runtime.db import reading, writing
from tests.logistics.courier_world import api, cut, door_code, parcel_of, send, served, wrong

pytestmark = pytest.mark.usefixtures("world")
HOME = "/sandbox/courier"


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with served(api()) as address:
        yield f"{address}/partner/v1"


@pytest.fixture
def twin(world: None, shop: str, tmp_path: Path) -> TestClient:
    """The twin under its mount, with SF's credentials preset as the demo seed does."""
    with writing() as session:
        client_id, secret = partners.add(session, name="SF robot", courier="SF")
    preset = {"SF": {"client_id": client_id, "client_secret": secret, "base_url": shop}}
    (tmp_path / "couriers.json").write_text(json.dumps(preset))
    return TestClient(Starlette(routes=[Mount(HOME, sandbox_courier.app(tmp_path))]))


def press(twin: TestClient, path: str, **form: str) -> str:
    """Press a button; gives the page that comes after it."""
    answer = twin.post(f"{HOME}{path}", data=form, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(f"{HOME}/")
    return see(twin, answer.headers["location"].removeprefix(HOME))


def see(twin: TestClient, path: str) -> str:
    answer = twin.get(f"{HOME}{path}")
    assert answer.status_code == 200
    return answer.text


def said(page: str) -> str:
    found = re.search(r'<p class="said[^>]*>(.*?)</p>', page, re.DOTALL)
    assert found
    return " ".join(re.sub(r"<[^>]+>", "", found.group(1)).split())


def test_a_parcel_from_the_manifest_to_the_door(twin: TestClient) -> None:
    send("ord_1", cod_fen=0)
    made = cut()
    code = door_code("ord_1")
    assert "顺丰 SF Express" in see(twin, "/")
    board = press(twin, "/SF/pull")
    assert said(board) == f"GET /manifests 200: 1 new: {made.number}"
    assert "李雷" in board
    assert said(press(twin, "/SF/pull")) == "GET /manifests 200: nothing new"
    assert said(press(twin, f"/SF/manifests/{made.number}/receipt")).endswith("200: accepted: recorded")
    with reading() as session:
        assert session.get_one(Manifest, made.id).state == "acknowledged"
    assert re.fullmatch(r"SF\d{12}", parcel_of("ord_1").waybill or "")
    [line] = re.findall(r"/SF/parcels/(lin_\w+)", board)
    for status, button in (
        ("handed_over", "On the road"),
        ("in_transit", "Out for delivery"),
        ("out_for_delivery", "ID and code fit: deliver"),
    ):
        page = press(twin, f"/SF/parcels/{line}/scan", status=status)
        assert button in page
    assert 'href="tel:13800138000"' in page
    assert "number ends in" in page
    page = press(twin, f"/SF/parcels/{line}/scan", status="delivered", note="left with a neighbour")
    assert "delivered unverified. Without a door code the card stays inactive" in said(page)
    page = press(twin, f"/SF/parcels/{line}/scan", status="delivered", door_code=wrong(code))
    assert "The door code is wrong." in said(page)
    page = press(twin, f"/SF/parcels/{line}/scan", status="delivered", door_code=code)
    assert said(page) == "POST /scans delivered 200: recorded, the parcel is delivered"
    assert parcel_of("ord_1").state == "delivered"
    assert code not in page


def test_a_button_pressed_twice_is_one_scan(twin: TestClient) -> None:
    send("ord_1")
    made = cut()
    press(twin, "/SF/pull")
    board = press(twin, f"/SF/manifests/{made.number}/receipt")
    [line] = re.findall(r"/SF/parcels/(lin_\w+)", board)
    form = {"status": "handed_over", "event_id": "once"}
    pages = [press(twin, f"/SF/parcels/{line}/scan", **form) for _ in range(2)]
    assert ["duplicate" in said(page) for page in pages] == [False, True]
    assert len(parcel_of("ord_1").scans) == 1


def test_a_rejected_line_and_a_recall(twin: TestClient) -> None:
    send("ord_1")
    send("ord_2")
    cut()
    board = press(twin, "/SF/pull")
    second, first = re.findall(r"/SF/parcels/(lin_\w+)", board)
    page = press(twin, f"/SF/parcels/{first}/answer", result="rejected", reason="too far")
    assert "You rejected this line" in page
    assert (parcel_of("ord_1").courier, parcel_of("ord_1").attempt) == ("EMS", 2)
    press(twin, f"/SF/parcels/{second}/answer", result="accepted")
    with writing() as session:
        assert parcels.cancel(session, "ord_2") is False
    cut()
    board = press(twin, "/SF/pull")
    assert "Called back by the shop" in board
    recall = next(one for one in re.findall(r"/SF/parcels/(lin_\w+)", board) if one != second)
    press(twin, f"/SF/parcels/{recall}/answer", result="accepted")
    assert parcel_of("ord_2").state == "returned_to_warehouse"
    assert "has called this parcel back" in see(twin, f"/SF/parcels/{second}")


def test_a_token_that_died_is_fetched_anew(twin: TestClient) -> None:
    press(twin, "/SF/pull")
    with writing() as session:
        client_id = partners.listing(session)[0].client_id
        partners.set_active(session, client_id, False)
        partners.set_active(session, client_id, True)
    assert said(press(twin, "/SF/pull")) == "GET /manifests 200: nothing new"


def test_wrong_credentials_and_a_dead_shop_are_told(twin: TestClient, shop: str) -> None:
    form = {"courier": "ems", "base_url": f"{shop}/", "client_id": "ems-1", "client_secret": "no"}
    assert "邮政速递 EMS" in press(twin, "/accounts", **form)
    assert said(press(twin, "/EMS/pull")) == "GET /manifests 401: Unknown client_id or wrong client_secret."
    press(twin, "/accounts", **{**form, "base_url": "http://127.0.0.1:9/partner/v1"})
    assert "no answer from http://127.0.0.1:9/partner/v1: ConnectError" in said(press(twin, "/EMS/pull"))
    assert twin.post(f"{HOME}/accounts", data={**form, "base_url": "file:///etc"}).status_code == 422


def test_no_page_needs_what_the_strict_policy_forbids(twin: TestClient) -> None:
    send("ord_1", to=None, goods="<script>alert(1)</script>")
    cut()
    board = press(twin, "/SF/pull")
    [line] = re.findall(r"/SF/parcels/(lin_\w+)", board)
    for page in (see(twin, "/"), board, see(twin, f"/SF/parcels/{line}")):
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:|https?://(?!testserver)", page)
        assert f'href="{HOME}/courier.css"' in page
    assert twin.get(f"{HOME}/courier.css").headers["content-type"] == "text/css; charset=utf-8"


def test_strangers_pages_and_names_get_nowhere(twin: TestClient) -> None:
    assert twin.post(f"{HOME}/SF/pull", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert twin.get(f"{HOME}/XX").status_code == 404
    assert twin.get(f"{HOME}/SF/parcels/lin_x").status_code == 404
    assert twin.post(f"{HOME}/XX/pull").status_code == 404
    assert twin.get(HOME, follow_redirects=True).status_code == 200
