"""Everything one machine needs to run the platform, started in order and stopped in order.

The database comes first (the embedded one, or an outside server by its URL), then its tables, then
the founding, then two processes: one answers HTTP, the other keeps time, the log and the witnesses.
A process that dies is started again; stopping is graceful and ends with the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

import httpx
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.crypto.signing import PrivateKey
from kernel.errors import Outrun
from kernel.settings import Settings
from kernel.store import founding, migrating
from kernel.store.child_processes import ending_with_us
from kernel.store.database import APP, LOG, OWNER, connect, session_factory
from kernel.store.documents import Documents
from kernel.store.embedded_postgres import EmbeddedPostgres, PostgresUnavailable
from kernel.store.registering import is_installed
from kernel.store.transaction import Store
from kernel.store.trusted_authorities import trusted_authorities

log = structlog.get_logger()

COULD_NOT_LISTEN = 5
"""What the HTTP process leaves with where another program has its port."""

STOP_PATIENCE_S = 20.0
READY_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Lines:
    """The addresses of the database for each task, with the role to take there."""

    owner: tuple[str, str]
    app: tuple[str, str]
    log: tuple[str, str]

    def engine(self, task: str, *, pool_size: int = 10) -> AsyncEngine:
        """An engine for `owner`, `app` or `log`."""
        url, role = getattr(self, task)
        return connect(url, role=role, pool_size=pool_size)

    def environment(self) -> dict[str, str]:
        """What a child process must be told to find the same lines."""
        return {
            "SUNBID_DATABASE_URL": self.owner[0],
            "SUNBID_APP_DATABASE_URL": self.app[0],
            "SUNBID_LOG_DATABASE_URL": self.log[0],
            "SUNBID_TAKE_ROLES": "1" if self.app[1] else "0",
        }


def lines_of(settings: Settings, server: EmbeddedPostgres | None = None) -> Lines:
    """Where the database is: the embedded server, or what the settings name."""
    if server is not None:
        return Lines(
            *((server.url(role=role), "") for role in (OWNER, APP, LOG)),
        )
    url = settings.database_url
    roles = (OWNER, APP, LOG) if settings.take_roles else ("", "", "")
    return Lines(
        (url, roles[0]),
        (settings.app_database_url or url, roles[1]),
        (settings.log_database_url or url, roles[2]),
    )


def store_over(engine: AsyncEngine, settings: Settings) -> Store:
    """A store over this engine, with the documents where the settings say."""
    return Store(session_factory(engine), documents_of(settings), settings)


def documents_of(settings: Settings) -> Documents:
    """The documents, where the settings say: in the data folder, or in a service."""
    return Documents(settings.blob_url, folder=settings.data / "documents")


@dataclass(slots=True)
class Premises:
    """The running platform of this machine."""

    settings: Settings
    lines: Lines
    server: EmbeddedPostgres | None = None
    logs: Path | None = None
    """A folder for what each process says; the terminal's where there is none."""
    _children: list[asyncio.subprocess.Process] = field(default_factory=list)
    _watchers: list[asyncio.Task[None]] = field(default_factory=list)
    _ready: bool = False
    _stopping: bool = False

    async def start_processes(self, environment: Mapping[str, str] | None = None) -> None:
        """Start the HTTP process and the background process, and keep them running.

        `Outrun` where another program has the port: whatever answers there is not this platform.
        """
        see_port_is_free(self.settings)
        told = {**os.environ, **self.lines.environment(), **self.told(), **(environment or {})}
        for command in ("serve", "background"):
            watcher = asyncio.create_task(self._keep(command, told))
            self._watchers.append(watcher)
        await self.wait_ready()

    async def has_centre(self) -> bool:
        """Whether a trading centre is installed, without which nobody can be let in."""
        engine = self.lines.engine("owner", pool_size=1)
        try:
            async with engine.connect() as connection:
                return await is_installed(connection)
        finally:
            await engine.dispose()

    def told(self) -> dict[str, str]:
        """The settings as a child process must be told them."""
        kept = self.settings
        return {
            "SUNBID_DATA": str(kept.data.resolve()),
            "SUNBID_HOST": kept.host,
            "SUNBID_PORT": str(kept.port),
            "SUNBID_ORIGIN": kept.origin,
            "SUNBID_LOG_ORIGIN": kept.log_origin,
            "SUNBID_LOG_TICK_S": str(kept.log_tick_s),
            "SUNBID_FILLER_EPOCH_S": str(kept.filler_epoch_s),
            "SUNBID_CLOSER_SETTLE_S": str(kept.closer_settle_s),
            "SUNBID_WITNESSES": ";".join(kept.witnesses),
            "SUNBID_WITNESS_QUORUM": str(kept.witness_quorum),
        }

    async def _keep(self, command: str, told: Mapping[str, str]) -> None:
        while not self._stopping:
            with self._ears(command) as ears:
                child = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "web", command),
                    env=dict(told),
                    stderr=ears,
                    preexec_fn=ending_with_us(signal.SIGTERM),
                )
            self._children.append(child)
            code = await child.wait()
            self._children.remove(child)
            if code == COULD_NOT_LISTEN and not self._ready:
                raise _taken(self.settings)
            if not self._stopping:
                log.warning("a process ended and is started again", process=command, code=code)
                await asyncio.sleep(1)

    def _ears(self, command: str) -> AbstractContextManager[IO[bytes] | None]:
        """Where a process's words go."""
        if self.logs is None:
            return contextlib.nullcontext()
        self.logs.mkdir(parents=True, exist_ok=True)
        return (self.logs / f"{command}.jsonl").open("ab")

    async def wait_ready(self) -> None:
        """Return when the platform answers; `TimeoutError` when it does not within a minute."""
        async with (
            asyncio.timeout(READY_PATIENCE_S),
            httpx.AsyncClient(timeout=2, verify=trusted_authorities()) as client,
        ):
            while True:
                for watcher in self._watchers:
                    if watcher.done():
                        await watcher
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.get(f"{_own_address(self.settings)}/readyz")
                    if answer.status_code == httpx.codes.OK:
                        self._ready = True
                        return
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """Stop the processes gracefully, then the database."""
        self._stopping = True
        for child in list(self._children):
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_PATIENCE_S):
                await asyncio.gather(*self._watchers, return_exceptions=True)
        for child in list(self._children):
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        if self.server is not None:
            self.server.stop()


