"""The history of clouds: windows of packed slots, the slots of the window that is not over, and inventories."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _cloud() -> "sa.Column[str]":
    return sa.Column("cloud", sa.String, primary_key=True)


def _number(name: str, *, key: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=False, autoincrement=False)


def _count(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer, nullable=False)


def _body() -> "sa.Column[bytes]":
    return sa.Column("body", sa.LargeBinary, nullable=False)


def upgrade() -> None:
    op.create_table(
        "watari_history", _cloud(), _number("begin", key=True), _number("first"), _number("last"), _count("slots"),
        _count("servers"), _body(),
    )  # fmt: skip
    op.create_table("watari_history_slots", _cloud(), _number("begin", key=True), _count("servers"), _body())
    op.create_table("watari_history_items", _cloud(), _number("epoch", key=True), _number("first", key=True), _body())


def downgrade() -> None:
    for table in ("history_items", "history_slots", "history"):
        op.drop_table(f"watari_{table}")
