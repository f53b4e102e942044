"""Applies the steps in `versions/` on the connection that the store opened."""

from alembic import context

from watari.act.durable.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="watari_version",
    transactional_ddl=True,
)
context.run_migrations()
