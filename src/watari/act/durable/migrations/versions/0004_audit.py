"""Who changed what, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    words = ("at", "by", "via", "address", "action", "cloud", "subject", "why", "outcome")
    op.create_table(
        "watari_audit",
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in words),
    )


def downgrade() -> None:
    op.drop_table("watari_audit")
