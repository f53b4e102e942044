"""Controllers, what they propose, and the stop switch."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _text(name: str, *, null: bool = False, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String, nullable=null, primary_key=key)


def _long(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    op.create_table(
        "watari_proposals", _text("id", key=True), _text("cloud"), _text("job"), _text("mode"), _text("made_at"),
        _text("expires_at"), sa.Column("operations", sa.Integer, nullable=False), _long("subjects"),
        sa.Column("starved", sa.Integer), _text("state"), _long("why"), _text("decided_by"),
        _text("decided_at", null=True), _text("run_id", null=True), _text("policy_source"), _long("policy_text"),
    )  # fmt: skip
    op.create_index("ix_watari_proposals_run_id", "watari_proposals", ["run_id"])
    op.create_index("watari_proposals_standing", "watari_proposals", ["cloud", "state"])
    op.create_table(
        "watari_controllers", _text("cloud", key=True), _text("executor"), _text("about"),
        sa.Column("looked", sa.Float), _long("body"),
    )  # fmt: skip
    op.create_table("watari_memories", _text("cloud", key=True), sa.Column("body", sa.LargeBinary, nullable=False))
    op.create_table("watari_stops", _text("cloud", key=True), _text("stopped_by"), _long("why"), _text("at"))


def downgrade() -> None:
    for table in ("stops", "memories", "controllers", "proposals"):
        op.drop_table(f"watari_{table}")
