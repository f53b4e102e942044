"""Which orchestrators have a member less while an operation goes on; since when a step could not be asked for."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("watari_operations", sa.Column("orchestrators", sa.String, nullable=False, server_default=""))
    operations = sa.table("watari_operations", *map(sa.column, ("run_id", "id", "steps")))
    connection = op.get_bind()
    for row in connection.execute(sa.select(operations)).all():
        steps = json.dumps(
            [{**step, "hastened": False, "tried_at": None} for step in json.loads(row.steps)], ensure_ascii=False
        )
        this = (operations.c.run_id == row.run_id, operations.c.id == row.id)
        connection.execute(operations.update().where(*this).values(steps=steps))


def downgrade() -> None:
    op.drop_column("watari_operations", "orchestrators")
