"""Copies of a database, lent to one test after another and put back between them.

To copy a database and to drop it takes thirty milliseconds, and as much again to connect to it and
to have every statement prepared anew. So a copy that a test gives back is looked through: each row
knows the transaction that wrote it. What came since the copy was made is taken out, what is missing
is put back, and the connections stay. A copy is dropped where a test changed more than rows, or
where somebody still holds something in it.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import asyncpg

from kernel.store.embedded_postgres import SUPERUSER, EmbeddedPostgres, creation, removal

LENT_MAX: Final = 60
"""How often a copy is lent: what was deleted stays in its files."""

IDLE_MAX: Final = 3
"""How many copies wait for a test, each with its connections."""

TABLE, SEQUENCE, CATALOGUE, HELD = "table", "sequence", "catalogue", "held"
CATALOGUES: Final = ("pg_class", "pg_constraint", "pg_namespace", "pg_proc", "pg_trigger")

RELATIONS: Final = """
SELECT c.relkind = 'S' AS counts, n.nspname AS schema, c.relname AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY schema, name
"""

LOCKS: Final = f"""
SELECT '{HELD}' AS kind, '' AS name, count(*) AS first, 0::bigint AS second FROM pg_locks
WHERE pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
"""What others hold: open transactions, and advisory locks that a connection has kept."""

YOUNGEST: Final = "SELECT pg_current_xact_id()::xid"
YOUNGER: Final = "age(xmin) < age($1::xid)"

Seen = Mapping[tuple[str, str], tuple[int, int]]
"""By kind and name: how many rows are younger and how many older than the copy.

Of a sequence, its last number and whether that was given out; of locks, how many are held.
"""


@dataclass(slots=True)
class Template:
    """A database that is copied: how its copies are asked what stands in them, and what should."""

    name: str
    question: str = ""
    seen: Seen = field(default_factory=dict)
    rows: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Copy:
    """A copy, the superuser's line to it, and the transaction since which all is a test's doing."""

    name: str
    template: Template
    line: Any
    since: int
    lent: int = 0


