"""Bringing a database to the present shape, and checking that the platform holds no more power
over it than it should.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.errors import PlatformError
from kernel.store.database import is_trusted_release, lock_key

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"


class TooPowerful(PlatformError):
    """The application's login could do what nobody should be able to do unseen."""


class TooOld(PlatformError):
    """The database server is a release with known holes."""


def configuration() -> Config:
    """The migrations' configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config


async def migrate(owner: AsyncEngine, *, to: str = "head") -> None:
    """Apply every migration not applied yet; several processes may start at once."""

    def upgrade(connection: Connection) -> None:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, to)

    async with owner.connect() as connection:
        await connection.execute(
            text("SELECT pg_advisory_lock(:key)"), {"key": lock_key("migrations")}
        )
        await connection.commit()
        try:
            await connection.run_sync(upgrade)
            await connection.commit()
        finally:
            await connection.rollback()
            await connection.execute(
                text("SELECT pg_advisory_unlock(:key)"), {"key": lock_key("migrations")}
            )
            await connection.commit()


async def self_test(app: AsyncEngine) -> None:
    """Refuse to start on a server too old, or with a login too powerful.

    The application must be no superuser, own nothing, and be unable to rewrite the journal.
    """
    try:
        async with app.connect() as connection:
            version = int((await connection.execute(text("SHOW server_version_num"))).scalar_one())
            major, minor = divmod(version, 10_000)
            if not is_trusted_release(major, minor):
                raise TooOld(f"PostgreSQL {major}.{minor} is not accepted")
            row = await connection.execute(
                text(
                    "SELECT rolsuper OR rolcreaterole OR rolbypassrls AS mighty,"
                    " has_table_privilege(current_user, 'kernel.journal', 'UPDATE')"
                    " OR has_table_privilege(current_user, 'kernel.journal', 'DELETE')"
                    " OR has_table_privilege(current_user, 'kernel.log_leaf', 'INSERT') AS rewrites"
                    " FROM pg_roles WHERE rolname = current_user"
                )
            )
            mighty, rewrites = row.one()
            if mighty:
                raise TooPowerful("the application's login is a superuser or may become one")
            if rewrites:
                raise TooPowerful("the application's login may rewrite the journal or the log")
            await connection.rollback()
            try:
                async with connection.begin():
                    await connection.execute(text("DELETE FROM kernel.journal"))
            except DBAPIError:
                return
            raise TooPowerful("the journal can be emptied")
    finally:
        await app.dispose()
