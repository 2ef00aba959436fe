"""A real Postgres, one fresh database for each test that asks, real commits, a clock in hand."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from hypothesis import settings as dice
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.crypto.notes import LogSigner
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import APP, LOG, OWNER, connect, session_factory
from kernel.store.documents import Documents
from kernel.store.embedded_postgres import EmbeddedPostgres
from kernel.store.sequencer import sequence_once
from kernel.store.transaction import Store
from kernel.store.transparency_log import disclose_fillers, integrate_once, publish_once
from tests.awards import Evaluated
from tests.committees_at_work import KeptCommittees, WorkRoom, committees_kept
from tests.draw_cast import DrawHouse
from tests.kept_stores import (
    START,
    Lines,
    Sound,
    clock_turned,
    cosign,
    lines_of,
    settings_in,
    store_over,
)
from tests.kept_stories import KeptStories, Told, continued
from tests.lent_databases import admit_superuser
from tests.opened_lots import Hall
from tests.prequalifications import Called
from tests.sealed_bids import Tender
from tests.shared_workers import ByHeap, ranked, test_modules
from web.soundness import faults_of

if TYPE_CHECKING:
    from playwright.async_api import Browser

for _package in ("kernel.store", "blacklist", "expert_pool", "trading", "evaluation"):
    with suppress(ModuleNotFoundError):
        import_module(f"{_package}.tables")

TEMPLATE = "house_template"
MEMORY_MIN = 4 << 30

__all__ = ["START"]

# A busy machine makes any example slow; the timeout of the whole test is limit enough.
dice.register_profile("house", deadline=None)
dice.load_profile("house")


def _fast_folder() -> str | None:
    """Memory, where there is plenty: a database is two thousand files, and each test makes one."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free >= MEMORY_MIN
    return str(memory) if roomy and os.access(memory, os.W_OK) else None


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """A command writes its log to a terminal that is gone when its test ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """One server for this test process, with a template that holds the whole house."""
    with tempfile.TemporaryDirectory(prefix="sunbid-pg-", dir=_fast_folder()) as folder:
        server = EmbeddedPostgres(Path(folder), durable=False)
        await server.start()
        try:
            await admit_superuser(server)
            await server.create_database(TEMPLATE)
            engine = connect(server.url(role=OWNER, database=TEMPLATE), pool_size=1)
            try:
                await founding.make_tables(engine)
            finally:
                await engine.dispose()
            yield server
        finally:
            server.stop()


@dataclass(frozen=True, slots=True)
class Database:
    """A fresh database: where it is, and the roles' lines to it."""

    server: EmbeddedPostgres
    name: str

    def url(self, role: str) -> str:
        return self.server.url(role=role, database=self.name)


@pytest.fixture(scope="session")
async def role_lines(postgres: EmbeddedPostgres) -> AsyncIterator[Lines]:
    """The engines of this test process."""
    async with lines_of(postgres) as lines:
        yield lines


@pytest.fixture(scope="session")
def kept_stories(role_lines: Lines) -> Iterator[KeptStories]:
    """Stories told once in this process."""
    with tempfile.TemporaryDirectory(prefix="sunbid-stories-") as folder:
        yield KeptStories(role_lines, Path(folder), TEMPLATE)


@pytest.fixture
async def told(kept_stories: KeptStories, request: pytest.FixtureRequest) -> Told | None:
    """The story that this test goes on with; none for a test that begins at the beginning."""
    return await kept_stories.asked_by(request.fixturenames)


@pytest.fixture
async def database(role_lines: Lines, told: Told | None) -> AsyncIterator[Database]:
    """A database of this test's own: where its story goes on, or with nothing founded in it yet."""
    async with role_lines.databases.lent(told.database if told else TEMPLATE) as name:
        yield Database(role_lines.server, name)


@pytest.fixture
async def owner_line(database: Database, role_lines: Lines) -> AsyncIterator[AsyncEngine]:
    """The owner's line to the database."""
    async with role_lines.lent(OWNER, database.name, pool_size=1) as engine:
        yield engine


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that read nothing from the environment but the defaults."""
    return settings_in(tmp_path)


@pytest.fixture
async def store(
    database: Database,
    role_lines: Lines,
    settings: Settings,
    told: Told | None,
    tmp_path: Path,
    owner_line: AsyncEngine,
) -> AsyncIterator[Store]:
    """A founded demo database whose clock starts at START and is jumped by `clock_to`."""
    if told:
        continued(told, tmp_path)
    else:
        keys = founding.make_keys(settings)
        await founding.found(owner_line, settings, keys, demo=True, start=START)
    async with role_lines.lent(APP, database.name, pool_size=10) as engine:
        yield Store(session_factory(engine), Documents("", folder=tmp_path / "documents"), settings)


def _gone_on_with(told: Told | None, store: Store) -> Any:
    assert told is not None
    return told.in_store(store)


@pytest.fixture
def tender(told: Told | None, store: Store) -> Tender:
    """A lot that is open for bids."""
    found: Tender = _gone_on_with(told, store)
    return found


@pytest.fixture
def called_lot(told: Told | None, store: Store) -> Called:
    """A lot whose applications for prequalification are called for."""
    found: Called = _gone_on_with(told, store)
    return found


@pytest.fixture
def hall(told: Told | None, store: Store) -> Hall:
    """A lot with three bids, closed, whose release window is running."""
    found: Hall = _gone_on_with(told, store)
    return found


@pytest.fixture
def recorded_hall(told: Told | None, store: Store) -> Hall:
    """A lot whose bids lie open and whose opening record is signed."""
    found: Hall = _gone_on_with(told, store)
    return found


@pytest.fixture
def evaluated(told: Told | None, store: Store) -> Evaluated:
    """A lot whose committee has reported, on the evening of the opening."""
    found: Evaluated = _gone_on_with(told, store)
    return found


@pytest.fixture
def draw_house(told: Told | None, store: Store, tick: Callable[[], Awaitable[None]]) -> DrawHouse:
    """A closed lot whose experts are to be drawn; only the log's hand is this test's own."""
    found: DrawHouse = _gone_on_with(told, store)
    return replace(found, tick=tick, programs={})


@pytest.fixture
async def log_line(database: Database, role_lines: Lines) -> AsyncIterator[AsyncEngine]:
    """The log's own line to the database."""
    async with role_lines.lent(LOG, database.name, pool_size=1) as engine:
        yield engine


