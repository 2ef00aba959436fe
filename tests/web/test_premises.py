"""A machine's processes: told where everything is, stopped without cutting anybody off."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import date
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from kernel.clock import monotonic_s
from kernel.errors import Outrun
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import APP, LOG, OWNER
from kernel.store.embedded_postgres import EmbeddedPostgres
from kernel.store.transaction import Store
from tests.conftest import Database
from tests.log_story import Tick
from web.premises import Lines, Premises, lines_of, new_key_file, opened, reached

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


def test_the_lines_to_an_outside_server_take_the_role_of_each_task() -> None:
    settings = Settings(database_url="postgresql+asyncpg://me@db/x", log_database_url="other")
    lines = lines_of(settings)
    assert lines.owner == ("postgresql+asyncpg://me@db/x", OWNER)
    assert lines.app == ("postgresql+asyncpg://me@db/x", APP)
    assert lines.log == ("other", LOG)
    own = lines_of(settings.model_copy(update={"take_roles": False}))
    assert {role for _, role in (own.owner, own.app, own.log)} == {""}


def test_a_child_process_finds_the_same_lines_and_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, port=1234, witnesses=("a http://x", "b http://y"))
    place = Premises(settings, Lines(("o", ""), ("a", ""), ("l", "")))
    for name, value in {**place.lines.environment(), **place.told()}.items():
        monkeypatch.setenv(name, value)
    read = Settings()
    assert (read.database_url, read.app_database_url, read.log_database_url) == ("o", "a", "l")
    assert not read.take_roles
    for name in ("data", "port", "host", "origin", "witnesses", "log_origin", "log_tick_s"):
        assert getattr(read, name) == getattr(settings, name)


def test_a_calendar_is_read_from_a_file_by_every_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = [{"year": 2027, "weekdays_off": ["2027-01-01"], "weekends_worked": ["2027-01-03"]}]
    path = tmp_path / "calendar.json"
    path.write_text(json.dumps(told))
    monkeypatch.setenv("SUNBID_CALENDAR", str(path))
    calendar = Settings().calendar
    assert not calendar.is_working_day(date(2027, 1, 1))
    assert calendar.is_working_day(date(2027, 1, 3))
    assert calendar.is_working_day(date(2026, 9, 20))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        ("{", "calendar.json: Expecting"),
        ('[{"year": 2027}]', "weekends_worked"),
        ('[{"year": 2027, "weekdays_off": ["2026-01-01"], "weekends_worked": []}]', "another year"),
    ],
    ids=["absent", "no_json", "incomplete", "another_year"],
)
def test_a_calendar_that_cannot_be_read_is_named_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, why: str
) -> None:
    path = tmp_path / "calendar.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SUNBID_CALENDAR", str(path))
    with pytest.raises(ValidationError) as wrong:
        Settings()
    (error,) = wrong.value.errors()
    assert error["loc"] == ("calendar",)
    assert why in str(error["msg"])


def test_a_key_file_is_made_once_and_is_for_this_user_alone(tmp_path: Path) -> None:
    key = new_key_file(tmp_path / "key.pem")
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert key.kid
    with pytest.raises(FileExistsError):
        new_key_file(tmp_path / "key.pem")


@asynccontextmanager
async def serving(
    database: Database, settings: Settings
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The HTTP process over this database."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "web", "serve"),
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
            "SUNBID_DATABASE_URL": database.url(OWNER),
            "SUNBID_APP_DATABASE_URL": database.url(APP),
            "SUNBID_TAKE_ROLES": "0",
            "SUNBID_DATA": str(settings.data),
            "SUNBID_PORT": str(settings.port),
            "SUNBID_ORIGIN": settings.origin,
        },
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


async def test_a_stopped_server_finishes_what_it_does_and_leaves_with_0(
    store: Store, tick: Tick, database: Database, settings: Settings
) -> None:
    await tick()
    port = free_port()
    own = settings.model_copy(update={"port": port, "origin": f"http://localhost:{port}"})
    async with serving(database, own) as process, httpx.AsyncClient() as client:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(httpx.TransportError):
                    if (await client.get(f"{own.origin}/readyz")).status_code == 200:
                        break
                assert process.returncode is None
                await asyncio.sleep(0.05)
        assert "server" not in (await client.get(f"{own.origin}/healthz")).headers
        async with connect(f"ws://localhost:{port}/live?view=public", proxy=None) as line:
            await line.recv()
            began = monotonic_s()
            process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as cut:
                while True:
                    await line.recv()
        assert cut.value.rcvd is not None
        assert cut.value.rcvd.code == 1012
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0
        assert monotonic_s() - began < 12
        assert process.stderr is not None
        assert b"Traceback" not in await process.stderr.read()


async def test_another_s_port_is_left_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        settings = Settings(data=tmp_path, port=held.getsockname()[1])
        place = Premises(settings, Lines(("o", ""), ("a", ""), ("l", "")))
        with pytest.raises(Outrun, match="is taken"):
            await place.start_processes()


async def test_an_installation_is_opened_founded_once_and_reached_while_it_runs(
    tmp_path: Path,
) -> None:
    settings = Settings(data=tmp_path / "here", testing=True, log_origin="demo.sunbid.test/log")
    async with opened(settings, demo=True) as place:
        vkey = founding.read_keys(settings).log_signer.vkey
        async with reached(settings) as other:
            assert other.owner_url == place.lines.owner[0]
            assert other.tools is not None
            assert (other.tools / "pg_dump").exists()
    assert not (settings.data / "running.json").exists()
    async with reached(settings) as alone:
        assert alone.owner_url
    async with opened(settings) as again:
        assert founding.read_keys(settings).log_signer.vkey == vkey
        assert isinstance(again.server, EmbeddedPostgres)
