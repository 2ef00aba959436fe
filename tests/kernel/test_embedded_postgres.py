"""The embedded server: made once, killed at will, entered by its own roles alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from kernel.clock import monotonic_s
from kernel.store.database import APP, LOG, OWNER, READ, connect
from kernel.store.embedded_postgres import (
    EmbeddedPostgres,
    PostgresUnavailable,
    _copy_of_wheel_tools,
    _processes_marked,
    _wheel_tools,
)

CHECKOUT = Path(__file__).resolve().parents[2]
LINE_LOST = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg raises when the line goes between two messages
    OSError,
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path whose parents everyone may pass."""
    with tempfile.TemporaryDirectory(prefix="sunbid-pg-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[EmbeddedPostgres]:
    """A running server that no test of this file stops."""
    with tempfile.TemporaryDirectory(prefix="sunbid-pg-", dir="/tmp") as name:
        server = EmbeddedPostgres(Path(name), durable=False)
        await server.start()
        yield server
        server.stop()


async def enter(
    server: EmbeddedPostgres, role: str, database: str = "sunbid"
) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=str(server.socket_dir), port=5432, user=role, database=database, timeout=10
    )


async def ask(server: EmbeddedPostgres, question: str, role: str = OWNER) -> object:
    connection = await enter(server, role)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


@pytest.mark.parametrize("role", [OWNER, APP, LOG, READ])
async def test_each_role_enters_by_its_url_and_is_no_superuser(
    server: EmbeddedPostgres, role: str
) -> None:
    engine = connect(server.url(role=role), pool_size=1)
    try:
        async with engine.connect() as line:
            row = await line.execute(
                text("SELECT current_user, current_setting('is_superuser'), current_database()")
            )
            assert tuple(row.one()) == (role, "off", "sunbid")
    finally:
        await engine.dispose()


async def test_a_pool_connects_anew_where_the_server_hung_up_meanwhile(
    server: EmbeddedPostgres,
) -> None:
    engine = connect(server.url(role=APP), pool_size=2)
    told = [asyncio.Event(), asyncio.Event()]
    own_number = text("SELECT pg_backend_pid()")
    try:
        async with engine.connect() as line, engine.connect() as other:
            numbers = {(await one.execute(own_number)).scalar_one() for one in (line, other)}
            for one, heard in zip((line, other), told, strict=True):
                driver: Any = (await one.get_raw_connection()).driver_connection
                driver.add_termination_listener(lambda _, heard=heard: heard.set())
        ending = await enter(server, APP)
        for number in numbers:
            await ending.execute("SELECT pg_terminate_backend($1)", number)
        await ending.close()
        async with asyncio.timeout(30):
            await asyncio.gather(*(heard.wait() for heard in told))
        async with engine.connect() as line, engine.connect() as other:
            renewed = {(await one.execute(own_number)).scalar_one() for one in (line, other)}
    finally:
        await engine.dispose()
    assert len(numbers | renewed) == 4


