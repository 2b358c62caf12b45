"""The twin's webhooks: signed so that the SDK accepts them, tried again until the shop says 2xx."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import stripe

from tests.checkout.stripe_twin import SECRET, Twin, eventually, http, running


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Twin]:
    with running(tmp_path) as twin:
        twin.listen()
        yield twin


def make(twin: Twin) -> stripe.PaymentIntent:
    return twin.client().v1.payment_intents.create({"amount": 100, "currency": "cny"})


def test_signature_is_what_the_sdk_verifies(twin: Twin) -> None:
    intent = make(twin)
    eventually(lambda: len(twin.hooks) == 1)
    body, signature = twin.hooks[0]
    event = stripe.Webhook.construct_event(body, signature, SECRET)
    assert (event.type, event.data.object["id"]) == ("payment_intent.created", intent.id)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", signature, SECRET)
    assert twin.client().v1.events.retrieve(event.id).type == "payment_intent.created"
    assert [e.id for e in twin.client().v1.events.list({"type": "payment_intent.created"}).data] == [event.id]


def test_failed_delivery_is_tried_again_with_the_same_event(twin: Twin) -> None:
    twin.answers = [500, 503]
    make(twin)
    eventually(lambda: len(twin.hooks) == 1)
    twin.offset = 2
    eventually(lambda: len(twin.hooks) == 2)
    twin.offset = 8
    eventually(lambda: len(twin.hooks) == 3)
    assert len({json.loads(body)["id"] for body, _ in twin.hooks}) == 1
    eventually(lambda: twin.store.rows("SELECT state, tries FROM deliveries") == [("delivered", 3)])


def test_delivery_is_given_up_after_three_days(twin: Twin) -> None:
    twin.answers = [500] * 9
    make(twin)
    eventually(lambda: len(twin.hooks) == 1)
    twin.offset = 3 * 24 * 3600 + 10
    eventually(lambda: twin.store.rows("SELECT state FROM deliveries") == [("given up",)])


def test_switches_hold_double_and_release(twin: Twin) -> None:
    form = {"hold": "on", "twice": "on", "delay_seconds": "0"}
    http.post(f"{twin.url}/switches", data=form)
    make(twin)
    assert twin.store.rows("SELECT state FROM deliveries") == [("held",), ("held",)]
    assert "2 held back" in http.get(f"{twin.url}/").text
    http.post(f"{twin.url}/deliveries/all")
    eventually(lambda: len(twin.hooks) == 2)
    event = json.loads(twin.hooks[0][0])["id"]
    http.post(f"{twin.url}/events/{event}", data={"do": "twice"})
    eventually(lambda: len(twin.hooks) == 4)
    http.post(f"{twin.url}/switches", data={"delay_seconds": "60"})
    make(twin)
    assert len(twin.hooks) == 4
    twin.offset = 61
    eventually(lambda: len(twin.hooks) == 5)


def test_restart_delivers_what_was_under_way(tmp_path: Path) -> None:
    with running(tmp_path) as twin:
        twin.listen("http://127.0.0.1:9/closed")
        make(twin)
        eventually(lambda: twin.store.rows("SELECT answer FROM deliveries") == [("ConnectError",)])
    with running(tmp_path) as twin:
        twin.listen()
        twin.offset = 5
        eventually(lambda: twin.heard() == ["payment_intent.created"])


def test_endpoint_is_set_on_the_page(twin: Twin) -> None:
    to = {"url": "http://127.0.0.1:9/x", "secret": "whsec_other"}
    http.post(f"{twin.url}/endpoint", data=to)
    assert json.loads((twin.folder / "webhook.json").read_text()) == to
