"""The counter: what shoppers prepared, marked and said, and reservations of coming handsets."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prepared_details",
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("receiver", sa.LargeBinary(), nullable=False),
        sa.Column("payment", sa.String(length=16), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_prepared_details")),
    )
    op.create_table(
        "favourites",
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("drop_id", sa.String(length=60), nullable=False),
        sa.Column("number", sa.String(length=11), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "drop_id", "number", name=op.f("pk_favourites")),
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("goods", sa.String(length=60), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("complaint", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.String(length=60), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("order_id", name=op.f("uq_reviews_order_id")),
    )
    op.create_index(op.f("ix_reviews_account"), "reviews", ["account"])
    op.create_index(op.f("ix_reviews_goods"), "reviews", ["goods"])
    op.create_index(op.f("ix_reviews_complaint"), "reviews", ["complaint"])
    op.create_table(
        "reservation_campaigns",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("handset", sa.String(length=60), nullable=False),
        sa.Column("drop_id", sa.String(length=60), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rule", sa.String(length=8), nullable=False),
        sa.Column("redeem_minutes", sa.Integer(), nullable=False),
        sa.Column("commitment", sa.String(length=64), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tickets", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("final_seed", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation_campaigns")),
        sa.UniqueConstraint("drop_id", name=op.f("uq_reservation_campaigns_drop_id")),
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("campaign", sa.String(length=60), nullable=False),
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("sku", sa.String(length=60), nullable=False),
        sa.Column("city", sa.String(length=6), nullable=False),
        sa.Column("ticket", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("redeem_by", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
        sa.UniqueConstraint("campaign", "ticket", name=op.f("uq_reservations_campaign_ticket")),
    )
    op.create_index(op.f("ix_reservations_account"), "reservations", ["account"])
    op.create_index("ix_reservations_turns", "reservations", ["campaign", "state", "sku", "place"])


def downgrade() -> None:
    op.drop_table("reservations")
    op.drop_table("reservation_campaigns")
    op.drop_table("reviews")
    op.drop_table("favourites")
    op.drop_table("prepared_details")
