"""Searching everything the platform keeps, and not only what it shows: its rows, files and words.

Whether a secret is there at all can be told from inside alone; a stranger's answers show no more
than that it is not handed out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.crypto.digests import b64
from kernel.store.database import SCHEMAS, connect
from web.premises import LOGS, reached
from web.rehearsal.stage import Stage

_TABLES = text(
    "SELECT table_schema, table_name FROM information_schema.tables"
    " WHERE table_schema = ANY(:schemas) AND table_type = 'BASE TABLE' ORDER BY 1, 2"
)


TELLING: Final = 8
"""So many characters of base 64 in a row are no accident."""

ALIVE: Final = "this process keeps the log"
"""What the platform's logs say in any case: whoever searches them well finds it."""


async def places_that_hold(stage: Stage, secrets: Collection[str]) -> list[str]:
    """Every table, document and log of the running platform in which one of the secrets stands.

    They are sought as they are and in base 64; rows are searched as text, in which bytes are
    hexadecimal digits; documents and logs as bytes.
    """
    async with reached(stage.settings) as place:
        engine = connect(place.owner_url, role=place.role, pool_size=1)
        try:
            found = await tables_that_hold(engine, secrets)
        finally:
            await engine.dispose()
    return (
        found + files_that_hold(stage.settings.data / "documents", secrets) + said(stage, secrets)
    )


def said(stage: Stage, secrets: Collection[str]) -> list[str]:
    """The platform's own logs that hold one of the secrets."""
    return files_that_hold(stage.settings.data / LOGS, secrets)


def logs_are_read(stage: Stage) -> bool:
    """Whether a search of the platform's logs finds what certainly stands there."""
    return bool(said(stage, [ALIVE]))


def log_texts(stage: Stage) -> list[str]:
    """What the platform's logs say, file by file."""
    return [path.read_text(errors="replace") for path in _files(stage.settings.data / LOGS)]


def forms_of(secret: str) -> list[str]:
    """How a text looks as it is, escaped in JSON, and inside any base 64 that has it in the middle.

    Three bytes make four characters, so it depends on where among three the text begins; what its
    neighbours have a part in is left out, and what is too short to be meant is not sought.
    """
    content, found = secret.encode(), [secret, json.dumps(secret)[1:-1]]
    for before in range(3):
        packed = b64(bytes(before) + content)
        bits = 8 * (before + len(content))
        inner = packed[-(-8 * before // 6) : bits // 6]
        if len(inner) >= TELLING:
            found += [inner, inner.replace("+", "-").replace("/", "_")]
    return list(dict.fromkeys(found))


async def tables_that_hold(engine: AsyncEngine, secrets: Collection[str]) -> list[str]:
    """The tables of every schema of ours in which one of the secrets stands."""
    forms = [form for secret in secrets for form in forms_of(secret)]
    patterns = [f"%{seen}%" for form in forms for seen in (form, form.encode().hex())]
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
    wanted = [form.encode() for secret in secrets for form in forms_of(secret)]
    return [path.name for path in _files(folder) if any(one in path.read_bytes() for one in wanted)]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
