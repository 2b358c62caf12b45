"""The catalogue in versions: plans, handsets and contracts become the first one, and each offer keeps its own terms."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "catalogue_versions",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_catalogue_versions")),
    )
    op.create_table(
        "number_grades",
        sa.Column("grade", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("prestore_fen", sa.Integer(), nullable=False),
        sa.Column("min_spend_fen", sa.Integer(), nullable=False),
        sa.Column("term_months", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("grade", name=op.f("pk_number_grades")),
    )
    connection = op.get_bind()
    rows = {
        name: [dict(row) for row in connection.execute(sa.text(f"SELECT * FROM {name}")).mappings()]  # noqa: S608
        for name in ("plans", "handsets", "handset_skus", "contract_policies", "offers")
    }
    document = _document(rows)
    version = _publish(connection, document) if document["plan"] else 0
    with op.batch_alter_table("offers") as table:
        table.add_column(sa.Column("terms", sa.JSON(), nullable=True))
        table.drop_constraint("fk_offers_plan_id", type_="foreignkey")
        table.drop_constraint("fk_offers_sku_code", type_="foreignkey")
        table.drop_constraint("fk_offers_policy_id", type_="foreignkey")
    offers = sa.table("offers", sa.column("id"), sa.column("terms", sa.JSON()))
    for offer in rows["offers"]:
        terms = _terms(document, offer, version)
        connection.execute(offers.update().where(offers.c.id == offer["id"]).values(terms=terms))
    with op.batch_alter_table("offers") as table:
        table.alter_column("terms", existing_type=sa.JSON(), nullable=False)
        table.drop_column("policy_id")
    op.drop_table("contract_policies")
    op.drop_index("ix_handset_skus_handset_id", table_name="handset_skus")
    op.drop_table("handset_skus")
    op.drop_table("handsets")
    op.drop_table("plans")


def _document(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "plan": {
            row["id"]: {
                "code": row["id"], "kind": row["kind"], "zh": row["name_zh"], "en": row["name_en"],
                "fee_fen": row["monthly_fen"], "topup_fen": row["topup_fen"], "minutes": row["minutes"],
                "data_mb": row["data_mb"], "texts": row["texts"],
            }
            for row in rows["plans"]
        },
        "handset": {
            row["id"]: {"code": row["id"], "zh": row["name_zh"], "en": row["name_en"]} for row in rows["handsets"]
        },
        "sku": {
            row["sku"]: {
                "code": row["sku"], "handset": row["handset_id"], "colour_zh": row["colour_zh"],
                "colour_en": row["colour_en"], "storage_gb": row["storage_gb"],
            }
            for row in rows["handset_skus"]
        },
        "policy": {
            f"{row['handset_id']}:{row['plan_id']}:{row['months']}": {
                "handset": row["handset_id"], "plan": row["plan_id"], "months": row["months"], "kind": "prestore",
                "price_fen": row["handset_fen"], "prestore_fen": row["prestore_fen"],
                "return_fen": row["return_fen"], "source": row["source"],
            }
            for row in rows["contract_policies"]
        },
        "grade": {},
        "promotion": {},
    }  # fmt: skip


def _publish(connection: sa.Connection, document: dict[str, Any]) -> int:
    versions = sa.table(
        "catalogue_versions", sa.column("version"), sa.column("at", sa.DateTime(timezone=True)),
        sa.column("actor"), sa.column("reason"), sa.column("sha256"), sa.column("document", sa.JSON()),
        sa.column("changes", sa.JSON()),
    )  # fmt: skip
    raw = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    row = {
        "version": 1, "at": sa.func.current_timestamp(), "actor": "migration", "reason": "what was on offer before versions",
        "sha256": hashlib.sha256(raw).hexdigest(), "document": document, "changes": [],
    }  # fmt: skip
    connection.execute(versions.insert().values(**row))
    return 1


def _terms(document: dict[str, Any], offer: dict[str, Any], version: int) -> dict[str, Any]:
    plan = document["plan"][offer["plan_id"]]
    terms = {
        "kind": offer["kind"], "drop_id": offer["drop_id"], "plan": plan["code"], "plan_zh": plan["zh"],
        "plan_en": plan["en"], "fee_fen": plan["fee_fen"], "minutes": plan["minutes"], "data_mb": plan["data_mb"],
        "texts": plan["texts"], "catalogue": version,
    }  # fmt: skip
    if offer["policy_id"] is None:
        return {**terms, "topup_fen": plan["topup_fen"]}
    sku = document["sku"][offer["sku_code"]]
    handset, policy = document["handset"][sku["handset"]], document["policy"][offer["policy_id"]]
    return {
        **terms, "handset": handset["code"], "months": policy["months"], "handset_fen": policy["price_fen"],
        "handset_zh": f"{handset['zh']} {sku['storage_gb']}GB {sku['colour_zh']}",
        "handset_en": f"{handset['en']} {sku['storage_gb']} GB {sku['colour_en']}",
        "prestore_fen": policy["prestore_fen"], "return_fen": policy["return_fen"],
    }  # fmt: skip


def downgrade() -> None:
    raise NotImplementedError("what a version of the catalogue has does not fit the old tables")