@pytest.fixture
def tick(store: Store, log_line: AsyncEngine, settings: Settings) -> Callable[[], Awaitable[None]]:
    """Sequence, integrate and publish everything that is committed now."""
    signer: LogSigner = founding.read_keys(settings).log_signer

    async def once() -> None:
        async with log_line.connect() as connection:
            while await sequence_once(connection):
                pass
            await integrate_once(connection, epoch_length=timedelta(days=1))
            await publish_once(connection, signer)
            await cosign(connection, settings)
            await disclose_fillers(connection)

    return once


@pytest.fixture
def sound(store: Store, owner_line: AsyncEngine) -> Callable[[], Awaitable[None]]:
    """Ask every invariant of the platform, and look at every file it keeps."""

    async def asked() -> None:
        assert await faults_of(owner_line, store.documents) == []

    return asked


@pytest.fixture
def clock_to(owner_line: AsyncEngine) -> Callable[[datetime], Awaitable[None]]:
    """Turn the platform's clock forward to an instant, by hand."""

    async def turn(to: datetime) -> None:
        await clock_turned(owner_line, to)

    return turn


@pytest.fixture(scope="session")
async def one_chromium() -> AsyncIterator[Browser]:
    """One browser for this test process, started by the first test that wants a page."""
    from tests.web.browser import launched  # the web floor, and Playwright, only where needed

    async with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
async def kept_committees(role_lines: Lines) -> AsyncIterator[KeptCommittees]:
    """Committees at work, made once in this process and copied for each test that asks."""
    async with committees_kept(role_lines, TEMPLATE) as kept:
        yield kept


@pytest.fixture
async def room(
    kept_committees: KeptCommittees, request: pytest.FixtureRequest
) -> AsyncIterator[WorkRoom]:
    """A committee that was just convened for a mandatory tender, unless the test names another."""
    kind = getattr(request, "param", "tendering")
    async with (
        kept_committees.copied(kind) as (made, settings, name),
        store_over(kept_committees.lines, name, settings) as (store, tick),
    ):
        yield made.over(store, tick, name)


@pytest.fixture
def sound_room(room: WorkRoom, kept_committees: KeptCommittees) -> Sound:
    """Ask every invariant of the platform that a committee works on."""

    async def asked() -> None:
        await room.draw.tick()
        async with kept_committees.lines.lent(OWNER, room.database, pool_size=1) as owner:
            assert await faults_of(owner, room.store.documents) == []

    return asked


@pytest.fixture
async def app(store: Store, settings: Settings) -> AsyncIterator[FastAPI]:
    """The whole platform in this process, with its lifespan running."""
    from web.app import create_app  # the web floor is imported only by the tests that need it

    app = create_app(store, settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a session."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def pytest_configure() -> None:
    """Let Ctrl-C be answered here.

    In place of Python's own handler asyncio puts one for every fixture and every test it runs, and
    to take it back Python writes out the task it belongs to, with all that a fixture made: half of
    the time of the whole suite. Where somebody else answers it leaves things as they are.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _interrupted)
    # Whatever is loaded stays: to look for garbage among it takes a tenth of the time.
    gc.disable()


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def pytest_collection(session: pytest.Session) -> None:
    """Read in a share of the tests first, while each other worker does so with another.

    In a fresh checkout each file is compiled then by one of them, and not by all at once.
    """
    if "PYTEST_XDIST_WORKER" in os.environ and session.config.args == ["tests"]:
        share = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
        for name in test_modules()[share :: int(os.environ["PYTEST_XDIST_WORKER_COUNT"])]:
            import_module(name)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests into the order in which workers are given them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items[:] = ranked(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByHeap | None:
    """Where whole files are handed out, those of one story go to one worker."""
    return ByHeap(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """What is loaded by now stays until the end: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 50)
