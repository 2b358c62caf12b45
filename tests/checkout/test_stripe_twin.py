"""The official SDK against the twin over real HTTP: states, declines, captures, refunds, keys."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import stripe

from tests.checkout.stripe_twin import KEY, PUBLISHABLE, Twin, http, running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    with running(tmp_path_factory.mktemp("stripe")) as twin:
        yield twin


@pytest.fixture
def twin(shared: Twin) -> Twin:
    shared.offset = 0.0
    for name in ("slow_seconds", "rate_limit", "error_500", "lost_reply"):
        shared.store.set_switch(name, "0")
    return shared


def card(
    twin: Twin, token: str = "pm_card_visa", key: str | None = None, **more: Any
) -> stripe.PaymentIntent:
    params: dict[str, Any] = {
        "amount": 4990,
        "currency": "cny",
        "payment_method_types": ["card"],
        "payment_method_options": {"card": {"capture_method": "manual"}},
        "metadata": {"order": "ord_1"},
        "payment_method": token,
        "confirm": True,
        **more,
    }
    return twin.client().v1.payment_intents.create(params, {"idempotency_key": key} if key else {})  # type: ignore[arg-type]


def test_card_is_authorised_captured_and_refunded_in_parts(twin: Twin) -> None:
    api = twin.client().v1
    intent = card(twin)
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 4990, 0)
    intent = api.payment_intents.capture(intent.id)
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("succeeded", 0, 4990)
    api.refunds.create({"payment_intent": intent.id, "amount": 990})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.refunds.create({"payment_intent": intent.id, "amount": 4001})
    assert refused.value.param == "amount"
    api.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.refunds.create({"payment_intent": intent.id})
    assert refused.value.code == "charge_already_refunded"
    assert [r.amount for r in api.refunds.list({"payment_intent": intent.id}).data] == [4000, 990]
    whole = api.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert isinstance(whole.latest_charge, stripe.Charge)
    assert (whole.latest_charge.refunded, whole.latest_charge.amount_refunded) == (True, 4990)


def test_a_card_may_be_refused_only_when_it_is_captured(twin: Twin) -> None:
    held = card(twin, "pm_card_captureDeclined")
    assert held.status == "requires_capture"
    api = twin.client().v1
    with pytest.raises(stripe.CardError) as declined:
        api.payment_intents.capture(held.id)
    assert (declined.value.code, declined.value.http_status) == ("card_declined", 402)
    assert api.payment_intents.retrieve(held.id).status == "requires_capture"
    assert api.payment_intents.cancel(held.id).status == "canceled"


@pytest.mark.parametrize(
    ("token", "code", "decline"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ],
)
def test_declined_card_leaves_the_intent_open_for_another(
    twin: Twin, token: str, code: str, decline: str
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        card(twin, token)
    error = declined.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert (error.code, error.decline_code) == (code, decline)
    api = twin.client().v1
    intent = api.payment_intents.retrieve(error.payment_intent["id"])
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.decline_code == decline
    assert (
        api.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}).status
        == "requires_capture"
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [("pay", "requires_capture"), ("decline", "requires_payment_method"), ("process", "processing")],
)
def test_three_d_secure_waits_for_the_shopper(twin: Twin, word: str, status: str) -> None:
    intent = card(twin, "pm_card_authenticationRequired", return_url="http://shop.test/orders/1?a=1")
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    page = str(intent.next_action.redirect_to_url.url)
    assert page.startswith(twin.url)
    assert "¥49.90" in http.get(page).text
    back = http.post(page, data={"do": word})
    assert back.status_code == 303
    assert back.headers["location"].startswith(f"http://shop.test/orders/1?a=1&payment_intent={intent.id}&")
    assert twin.client().v1.payment_intents.retrieve(intent.id).status == status


@pytest.mark.parametrize("method", ["alipay", "wechat_pay"])
def test_wallet_pays_on_a_page_of_its_own(twin: Twin, method: str) -> None:
    api = twin.client().v1.payment_intents
    made = api.create({"amount": 100, "currency": "cny", "payment_method_types": [method]})  # type: ignore[typeddict-unknown-key]
    intent = api.confirm(
        made.id,
        {
            "payment_method_data": {"type": method},
            "payment_method_options": {"wechat_pay": {"client": "web"}},
            "return_url": "http://shop.test/back",
        },
    )
    action: Any = intent.next_action
    page = (
        action.redirect_to_url.url
        if method == "alipay"
        else action.wechat_pay_display_qr_code.hosted_instructions_url
    )
    assert intent.status == "requires_action"
    assert "redirect_status=succeeded" in http.post(page, data={"do": "pay"}).headers["location"]
    assert api.retrieve(made.id).amount_received == 100
    assert "redirect_status=succeeded" in http.post(page, data={"do": "decline"}).headers["location"]
    assert api.retrieve(made.id).status == "succeeded"


def test_capture_and_cancel_race_has_one_winner(twin: Twin) -> None:
    intent = card(twin)
    outcomes: list[str] = []

    def run(verb: str) -> None:
        try:
            getattr(twin.client().v1.payment_intents, verb)(intent.id)
            outcomes.append(verb)
        except stripe.InvalidRequestError as error:
            outcomes.append(str(error.code))

    threads = [threading.Thread(target=run, args=(verb,)) for verb in ("capture", "cancel", "capture")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = next(word for word in outcomes if word in ("capture", "cancel"))
    assert sorted(outcomes) == sorted([winner, *["payment_intent_unexpected_state"] * 2])
    status = twin.client().v1.payment_intents.retrieve(intent.id).status
    assert status == {"capture": "succeeded", "cancel": "canceled"}[winner]


def test_unexpected_moves_are_refused_with_the_intent_inside(twin: Twin) -> None:
    api = twin.client().v1
    intent = card(twin)
    with pytest.raises(stripe.InvalidRequestError):
        api.refunds.create({"payment_intent": intent.id})
    api.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    for verb in (api.payment_intents.cancel, api.payment_intents.capture, api.payment_intents.confirm):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            verb(intent.id)
        error = refused.value.error
        assert error is not None
        assert error.payment_intent is not None
        assert (error.code, error.payment_intent["status"]) == ("payment_intent_unexpected_state", "canceled")


def test_same_key_and_parameters_replay_the_first_answer(twin: Twin) -> None:
    first, again = card(twin, key="k-replay"), card(twin, key="k-replay")
    assert again.id == first.id
    assert "Idempotent-Replayed" not in first.last_response.headers  # type: ignore[union-attr]
    assert again.last_response.headers["Idempotent-Replayed"] == "true"  # type: ignore[union-attr]
    with pytest.raises(stripe.IdempotencyError):
        card(twin, key="k-replay", amount=5000)
    with pytest.raises(stripe.IdempotencyError):
        twin.client().v1.payment_intents.capture(first.id, {}, {"idempotency_key": "k-replay"})


def test_decline_and_500_are_replayed_too(twin: Twin) -> None:
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            card(twin, "pm_card_chargeDeclined", key="k-declined")
    assert declined.value.headers is not None
    assert declined.value.headers["Idempotent-Replayed"] == "true"
    twin.store.set_switch("error_500", "1")
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            card(twin, key="k-500")


def test_what_failed_before_it_began_may_be_corrected_under_the_same_key(twin: Twin) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        card(twin, key="k-fix", amount=0)
    assert refused.value.param == "amount"
    twin.store.set_switch("rate_limit", "1")
    with pytest.raises(stripe.RateLimitError):
        card(twin, key="k-fix")
    assert card(twin, key="k-fix").status == "requires_capture"


def test_key_in_use_answers_409_and_makes_one_intent(twin: Twin) -> None:
    twin.store.set_switch("slow_seconds", "0.4")
    answers: list[str] = []

    def run() -> None:
        try:
            answers.append(card(twin, key="k-twice").id)
        except stripe.APIError as error:
            answers.append(f"{error.http_status} {error.error.code}")  # type: ignore[union-attr]

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    twin.store.set_switch("slow_seconds", "0")
    assert sorted(answers) == ["409 idempotency_key_in_use", card(twin, key="k-twice").id]


def test_lost_reply_was_done_and_the_key_finds_it(twin: Twin) -> None:
    twin.store.set_switch("lost_reply", "1")
    with pytest.raises(stripe.APIConnectionError):
        card(twin, key="k-lost", metadata={"order": "ord_lost"})
    again = card(twin, key="k-lost", metadata={"order": "ord_lost"})
    newest = twin.client().v1.payment_intents.list({"limit": 1}).data
    assert [intent.id for intent in newest] == [again.id]


def test_key_is_forgotten_after_24_hours(twin: Twin) -> None:
    first = card(twin, key="k-old")
    twin.offset = 23.9 * 3600
    assert card(twin, key="k-old").id == first.id
    twin.offset = 24.1 * 3600
    assert card(twin, key="k-old").id != first.id


def test_lists_page_by_cursor_in_both_directions(twin: Twin) -> None:
    api = twin.client().v1.payment_intents
    made = [card(twin).id for _ in range(5)][::-1]
    assert [i.id for i in api.list({"limit": 2}).data] == made[:2]
    assert [i.id for i in api.list({"limit": 2, "starting_after": made[1]}).data] == made[2:4]
    assert [i.id for i in api.list({"limit": 2, "ending_before": made[3]}).data] == made[1:3]
    walked = [intent.id for intent in api.list({"limit": 2}).auto_paging_iter()]
    assert walked[:5] == made
    assert len(walked) == len(set(walked))


def test_publishable_key_only_sees_its_own_intent(twin: Twin) -> None:
    made = twin.client().v1.payment_intents.create({"amount": 100, "currency": "cny"})
    browser = httpx2.Client(base_url=twin.url, headers={"Authorization": f"Bearer {PUBLISHABLE}"})
    with browser:
        assert browser.get(f"/v1/payment_intents/{made.id}").status_code == 400
        assert browser.get("/v1/payment_intents").status_code == 403
        assert browser.post(f"/v1/payment_intents/{made.id}/capture").status_code == 403
        seen = browser.get(f"/v1/payment_intents/{made.id}", params={"client_secret": made.client_secret})
        assert "metadata" not in seen.json()
        form = {
            "client_secret": str(made.client_secret),
            "payment_method_data[type]": "card",
            "payment_method_data[card][number]": "4000 0000 0000 0002",
            "payment_method_data[card][exp_month]": "12",
            "payment_method_data[card][exp_year]": "34",
            "payment_method_data[card][cvc]": "123",
        }
        declined = browser.post(f"/v1/payment_intents/{made.id}/confirm", data=form)
        assert (declined.status_code, declined.json()["error"]["code"]) == (402, "card_declined")
        form["payment_method_data[card][number]"] = "4242 4242 4242 4241"
        wrong = browser.post(f"/v1/payment_intents/{made.id}/confirm", data=form)
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (402, "incorrect_number")
        form["payment_method_data[card][number]"] = "4242 4242 4242 4242"
        assert (
            browser.post(f"/v1/payment_intents/{made.id}/confirm", data=form).json()["status"] == "succeeded"
        )


def test_keys_are_asked_for_and_basic_works_as_with_curl(twin: Twin) -> None:
    assert http.get(f"{twin.url}/v1/events").status_code == 401
    assert http.get(f"{twin.url}/v1/events", auth=("sk_live_x", "")).status_code == 401
    assert http.get(f"{twin.url}/v1/events", auth=(KEY, "")).status_code == 200
    answer = http.get(f"{twin.url}/v1/nothing", auth=(KEY, ""))
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "invalid_request_error")
    assert answer.headers["Request-Id"].startswith("req_")
    with pytest.raises(stripe.InvalidRequestError) as missing:
        twin.client().v1.payment_intents.retrieve("pi_nothing")
    assert (missing.value.code, missing.value.http_status) == ("resource_missing", 404)
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        card(twin, colour="red")
    assert (unknown.value.code, unknown.value.param) == ("parameter_unknown", "colour")


def test_pages_show_and_move_a_payment(twin: Twin) -> None:
    intent = card(twin)
    browser = httpx2.Client(base_url=twin.url, follow_redirects=True)
    with browser:
        assert intent.id in browser.get("/").text
        page = browser.post(f"/payments/{intent.id}", data={"do": "capture", "back": f"payments/{intent.id}"})
        assert "succeeded" in page.text
        page = browser.post(f"/payments/{intent.id}", data={"do": "refund", "back": f"payments/{intent.id}"})
        assert "Refunds" in page.text
        assert browser.post(f"/payments/{intent.id}", data={"do": "refund"}).status_code == 409
        foreign = browser.post(
            f"/payments/{intent.id}", data={"do": "refund"}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert foreign.status_code == 403
        for asset in ("/v3/", "/static/twin.css", "/static/elements.css"):
            assert browser.get(asset).status_code == 200
        for text in (browser.get("/").text, page.text):
            assert "<script" not in text
            assert "style=" not in text
