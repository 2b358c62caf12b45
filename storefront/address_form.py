"""The fields of an address on a page: chosen, typed, or split out of one that was pasted."""

from typing import Any

from sqlalchemy.orm import Session

from checkout.prepared import Prepared
from logistics import pasted, regions
from logistics.parcels import Receiver
from runtime.facts import N_, Invalid
from storefront import shown
from storefront.forms import Form

LABELS = {
    "pasted": N_("Paste a whole address"),
    "receiver_name": N_("Recipient"),
    "mobile": N_("Mobile number for the courier"),
    "city": N_("Province and city"),
    "district": N_("District or county"),
    "address": N_("Street, house, room"),
}


def receiver(form: Form) -> Receiver:
    """As it was typed; nothing is checked."""
    typed = {name: form.get(name, "").strip() for name in LABELS}
    return Receiver(
        typed["receiver_name"], typed["mobile"], "", typed["city"], typed["district"], typed["address"]
    )


def fields(kept: Receiver) -> Form:
    """The form's fields for an address that is known."""
    place = {"city": kept.city, "district": kept.district, "address": kept.address}
    return {"receiver_name": kept.name, "mobile": kept.mobile, **place}


def ready(kept: Prepared) -> Form:
    """The form's fields for what a shopper prepared."""
    return {**fields(kept.receiver), "payment": kept.payment}


def split(form: Form) -> tuple[Form, dict[str, str]]:
    """The form with what the pasted text says in its fields, and what is wrong with that. What the text leaves open
    stays as it was typed."""
    text = form.get("pasted", "").strip()
    if not text:
        return form, {
            "pasted": N_("Paste the address here first: name, phone number, place and street in any order.")
        }
    found = pasted.split(text)
    filled = {**form, "pasted": ""}
    parts = {
        "receiver_name": found.name, "mobile": found.mobile, "city": found.city, "district": found.district,
        "address": found.address,
    }  # fmt: skip
    filled |= {name: part for name, part in parts.items() if part}
    if not found.city:
        return {**filled, "pasted": text}, {
            "city": N_("The pasted text names no city we know. Choose it here.")
        }
    filled["district"] = found.district  # one of another city would be wrong
    if not found.district:
        return filled, {"district": N_("The pasted text names no district of this city. Choose it here.")}
    try:
        regions.place(found.province, found.city, found.district)
    except Invalid as wrong:
        return {**filled, "pasted": text, "city": "", "district": ""}, {
            name: sentence for name, sentence in wrong.errors.items() if name == "city"
        }
    return filled, {}


def field(name: str) -> str:
    """The field on the page for a field of a request."""
    return {"receiver.name": "receiver_name"}.get(name, name.removeprefix("receiver."))


def choices(session: Session, city: str) -> dict[str, Any]:
    """What a page offers to choose from: `provinces` with their cities, and the `districts` of a chosen city."""
    chosen = regions.districts(city).values() if city in regions.CITIES else ()
    return {"provinces": shown.provinces(session), "districts": list(chosen)}
