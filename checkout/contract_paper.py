"""What a contract says, apart from how it is drawn: that takes a quarter of a second to load."""

from dataclasses import dataclass
from datetime import datetime

from checkout.prices import Quote


@dataclass(frozen=True)
class Signature:
    """Who signed what: the time, the masked phone the code went to, the hash of the unsigned contract."""

    at: datetime
    phone: str
    draft_sha256: str


@dataclass(frozen=True, repr=False)
class Paper:
    """Everything a contract says. The name is in clear, the ID number masked."""

    order_id: str
    made_at: datetime
    name: str
    masked_id: str
    phone: str
    number: str
    plan: str
    allowances: str
    handset: str
    price: Quote
    policy: str = "prestore"  # the kind of contract, of a handset
    penalty_months: int = 0  # fees that leaving early costs
    signature: Signature | None = None
