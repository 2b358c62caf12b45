"""Queues of drops, and their draws."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drop_queues",
        sa.Column("drop_id", sa.String(length=60), nullable=False),
        sa.Column("mode", sa.String(length=6), nullable=False),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.Column("cap", sa.Integer(), nullable=False),
        sa.Column("stay_seconds", sa.Integer(), nullable=False),
        sa.Column("come_seconds", sa.Integer(), nullable=False),
        sa.Column("limit_network", sa.Integer(), nullable=False),
        sa.Column("limit_device", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.String(length=40), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("commitment", sa.String(length=64), nullable=False),
        sa.Column("seed_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tickets", sa.Integer(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("final_seed", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("drop_id", name=op.f("pk_drop_queues")),
    )
    op.create_table(
        "queue_journal",
        sa.Column("drop_id", sa.String(length=60), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("last_id", sa.String(length=40), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("drop_id", "page", name=op.f("pk_queue_journal")),
    )


def downgrade() -> None:
    op.drop_table("queue_journal")
    op.drop_table("drop_queues")
