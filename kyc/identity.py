"""Asks the identity service whether a name and an ID number belong together."""

from typing import Literal

import httpx2
import msgspec

from runtime.http import client
from runtime.settings import settings

Outcome = Literal["matched", "mismatched", "not_found"]
PATIENCE = 5.0  # seconds


class IdentityError(Exception):
    """The service gave no verdict. The message never carries what was asked."""


class _Answer(msgspec.Struct):
    outcome: Outcome


def ask(request_id: str, name: str, id_number: str) -> Outcome:
    """The service's verdict. Raises IdentityError for anything else: no verdict is never a yes.

    The service answers a `request_id` it has seen as it did before, so asking again after a lost reply is one
    question, paid once.
    """
    if not settings().identity_url:
        raise IdentityError("HAOKA_IDENTITY_URL is not set")
    question = {"request_id": request_id, "name": name, "id_number": id_number}
    headers = {"Authorization": f"Bearer {settings().identity_key}"}
    try:
        with client(settings().identity_url, timeout=PATIENCE, headers=headers) as service:
            reply = service.post("/v1/verifications", json=question)
    except httpx2.HTTPError as trouble:
        raise IdentityError(f"the identity service did not answer ({type(trouble).__name__})") from None
    if reply.status_code != 200:
        raise IdentityError(f"the identity service answered {reply.status_code}")
    try:
        return msgspec.json.decode(reply.content, type=_Answer).outcome
    except msgspec.DecodeError:
        raise IdentityError("the identity service gave an answer we do not know") from None
