"""Reviews: of what was delivered, one an order; a complaint waits for staff, whatever its stars."""

from typing import Any

import pytest
from sqlalchemy import update

from checkout.models import Order
from runtime.db import reading, writing
from storefront import reviews
from tests.storefront.conftest import Site


def delivered(site: Site) -> str:
    """An order of the signed-in account that has arrived."""
    order = site.shop.activated()
    with writing() as session:
        session.execute(update(Order).where(Order.id == order.id).values(account=site.account()))
    return order.id


def send(site: Site, order: str, **typed: str) -> Any:
    csrf = site.csrf(f"/orders/{order}")
    return site.browser.post(
        f"/orders/{order}/review", data={"stars": "5", "text": "", "csrf": csrf, **typed}
    )


def waiting() -> int:
    with reading() as session:
        return reviews.waiting(session)


def test_a_review_is_written_changed_and_read_by_all(site: Site) -> None:
    site.sign_in()
    order = delivered(site)
    assert send(site, order, stars="4", text="号码很好记").url.path == f"/orders/{order}"
    assert send(site, order, stars="5", text="号码很好记，送货快").status_code == 200
    with reading() as session:
        goods = reviews.of_order(session, order).goods  # type: ignore[union-attr]
        assert reviews.summary(session, goods) == reviews.Summary(1, 5.0)
    page = site.browser.get(f"/reviews/{goods}").text
    assert "号码很好记，送货快" in page
    assert page.count("<li ") >= 1
    assert waiting() == 0


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"stars": "5", "text": "很好"}, False),
        ({"stars": "5", "text": "收到的卡是坏的"}, True),
        ({"stars": "5", "text": "The box was broken"}, True),
        ({"stars": "2", "text": ""}, True),
        ({"stars": "5", "text": "请回复我一下", "asks": "yes"}, True),
    ],
)
def test_a_complaint_is_known_by_stars_words_or_wish(
    site: Site, typed: dict[str, str], complaint: bool
) -> None:
    site.sign_in()
    send(site, delivered(site), **typed)
    assert waiting() == complaint


def test_staff_answer_once_and_it_stands_under_the_review(site: Site) -> None:
    site.sign_in()
    order = delivered(site)
    send(site, order, stars="1", text="没信号")
    with reading() as session:
        review = reviews.of_order(session, order)
    assert review is not None
    site.staff("launcher")
    assert "没信号" in site.browser.get("/ops/reviews").text
    token = site.csrf("/ops/reviews")
    answer = f"/ops/reviews/{review.id}/answer"
    short = site.browser.post(answer, data={"text": "嗯", "csrf": token})
    assert short.status_code == 422
    assert "Answer in 5 to 1000 characters" in short.text
    assert site.browser.post(answer, data={"text": "已为您重新开通信号。", "csrf": token}).status_code == 200
    assert site.browser.post(answer, data={"text": "再回复一次试试。", "csrf": token}).status_code == 409
    assert waiting() == 0
    assert "已为您重新开通信号。" in site.browser.get(f"/reviews/{review.goods}").text
    assert "已为您重新开通信号。" in site.browser.get(f"/orders/{order}").text
    with pytest.raises(reviews.Answered):
        reviews.write(site.account(), order, stars=5, text="好了")


def test_what_is_wrong_is_named_and_what_was_typed_stays(site: Site) -> None:
    site.sign_in()
    order = delivered(site)
    refused = send(site, order, stars="9", text="号码很好记")
    assert refused.status_code == 422
    assert "Give one to five stars." in refused.text
    assert "号码很好记</textarea>" in refused.text
    assert "Tell us what happened" in send(site, order, asks="yes").text


def test_what_did_not_come_cannot_be_reviewed(site: Site) -> None:
    site.sign_in()
    order = site.shop.place(site.account())
    with pytest.raises(reviews.NotDelivered):
        reviews.write(site.account(), order.id, stars=5, text="")
    assert "Your review" not in site.browser.get(f"/orders/{order.id}").text


def test_goods_nobody_knows_have_no_page(site: Site) -> None:
    assert site.browser.get("/reviews/nothing").status_code == 404
    assert "Nobody has reviewed this yet." in site.browser.get("/reviews/prepaid-20").text