def _own_address(settings: Settings) -> str:
    """Where this machine itself reaches the platform, whatever address the world has for it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def see_port_is_free(settings: Settings) -> None:
    """`Outrun` where another program listens at the address this platform is to have."""
    try:
        socket.create_server((settings.host, settings.port)).close()
    except OSError:
        raise _taken(settings) from None


def _taken(settings: Settings) -> Outrun:
    return Outrun(f"port {settings.port} of {settings.host} is taken; choose another with --port")


LOGS = "logs"
"""The folder in the data folder where a rehearsal's processes leave what they say."""

RUNNING = "running.json"


@dataclass(frozen=True, slots=True)
class Reached:
    """A database that can be reached: its owner's address and the folder of its programs."""

    owner_url: str
    role: str
    tools: Path | None


def _note_running(settings: Settings, premises: Premises) -> None:
    note = {
        "owner_url": premises.lines.owner[0],
        "tools": str(premises.server.bin_dir) if premises.server else "",
    }
    (settings.data / RUNNING).write_text(json.dumps(note))


@asynccontextmanager
async def reached(settings: Settings) -> AsyncIterator[Reached]:
    """The database of this installation, whether the platform is running or not."""
    if settings.database_url:
        yield Reached(settings.database_url, OWNER if settings.take_roles else "", None)
        return
    server = EmbeddedPostgres(settings.data / "postgres")
    try:
        await server.start()
    except PostgresUnavailable:
        note = settings.data / RUNNING
        if not note.exists():
            raise
        told = json.loads(note.read_text())
        yield Reached(told["owner_url"], "", Path(told["tools"]))
        return
    try:
        yield Reached(server.url(role=OWNER), "", server.bin_dir)
    finally:
        server.stop()


@asynccontextmanager
async def opened(
    settings: Settings, *, demo: bool = False, start: datetime | None = None
) -> AsyncIterator[Premises]:
    """The database running, migrated and founded; closed again when the block ends."""
    settings.data.mkdir(parents=True, exist_ok=True)
    server = None
    if not settings.database_url:
        server = EmbeddedPostgres(settings.data / "postgres")
        await server.start()
    premises = Premises(settings, lines_of(settings, server), server)
    try:
        owner = premises.lines.engine("owner", pool_size=2)
        try:
            await migrating.migrate(owner)
            await migrating.self_test(premises.lines.engine("app", pool_size=1))
            if not await founding.is_founded(owner):
                keys = founding.make_keys(settings)
                await founding.found(owner, settings, keys, demo=demo, start=start)
        finally:
            await owner.dispose()
        _note_running(settings, premises)
        yield premises
    finally:
        (settings.data / RUNNING).unlink(missing_ok=True)
        await premises.stop()


def new_key_file(path: os.PathLike[str]) -> PrivateKey:
    """A new P-256 key in a file that only this user can read."""
    key = PrivateKey.generate()
    new_private_file(path, key.to_pem())
    return key


def new_private_file(path: os.PathLike[str], content: bytes) -> None:
    """A new file that only this user can read; `FileExistsError` where there is one already."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
