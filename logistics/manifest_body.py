"""What stands in a manifest: its header and lines as canonical JSON, and the same as CSV."""

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from logistics.models import Courier, Parcel

SENDER = ("company", "name", "mobile", "province", "city", "district", "address")
RECEIVER = ("name", "mobile", "province", "city", "city_code", "district", "address")
PLAIN = (
    "pay_mode", "cod", "cod_amount_fen", "insured", "insured_fen", "sign_back", "id_check_required", "id_holder",
    "id_last4", "goods", "quantity",
)  # fmt: skip
# Stable: new columns are only ever added at the end.
COLUMNS = (
    "manifest_no", "line_id", "kind", "cancels_line_id", "order_no", "attempt", "waybill_no",
    *(f"sender_{name}" for name in SENDER),
    *(f"receiver_{name}" for name in RECEIVER),
    *PLAIN,
)  # fmt: skip


def normal_line(line_id: str, parcel: Parcel, sender: dict[str, str]) -> dict[str, Any]:
    """A parcel to bring.

    The receiver's mobile is whole: a courier who cannot call cannot deliver. It is in the partner's own manifest
    only, sealed at rest and fetched with a token; what is printed on a label is masked. Of the ID there is the
    masked name and the last four characters, never more."""
    return {
        "line_id": line_id,
        "kind": "normal",
        "cancels_line_id": "",
        "order_no": parcel.order_id,
        "attempt": parcel.attempt,
        "waybill_no": parcel.waybill or "",
        "sender": {name: sender[name] for name in SENDER},
        "receiver": {
            "name": parcel.receiver_name,
            "mobile": parcel.receiver_mobile,
            "province": parcel.province,
            "city": parcel.city,
            "city_code": parcel.city_code,
            "district": parcel.district,
            "address": parcel.receiver_address,
        },
        "pay_mode": "monthly_account",
        "cod": parcel.cod_fen > 0,
        "cod_amount_fen": parcel.cod_fen,
        "insured": parcel.insured_fen > 0,
        "insured_fen": parcel.insured_fen,
        "sign_back": parcel.sign_back,
        "id_check_required": True,
        "id_holder": parcel.id_holder,
        "id_last4": parcel.id_last4,
        "goods": parcel.goods,
        "quantity": 1,
    }


def cancelled_line(line_id: str, parcel: Parcel, original_line_id: str) -> dict[str, Any]:
    """A tombstone: give this parcel back. It names the line it cancels and no person."""
    return {
        "line_id": line_id,
        "kind": "cancelled",
        "cancels_line_id": original_line_id,
        "order_no": parcel.order_id,
        "attempt": parcel.attempt,
        "waybill_no": parcel.waybill or "",
    }


def document(
    number: str, courier: Courier, sealed_at: datetime, lines: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The whole manifest; the counts and the total let the partner reconcile. Money in fen, times in UTC."""
    normal = [line for line in lines if line["kind"] == "normal"]
    return {
        "manifest_no": number,
        "courier": courier.code,
        "sealed_at": sealed_at.isoformat().replace("+00:00", "Z"),
        "currency": "CNY",
        "line_count": len(lines),
        "normal_count": len(normal),
        "cancelled_count": len(lines) - len(normal),
        "cod_total_fen": sum(line["cod_amount_fen"] for line in normal),
        "lines": list(lines),
    }


def canonical(manifest: dict[str, Any]) -> bytes:
    """One byte string for one manifest: sorted keys, no blanks, UTF-8. The SHA-256 is taken over these bytes."""
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def as_csv(manifest: dict[str, Any]) -> bytes:
    """The lines as CSV: UTF-8 with BOM (spreadsheets guess wrong without), CRLF, COLUMNS in their order."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in manifest["lines"]:
        flat = {"manifest_no": manifest["manifest_no"], **line}
        for group in ("sender", "receiver"):
            flat |= {f"{group}_{name}": value for name, value in line.get(group, {}).items()}
        writer.writerow([cell(flat.get(column, "")) for column in COLUMNS])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula: control characters become blanks, and a leading = + - or @
    (ASCII or full width) gets an apostrophe before it (OWASP ASVS 5.0, 1.2.10)."""
    if isinstance(value, bool):
        return "1" if value else "0"
    text = re.sub(r"[\x00-\x1f\x7f]+", " ", str(value))
    return "'" + text if text.lstrip()[:1] in tuple("=+-@＝＋－＠") else text
