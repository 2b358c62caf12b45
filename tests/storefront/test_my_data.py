"""One's own data: all of it in one file, forgotten on demand but for what the law keeps; sessions end everywhere."""

import json

import pytest
from sqlalchemy import func, select, update

from checkout import erasing, orders
from checkout.models import Order, PreparedDetails
from kyc import people
from kyc.models import Document, Person, VaultRead
from runtime.crypto import blind_index
from runtime.db import reading, writing
from storefront import favourites, my_data
from storefront.models import Account, Favourite, Review
from tests.checkout.shop import DROP, LI, WANG
from tests.storefront.actors import shopper_session
from tests.storefront.conftest import Site
from tests.storefront.test_ready import save


def mine(site: Site, order: Order) -> str:
    """Make an order and its person the signed-in account's."""
    with writing() as session:
        session.execute(update(Order).where(Order.id == order.id).values(account=site.account()))
        session.execute(update(Person).where(Person.id == order.person_id).values(account=site.account()))
    return order.id


def test_the_file_holds_everything_in_clear_and_the_read_is_recorded(site: Site) -> None:
    site.sign_in()
    order = mine(site, site.shop.activated())
    save(site, name="", id_number="")
    number = site.browser.get(f"/drops/{DROP}").text.split('name="number" value="')[1][:11]
    favourites.mark(site.account(), DROP, number)
    sent = site.browser.post("/account/data/export", data={"csrf": site.csrf("/account/data")})
    assert sent.headers["content-disposition"] == 'attachment; filename="haoka-my-data.json"'
    told = json.loads(sent.text)
    assert told["account"]["phone"] == "18600001111"
    assert [(one["name"], one["id_number"]) for one in told["people"]] == [LI]
    assert told["prepared"]["receiver"]["address"] == "示范路8号2单元301室"
    assert [one["id"] for one in told["orders"]] == [order]
    assert told["orders"][0]["receiver"]["name"] == "李雷"
    assert told["orders"][0]["timeline"][0]["state"] == "created"
    assert [one["number"] for one in told["favourites"]] == [number]
    with reading() as session:
        assert (
            session.scalar(select(func.count()).where(VaultRead.why == "the shopper asked for their data"))
            == 1
        )


def test_erasing_forgets_all_but_what_the_law_keeps(site: Site) -> None:
    site.sign_in()
    account = site.account()
    kept = site.shop.activated()
    mine(site, kept)
    with writing() as session:
        session.execute(update(Order).where(Order.id == kept.id).values(state="completed"))
    gone = site.shop.place(account, WANG, key="k2")
    site.shop.settle_down()
    orders.cancel(gone.id, account, "changed my mind")
    site.shop.settle_down()
    save(site, name="", id_number="")
    page = site.browser.post(
        "/account/data/erasure", data={"csrf": site.csrf("/account/data"), "sure": "yes"}
    )
    assert page.status_code == 200
    assert "One order stays" in page.text
    with reading() as session:
        assert session.get_one(Account, account).phone == ""
        assert session.get(PreparedDetails, account) is None
        assert [one.id for one in people.of_account_all(session, account)] == [kept.person_id]
        forgotten, standing = session.get_one(Order, gone.id), session.get_one(Order, kept.id)
        assert (forgotten.name_masked, forgotten.phone) == ("", "")
        assert "示范路" not in forgotten.receiver
        assert "中关村" not in forgotten.receiver
        assert standing.name_masked == "李*"
        papers = select(Document.content).where(Document.ref.in_((gone.id,)))
        assert set(session.scalars(papers)) <= {None}
    assert site.browser.get("/account", follow_redirects=False).headers["location"].startswith("/login")
    with reading() as session:  # the same phone is a stranger now
        assert (
            session.scalar(select(Account).where(Account.phone_index == blind_index("18600001111"))) is None
        )


def test_an_order_under_way_keeps_everything_and_says_so(site: Site) -> None:
    site.sign_in()
    order = site.shop.place(site.account())
    save(site, name="", id_number="")
    refused = site.browser.post(
        "/account/data/erasure", data={"csrf": site.csrf("/account/data"), "sure": "yes"}
    )
    assert refused.status_code == 409
    assert f"/orders/{order.id}" in refused.text
    with pytest.raises(erasing.OrderOpen):
        my_data.erase(site.account())
    with reading() as session:
        assert session.get(PreparedDetails, site.account()) is not None
        assert session.get_one(Account, site.account()).phone == "18600001111"


def test_nothing_is_erased_without_saying_it_twice(site: Site) -> None:
    site.sign_in()
    refused = site.browser.post("/account/data/erasure", data={"csrf": site.csrf("/account/data")})
    assert refused.status_code == 422
    assert "Please confirm" in refused.text
    assert site.browser.get("/account").status_code == 200


def test_signing_out_everywhere_ends_every_session(site: Site) -> None:
    site.sign_in()
    token, _ = shopper_session(site.account())
    site.browser.post("/account/sessions/end", data={"csrf": site.csrf("/account")})
    assert site.browser.get("/account", follow_redirects=False).status_code == 303
    site.browser.cookies.clear()
    other = site.browser.get("/account", headers={"Cookie": f"sid={token}"}, follow_redirects=False)
    assert other.status_code == 303


def test_a_receipt_is_there_once_it_is_paid(site: Site) -> None:
    site.sign_in()
    order = site.shop.place(site.account())
    assert site.browser.get(f"/orders/{order.id}/receipt").status_code == 404


def test_a_paid_order_has_its_receipt(site: Site) -> None:
    site.sign_in()
    paid = mine(site, site.shop.activated())
    page = site.browser.get(f"/orders/{paid}/receipt").text
    assert paid in page
    assert "Sold by" in page
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(Review)) == 0
        assert session.scalar(select(func.count()).select_from(Favourite)) == 0
