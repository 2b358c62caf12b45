"""Proof of work on joining a queue, and places of one person."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("drop_queues", sa.Column("limit_person", sa.Integer(), server_default="0", nullable=False))
    op.add_column("drop_queues", sa.Column("challenge", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("drop_queues", "challenge")
    op.drop_column("drop_queues", "limit_person")
