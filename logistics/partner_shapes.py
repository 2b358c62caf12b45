"""Bodies and answers of the partner API, as JSON and as they stand in the OpenAPI description."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

_ID = Meta(min_length=1, max_length=80, pattern="^[!-~]+$")
_WAYBILL = Meta(max_length=40, pattern="^[ 0-9A-Za-z-]*$")
_TEXT = "^[^\\x00]*$"  # PostgreSQL's text has no NUL


class TokenIn(Struct):
    """A form. With HTTP Basic leave client_id and client_secret out."""

    grant_type: Annotated[str, Meta(description="client_credentials")]
    client_id: str = ""
    client_secret: str = ""
    scope: Annotated[str, Meta(description="Scopes by blanks; default: all the client has.")] = ""


class ManifestHead(Struct):
    """One manifest in the list."""

    manifest_no: str
    state: Annotated[str, Meta(description="sealed, pulled, acknowledged or closed")]
    line_count: int
    cod_total_fen: Annotated[int, Meta(description="Cash to collect over all lines, in fen")]
    sealed_at: datetime
    sha256: Annotated[str, Meta(description="Of the manifest's JSON, byte for byte")]


class ManifestsOut(Struct):
    """A page of manifests, oldest first."""

    manifests: list[ManifestHead]
    next: Annotated[str, Meta(description="Cursor: keep it, send it as `after` next time")]
    more: Annotated[bool, Meta(description="Ask again at once, there are more")]


class AnswerIn(Struct):
    """Your answer to one line."""

    line_id: Annotated[str, _ID]
    result: Literal["accepted", "rejected"]
    waybill_no: Annotated[
        str, Meta(max_length=40, pattern="^[ 0-9A-Za-z-]*$", description="Needed to accept a normal line")
    ] = ""
    reason: Annotated[
        str, Meta(max_length=200, pattern=_TEXT, description="Needed to reject; no personal data")
    ] = ""


class ReceiptIn(Struct):
    """Answers to some or all lines of a manifest."""

    lines: Annotated[list[AnswerIn], Meta(min_length=1, max_length=2000)]


class LineOutcome(Struct):
    """What became of one answer."""

    line_id: str
    outcome: Annotated[
        str, Meta(description="recorded, repeated, unknown_line, incomplete or waybill_in_use")
    ]
    reason: str = ""


class ReceiptOut(Struct):
    """The outcome of each answer in the order sent."""

    manifest_no: str
    state: Annotated[str, Meta(description="acknowledged once every line has an answer")]
    open_lines: Annotated[int, Meta(description="Lines that still have no answer")]
    lines: list[LineOutcome]


class ScanIn(Struct):
    """Something you saw happen to a parcel."""

    event_id: Annotated[str, _ID, Meta(description="Yours, unique for each scan; a repeat is a duplicate")]
    order_no: Annotated[str, _ID]
    status: Annotated[
        str,
        Meta(
            description="handed_over, in_transit, out_for_delivery, delivered, delivered_unverified, attempt_failed, "
            "refused, returning, returned_to_warehouse, id_mismatch, lost or damaged"
        ),
    ]
    at: Annotated[datetime, Meta(tz=True, description="Your time with its zone (RFC 3339)")]
    place: Annotated[str, Meta(max_length=80, pattern=_TEXT)] = ""
    note: Annotated[str, Meta(max_length=200)] = ""
    door_code: Annotated[
        str, Meta(max_length=12, description="With delivered: the receiver's one-time code")
    ] = ""

    def __post_init__(self) -> None:
        if not 1970 <= self.at.year < 2200:  # beyond lie times that no store can keep in UTC
            raise ValueError("`at` must lie between 1970 and 2199")


class ScansIn(Struct):
    """A batch of scans in any order."""

    scans: Annotated[list[ScanIn], Meta(min_length=1, max_length=500)]


class ScanOutcome(Struct, omit_defaults=True):
    """What became of one scan."""

    event_id: str
    outcome: Annotated[
        str, Meta(description="recorded, ignored_late, duplicate, unknown_order or unknown_status")
    ]
    state: Annotated[str, Meta(description="The parcel's state now")] = ""
    door: Annotated[str, Meta(description="checked, wrong_code, no_code, burnt or none_made")] = ""
    tries_left: Annotated[int | None, Meta(description="Tries left for the door code")] = None
    reason: str = ""


class ScansOut(Struct):
    """The outcome of each scan in the order sent."""

    scans: list[ScanOutcome]
