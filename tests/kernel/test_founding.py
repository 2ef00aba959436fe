"""Founding happens once, fixes what a platform is for ever, and keeps its keys to itself."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from kernel.settings import Settings
from kernel.store import founding
from kernel.store.clocks import platform_clock, unshifted_clock
from kernel.store.database import OWNER, connect
from kernel.store.founding import NotFounded, found, is_founded, make_keys, read_keys
from kernel.store.transaction import Store
from tests.conftest import START, Database


def test_keys_are_made_once_and_only_this_user_can_read_them(settings: Settings) -> None:
    made = make_keys(settings)
    again = make_keys(settings)
    assert made.log_signer.vkey == again.log_signer.vkey
    assert made.platform_key.kid == again.platform_key.kid
    assert made.pepper == again.pepper
    path = settings.data / "keys" / "platform.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["platform.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"log_origin": "x", "log": "AA"}'])
def test_damaged_keys_are_neither_read_nor_replaced(settings: Settings, content: str) -> None:
    path = settings.data / "keys" / "platform.json"
    path.parent.mkdir()
    path.write_text(content)
    for act in (read_keys, make_keys):
        with pytest.raises(NotFounded, match="damaged"):
            act(settings)
    assert path.read_text() == content


def test_a_folder_without_keys_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFounded, match="no platform keys"):
        read_keys(Settings(data=tmp_path))


async def test_a_database_is_founded_once(
    store: Store, database: Database, settings: Settings
) -> None:
    owner = connect(database.url(OWNER), pool_size=1)
    assert await is_founded(owner)
    with pytest.raises(IntegrityError):
        await found(owner, settings, make_keys(settings), demo=True)
    async with owner.connect() as connection:
        rows = await connection.execute(
            text("SELECT count(*) FROM kernel.journal WHERE kind = 'PlatformFounded'")
        )
        assert rows.scalar_one() == 1
    await owner.dispose()


async def test_a_demo_starts_when_it_is_told_to(store: Store) -> None:
    async with store.sessions() as session:
        assert timedelta(0) <= await platform_clock(session) - START < timedelta(minutes=5)
        assert await unshifted_clock(session) != await platform_clock(session)


async def test_a_real_platform_s_clock_cannot_be_moved_by_anybody(
    database: Database, settings: Settings
) -> None:
    real = settings.model_copy(update={"log_origin": "sunbid.test/log"})
    owner = connect(database.url(OWNER), pool_size=1)
    assert not await is_founded(owner)
    with pytest.raises(ValueError, match="demo"):
        await found(owner, real, make_keys(real), demo=True)
    await found(owner, real, make_keys(real), demo=False)
    async with owner.connect() as connection:
        with pytest.raises(DBAPIError, match="only a demo"):
            await connection.execute(
                text(
                    "INSERT INTO kernel.clock_jump (offset_by, reason, jumped_at)"
                    " VALUES (interval '1 hour', 'x', clock_timestamp())"
                )
            )
    with pytest.raises(DBAPIError, match=r"only a demo|duplicate"):
        await found(owner, real, founding.read_keys(real), demo=False, start=START)
    await owner.dispose()


async def test_a_demo_s_clock_never_jumps_back(store: Store, database: Database) -> None:
    owner = connect(database.url(OWNER), pool_size=1)
    async with owner.connect() as connection:
        with pytest.raises(DBAPIError, match="forward"):
            await connection.execute(
                text(
                    "INSERT INTO kernel.clock_jump (offset_by, reason, jumped_at) SELECT"
                    " offset_by - interval '1 second', 'x', clock_timestamp()"
                    " FROM kernel.clock_jump"
                )
            )
    await owner.dispose()
