"""What is one shopper's is not another's, and nobody's ID number stands in the clear anywhere."""

from pathlib import Path

import httpx2

from tests.shop import Shop, Shopper, anybody, until


def test_another_shopper_finds_nothing(shop: Shop) -> None:
    li, wang = Shopper.sign_in(shop, 401), Shopper.sign_in(shop, 402)
    offer = li.offer("first-round")["id"]
    number = li.numbers("first-round", limit=1)[0]["number"]
    hold = li.hold("first-round", number, offer).raise_for_status().json()["hold"]
    assert wang.http.get(f"/api/v1/holds/{hold}").status_code == 404
    assert wang.http.delete(f"/api/v1/holds/{hold}").status_code == 404
    assert li.http.get(f"/api/v1/holds/{hold}").status_code == 200
    assert wang.place(hold, "cod").status_code == 404
    order = li.place(hold, "cod").raise_for_status().json()["order"]
    tries: list[tuple[str, str, dict[str, str] | None]] = [
        ("GET", f"/api/v1/orders/{order}", None),
        ("GET", f"/api/v1/orders/{order}/contract.pdf", None),
        ("POST", f"/api/v1/orders/{order}/signature", {"code": "123456"}),
        ("POST", f"/api/v1/orders/{order}/signature/code", None),
        ("POST", f"/api/v1/orders/{order}/payment", {}),
        ("POST", f"/api/v1/orders/{order}/cancellation", {}),
    ]
    for method, path, body in tries:
        assert wang.http.request(method, path, json=body).status_code == 404, path
        with shop.client() as nobody:
            assert nobody.request(method, path, json=body).status_code == 401, path


def test_the_same_key_is_the_same_order_and_no_other_body(shop: Shop) -> None:
    li = Shopper.sign_in(shop, 403)
    offer = li.offer("first-round")["id"]
    number = li.numbers("first-round", limit=1)[0]["number"]
    hold = li.hold("first-round", number, offer).raise_for_status().json()["hold"]
    first = li.place(hold, "cod", key="one-and-the-same").raise_for_status().json()
    again = li.place(hold, "cod", key="one-and-the-same").raise_for_status().json()
    assert again["order"] == first["order"]
    other = li.place(hold, "card", key="one-and-the-same")
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    second = li.place(hold, "cod", key="a-second-key")
    assert (second.status_code, second.json()["code"]) == (409, "ordered")


def test_no_full_id_number_stands_in_redis_logs_manifests_or_pages(shop: Shop) -> None:
    buyers = [Shopper.sign_in(shop, n) for n in (410, 411, 412)]
    for buyer in buyers:
        offer = buyer.offer("first-round")["id"]
        number = buyer.numbers("first-round", limit=1)[0]["number"]
        hold = buyer.hold("first-round", number, offer).raise_for_status().json()["hold"]
        order = buyer.place(hold, "cod").raise_for_status().json()["order"]
        buyer.until_state(order, "awaiting_payment")
        buyer.sign(order)
        buyer.until_state(order, "packed")
    secrets = [anybody(n).encode() for n in (410, 411, 412)]
    found = [
        str(path.relative_to(shop.home))
        for path in sorted(shop.home.rglob("*"))
        if path.is_file() and path.parts[len(shop.home.parts)] != "twins" and _holds(path, secrets)
    ]
    assert found == []
    assert (shop.home / "redis").is_dir()
    texts = _pages(shop, buyers[0].http) + _manifests(shop)
    assert len(texts) > 8
    assert [text[:80] for text in texts if any(secret in text for secret in secrets)] == []


def _holds(path: Path, secrets: list[bytes]) -> bool:
    content = path.read_bytes()
    return any(secret in content for secret in secrets)


def _pages(shop: Shop, client: httpx2.Client) -> list[bytes]:
    token = client.headers["Authorization"].removeprefix("Bearer ")
    orders = client.get("/api/v1/orders").json()["orders"]
    seen = []
    with shop.client(Cookie=f"sid={token}", Accept="text/html") as browser:
        for path in ("/", "/account", f"/orders/{orders[0]['order']}", "/drops/first-round"):
            seen.append(browser.get(path).raise_for_status().content)
    with shop.client(Origin=shop.base) as ops:
        login = {"login": shop.demo["ops"]["login"], "password": shop.demo["ops"]["password"], "next": "/ops"}
        ops.post("/ops/login", data=login)
        paths = (
            "/ops",
            "/ops/drops/first-round",
            "/ops/orders",
            f"/ops/orders/{orders[0]['order']}",
            "/ops/manifests",
        )
        for path in paths:
            seen.append(ops.get(path).raise_for_status().content)
    seen.append(client.get(f"/api/v1/orders/{orders[0]['order']}").content)
    return seen


def _manifests(shop: Shop) -> list[bytes]:
    partner = shop.partner("SF")
    heads = until(lambda: partner.get("/partner/v1/manifests", params={"limit": 100}).json()["manifests"])
    return [
        partner.get(f"/partner/v1/manifests/{head['manifest_no']}", params={"format": form}).content
        for head in heads
        for form in ("json", "csv")
    ]
