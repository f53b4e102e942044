"""Plans, runs, operations, journal entries, leases and benefits."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(name: str, *, null: bool = False, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String, nullable=null, primary_key=key)


def upgrade() -> None:
    op.create_table(
        "watari_plans", _text("id", key=True), _text("job"), _text("cloud"), _text("made_at"),
        sa.Column("text", sa.Text, nullable=False),
    )  # fmt: skip
    op.create_table(
        "watari_runs", _text("id", key=True), _text("plan_id"), _text("job"), _text("cloud"), _text("started_at"),
        _text("ended_at", null=True), _text("policy_source"), sa.Column("policy_text", sa.Text, nullable=False),
        sa.Column("stopping", sa.Boolean, nullable=False), sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False), sa.Column("starved_before", sa.Integer),
        sa.Column("starved_after", sa.Integer),
    )  # fmt: skip
    op.create_index("ix_watari_runs_plan_id", "watari_runs", ["plan_id"])
    op.create_index("ix_watari_runs_cloud", "watari_runs", ["cloud"])
    op.create_table(
        "watari_operations", _text("run_id", key=True), _text("id", key=True),
        sa.Column("seq", sa.Integer, nullable=False), _text("cloud"), _text("state"), _text("waits"),
        _text("owner", null=True), sa.Column("holding", sa.Boolean, nullable=False), _text("source"), _text("target"),
        _text("zone"), _text("role"), sa.Column("rate_mib_s", sa.Float, nullable=False),
        sa.Column("steps", sa.Text, nullable=False), sa.Column("changed", sa.Float, nullable=False),
    )  # fmt: skip
    op.create_index("watari_operations_holding", "watari_operations", ["cloud", "holding"])
    op.create_table(
        "watari_entries", sa.Column("n", sa.Integer, primary_key=True, autoincrement=True), _text("at"),
        _text("run_id"), _text("operation"), _text("subject"), _text("step"), _text("state"),
        sa.Column("text", sa.Text, nullable=False), _text("executor"),
    )  # fmt: skip
    op.create_index("ix_watari_entries_run_id", "watari_entries", ["run_id"])
    op.create_table(
        "watari_leases", _text("executor", key=True), sa.Column("renewed", sa.Float, nullable=False), _text("about"),
    )  # fmt: skip
    op.create_table(
        "watari_benefits", _text("run_id", key=True), _text("operation", key=True), _text("cloud"), _text("server"),
        _text("source"), _text("target"), _text("moved_at"), _text("measured_at"),
        sa.Column("body", sa.Text, nullable=False),
    )  # fmt: skip
    op.create_index("ix_watari_benefits_cloud", "watari_benefits", ["cloud"])


def downgrade() -> None:
    for table in ("benefits", "leases", "entries", "operations", "runs", "plans"):
        op.drop_table(f"watari_{table}")