async def test_the_superuser_is_turned_away(server: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await enter(server, "postgres", "postgres")


async def test_only_the_owner_can_make_databases(server: EmbeddedPostgres) -> None:
    connection = await enter(server, APP)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE DATABASE mine")
    finally:
        await connection.close()


async def test_the_server_listens_on_no_port_and_its_socket_is_its_own(
    server: EmbeddedPostgres,
) -> None:
    assert await ask(server, "SHOW listen_addresses") == ""
    assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
    assert server.data_dir.stat().st_uid != 0


async def test_text_sorts_by_code_point_and_data_carries_checksums(
    server: EmbeddedPostgres,
) -> None:
    assert await ask(server, "SELECT 'B' < 'a' AND upper('é') = 'É'") is True
    assert await ask(server, "SHOW data_checksums") == "on"
    assert await ask(server, "SHOW server_encoding") == "UTF8"


async def test_a_failing_statement_leaves_no_value_in_the_log_file(
    server: EmbeddedPostgres,
) -> None:
    connection = await enter(server, OWNER)
    try:
        await connection.execute("CREATE TEMP TABLE sealed (price text UNIQUE)")
        await connection.execute("INSERT INTO sealed VALUES ('128460000.00')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("INSERT INTO sealed VALUES ('128460000.00')")
    finally:
        await connection.close()
    assert "128460000" not in (server.root / "postgres.log").read_text()


async def test_a_database_is_copied_from_a_template_and_dropped_while_in_use(
    server: EmbeddedPostgres,
) -> None:
    await server.create_database("pattern")
    connection = await enter(server, OWNER, "pattern")
    await connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    await connection.close()
    await server.create_database("copy", template="pattern")

    guest = await enter(server, APP, "copy")
    lister = await enter(server, OWNER, "copy")
    assert await lister.fetchval("SELECT n FROM t") == 7
    await lister.close()
    await server.drop_database("copy")

    with pytest.raises(LINE_LOST):
        await guest.fetchval("SELECT 1")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await enter(server, OWNER, "copy")
    await server.drop_database("copy")


async def test_a_second_supervisor_of_the_same_folder_is_refused(server: EmbeddedPostgres) -> None:
    rival = EmbeddedPostgres(server.root, durable=False)
    with pytest.raises(PostgresUnavailable, match="another process already runs"):
        await rival.start()
    assert await ask(server, "SELECT 1") == 1


async def test_acknowledged_rows_outlive_a_killed_server_and_a_clean_stop(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    await server.start()
    try:
        connection = await enter(server, OWNER)
        await connection.execute("CREATE TABLE t (n int PRIMARY KEY)")
        acknowledged = 0

        async def write() -> None:
            nonlocal acknowledged
            while True:
                await connection.execute("INSERT INTO t VALUES ($1)", acknowledged)
                acknowledged += 1

        writer = asyncio.create_task(write())
        while acknowledged < 50:
            await asyncio.sleep(0)
        first_pid = server.pid
        server.kill()
        with pytest.raises(LINE_LOST):
            await writer

        await server.start()
        assert server.pid != first_pid
        kept = await ask(server, "SELECT count(*) FROM t")
        assert kept in (acknowledged, acknowledged + 1)

        server.stop()
        with pytest.raises(PostgresUnavailable, match="not running"):
            _ = server.pid
        await server.start()
        assert await ask(server, "SELECT count(*) FROM t") == kept
    finally:
        server.stop()


async def test_a_server_ends_with_a_supervisor_that_was_killed(folder: Path) -> None:
    program = (
        "import asyncio, pathlib, signal, sys\n"
        "from kernel.store.embedded_postgres import EmbeddedPostgres\n"
        "async def main():\n"
        "    server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), durable=False)\n"
        "    await server.start()\n"
        "    print(server.pid, flush=True)\n"
        "    signal.pause()\n"
        "asyncio.run(main())\n"
    )
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(folder), stdout=asyncio.subprocess.PIPE, cwd=CHECKOUT
    )
    assert supervisor.stdout is not None
    first_pid = int(await supervisor.stdout.readline())
    supervisor.send_signal(signal.SIGKILL)
    await supervisor.wait()

    heir = EmbeddedPostgres(folder, durable=False)
    await heir.start()
    try:
        assert heir.pid != first_pid
        assert await ask(heir, "SELECT 1") == 1
        assert first_pid not in _processes_marked(heir._mark)
    finally:
        heir.stop()
    assert _processes_marked(heir._mark) == set()


async def test_a_pid_file_that_names_a_stranger_does_not_stop_the_server(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    await server.start()
    pid_file = server.data_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.kill()
    # As after a restart of the machine: the number now belongs to a process that lives.
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    await server.start()
    try:
        assert await ask(server, "SELECT 1") == 1
    finally:
        server.stop()


async def test_a_half_made_data_folder_is_thrown_away(folder: Path) -> None:
    half_made = folder / "data.making-older"
    half_made.mkdir()
    (half_made / "postgresql.conf").write_text("# the power went here")
    server = EmbeddedPostgres(folder, durable=False)
    await server.start()
    try:
        assert not half_made.exists()
        assert await ask(server, "SELECT 1") == 1
    finally:
        server.stop()


async def test_a_foreign_data_folder_is_left_alone(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    await server.start()
    server.stop()
    (server.data_dir / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(PostgresUnavailable, match=r"made by Postgres 9\.6"):
        await server.start()
    (server.data_dir / "PG_VERSION").unlink()
    with pytest.raises(PostgresUnavailable, match="not a Postgres data folder"):
        await server.start()
    assert (server.data_dir / "base").exists()


async def test_a_path_too_long_for_a_socket_gets_a_short_one_of_its_own(folder: Path) -> None:
    server = EmbeddedPostgres(folder / ("long" * 30), durable=False)
    await server.start()
    try:
        assert server.socket_dir.parent == Path("/tmp")
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert await ask(server, "SELECT 1") == 1
    finally:
        server.stop()
        shutil.rmtree(server.socket_dir)


@as_root
async def test_root_keeps_the_data_elsewhere_when_only_root_can_reach_the_folder(
    folder: Path,
) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    server = EmbeddedPostgres(private / "postgres", durable=False)
    await server.start()
    home = server.data_dir.parent
    try:
        assert home.is_relative_to("/var/lib/sunbid")
        assert str(home) in (private / "postgres" / "the-data-is-elsewhere.txt").read_text()
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert await ask(server, "SELECT 1") == 1
        server.stop()
        await server.start()
        assert await ask(server, "SELECT 1") == 1
    finally:
        server.stop()
        shutil.rmtree(home)


@as_root
@as_root
async def test_programs_that_only_root_can_reach_are_copied_whole(folder: Path) -> None:
    tools = _wheel_tools()
    package = tools.parent.parent
    private = folder / "private"
    private.mkdir(mode=0o700)
    shutil.copytree(package, private / package.name, symlinks=True)
    libraries = f"{package.name}.libs"
    shutil.copytree(package.parent / libraries, private / libraries, symlinks=True)
    theirs = private / tools.relative_to(package.parent)
    server = EmbeddedPostgres(folder / "postgres", bin_dir=theirs, durable=False)
    with pytest.raises(PostgresUnavailable, match="cannot be run by the server's user"):
        await server.start()

    shared = folder / "shared"
    copied = _copy_of_wheel_tools(theirs, into=shared)
    assert _copy_of_wheel_tools(theirs, into=shared) == copied
    shutil.rmtree(private)
    server = EmbeddedPostgres(folder / "postgres", bin_dir=copied, durable=False)
    await server.start()
    try:
        assert server.bin_dir.is_relative_to(shared)
        assert await ask(server, "SELECT 1") == 1
    finally:
        server.stop()


def write_program(path: Path, says: str) -> None:
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


@pytest.mark.parametrize("version", ["14.23", "15.17", "16.13", "17.9", "18.3"])
async def test_a_release_below_the_floor_is_refused(folder: Path, version: str) -> None:
    write_program(folder / "postgres", f"postgres (PostgreSQL) {version} (Debian)")
    server = EmbeddedPostgres(folder / "root", bin_dir=folder, durable=False)
    with pytest.raises(PostgresUnavailable, match="too old"):
        await server.start()


async def test_a_folder_without_programs_is_refused(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "root", bin_dir=folder, durable=False)
    with pytest.raises(PostgresUnavailable, match="no postgres program"):
        await server.start()


async def test_a_server_that_cannot_start_says_why_and_frees_its_folder(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    await server.start()
    server.stop()
    configuration = server.data_dir / "postgresql.conf"
    kept = configuration.read_text()
    configuration.write_text(kept + "\nno_such_setting = 1\n")
    began = monotonic_s()
    with pytest.raises(PostgresUnavailable, match="no_such_setting"):
        await server.start()
    assert monotonic_s() - began < 30
    configuration.write_text(kept)
    await server.start()
    server.stop()


async def test_a_killed_backend_is_recovered_by_the_server_itself(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    await server.start()
    try:
        connection = await enter(server, OWNER)
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        pid = server.pid
        os.kill(backend, signal.SIGKILL)
        with pytest.raises(LINE_LOST):
            await connection.fetchval("SELECT 1")
        async with asyncio.timeout(30):
            while not await server._answers():
                await asyncio.sleep(0.02)
        assert server.pid == pid
        assert await ask(server, "SELECT 1") == 1
    finally:
        server.stop()


def test_no_zombie_counts_as_a_living_server() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass", "sunbid-zombie"])
    try:
        while (status := Path(f"/proc/{child.pid}/stat")).read_text().split()[2] != "Z":
            pass
        assert status.exists()
        assert _processes_marked("sunbid-zombie") == set()
    finally:
        child.wait()
