"""Backup and restore: what comes back is what was lost, and what is not is said."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.access import PLATFORM
from kernel.errors import BrokenSeal, NotFound, Outrun
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import OWNER, connect
from kernel.store.transaction import Store, transaction
from kernel.store.transparency_log import latest_note, tree_now
from tests.conftest import Database
from tests.log_story import Tick, utter
from tests.sealed_bids import (
    IN_TIME,
    Tender,
    a_bidder,
    a_sealed_bid,
    a_submission,
    a_tender,
    at,
    submitted,
    ticking,
    uploaded,
)
from trading import reception, uploading
from web.keeping_copies import DUMP, LIST, MANIFEST, back_up, compare, restore
from web.premises import documents_of
from web.soundness import faults_of


class Ears:
    """What was said on the terminal."""

    def __init__(self) -> None:
        self._heard = StringIO()
        self.console = Console(file=self._heard, width=200)

    @property
    def heard(self) -> str:
        return self._heard.getvalue()


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture(autouse=True)
def _programs_of_the_server(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(database.server.bin_dir), prepend=":")


@pytest.fixture
def here(database: Database, settings: Settings) -> Settings:
    """This installation as its operator would name it."""
    return settings.model_copy(update={"database_url": database.url(OWNER), "take_roles": False})


@pytest.fixture
async def elsewhere(
    database: Database, settings: Settings, tmp_path: Path
) -> AsyncIterator[Settings]:
    """An empty installation beside it."""
    name = f"{database.name}_elsewhere"
    await database.server.create_database(name)
    yield settings.model_copy(
        update={
            "database_url": database.server.url(role=OWNER, database=name),
            "take_roles": False,
            "data": tmp_path / "elsewhere",
        }
    )
    await database.server.drop_database(name)


@pytest.fixture
async def sealed_part(store: Store, tick: Tick) -> str:
    """A bid is in the house; the name under which the last part of it is kept."""
    tender, bidder = await a_tender(store), await a_bidder(store)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    then = at(store, IN_TIME)
    async with reception.opened(then) as counter, ticking(tick):
        raw = a_submission(tender, bidder, files)
        answer = await submitted(then, counter, bidder, tender, raw)
    assert answer.judgement is not None
    name: str = files[1].announcement.part_digests[-1].hex()
    return f"{uploading.DRAWER}/{name[:2]}/{name}"


async def the_root(place: Settings) -> tuple[int, bytes]:
    engine = connect(place.database_url, pool_size=1)
    async with engine.connect() as connection:
        tree = await tree_now(connection)
    await engine.dispose()
    return tree.size, tree.root


async def test_what_is_given_up_while_a_copy_is_made_is_in_the_copy_all_the_same(
    store: Store, tender: Tender, here: Settings, elsewhere: Settings, tmp_path: Path, ears: Ears
) -> None:
    given_up = []
    for _ in range(8):
        bidder = await a_bidder(store)
        files = a_sealed_bid(tender, bidder)
        given_up.append((bidder, await uploaded(store, bidder, tender.lot_id, files)))
    copy = tmp_path / "copy"
    copying = asyncio.create_task(back_up(here, copy, talk=ears.console))
    for bidder, upload_ids in given_up:
        for upload_id in upload_ids:
            async with transaction(at(store, IN_TIME), actor=bidder.actor) as tx:
                await uploading.discard_upload(tx, upload_id)
            await uploading.sweep(store)
    assert await copying == 0
    assert await restore(elsewhere, copy, checkpoint=None, talk=ears.console) == 0, ears.heard
    engine = connect(elsewhere.database_url, pool_size=1)
    assert await faults_of(engine, documents_of(elsewhere)) == []
    await engine.dispose()


async def test_what_is_restored_is_what_was_there(
    sealed_part: str, store: Store, here: Settings, elsewhere: Settings, tmp_path: Path, ears: Ears
) -> None:
    copy = tmp_path / "copy"
    assert await back_up(here, copy, talk=ears.console) == 0
    assert (copy / "documents" / sealed_part).exists()
    assert copy.stat().st_mode & 0o777 == 0o700
    assert await restore(elsewhere, copy, checkpoint=None, talk=ears.console) == 0, ears.heard

    assert await the_root(elsewhere) == await the_root(here)
    assert (elsewhere.data / "documents" / sealed_part).exists()
    assert founding.read_keys(elsewhere).pepper == founding.read_keys(here).pepper
    assert (elsewhere.data / "keys" / "platform.json").stat().st_mode & 0o777 == 0o600
    engine = connect(elsewhere.database_url, pool_size=1)
    assert await faults_of(engine, documents_of(elsewhere)) == []
    async with engine.connect() as connection:
        with pytest.raises(Exception, match="append-only"):
            await connection.execute(text("DELETE FROM kernel.journal"))
    await engine.dispose()


async def test_a_program_is_told_what_was_copied_and_what_is_wrong_with_it(
    sealed_part: str,
    here: Settings,
    elsewhere: Settings,
    tmp_path: Path,
    ears: Ears,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = tmp_path / "copy"
    assert await back_up(here, copy, talk=ears.console, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["faults"]) == (True, [])
    assert told["documents"] == len((copy / "documents.txt").read_text().split())
    (copy / "documents" / sealed_part).unlink()
    back = await restore(elsewhere, copy, checkpoint=None, talk=ears.console, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (back, told["ok"]) == (6, False)
    assert any("missing" in fault for fault in told["faults"])


async def test_a_copy_says_how_many_tables_are_done(
    sealed_part: str, here: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    """Of all there are, so that whoever waits knows for how long."""
    drawn = StringIO()
    screen = Console(file=drawn, force_terminal=True, width=100)
    copy = tmp_path / "copy"
    assert await back_up(here, copy, talk=screen) == 0
    assert await restore(elsewhere, copy, checkpoint=None, talk=screen) == 0
    for what in ("Copying", "Restoring"):
        found = re.findall(rf"{what} the database, tables.*?(\d+)/(\d+)", drawn.getvalue())
        assert found
        done, total = found[-1]
        assert done == total
        assert int(total) > 50


async def test_a_copy_of_a_database_without_a_platform_is_not_made(
    elsewhere: Settings, tmp_path: Path, ears: Ears
) -> None:
    with pytest.raises(NotFound):
        await back_up(elsewhere, tmp_path / "copy", talk=ears.console)
    assert not (tmp_path / "copy").exists()


async def test_a_copy_older_than_a_later_checkpoint_was_rolled_back(
    store: Store, tick: Tick, here: Settings, elsewhere: Settings, tmp_path: Path, ears: Ears
) -> None:
    await utter(store, 3)
    await tick()
    copy, later = tmp_path / "copy", tmp_path / "later"
    assert await back_up(here, copy, talk=ears.console) == 0
    await utter(store, 3)
    await tick()
    async with store.sessions() as session:
        later.write_text(str(await latest_note(session)))
    assert await restore(elsewhere, copy, checkpoint=later, talk=ears.console) == 6
    assert "rolled back" in ears.heard


async def test_a_copy_with_another_past_is_not_the_log_the_world_has_seen(
    store: Store, tick: Tick, here: Settings, elsewhere: Settings, tmp_path: Path, ears: Ears
) -> None:
    await tick()
    copy = tmp_path / "copy"
    await back_up(here, copy, talk=ears.console)
    await restore(elsewhere, copy, checkpoint=None, talk=ears.console)
    manifest = json.loads((copy / MANIFEST).read_text())
    engine = connect(elsewhere.database_url, pool_size=1)

    async def after(statement: str) -> str:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE kernel.log_leaf DISABLE TRIGGER USER"))
            await connection.execute(text(statement))
        return " ".join(await compare(engine, elsewhere, manifest, None))

    assert await compare(engine, elsewhere, manifest, None) == []
    assert "past differs" in await after(
        "UPDATE kernel.log_leaf SET data = sha256(data) WHERE index = 2"
    )
    assert "rolled back" in await after("DELETE FROM kernel.log_leaf WHERE index = 7")
    forged = manifest["checkpoint"].replace("\n8\n", "\n9\n")
    assert "does not verify" in " ".join(await compare(engine, elsewhere, manifest, forged))
    await engine.dispose()


@pytest.mark.parametrize("name", [DUMP, LIST])
async def test_a_damaged_copy_is_refused_before_anything_is_touched(
    store: Store,
    here: Settings,
    elsewhere: Settings,
    tmp_path: Path,
    ears: Ears,
    name: str,
) -> None:
    copy = tmp_path / "copy"
    await back_up(here, copy, talk=ears.console)
    content = bytearray((copy / name).read_bytes() or b"\n")
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(bytes(content))
    with pytest.raises(BrokenSeal, match=name):
        await restore(elsewhere, copy, checkpoint=None, talk=ears.console)
    (copy / name).unlink()
    with pytest.raises(BrokenSeal, match=name):
        await restore(elsewhere, copy, checkpoint=None, talk=ears.console)
    assert not elsewhere.data.exists()


async def test_a_checkpoint_that_cannot_be_read_is_refused_before_anything_is_touched(
    store: Store, here: Settings, elsewhere: Settings, tmp_path: Path, ears: Ears
) -> None:
    copy = tmp_path / "copy"
    await back_up(here, copy, talk=ears.console)
    with pytest.raises(NotFound, match="nowhere"):
        await restore(elsewhere, copy, checkpoint=tmp_path / "nowhere", talk=ears.console)
    for content in (b"not a note", b"\xff\xfe"):
        (tmp_path / "later").write_bytes(content)
        with pytest.raises(BrokenSeal):
            await restore(elsewhere, copy, checkpoint=tmp_path / "later", talk=ears.console)
    assert not elsewhere.data.exists()
    assert await restore(elsewhere, copy, checkpoint=None, talk=ears.console) == 0


@pytest.mark.parametrize("manifest", ["{", "[]", "{}", '{"v": "sunbid-backup/9"}'])
async def test_a_folder_that_is_no_copy_is_refused(
    elsewhere: Settings, tmp_path: Path, ears: Ears, manifest: str
) -> None:
    with pytest.raises(NotFound):
        await restore(elsewhere, tmp_path / "nothing", checkpoint=None, talk=ears.console)
    (tmp_path / MANIFEST).write_text(manifest)
    with pytest.raises(BrokenSeal):
        await restore(elsewhere, tmp_path, checkpoint=None, talk=ears.console)


async def test_missing_and_damaged_documents_are_named(
    sealed_part: str, here: Settings, elsewhere: Settings, tmp_path: Path, ears: Ears
) -> None:
    copy = tmp_path / "copy"
    await back_up(here, copy, talk=ears.console)
    (copy / "documents" / sealed_part).unlink()
    other = next(path for path in (copy / "documents" / "sealed").rglob("*") if path.is_file())
    other.write_bytes(other.read_bytes() + b" ")
    assert await restore(elsewhere, copy, checkpoint=None, talk=ears.console) == 6
    assert "the copy lacks 1 documents" in ears.heard
    assert f"1 documents are missing, {sealed_part}" in ears.heard
    assert f"{other.name} is damaged" in ears.heard


async def test_a_document_damaged_on_the_running_platform_is_told_by_its_backup(
    store: Store, here: Settings, tmp_path: Path, ears: Ears
) -> None:
    async with transaction(store, actor=PLATFORM) as tx:
        digest = (await tx.documents.drawer("deep").drawer("er").keep(b"paper")).hex()
    kept = here.data / "documents" / "deep" / "er" / digest[:2] / digest
    assert await back_up(here, tmp_path / "copy", talk=ears.console) == 0
    assert (tmp_path / "copy" / "documents" / "deep" / "er" / digest[:2] / digest).exists()
    kept.write_bytes(b"pap3r")
    assert await back_up(here, tmp_path / "another", talk=ears.console) == 6
    assert digest in ears.heard


async def test_nothing_is_overwritten(
    store: Store, here: Settings, elsewhere: Settings, tmp_path: Path, ears: Ears
) -> None:
    copy = tmp_path / "copy"
    await back_up(here, copy, talk=ears.console)
    with pytest.raises(Outrun, match="not empty"):
        await back_up(here, copy, talk=ears.console)
    with pytest.raises(Outrun, match="keys of a platform"):
        await restore(here, copy, checkpoint=None, talk=ears.console)
    with pytest.raises(Outrun, match="a platform in this database"):
        keyless = here.model_copy(update={"data": tmp_path / "keyless"})
        await restore(keyless, copy, checkpoint=None, talk=ears.console)
    assert await restore(elsewhere, copy, checkpoint=None, talk=ears.console) == 0
    with pytest.raises(Outrun):
        await restore(elsewhere, copy, checkpoint=None, talk=ears.console)


async def test_a_dump_that_cannot_be_put_back_leaves_the_database_empty(
    store: Store, here: Settings, elsewhere: Settings, tmp_path: Path, ears: Ears
) -> None:
    copy = tmp_path / "copy"
    await back_up(here, copy, talk=ears.console)
    engine: AsyncEngine = connect(elsewhere.database_url, pool_size=1)
    async with engine.begin() as connection:
        # The last schema the dump makes is there already, so it fails late.
        await connection.execute(text("CREATE SCHEMA trading"))
    with pytest.raises(BrokenSeal, match="pg_restore failed"):
        await restore(elsewhere, copy, checkpoint=None, talk=ears.console)
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT to_regclass('kernel.journal')"))
        assert found.scalar_one() is None
    await engine.dispose()


async def test_a_machine_without_the_programs_says_so(
    here: Settings, tmp_path: Path, ears: Ears, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match="pg_dump is not installed"):
        await back_up(here, tmp_path / "copy", talk=ears.console)


async def test_documents_in_another_store_are_copied_too(
    store: Store, here: Settings, tmp_path: Path, ears: Ears
) -> None:
    async with transaction(store, actor=PLATFORM) as tx:
        digest = (await tx.documents.drawer("deep").keep(b"paper")).hex()
    shelf = tmp_path / "shelf"
    shutil.move(here.data / "documents", shelf)
    far = here.model_copy(update={"blob_url": f"file://{shelf}"})
    assert await back_up(far, tmp_path / "copy", talk=ears.console) == 0
    assert f"deep/{digest[:2]}/{digest}" in (tmp_path / "copy" / LIST).read_text()
