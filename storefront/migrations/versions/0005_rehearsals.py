"""Rehearsals: shadow drops, and the capacity cards they end in."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("drops", sa.Column("shadow_of", sa.String(length=60), nullable=True))
    op.create_table(
        "rehearsals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("drop_id", sa.String(length=60), nullable=False),
        sa.Column("shadow_id", sa.String(length=60), nullable=False),
        sa.Column("actor", sa.String(length=60), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.String(length=400), nullable=False),
        sa.Column("card", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rehearsals")),
    )
    op.create_index(op.f("ix_rehearsals_drop_id"), "rehearsals", ["drop_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_rehearsals_drop_id"), table_name="rehearsals")
    op.drop_table("rehearsals")
    op.drop_column("drops", "shadow_of")
