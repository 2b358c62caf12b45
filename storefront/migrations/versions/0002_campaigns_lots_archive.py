"""Campaigns over several drops, drops over several lots, a journal archived as it grows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("drop_journal", sa.Column("lot", sa.Integer(), server_default="0", nullable=False))
    op.add_column("drop_journal", sa.Column("epoch", sa.String(length=40), server_default="", nullable=False))
    op.add_column(
        "drop_journal", sa.Column("first_id", sa.String(length=40), server_default="", nullable=False)
    )
    op.add_column(
        "drop_journal", sa.Column("last_id", sa.String(length=40), server_default="", nullable=False)
    )
    op.add_column("drops", sa.Column("campaign", sa.String(length=60), nullable=True))
    op.add_column("drops", sa.Column("lots", sa.Integer(), server_default="1", nullable=False))
    op.create_index(op.f("ix_drops_campaign"), "drops", ["campaign"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_drops_campaign"), table_name="drops")
    op.drop_column("drops", "lots")
    op.drop_column("drops", "campaign")
    op.drop_column("drop_journal", "last_id")
    op.drop_column("drop_journal", "first_id")
    op.drop_column("drop_journal", "epoch")
    op.drop_column("drop_journal", "lot")
