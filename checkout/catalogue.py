"""What can be on offer at all: plans, handsets with their skus, contract policies."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout.models import ContractPolicy, Handset, HandsetSku, Plan
from checkout.prices import check_policy
from runtime.bulk import insert_new
from runtime.facts import N_, Invalid, NotFound

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Sku:
    """A colour and storage of a handset to add."""

    sku: str
    colour_zh: str
    colour_en: str
    storage_gb: int


def add_plans(session: Session, path: Path = DATA / "plans.toml") -> list[Plan]:
    """Add the plans of a file; those already there stay as they are, since orders were made with them."""
    table = tomllib.loads(path.read_text())
    rows = [
        {
            "id": row["id"],
            "name_zh": row["zh"],
            "name_en": row["en"],
            "kind": kind,
            "monthly_fen": row["fee"] * 100,
            "topup_fen": row["topup"] * 100,
            "minutes": row["minutes"],
            "data_mb": row["data"],
            "texts": row["texts"],
        }
        for kind in ("prepaid", "postpaid")
        for row in table[kind]
    ]
    insert_new(session, Plan, rows)
    return plans(session)


def plans(session: Session) -> list[Plan]:
    """All plans, prepaid first, then by fee."""
    return list(session.scalars(select(Plan).order_by(Plan.kind.desc(), Plan.monthly_fen)))


def add_handset(session: Session, *, id: str, name_zh: str, name_en: str, skus: Sequence[Sku]) -> Handset:
    """Add a handset and its skus; what is already there stays."""
    insert_new(session, Handset, [{"id": id, "name_zh": name_zh, "name_en": name_en}])
    insert_new(
        session,
        HandsetSku,
        [
            {
                "sku": one.sku,
                "handset_id": id,
                "colour_zh": one.colour_zh,
                "colour_en": one.colour_en,
                "storage_gb": one.storage_gb,
            }
            for one in skus
        ],
    )
    return session.get_one(Handset, id)


def add_policies(
    session: Session, handset_id: str, path: Path = DATA / "iphone4_8gb.toml"
) -> list[ContractPolicy]:
    """Add a handset's prestore-get-handset table: a row for each post-paid plan and term of the file.

    Raises Invalid when a row does not add up to the package price or names a fee no plan has."""
    table = tomllib.loads(path.read_text())
    by_fee = {
        plan.monthly_fen: plan.id for plan in session.scalars(select(Plan).where(Plan.kind == "postpaid"))
    }
    rows = [
        _policy(handset_id, by_fee, entry, months, table)
        for entry in table["plans"]
        for months in (12, 24, 36)
        if str(months) in entry
    ]
    insert_new(session, ContractPolicy, rows)
    return policies(session, handset_id)


def policies(session: Session, handset_id: str) -> list[ContractPolicy]:
    """A handset's contract rows by term and handset price, dearest handset first."""
    return list(
        session.scalars(
            select(ContractPolicy)
            .where(ContractPolicy.handset_id == handset_id)
            .order_by(ContractPolicy.months, ContractPolicy.handset_fen.desc(), ContractPolicy.id)
        )
    )


def policy(session: Session, handset_id: str, plan_id: str, months: int) -> ContractPolicy:
    """The contract row of a handset, plan and term; raises NotFound when the table has none."""
    found = session.scalar(
        select(ContractPolicy).where(
            ContractPolicy.handset_id == handset_id,
            ContractPolicy.plan_id == plan_id,
            ContractPolicy.months == months,
        )
    )
    if found is None:
        raise NotFound(N_("There is no contract for this handset with that plan and term."))
    return found


def _policy(
    handset_id: str, by_fee: dict[int, str], entry: dict[str, Any], months: int, table: dict[str, Any]
) -> dict[str, Any]:
    row = entry[str(months)]
    if row["handset"] + row["prestore"] != table["package_yuan"]:
        raise Invalid(policy=N_("Handset and prestored credit must add up to the package price."))
    if entry["fee"] * 100 not in by_fee:
        raise Invalid(policy=N_("There is no post-paid plan with that monthly fee."))
    handset, prestore, each = (row[name] * 100 for name in ("handset", "prestore", "return"))
    check_policy(handset, prestore, each, months)
    plan_id = by_fee[entry["fee"] * 100]
    return {
        "id": f"{handset_id}:{plan_id}:{months}",
        "handset_id": handset_id,
        "plan_id": plan_id,
        "months": months,
        "handset_fen": handset,
        "prestore_fen": prestore,
        "return_fen": each,
        "source": table["source"],
    }
