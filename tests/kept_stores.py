"""Stores that outlive one test: founded once, used by a module or copied for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import asyncpg
from sqlalchemy import event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import QueuePool

from kernel.clock import machine_clock
from kernel.crypto.digests import sha256
from kernel.crypto.notes import Checkpoint, SignedNote, WitnessSigner
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import APP, LOG, OWNER, connect, session_factory
from kernel.store.documents import Documents
from kernel.store.embedded_postgres import EmbeddedPostgres, creation, removal
from kernel.store.sequencer import sequence_once
from kernel.store.transaction import Store
from kernel.store.transparency_log import (
    integrate_once,
    keep_cosignature,
    latest_note,
    publish_once,
)
from tests.lent_databases import LentDatabases

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday 2026-03-02 09:00 in Beijing: where such a store's clock starts."""

FIRST_OWN_TYPE: Final = 16384
"""Below this number Postgres's types are the same in every database (FirstNormalObjectId)."""

Tick = Callable[[], Awaitable[None]]
Sound = Callable[[], Awaitable[None]]

WITNESSES: Final = tuple(
    WitnessSigner(f"witness{number}.test/w", sha256(f"witness {number}".encode()))
    for number in (1, 2)
)
"""Two who sign whatever a tick brings them; how true ones judge is tested elsewhere."""


def settings_in(folder: Path, **changes: Any) -> Settings:
    """A test's settings, over this data folder."""
    return Settings(
        data=folder,
        testing=True,
        log_tick_s=0.05,
        closer_settle_s=0.0,
        origin="http://localhost",
        log_origin="demo.sunbid.test/log",
        **changes,
    )


def witnessed(settings: Settings) -> Settings:
    """The same settings, naming the two witnesses, both of whom must sign."""
    named = tuple(f"{one.vkey} http://{one.name}" for one in WITNESSES)
    return settings.model_copy(update={"witnesses": named, "witness_quorum": len(named)})


async def cosign(connection: AsyncConnection, settings: Settings) -> None:
    """Every witness whom the settings name signs the newest checkpoint at once."""
    async with connection.begin():
        note = await latest_note(connection)
    assert note is not None
    checkpoint = Checkpoint.parse(SignedNote.parse(note).text)
    at_unix = int(machine_clock().timestamp())
    named = {vkey for vkey, _ in settings.witness_list}
    for one in WITNESSES:
        if one.vkey in named:
            await keep_cosignature(
                connection,
                size=checkpoint.size,
                witness=one.name,
                line=one.cosign(checkpoint, at_unix),
                at_unix=at_unix,
                quorum=settings.witness_quorum,
            )


