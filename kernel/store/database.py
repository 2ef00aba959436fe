"""The engine, the sessions, one Postgres schema for each package, and what guards the tables.

Tables say in `info` what they are: `append_only` rows are never changed or deleted, and `writer`
names the role that may insert them when it is not the application. Grants and triggers are derived
from that, so that a new table cannot be forgotten.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, MetaData, Table, event, text
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.schema import CreateSchema
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

SCHEMAS = ("kernel", "blacklist", "expert_pool", "trading", "evaluation")
OWNER, APP, LOG, READ = "sunbid_owner", "sunbid_app", "sunbid_log", "sunbid_read"
_ROLE = "sunbid_role"

MINOR_FLOORS = {15: 18, 16: 14, 17: 10, 18: 4}
"""The minor releases of May 2026, which mend what an unprivileged role could do before them."""

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Row(SQLModel):
    """A stored row, and nothing more: no validation, no relationships, no methods."""

    metadata: ClassVar[MetaData] = SQLModel.metadata


class Instant(TypeDecorator[datetime]):
    """A `timestamptz` that refuses an instant without its offset."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("an instant without its offset cannot be stored")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


def connect(url: str, *, role: str = "", pool_size: int = 10) -> AsyncEngine:
    """An engine whose pool suits one process on a small machine.

    `role` is taken by every connection; leave it empty where the login itself is that role.
    """
    settings = {
        "application_name": f"sunbid {role}".strip(),
        "idle_in_transaction_session_timeout": "30s",
        "timezone": "UTC",
    }
    if role:
        settings["role"] = role
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,  # an error's text goes to the log; what was bound may be sealed
        connect_args={"server_settings": settings},
        execution_options={_ROLE: role},
    )
    event.listen(engine.sync_engine, "checkout", _renew_the_lost)
    return engine


def _renew_the_lost(connection: Any, _record: object, _fairy: object) -> None:
    """Make the pool connect anew where the server hung up meanwhile.

    The driver hears that by itself, so nothing need be sent: a ping before each transaction would
    cost three trips to the server.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError("the server closed this connection")


def beside(engine: AsyncEngine, *, pool_size: int) -> AsyncEngine:
    """Another engine to the same database in the same role, with a pool of its own.

    For work that must never queue behind the work of others.
    """
    role = engine.get_execution_options().get(_ROLE, "")
    return connect(engine.url.render_as_string(hide_password=False), role=role, pool_size=pool_size)


def session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Sessions that keep their rows readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


def is_trusted_release(major: int, minor: int) -> bool:
    """Whether a Postgres release is none of those with known holes; majors to come are trusted."""
    return major >= min(MINOR_FLOORS) and minor >= MINOR_FLOORS.get(major, 0)


def lock_key(name: str) -> int:
    """The advisory lock number of a named thing (63 bits, so that two names never meet in use)."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


async def lock_shared(session: AsyncSession, name: str) -> None:
    """Hold the named thing still until this transaction ends; others may hold it too."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": lock_key(name)}
    )


async def lock_exclusive(session: AsyncSession, name: str) -> None:
    """Have the named thing for this transaction alone."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(name)})


_REFUSE_REWRITE = """
CREATE FUNCTION kernel.refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on %.% is refused: it is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""

_FORGET_ONLY = """
CREATE FUNCTION kernel.forget_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.operator = ''::bytea AND NEW.operator_salt = ''::bytea
     AND to_jsonb(NEW) - '{operator,operator_salt}'::text[]
       = to_jsonb(OLD) - '{operator,operator_salt}'::text[] THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% on %.% is refused: it is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""

_PLATFORM_NOW = """
CREATE FUNCTION kernel.platform_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
  SELECT clock_timestamp()
    + coalesce((SELECT offset_by FROM kernel.clock_jump ORDER BY id DESC LIMIT 1), interval '0')
$$
"""

_REFUSE_JUMP = """
CREATE FUNCTION kernel.refuse_unlawful_jump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT (SELECT demo FROM kernel.platform) THEN
    RAISE EXCEPTION 'only a demo database can jump' USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.offset_by < (SELECT coalesce(max(offset_by), NEW.offset_by) FROM kernel.clock_jump) THEN
    RAISE EXCEPTION 'the clock only jumps forward' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""

_JUMP_TRIGGER = """
CREATE TRIGGER lawful_jump BEFORE INSERT ON kernel.clock_jump
  FOR EACH ROW EXECUTE FUNCTION kernel.refuse_unlawful_jump()
"""

EXTRA_STATEMENTS: list[str] = []
"""Functions, triggers and rows a package adds to its tables; packages append at import."""


def guard_statements(tables: list[Table]) -> list[str]:
    """The functions, triggers and grants that stand behind the tables, in order."""
    statements = [_REFUSE_REWRITE, _FORGET_ONLY, _PLATFORM_NOW, _REFUSE_JUMP, _JUMP_TRIGGER]
    for schema in SCHEMAS:
        statements.append(f"GRANT USAGE ON SCHEMA {schema} TO {APP}, {READ}")
    statements.append(f"GRANT USAGE ON SCHEMA kernel TO {LOG}")
    for table in tables:
        statements += _guards_of(table)
    for schema in SCHEMAS:
        statements.append(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {APP}")
    statements.append(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA kernel TO {LOG}")
    return statements + EXTRA_STATEMENTS


def _guards_of(table: Table) -> list[str]:
    name = f"{table.schema}.{table.name}"
    writer = table.info.get("writer", APP)
    secret = table.info.get("secret", False)
    append_only = table.info.get("append_only", False)
    statements = []
    if append_only:
        guard = "forget_only" if table.info.get("forgets") else "refuse_rewrite"
        statements += [
            f"CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON {name}"
            f" FOR EACH ROW EXECUTE FUNCTION kernel.{guard}()",
            f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {name}"
            " FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
        ]
    if not secret:
        statements.append(f"GRANT SELECT ON {name} TO {APP}, {READ}, {LOG}")
    rights = "SELECT, INSERT" if append_only else "SELECT, INSERT, UPDATE, DELETE"
    statements.append(f"GRANT {rights} ON {name} TO {writer}")
    for role, extra in table.info.get("grants", {}).items():
        statements.append(f"GRANT {extra} ON {name} TO {role}")
    return statements


async def create_all(connection: AsyncConnection) -> None:
    """Make every schema, table and guard from the row classes that are imported."""
    for schema in SCHEMAS:
        await connection.execute(CreateSchema(schema, if_not_exists=True))
    await connection.run_sync(SQLModel.metadata.create_all)
    for statement in guard_statements(SQLModel.metadata.sorted_tables):
        await connection.exec_driver_sql(statement)
