"""What targets of notifications were told, and messages to them that have not arrived."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String, nullable=False, primary_key=key)


def _long(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    op.create_table("watari_notices", _text("target", key=True), _text("cloud", key=True), _long("body"))
    op.create_table(
        "watari_messages", _text("id", key=True), _text("target"), _text("cloud"),
        sa.Column("made", sa.Float, nullable=False), _long("body"),
    )  # fmt: skip
    op.create_index("watari_messages_waiting", "watari_messages", ["target", "made"])


def downgrade() -> None:
    for table in ("messages", "notices"):
        op.drop_table(f"watari_{table}")
