"""Searching everything the platform keeps, and not only what it shows: its rows, files and words.

Whether a secret is there at all can be told from inside alone; a stranger's answers show no more
than that it is not handed out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.store.database import SCHEMAS, connect
from web.premises import LOGS, reached
from web.rehearsal.stage import Stage

_TABLES = text(
    "SELECT table_schema, table_name FROM information_schema.tables"
    " WHERE table_schema = ANY(:schemas) AND table_type = 'BASE TABLE' ORDER BY 1, 2"
)


async def places_that_hold(stage: Stage, secrets: Collection[str]) -> list[str]:
    """Every table, document and log of the running platform in which one of the secrets stands.

    Rows are searched as text, in which bytes are hexadecimal digits; documents as bytes.
    """
    async with reached(stage.settings) as place:
        engine = connect(place.owner_url, role=place.role, pool_size=1)
        try:
            found = await _tables_that_hold(engine, secrets)
        finally:
            await engine.dispose()
    return (
        found + files_that_hold(stage.settings.data / "documents", secrets) + said(stage, secrets)
    )


def said(stage: Stage, secrets: Collection[str]) -> list[str]:
    """The platform's own logs that hold one of the secrets."""
    return files_that_hold(stage.settings.data / LOGS, secrets)


async def _tables_that_hold(engine: AsyncEngine, secrets: Collection[str]) -> list[str]:
    patterns = [f"%{form}%" for secret in secrets for form in (secret, secret.encode().hex())]
    found = []
    async with engine.connect() as connection:
        tables = (await connection.execute(_TABLES, {"schemas": list(SCHEMAS)})).all()
        for schema, name in tables:
            statement = text(
                # The names are the catalogue's own.
                f'SELECT EXISTS (SELECT 1 FROM "{schema}"."{name}" AS r'
                " WHERE CAST(r AS text) LIKE ANY(:patterns))"
            )
            if (await connection.execute(statement, {"patterns": patterns})).scalar_one():
                found.append(f"{schema}.{name}")
    return found


def files_that_hold(folder: Path, secrets: Collection[str]) -> list[str]:
    """The files of a folder, at any depth, in which one of the secrets stands."""
    wanted = [secret.encode() for secret in secrets]
    return [path.name for path in _files(folder) if any(one in path.read_bytes() for one in wanted)]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
