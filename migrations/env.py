"""Runs migrations on the connection handed over by `kernel/store/migrating.py`.

It imports nothing of the application: a migration must mean the same in five years.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
connection.execute(text("CREATE SCHEMA IF NOT EXISTS kernel"))
connection.execute(text("SET lock_timeout = '4s'"))
connection.execute(text("SET statement_timeout = '30s'"))
connection.commit()
context.configure(connection=connection, version_table_schema="kernel")
with context.begin_transaction():
    context.run_migrations()
connection.execute(text("RESET lock_timeout"))
connection.execute(text("RESET statement_timeout"))
connection.commit()