@dataclass(slots=True)
class Lines:
    """Engines that are lent out, each time to another database, and the databases themselves.

    An engine keeps the statements it has compiled; a new one for each test would spend a third of
    the time on compiling them again. One to a copy that will be lent again keeps its connections.
    """

    server: EmbeddedPostgres
    maker: AsyncEngine
    idle: dict[tuple[str, int], list[AsyncEngine]] = field(default_factory=dict)
    connected: dict[tuple[str, str, int], list[AsyncEngine]] = field(default_factory=dict)
    databases: LentDatabases = field(init=False)

    def __post_init__(self) -> None:
        self.databases = LentDatabases(self.server, self._by_maker, self._disconnect)

    async def make(self, database: str, *, template: str) -> None:
        """Copy a database that nobody uses."""
        await self._by_maker(creation(database, template))

    async def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected."""
        await self._by_maker(removal(database))

    async def _by_maker(self, statement: str) -> None:
        async with self.maker.connect() as line:
            await line.execution_options(isolation_level="AUTOCOMMIT")
            await line.exec_driver_sql(statement)

    @asynccontextmanager
    async def lent(self, role: str, database: str, *, pool_size: int) -> AsyncIterator[AsyncEngine]:
        """An engine that leads the role to this database until the block ends."""
        here = self.connected.setdefault((database, role, pool_size), [])
        idle = self.idle.setdefault((role, pool_size), [])
        url = self.server.url(role=role, database=database)
        engine = here.pop() if here else idle.pop() if idle else _led_engine(url, pool_size)
        engine.sync_engine.url = make_url(url)
        try:
            yield engine
        finally:
            if database in self.databases.copies and not _in_use(engine):
                here.append(engine)
            else:
                await engine.dispose()
                idle.append(engine)

    async def _disconnect(self, database: str) -> None:
        for name, role, pool_size in [key for key in self.connected if key[0] == database]:
            for engine in self.connected.pop((name, role, pool_size)):
                await engine.dispose()
                self.idle[role, pool_size].append(engine)


def _in_use(engine: AsyncEngine) -> bool:
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout() > 0


@asynccontextmanager
async def lines_of(server: EmbeddedPostgres) -> AsyncIterator[Lines]:
    """The engines to this server, and one line on which databases are made and dropped."""
    maker = connect(server.url(role=OWNER, database="postgres"), pool_size=1)
    lines = Lines(server, maker)
    try:
        yield lines
    finally:
        await lines.databases.close()
        await maker.dispose()


class _Informed(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that knows the types which every database has once any other has asked.

    The driver asks each time anew what an array of bytes is, with four trips to the server.
    """

    answers: ClassVar[dict[frozenset[int], Any]] = {}

    async def _introspect_types(self, typeoids: Any, timeout: float | None) -> Any:
        wanted = frozenset(typeoids)
        if max(wanted) >= FIRST_OWN_TYPE:
            return await super()._introspect_types(typeoids, timeout)
        if wanted not in self.answers:
            self.answers[wanted] = await super()._introspect_types(typeoids, timeout)
        return self.answers[wanted]


def _led_engine(url: str, pool_size: int) -> AsyncEngine:
    """An engine whose connections follow its address when that changes."""
    engine = connect(url, pool_size=pool_size)

    @event.listens_for(engine.sync_engine, "do_connect")
    def lead(_: object, __: object, ___: object, where: dict[str, object]) -> None:
        where.update(database=engine.url.database, connection_class=_Informed)

    return engine


async def clock_turned(owner: AsyncEngine, to: datetime) -> None:
    """Turn a demo platform's clock forward to an instant, by hand."""
    async with owner.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO kernel.clock_jump (offset_by, reason, jumped_at)"
                " VALUES (CAST(:to AS timestamptz) - clock_timestamp(), 'test',"
                " clock_timestamp())"
            ),
            {"to": to},
        )


@asynccontextmanager
async def founded_store(
    lines: Lines, name: str, template: str, settings: Settings
) -> AsyncIterator[tuple[Store, Tick]]:
    """A founded store in a new database of that name; the database stays."""
    settings.data.mkdir()
    await lines.make(name, template=template)
    async with lines.lent(OWNER, name, pool_size=1) as owner:
        keys = founding.make_keys(settings)
        await founding.found(owner, settings, keys, demo=True, start=START)
    async with store_over(lines, name, settings) as (store, tick):
        yield store, tick


@asynccontextmanager
async def store_over(
    lines: Lines, name: str, settings: Settings
) -> AsyncIterator[tuple[Store, Tick]]:
    """A store over a database, and the log's hand beside it."""
    signer = founding.read_keys(settings).log_signer
    async with (
        lines.lent(APP, name, pool_size=10) as engine,
        lines.lent(LOG, name, pool_size=1) as log,
    ):

        async def tick() -> None:
            async with log.connect() as connection:
                while await sequence_once(connection):
                    pass
                await integrate_once(connection, epoch_length=timedelta(days=1))
                await publish_once(connection, signer)
                await cosign(connection, settings)

        documents = Documents("", folder=settings.data / "documents")
        yield Store(session_factory(engine), documents, settings), tick
