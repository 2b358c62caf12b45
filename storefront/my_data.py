"""What we know about a shopper, for themselves: all of it in one file, and forgetting it."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from checkout import addresses, contracts, erasing, orders, prepared
from checkout.erasing import Kept
from checkout.models import Order
from kyc import people, vault
from runtime import clock
from runtime.db import writing
from storefront import accounts, favourites, reservations, reviews
from storefront.models import Account


def export(account: Account) -> dict[str, Any]:
    """Everything of an account in plain words and in clear; times are UTC, money is whole fen. Reading names and ID
    numbers is recorded like every read of the vault."""
    with writing() as session:
        known = [_person(session, person.id) for person in people.of_account_all(session, account.id)]
        ready = prepared.of_account(session, account.id)
        return {
            "made_at": clock.now(),
            "account": {"id": account.id, "phone": account.phone, "since": account.created_at},
            "people": known,
            "prepared": ready and {"receiver": ready.receiver, "payment": ready.payment},
            "orders": [_order(session, one) for one in orders.of_account(session, account.id, 10_000)],
            "favourites": [
                {"drop": one.drop_id, "number": one.number, "since": one.at}
                for one in favourites.of_account(session, account.id)
            ],
            "reservations": [
                {"campaign": one.campaign, "sku": one.sku, "city": one.city, "at": one.at, "state": one.state}
                for one in reservations.all_of_account(session, account.id)
            ],
            "reviews": [
                {
                    "order": one.order_id,
                    "stars": one.stars,
                    "text": one.text,
                    "at": one.at,
                    "answer": one.answer,
                }
                for one in reviews.of_account(session, account.id)
            ],
        }


def _person(session: Session, person_id: str) -> dict[str, Any]:
    plain = vault.reveal(session, person_id, who="shopper", why="the shopper asked for their data")
    person = people.find(session, person_id)
    known = {"name": plain.name, "id_number": plain.id_number, "state": person.state}
    return {**known, "since": person.enrolled_at, "verified_at": person.verified_at}


def _order(session: Session, order: Order) -> dict[str, Any]:
    contract = contracts.of_order(session, order.id)
    return {
        "id": order.id, "drop": order.drop_id, "number": order.number, "kind": order.kind, "sku": order.sku,
        "state": order.state, "placed_at": order.created_at, "paid_at": order.paid_at, "payment": order.payment,
        "receiver": addresses.receiver(order), "price": order.price,
        "contract": contract and {"signed_at": contract.signed_at, "sha256": contract.signed_sha256},
        "timeline": [
            {"at": event.at, "state": event.to_state, "note": event.note}
            for event in orders.timeline(session, order.id)
        ],
    }  # fmt: skip


def erase(account: str) -> Kept:
    """Forget an account for good, but for what the law keeps. Its sessions end, and the same phone is a stranger
    afterwards. Raises erasing.OrderOpen, with nothing erased."""
    with writing() as session:
        kept = erasing.erase(session, account)
        people.erase_account(session, account, kept.people)
        favourites.forget(session, account)
        reviews.forget(session, account)
        reservations.forget(session, account)
        session.execute(
            update(Account)
            .where(Account.id == account)
            .values(phone="", phone_masked="", phone_index=f"erased:{account}")
        )
        ended = accounts.end_all(session, account)
    accounts.known_ended(ended)
    return kept