@dataclass(slots=True)
class LentDatabases:
    """The copies of one test process.

    `run` runs a statement that makes or drops a database; `let_go` closes all other connections to
    one that is dropped.
    """

    server: EmbeddedPostgres
    run: Callable[[str], Awaitable[None]]
    let_go: Callable[[str], Awaitable[None]]
    templates: dict[str, Template] = field(default_factory=dict)
    copies: dict[str, Copy] = field(default_factory=dict)
    idle: list[Copy] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1))

    @asynccontextmanager
    async def lent(self, template: str) -> AsyncIterator[str]:
        """The name of a database that is as the template is; nobody else has it until the end."""
        copy = next((one for one in self.idle if one.template.name == template), None)
        if copy is None:
            copy = await self._made(template)
        else:
            self.idle.remove(copy)
        copy.lent += 1
        try:
            yield copy.name
        except BaseException:
            await self._drop(copy)
            raise
        if copy.lent < LENT_MAX and await self._put_back(copy):
            self.idle.append(copy)
        else:
            await self._drop(copy)
        while len(self.idle) > IDLE_MAX:
            await self._drop(self.idle.pop(0))

    async def close(self) -> None:
        """Drop what is idle."""
        while self.idle:
            await self._drop(self.idle.pop())

    async def _made(self, name: str) -> Copy:
        template = self.templates.setdefault(name, Template(name))
        copy = f"{name}_copy_{next(self.numbers)}"
        await self.run(creation(copy, name))
        line = await self._line(copy)
        since = await line.fetchval(YOUNGEST)
        if not template.question:
            template.question = question_of(await line.fetch(RELATIONS))
            template.seen = await seen_in(line, template, since)
        self.copies[copy] = Copy(copy, template, line, since)
        return self.copies[copy]

    async def _line(self, database: str) -> Any:
        return await asyncpg.connect(
            host=str(self.server.socket_dir),
            port=5432,
            user=SUPERUSER,
            database=database,
            max_cacheable_statement_size=0,  # the question is a long one
            server_settings={
                "session_replication_role": "replica",  # no trigger and no foreign key asks
                "plan_cache_mode": "force_generic_plan",  # planning takes longer than looking
            },
        )

    async def _put_back(self, copy: Copy) -> bool:
        """Make a copy again what it was; False where it cannot be."""
        template, line = copy.template, copy.line
        try:
            now = await seen_in(line, template, copy.since)
            changed = [key for key, was in template.seen.items() if now[key] != was]
            if any(kind in {CATALOGUE, HELD} for kind, _ in changed):
                return False
            emptied, statements = [], []
            for kind, name in changed:
                first, second = template.seen[kind, name]
                if kind == SEQUENCE:
                    statements.append(f"SELECT setval('{name}', {first}, {second} = 1)")
                elif now[kind, name][1] == second:
                    younger = YOUNGER.replace("$1", f"'{copy.since}'")
                    statements.append(f"DELETE FROM {name} WHERE {younger}")
                else:
                    statements.append(f"DELETE FROM {name}")
                    emptied.append(name)
            if statements:
                await line.execute("; ".join(statements))
            for name in emptied:
                await self._refill(copy, name)
            if emptied:
                copy.since = await line.fetchval(YOUNGEST)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return False
        return True

    async def _refill(self, copy: Copy, name: str) -> None:
        """Give a table that was emptied the rows of the template."""
        template = copy.template
        schema, table = name.split(".")
        if name not in template.rows:
            rows = io.BytesIO()
            line = await self._line(template.name)
            try:
                await line.copy_from_table(table, schema_name=schema, output=rows, format="binary")
            finally:
                await line.close()
            template.rows[name] = rows.getvalue()
        await copy.line.copy_to_table(
            table, schema_name=schema, source=io.BytesIO(template.rows[name]), format="binary"
        )

    async def _drop(self, copy: Copy) -> None:
        del self.copies[copy.name]
        await copy.line.close()
        await self.let_go(copy.name)
        await self.run(removal(copy.name))


def question_of(relations: Iterable[Mapping[str, Any]]) -> str:
    """One statement that tells all of `Seen`."""
    parts = [LOCKS]
    for one in relations:
        name = f"{one['schema']}.{one['name']}"
        parts.append(
            f"SELECT '{SEQUENCE}', '{name}', last_value, is_called::int::bigint FROM {name}"
            if one["counts"]
            else _rows_of(TABLE, name)
        )
    parts += [_rows_of(CATALOGUE, f"pg_catalog.{name}") for name in CATALOGUES]
    return " UNION ALL ".join(parts)


def _rows_of(kind: str, name: str) -> str:
    return (
        f"SELECT '{kind}', '{name}', count(*) FILTER (WHERE {YOUNGER}) AS fresh,"
        f" count(*) - count(*) FILTER (WHERE {YOUNGER}) AS old FROM {name}"
    )


async def seen_in(line: Any, template: Template, since: int) -> Seen:
    """What stands in a copy now."""
    rows = await line.fetch(template.question, since)
    return {(row["kind"], row["name"]): (row["first"], row["second"]) for row in rows}


async def admit_superuser(server: EmbeddedPostgres) -> None:
    """Let the superuser into a server of tests, who alone may delete what is append-only."""
    (server.data_dir / "pg_hba.conf").write_text("local all all trust\n")
    os.kill(server.pid, signal.SIGHUP)
    async with asyncio.timeout(10):
        while True:
            try:
                line = await asyncpg.connect(
                    host=str(server.socket_dir), port=5432, user=SUPERUSER, database=SUPERUSER
                )
            except asyncpg.InvalidAuthorizationSpecificationError:
                await asyncio.sleep(0.01)  # it has not read its rules again yet
            else:
                await line.close()
                return
