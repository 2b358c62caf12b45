"""The whole shop."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("phone_index", sa.String(), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=False),
        sa.Column("phone_masked", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("phone_index", name=op.f("uq_accounts_phone_index")),
    )
    op.create_table(
        "claims",
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("fate", sa.String(length=10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_claims")),
    )
    op.create_table(
        "code_requests",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_requests")),
    )
    op.create_index("ix_code_requests_address_at", "code_requests", ["address", "at"], unique=False)
    op.create_table(
        "code_turns",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_code_turns")),
    )
    op.create_index(op.f("ix_code_turns_at"), "code_turns", ["at"], unique=False)
    op.create_table(
        "codes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("phone_index", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("binding", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_codes")),
    )
    op.create_index("ix_codes_phone", "codes", ["phone_index", "purpose", "sent_at"], unique=False)
    op.create_index(op.f("ix_codes_sent_at"), "codes", ["sent_at"], unique=False)
    op.create_table(
        "couriers",
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("name_zh", sa.String(length=40), nullable=False),
        sa.Column("name_en", sa.String(length=40), nullable=False),
        sa.Column("areas", sa.JSON(), nullable=False),
        sa.Column("cod", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_couriers")),
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("media", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("dek", sa.LargeBinary(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("kind", "ref", "sha256", name=op.f("uq_documents_kind_ref_sha256")),
    )
    op.create_index(op.f("ix_documents_owner"), "documents", ["owner"], unique=False)
    op.create_table(
        "drop_actions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("drop_id", sa.String(length=60), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drop_actions")),
    )
    op.create_index(op.f("ix_drop_actions_drop_id"), "drop_actions", ["drop_id"], unique=False)
    op.create_table(
        "drop_journal",
        sa.Column("drop_id", sa.String(length=60), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("drop_id", "page", name=op.f("pk_drop_journal")),
    )
    op.create_table(
        "drop_skus",
        sa.Column("drop_id", sa.String(length=60), nullable=False),
        sa.Column("sku", sa.String(length=60), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("drop_id", "sku", name=op.f("pk_drop_skus")),
    )
    op.create_table(
        "drops",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("pool", sa.String(length=40), nullable=False),
        sa.Column("cities", sa.JSON(), nullable=False),
        sa.Column("grades", sa.JSON(), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("limit_account", sa.Integer(), nullable=False),
        sa.Column("limit_person", sa.Integer(), nullable=False),
        sa.Column("hold_seconds", sa.Integer(), nullable=False),
        sa.Column("pay_seconds", sa.Integer(), nullable=False),
        sa.Column("quota", sa.Integer(), nullable=True),
        sa.Column("cod", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drops")),
    )
    op.create_table(
        "handset_units",
        sa.Column("imei", sa.String(length=15), nullable=False),
        sa.Column("sku", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("drop_id", sa.String(length=60), nullable=True),
        sa.PrimaryKeyConstraint("imei", name=op.f("pk_handset_units")),
        sa.UniqueConstraint("order_id", name=op.f("uq_handset_units_order_id")),
    )
    op.create_index(op.f("ix_handset_units_drop_id"), "handset_units", ["drop_id"], unique=False)
    op.create_index("ix_handset_units_stock", "handset_units", ["sku", "state", "imei"], unique=False)
    op.create_table(
        "handsets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name_zh", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handsets")),
    )
    op.create_table(
        "id_quota",
        sa.Column("person_index", sa.String(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("person_index", name=op.f("pk_id_quota")),
    )
    op.create_table(
        "identity_answers",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_identity_answers")),
    )
    op.create_index(
        op.f("ix_identity_answers_answered_at"), "identity_answers", ["answered_at"], unique=False
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "numbers",
        sa.Column("number", sa.String(length=11), nullable=False),
        sa.Column("city", sa.String(length=3), nullable=False),
        sa.Column("pool", sa.String(length=40), nullable=False),
        sa.Column("segment7", sa.String(length=7), nullable=False),
        sa.Column("pattern", sa.String(length=8), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=False),
        sa.Column("prestore_fen", sa.Integer(), nullable=False),
        sa.Column("min_spend_fen", sa.Integer(), nullable=False),
        sa.Column("term_months", sa.Integer(), nullable=False),
        sa.Column("no4", sa.Boolean(), nullable=False),
        sa.Column("tags", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("drop_id", sa.String(length=60), nullable=True),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_numbers")),
    )
    op.create_index("ix_numbers_drop_id", "numbers", ["drop_id"], unique=False)
    op.create_index("ix_numbers_stock", "numbers", ["pool", "state", "city", "grade", "number"], unique=False)
    op.create_table(
        "ops_sessions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ops_sessions")),
    )
    op.create_index(op.f("ix_ops_sessions_login"), "ops_sessions", ["login"], unique=False)
    op.create_table(
        "ops_users",
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_ops_users")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("queue", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_due", "outbox", ["queue", "state", "due_at"], unique=False)
    op.create_index("ix_outbox_ref", "outbox", ["ref"], unique=False)
    op.create_table(
        "people",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("refusal", sa.String(), nullable=False),
        sa.Column("id_index", sa.String(), nullable=False),
        sa.Column("name_index", sa.String(), nullable=False),
        sa.Column("masked_name", sa.String(), nullable=False),
        sa.Column("masked_id", sa.String(), nullable=False),
        sa.Column("dek", sa.LargeBinary(), nullable=True),
        sa.Column("name", sa.LargeBinary(), nullable=True),
        sa.Column("id_number", sa.LargeBinary(), nullable=True),
        sa.Column("birth", sa.LargeBinary(), nullable=True),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint(
            "account", "id_index", "name_index", name=op.f("uq_people_account_id_index_name_index")
        ),
    )
    op.create_index(op.f("ix_people_id_index"), "people", ["id_index"], unique=False)
    op.create_index("ix_people_state_decided", "people", ["state", "decided_at"], unique=False)
    op.create_table(
        "plans",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name_zh", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("monthly_fen", sa.Integer(), nullable=False),
        sa.Column("topup_fen", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("data_mb", sa.Integer(), nullable=False),
        sa.Column("texts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
    )
    op.create_table(
        "seeded",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_seeded")),
    )
    op.create_table(
        "shopper_sessions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shopper_sessions")),
    )
    op.create_index(op.f("ix_shopper_sessions_account"), "shopper_sessions", ["account"], unique=False)
    op.create_index(op.f("ix_shopper_sessions_revoked_at"), "shopper_sessions", ["revoked_at"], unique=False)
    op.create_table(
        "sim_cards",
        sa.Column("iccid", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("iccid", name=op.f("pk_sim_cards")),
        sa.UniqueConstraint("order_id", name=op.f("uq_sim_cards_order_id")),
    )
    op.create_index("ix_sim_cards_stock", "sim_cards", ["state", "iccid"], unique=False)
    op.create_table(
        "sms_log",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("masked_phone", sa.String(), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=True),
        sa.Column("text", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_log")),
    )
    op.create_index("ix_sms_log_state", "sms_log", ["state", "made_at"], unique=False)
    op.create_table(
        "stripe_events",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("type", sa.String(length=80), nullable=False),
        sa.Column("intent_id", sa.String(length=80), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_events")),
    )
    op.create_index(op.f("ix_stripe_events_intent_id"), "stripe_events", ["intent_id"], unique=False)
    op.create_table(
        "vault_reads",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vault_reads")),
    )
    op.create_index(op.f("ix_vault_reads_subject"), "vault_reads", ["subject"], unique=False)
    op.create_index("ix_vault_reads_who", "vault_reads", ["who", "at"], unique=False)
    op.create_table(
        "verification_cases",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("news_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification_cases")),
    )
    op.create_index(
        "ix_verification_cases_news", "verification_cases", ["news_at", "state", "decided_at"], unique=False
    )
    op.create_index(
        op.f("ix_verification_cases_person_id"), "verification_cases", ["person_id"], unique=False
    )
    op.create_table(
        "warehouses",
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("company", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("mobile", sa.String(length=20), nullable=False),
        sa.Column("province", sa.String(length=40), nullable=False),
        sa.Column("city", sa.String(length=40), nullable=False),
        sa.Column("district", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_warehouses")),
    )
    op.create_table(
        "contract_policies",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("handset_id", sa.String(length=40), nullable=False),
        sa.Column("plan_id", sa.String(length=40), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("handset_fen", sa.Integer(), nullable=False),
        sa.Column("prestore_fen", sa.Integer(), nullable=False),
        sa.Column("return_fen", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["handset_id"], ["handsets.id"], name=op.f("fk_contract_policies_handset_id")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_contract_policies_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_policies")),
        sa.UniqueConstraint(
            "handset_id", "plan_id", "months", name=op.f("uq_contract_policies_handset_id_plan_id_months")
        ),
    )
    op.create_table(
        "handset_skus",
        sa.Column("sku", sa.String(length=60), nullable=False),
        sa.Column("handset_id", sa.String(length=40), nullable=False),
        sa.Column("colour_zh", sa.String(length=20), nullable=False),
        sa.Column("colour_en", sa.String(length=20), nullable=False),
        sa.Column("storage_gb", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["handset_id"], ["handsets.id"], name=op.f("fk_handset_skus_handset_id")),
        sa.PrimaryKeyConstraint("sku", name=op.f("pk_handset_skus")),
    )
    op.create_index(op.f("ix_handset_skus_handset_id"), "handset_skus", ["handset_id"], unique=False)
    op.create_table(
        "manifests",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("courier", sa.String(length=8), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("cod_total_fen", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pulled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["courier"], ["couriers.code"], name=op.f("fk_manifests_courier")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manifests")),
        sa.UniqueConstraint("courier", "position", name=op.f("uq_manifests_courier_position")),
        sa.UniqueConstraint("number", name=op.f("uq_manifests_number")),
    )
    op.create_table(
        "parcels",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("live_order_id", sa.String(length=40), nullable=True),
        sa.Column("courier", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("receiver_name", sa.LargeBinary(), nullable=False),
        sa.Column("receiver_mobile", sa.LargeBinary(), nullable=False),
        sa.Column("receiver_address", sa.LargeBinary(), nullable=False),
        sa.Column("province", sa.String(length=40), nullable=False),
        sa.Column("city", sa.String(length=40), nullable=False),
        sa.Column("city_code", sa.String(length=6), nullable=False),
        sa.Column("district", sa.String(length=40), nullable=False),
        sa.Column("goods", sa.String(length=80), nullable=False),
        sa.Column("cod_fen", sa.BigInteger(), nullable=False),
        sa.Column("insured_fen", sa.BigInteger(), nullable=False),
        sa.Column("sign_back", sa.Boolean(), nullable=False),
        sa.Column("id_holder", sa.String(length=40), nullable=False),
        sa.Column("id_last4", sa.String(length=4), nullable=False),
        sa.Column("waybill", sa.String(length=40), nullable=True),
        sa.Column("manifest_id", sa.String(length=40), nullable=True),
        sa.Column("recall_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recall_manifest_id", sa.String(length=40), nullable=True),
        sa.Column("door_digest", sa.String(length=64), nullable=True),
        sa.Column("door_tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["courier"], ["couriers.code"], name=op.f("fk_parcels_courier")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parcels")),
        sa.UniqueConstraint("live_order_id", name=op.f("uq_parcels_live_order_id")),
        sa.UniqueConstraint("order_id", "attempt", name=op.f("uq_parcels_order_id_attempt")),
    )
    op.create_index("ix_parcels_courier_state", "parcels", ["courier", "state"], unique=False)
    op.create_index(op.f("ix_parcels_manifest_id"), "parcels", ["manifest_id"], unique=False)
    op.create_index(op.f("ix_parcels_order_id"), "parcels", ["order_id"], unique=False)
    op.create_table(
        "partners",
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("courier", sa.String(length=8), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["courier"], ["couriers.code"], name=op.f("fk_partners_courier")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_partners")),
    )
    op.create_table(
        "manifest_lines",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("manifest_id", sa.String(length=40), nullable=False),
        sa.Column("parcel_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(
            ["manifest_id"], ["manifests.id"], name=op.f("fk_manifest_lines_manifest_id")
        ),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_manifest_lines_parcel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manifest_lines")),
        sa.UniqueConstraint("parcel_id", "kind", name=op.f("uq_manifest_lines_parcel_id_kind")),
    )
    op.create_index(op.f("ix_manifest_lines_manifest_id"), "manifest_lines", ["manifest_id"], unique=False)
    op.create_table(
        "offers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("drop_id", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.String(length=40), nullable=False),
        sa.Column("sku_code", sa.String(length=60), nullable=True),
        sa.Column("policy_id", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_offers_plan_id")),
        sa.ForeignKeyConstraint(["policy_id"], ["contract_policies.id"], name=op.f("fk_offers_policy_id")),
        sa.ForeignKeyConstraint(["sku_code"], ["handset_skus.sku"], name=op.f("fk_offers_sku_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
    )
    op.create_index(op.f("ix_offers_drop_id"), "offers", ["drop_id"], unique=False)
    op.create_table(
        "partner_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["partners.client_id"], name=op.f("fk_partner_tokens_client_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_partner_tokens")),
    )
    op.create_index(op.f("ix_partner_tokens_client_id"), "partner_tokens", ["client_id"], unique=False)
    op.create_table(
        "scans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("courier", sa.String(length=8), nullable=False),
        sa.Column("event_id", sa.String(length=80), nullable=False),
        sa.Column("parcel_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("moved", sa.Boolean(), nullable=False),
        sa.Column("door", sa.String(length=12), nullable=True),
        sa.Column("place", sa.String(length=80), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["courier"], ["couriers.code"], name=op.f("fk_scans_courier")),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_scans_parcel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scans")),
        sa.UniqueConstraint("courier", "event_id", name=op.f("uq_scans_courier_event_id")),
    )
    op.create_index("ix_scans_news", "scans", ["moved", "taken_at"], unique=False)
    op.create_index(op.f("ix_scans_parcel_id"), "scans", ["parcel_id"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("drop_id", sa.String(length=60), nullable=False),
        sa.Column("hold_id", sa.String(length=80), nullable=False),
        sa.Column("offer_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("number", sa.String(length=11), nullable=False),
        sa.Column("sku", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("id_index", sa.String(length=64), nullable=False),
        sa.Column("name_masked", sa.String(length=40), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=False),
        sa.Column("phone_masked", sa.String(length=20), nullable=False),
        sa.Column("receiver", sa.LargeBinary(), nullable=False),
        sa.Column("city", sa.String(length=6), nullable=False),
        sa.Column("courier", sa.String(length=20), nullable=False),
        sa.Column("payment", sa.String(length=20), nullable=False),
        sa.Column("price", sa.JSON(), nullable=False),
        sa.Column("price_version", sa.Integer(), nullable=False),
        sa.Column("due_now_fen", sa.Integer(), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pay_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expiry_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name=op.f("fk_orders_offer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("account", "key", name=op.f("uq_orders_account_key")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_orders_hold_id")),
    )
    op.create_index(op.f("ix_orders_account"), "orders", ["account"], unique=False)
    op.create_index(op.f("ix_orders_drop_id"), "orders", ["drop_id"], unique=False)
    op.create_index(op.f("ix_orders_id_index"), "orders", ["id_index"], unique=False)
    op.create_index(op.f("ix_orders_person_id"), "orders", ["person_id"], unique=False)
    op.create_index(
        "one_live_order_per_number",
        "orders",
        ["number"],
        unique=True,
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    op.create_index("orders_unpaid", "orders", ["state", "pay_by"], unique=False)
    op.create_table(
        "receipts",
        sa.Column("line_id", sa.String(length=40), nullable=False),
        sa.Column("courier", sa.String(length=8), nullable=False),
        sa.Column("result", sa.String(length=12), nullable=False),
        sa.Column("waybill", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["courier"], ["couriers.code"], name=op.f("fk_receipts_courier")),
        sa.ForeignKeyConstraint(["line_id"], ["manifest_lines.id"], name=op.f("fk_receipts_line_id")),
        sa.PrimaryKeyConstraint("line_id", name=op.f("pk_receipts")),
        sa.UniqueConstraint("courier", "waybill", name=op.f("uq_receipts_courier_waybill")),
    )
    op.create_table(
        "contracts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("draft_document", sa.String(length=40), nullable=False),
        sa.Column("draft_sha256", sa.String(length=64), nullable=False),
        sa.Column("needs_font", sa.Boolean(), nullable=False),
        sa.Column("code_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_phone", sa.String(length=20), nullable=True),
        sa.Column("signed_document", sa.String(length=40), nullable=True),
        sa.Column("signed_sha256", sa.String(length=64), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_contracts_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contracts")),
        sa.UniqueConstraint("order_id", name=op.f("uq_contracts_order_id")),
    )
    op.create_table(
        "order_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("from_state", sa.String(length=20), nullable=False),
        sa.Column("to_state", sa.String(length=20), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_events_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_events")),
    )
    op.create_index(op.f("ix_order_events_order_id"), "order_events", ["order_id"], unique=False)
    op.create_table(
        "payments",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("intent_id", sa.String(length=80), nullable=True),
        sa.Column("client_secret", sa.LargeBinary(), nullable=True),
        sa.Column("redirect_url", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("problem", sa.String(length=60), nullable=False),
        sa.Column("amount_fen", sa.Integer(), nullable=False),
        sa.Column("captured_fen", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("minted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ask_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_payments_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("intent_id", name=op.f("uq_payments_intent_id")),
        sa.UniqueConstraint("order_id", "attempt", name=op.f("uq_payments_order_id_attempt")),
    )
    op.create_index(op.f("ix_payments_order_id"), "payments", ["order_id"], unique=False)
    op.create_index(
        "one_open_payment_per_order",
        "payments",
        ["order_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('created', 'pending', 'processing', 'authorised', 'succeeded')"),
        postgresql_where=sa.text("state IN ('created', 'pending', 'processing', 'authorised', 'succeeded')"),
    )
    op.create_index("payments_to_ask", "payments", ["state", "ask_at"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("amount_fen", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("stripe_refund_id", sa.String(length=80), nullable=True),
        sa.Column("problem", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_refunds_order_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_refunds_payment_id")),
    )
    op.create_index(op.f("ix_refunds_order_id"), "refunds", ["order_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_refunds_order_id"), table_name="refunds")
    op.drop_table("refunds")
    op.drop_index("payments_to_ask", table_name="payments")
    op.drop_index(
        "one_open_payment_per_order",
        table_name="payments",
        sqlite_where=sa.text("state IN ('created', 'pending', 'processing', 'authorised', 'succeeded')"),
        postgresql_where=sa.text("state IN ('created', 'pending', 'processing', 'authorised', 'succeeded')"),
    )
    op.drop_index(op.f("ix_payments_order_id"), table_name="payments")
    op.drop_table("payments")
    op.drop_index(op.f("ix_order_events_order_id"), table_name="order_events")
    op.drop_table("order_events")
    op.drop_table("contracts")
    op.drop_table("receipts")
    op.drop_index("orders_unpaid", table_name="orders")
    op.drop_index(
        "one_live_order_per_number",
        table_name="orders",
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    op.drop_index(op.f("ix_orders_person_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_id_index"), table_name="orders")
    op.drop_index(op.f("ix_orders_drop_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_account"), table_name="orders")
    op.drop_table("orders")
    op.drop_index(op.f("ix_scans_parcel_id"), table_name="scans")
    op.drop_index("ix_scans_news", table_name="scans")
    op.drop_table("scans")
    op.drop_index(op.f("ix_partner_tokens_client_id"), table_name="partner_tokens")
    op.drop_table("partner_tokens")
    op.drop_index(op.f("ix_offers_drop_id"), table_name="offers")
    op.drop_table("offers")
    op.drop_index(op.f("ix_manifest_lines_manifest_id"), table_name="manifest_lines")
    op.drop_table("manifest_lines")
    op.drop_table("partners")
    op.drop_index(op.f("ix_parcels_order_id"), table_name="parcels")
    op.drop_index(op.f("ix_parcels_manifest_id"), table_name="parcels")
    op.drop_index("ix_parcels_courier_state", table_name="parcels")
    op.drop_table("parcels")
    op.drop_table("manifests")
    op.drop_index(op.f("ix_handset_skus_handset_id"), table_name="handset_skus")
    op.drop_table("handset_skus")
    op.drop_table("contract_policies")
    op.drop_table("warehouses")
    op.drop_index(op.f("ix_verification_cases_person_id"), table_name="verification_cases")
    op.drop_index("ix_verification_cases_news", table_name="verification_cases")
    op.drop_table("verification_cases")
    op.drop_index("ix_vault_reads_who", table_name="vault_reads")
    op.drop_index(op.f("ix_vault_reads_subject"), table_name="vault_reads")
    op.drop_table("vault_reads")
    op.drop_index(op.f("ix_stripe_events_intent_id"), table_name="stripe_events")
    op.drop_table("stripe_events")
    op.drop_index("ix_sms_log_state", table_name="sms_log")
    op.drop_table("sms_log")
    op.drop_index("ix_sim_cards_stock", table_name="sim_cards")
    op.drop_table("sim_cards")
    op.drop_index(op.f("ix_shopper_sessions_revoked_at"), table_name="shopper_sessions")
    op.drop_index(op.f("ix_shopper_sessions_account"), table_name="shopper_sessions")
    op.drop_table("shopper_sessions")
    op.drop_table("seeded")
    op.drop_table("plans")
    op.drop_index("ix_people_state_decided", table_name="people")
    op.drop_index(op.f("ix_people_id_index"), table_name="people")
    op.drop_table("people")
    op.drop_index("ix_outbox_ref", table_name="outbox")
    op.drop_index("ix_outbox_due", table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("ops_users")
    op.drop_index(op.f("ix_ops_sessions_login"), table_name="ops_sessions")
    op.drop_table("ops_sessions")
    op.drop_index("ix_numbers_stock", table_name="numbers")
    op.drop_index("ix_numbers_drop_id", table_name="numbers")
    op.drop_table("numbers")
    op.drop_table("leases")
    op.drop_index(op.f("ix_identity_answers_answered_at"), table_name="identity_answers")
    op.drop_table("identity_answers")
    op.drop_table("id_quota")
    op.drop_table("handsets")
    op.drop_index("ix_handset_units_stock", table_name="handset_units")
    op.drop_index(op.f("ix_handset_units_drop_id"), table_name="handset_units")
    op.drop_table("handset_units")
    op.drop_table("drops")
    op.drop_table("drop_skus")
    op.drop_table("drop_journal")
    op.drop_index(op.f("ix_drop_actions_drop_id"), table_name="drop_actions")
    op.drop_table("drop_actions")
    op.drop_index(op.f("ix_documents_owner"), table_name="documents")
    op.drop_table("documents")
    op.drop_table("couriers")
    op.drop_index(op.f("ix_codes_sent_at"), table_name="codes")
    op.drop_index("ix_codes_phone", table_name="codes")
    op.drop_table("codes")
    op.drop_index(op.f("ix_code_turns_at"), table_name="code_turns")
    op.drop_table("code_turns")
    op.drop_index("ix_code_requests_address_at", table_name="code_requests")
    op.drop_table("code_requests")
    op.drop_table("claims")
    op.drop_table("accounts")
