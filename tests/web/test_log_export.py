"""A whole exported log verifies without the platform, and every tampering with it is found.

E-Bidding Measures 49, 58: every act is recorded, and nothing recorded may be changed.
"""

from __future__ import annotations

import io
import json
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.access import Role
from kernel.crypto import merkle
from kernel.crypto.digests import b64, b64u, unb64
from kernel.crypto.notes import Checkpoint, LogSigner
from kernel.crypto.view_manifest import open_manifest
from kernel.errors import Outrun
from kernel.randomness import random_bytes, random_id
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import LOG, connect
from kernel.store.events import ExpertCapacityTaken
from kernel.store.opened_views import signed_manifest
from kernel.store.sequencer import sequence_once
from kernel.store.transaction import Store
from kernel.store.transparency_log import disclose_fillers, integrate_once, publish_once
from tests.conftest import START, Database
from tests.kept_stores import WITNESSES, cosign, witnessed
from tests.log_story import Sealed, Slipped, Unsealed, enter, somebody, utter, write_export
from tests.tampering import tampered
from tests.tenders import a_player
from tests.web.bid_house import bid_house
from tests.web.tender_house import client_of
from trading.events import LotClosed, LotFailed
from web import exporting_log
from web.client import Client, Problem
from web.log_download import download
from web.verifying.draw_transcript import TrustedLog
from web.verifying.log_export import UNWITNESSED, verify

FAR = START + timedelta(days=4000)
TILES = ("tile", "000")
EXPORTS = ("all", "supervisors")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return witnessed(settings)


@pytest.fixture
async def line(database: Database) -> AsyncIterator[AsyncEngine]:
    engine = connect(database.url(LOG), pool_size=3)
    yield engine
    await engine.dispose()


@pytest.fixture
async def house(store: Store, settings: Settings) -> AsyncIterator[FastAPI]:
    async with bid_house(store, settings) as app:
        yield app


async def ticked(line: AsyncEngine, settings: Settings, *, epoch_s: float = 0.0) -> None:
    """One tick of a log whose fillers' keys are soon over, and whose witnesses sign at once."""
    async with line.connect() as connection:
        while await sequence_once(connection):
            pass
        await integrate_once(connection, epoch_length=timedelta(seconds=epoch_s))
        await publish_once(connection, founding.read_keys(settings).log_signer)
        await cosign(connection, settings)
        await disclose_fillers(connection)


async def downloaded(client: Client, folder: Path, settings: Settings) -> int:
    return await download(
        client,
        folder,
        log_vkey=founding.read_keys(settings).log_signer.vkey,
        witness_vkeys=[one.vkey for one in WITNESSES],
        quorum=2,
    )


async def exported(line: AsyncEngine, folder: Path, settings: Settings) -> tuple[int, int, int]:
    async with line.connect() as connection:
        return await write_export(connection, folder, settings)


@pytest.fixture
async def exports(
    house: FastAPI, store: Store, line: AsyncEngine, settings: Settings, tmp_path: Path
) -> dict[str, Path]:
    """A log of several tiles with sealed entries, disclosed fillers and two witnesses.

    By its view: as its operator writes it out whole, and as a supervisor downloads it.
    """
    lot, folders = random_id(), {view: tmp_path / view for view in EXPORTS}
    supervisor = await client_of(house, await a_player(store, Role.SUPERVISOR))
    await enter(store, Sealed(lot))
    for round_number in range(8):
        await utter(store, 3)
        if round_number == 4:
            await utter(store, 65)
        await enter(store, Slipped(lot, START, FAR), somebody())
        if round_number == 6:
            await enter(store, Unsealed(lot))
        await ticked(line, settings)
        if round_number in (1, 3, 7):
            await exported(line, folders["all"], settings)
            await downloaded(supervisor, folders["supervisors"], settings)
    await supervisor.aclose()
    return folders


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(one) for one in (folder / "entries.jsonl").read_text().splitlines()]


def write(folder: Path, told: list[dict[str, Any]]) -> None:
    for number, one in enumerate(told, start=1):
        one["number"] = number
    (folder / "entries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def kind(entry: dict[str, Any]) -> str:
    found: str = json.loads(unb64(entry["record"]))["kind"]
    return found


def place_of(told: list[dict[str, Any]], wanted: str, *, which: int = 0) -> int:
    return [place for place, one in enumerate(told) if kind(one) == wanted][which]


def leaf_tile(folder: Path) -> Path:
    return folder / merkle.tile_path(None, 0)


def _flipped(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def flip_leaf(folder: Path) -> None:
    _flipped(leaf_tile(folder), 2 + 34 * 7)


def flip_last_leaf(folder: Path) -> None:
    last = max((folder / "tile" / "entries").rglob("*.p/*"), key=str)
    _flipped(last, last.stat().st_size - 1)


def flip_length(folder: Path) -> None:
    _flipped(leaf_tile(folder), 34 * 3 + 1)


def drop_leaf(folder: Path) -> None:
    content = leaf_tile(folder).read_bytes()
    leaf_tile(folder).write_bytes(content[:68] + content[102:])


def swap_leaves(folder: Path) -> None:
    content = leaf_tile(folder).read_bytes()
    leaf_tile(folder).write_bytes(content[34:68] + content[:34] + content[68:])


def double_leaf(folder: Path) -> None:
    content = leaf_tile(folder).read_bytes()
    leaf_tile(folder).write_bytes(content[:34] + content[:34] + content[68:])


def add_leaf(folder: Path) -> None:
    content = leaf_tile(folder).read_bytes()
    leaf_tile(folder).write_bytes(content + content[:34])


def lose_leaf_tile(folder: Path) -> None:
    leaf_tile(folder).unlink()


def flip_hash_tile(folder: Path) -> None:
    _flipped(folder / merkle.tile_path(0, 0), 100)


def flip_upper_hash_tile(folder: Path) -> None:
    (upper,) = (folder / "tile" / "1").rglob("*.p/*")
    _flipped(upper, 5)


def lose_hash_tile(folder: Path) -> None:
    (folder / merkle.tile_path(0, 0)).unlink()


def _replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def flip_checkpoint_root(folder: Path) -> None:
    path = folder / "checkpoint"
    root = path.read_text().split("\n")[2]
    _replaced(path, root, ("B" if root[0] == "A" else "A") + root[1:])


def change_checkpoint_size(folder: Path) -> None:
    path = folder / "checkpoint"
    size = path.read_text().split("\n")[1]
    _replaced(path, f"\n{size}\n", f"\n{int(size) - 8}\n")


def change_checkpoint_origin(folder: Path) -> None:
    _replaced(folder / "checkpoint", "demo.sunbid.test/log\n", "demo.sunbid.tess/log\n")


def _signature_lines(folder: Path) -> list[str]:
    return [one for one in (folder / "checkpoint").read_text().split("\n") if one.startswith("—")]


def _changed_signature(folder: Path, which: int) -> None:
    line = _signature_lines(folder)[which]
    at = len(line) - 10
    changed = line[:at] + ("A" if line[at] != "A" else "B") + line[at + 1 :]
    _replaced(folder / "checkpoint", line, changed)


def change_log_signature(folder: Path) -> None:
    _changed_signature(folder, 0)


def change_cosignature(folder: Path) -> None:
    _changed_signature(folder, 1)


def change_last_cosignature(folder: Path) -> None:
    _changed_signature(folder, 2)


def drop_cosignature(folder: Path) -> None:
    _replaced(folder / "checkpoint", _signature_lines(folder)[1] + "\n", "")


def double_cosignature_for_a_missing_one(folder: Path) -> None:
    one, other = _signature_lines(folder)[1:]
    _replaced(folder / "checkpoint", one, other)


def _changed_entry(folder: Path, **changes: Callable[[Any], Any]) -> None:
    told = entries(folder)
    entry = told[place_of(told, "Uttered")]
    for name, change in changes.items():
        entry[name] = change(entry[name])
    write(folder, told)


def change_id(folder: Path) -> None:
    _changed_entry(folder, id=lambda kept: kept[:-1] + ("0" if kept[-1] != "0" else "1"))


def change_number(folder: Path) -> None:
    told = entries(folder)
    told[3]["number"] += 1
    (folder / "entries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))


def add_a_member(folder: Path) -> None:
    _changed_entry(folder, index=lambda kept: kept)
    told = entries(folder)
    write(folder, [{**told[0], "more": 1}, *told[1:]])


def change_record(folder: Path) -> None:
    _changed_entry(folder, record=lambda kept: b64(unb64(kept).replace(b'"word ', b'"worX ')))


def change_salt(folder: Path) -> None:
    _changed_entry(folder, salt=lambda _: b64u(random_bytes(32)))


def change_index(folder: Path) -> None:
    _changed_entry(folder, index=lambda kept: kept + 1)


def change_index_to_negative(folder: Path) -> None:
    size = int((folder / "checkpoint").read_text().split("\n")[1])
    _changed_entry(folder, index=lambda kept: kept - size)


def change_index_beyond_the_tree(folder: Path) -> None:
    _changed_entry(folder, index=lambda kept: kept + 100_000)


def drop_entry(folder: Path) -> None:
    told = entries(folder)
    del told[place_of(told, "Uttered", which=5)]
    write(folder, told)


def drop_sealed_entry(folder: Path) -> None:
    told = entries(folder)
    del told[place_of(told, "Slipped")]
    write(folder, told)


def drop_line_but_keep_numbers(folder: Path) -> None:
    lines = (folder / "entries.jsonl").read_text().splitlines(keepends=True)
    (folder / "entries.jsonl").write_text("".join(lines[:-3] + lines[-2:]))


def double_entry(folder: Path) -> None:
    told = entries(folder)
    write(folder, [*told, dict(told[2])])


def drop_filler_key(folder: Path) -> None:
    # Of a key that is the last one nobody can tell whether it was ever disclosed.
    told = entries(folder)
    first = next(
        place
        for place, one in enumerate(told)
        if kind(one) == "FillerKeyDisclosed"
        and json.loads(unb64(one["record"]))["facts"]["number"] == 1
    )
    del told[first]
    write(folder, told)


def drop_filler_commitment(folder: Path) -> None:
    told = entries(folder)
    del told[place_of(told, "FillerKeyCommitted")]
    write(folder, told)


def open_a_filler_as_an_entry(folder: Path) -> None:
    told = entries(folder)
    known = {one["index"] for one in told}
    free = next(index for index in range(1000) if index not in known)
    write(folder, [*told, {**told[0], "index": free}])


def drop_first_entry(folder: Path) -> None:
    write(folder, entries(folder)[1:])


def drop_the_last_entries(folder: Path) -> None:
    write(folder, entries(folder)[:-10])


def drop_all_but_one(folder: Path) -> None:
    write(folder, entries(folder)[:1])


def empty_entries(folder: Path) -> None:
    write(folder, [])


def drop_a_kind(folder: Path) -> None:
    write(folder, [one for one in entries(folder) if kind(one) != "Unsealed"])


def swap_entries(folder: Path) -> None:
    told = entries(folder)
    told[4], told[5] = told[5], told[4]
    write(folder, told)


def swap_entries_with_their_numbers(folder: Path) -> None:
    lines = (folder / "entries.jsonl").read_text().splitlines(keepends=True)
    lines[4], lines[5] = lines[5], lines[4]
    (folder / "entries.jsonl").write_text("".join(lines))


def mangle_entries(folder: Path) -> None:
    (folder / "entries.jsonl").write_text("[]\n")


def put_older_checkpoint_of_another_past(folder: Path) -> None:
    _sign_older(folder, 16, random_bytes(32))


def put_older_checkpoint_that_is_longer(folder: Path) -> None:
    _sign_older(folder, 1_000_000, random_bytes(32))


def _sign_older(folder: Path, size: int, root: bytes) -> None:
    """As the log itself would sign it: only the comparison can find it."""
    keys = json.loads((folder.parent / "keys" / "platform.json").read_text())
    secret = keys["log"] + "=" * (-len(keys["log"]) % 4)
    signer = LogSigner(keys["log_origin"], unb64(secret.replace("-", "+").replace("_", "/")))
    (folder / "checkpoints" / str(size)).write_text(
        signer.sign(Checkpoint(signer.name, size, root))
    )


def change_older_checkpoint(folder: Path) -> None:
    older = min((folder / "checkpoints").iterdir())
    size = older.read_text().split("\n")[1]
    _replaced(older, f"\n{size}\n", f"\n{int(size) + 8}\n")


def change_keys(folder: Path) -> None:
    told = json.loads((folder / "keys.json").read_text())
    told["log"] = LogSigner("demo.sunbid.test/log", random_bytes(32)).vkey
    (folder / "keys.json").write_text(json.dumps(told))


def lose_keys(folder: Path) -> None:
    (folder / "keys.json").unlink()


def _keys(folder: Path, **changes: object) -> None:
    told = json.loads((folder / "keys.json").read_text())
    (folder / "keys.json").write_text(json.dumps({**told, **changes}))


def lower_quorum(folder: Path) -> None:
    _keys(folder, quorum=1)


def no_quorum(folder: Path) -> None:
    _keys(folder, quorum=0)


def no_witnesses(folder: Path) -> None:
    _keys(folder, quorum=0, witnesses=[])


def say_public(folder: Path) -> None:
    _keys(folder, view="public")


def say_a_view_that_is_none(folder: Path) -> None:
    _keys(folder, view="everybody")


def lose_manifest(folder: Path) -> None:
    (folder / "manifest").unlink()


def _manifest_line(folder: Path, number: int, change: Callable[[str], str]) -> None:
    lines = (folder / "manifest").read_text().split("\n")
    lines[number] = change(lines[number])
    (folder / "manifest").write_text("\n".join(lines))


def say_fewer_entries(folder: Path) -> None:
    """As whoever drops the last entry would have to."""
    write(folder, entries(folder)[:-1])
    _manifest_line(folder, 4, lambda kept: str(int(kept) - 1))


def change_manifest_signature(folder: Path) -> None:
    told = (folder / "manifest").read_text()
    at = len(told) - 10
    changed = told[:at] + ("A" if told[at] != "A" else "B") + told[at + 1 :]
    (folder / "manifest").write_text(changed)


def manifest_without_signature(folder: Path) -> None:
    told = (folder / "manifest").read_text()
    (folder / "manifest").write_text(told.partition("\n\n")[0] + "\n")


def checkpoint_for_a_manifest(folder: Path) -> None:
    (folder / "manifest").write_bytes((folder / "checkpoint").read_bytes())


TAMPERINGS = (
    flip_leaf,
    flip_last_leaf,
    flip_length,
    drop_leaf,
    swap_leaves,
    double_leaf,
    add_leaf,
    lose_leaf_tile,
    flip_hash_tile,
    flip_upper_hash_tile,
    lose_hash_tile,
    flip_checkpoint_root,
    change_checkpoint_size,
    change_checkpoint_origin,
    change_log_signature,
    change_cosignature,
    change_last_cosignature,
    drop_cosignature,
    double_cosignature_for_a_missing_one,
    change_id,
    change_number,
    add_a_member,
    change_record,
    change_salt,
    change_index,
    change_index_to_negative,
    change_index_beyond_the_tree,
    drop_entry,
    drop_first_entry,
    drop_the_last_entries,
    drop_all_but_one,
    empty_entries,
    drop_a_kind,
    swap_entries,
    swap_entries_with_their_numbers,
    drop_sealed_entry,
    drop_line_but_keep_numbers,
    double_entry,
    drop_filler_key,
    drop_filler_commitment,
    open_a_filler_as_an_entry,
    mangle_entries,
    put_older_checkpoint_of_another_past,
    put_older_checkpoint_that_is_longer,
    change_older_checkpoint,
    change_keys,
    lose_keys,
    lower_quorum,
    no_quorum,
    no_witnesses,
    say_public,
    say_a_view_that_is_none,
    lose_manifest,
    say_fewer_entries,
    change_manifest_signature,
    manifest_without_signature,
    checkpoint_for_a_manifest,
)


async def test_an_export_verifies_and_every_tampering_with_it_is_found(
    exports: dict[str, Path], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    for view, export in exports.items():
        whole = verify(export)
        assert whole.ok, [check for check in whole.plain()["checks"] if not check["passed"]]
        assert (whole.warnings, whole.demo) == ([], True)
        assert whole.found["size"] > 512
        assert whole.found["view"] == view
        assert whole.found["disclosed_fillers_until"] > 0
        assert len(list((export / "checkpoints").iterdir())) == 2
        if view == "all":
            assert whole.found["closed_to_this_reader"] == 0
            assert whole.found["whole_until"] == whole.found["disclosed_fillers_until"]
        for tampering in TAMPERINGS:
            shutil.copytree(export, copy)
            tampering(copy)
            assert files(copy) != files(export), tampering.__name__
            assert not verify(copy).ok, (view, tampering.__name__)
            shutil.rmtree(copy)


async def test_every_member_of_an_exports_keys_counts_and_whoever_knows_the_log_can_say_so(
    exports: dict[str, Path],
) -> None:
    for export in exports.values():
        path = export / "keys.json"
        told = json.loads(path.read_text())
        for what, place, changed in tampered(told):
            path.write_text(json.dumps(changed))
            assert not verify(export).ok, (what, place)
        path.write_text(json.dumps(told))
        known = TrustedLog(told["log"], tuple(told["witnesses"]), 2)
        assert verify(export, trusted=known).ok
        for stranger in (
            replace(known, log=LogSigner("demo.sunbid.test/log", random_bytes(32)).vkey),
            replace(known, witnesses=known.witnesses[:1]),
            replace(known, quorum=3),
        ):
            assert not verify(export, trusted=stranger).ok


async def test_the_whole_log_is_its_operators_alone_and_what_he_leaves_out_is_found(
    exports: dict[str, Path], settings: Settings
) -> None:
    """The log vouches for what its operator lets it: then the leaves themselves say more."""
    export = exports["all"]
    assert stat.S_IMODE(export.stat().st_mode) == 0o700
    assert stat.S_IMODE((export / "entries.jsonl").stat().st_mode) == 0o600
    with pytest.raises(Outrun, match="not an empty folder"):
        await exporting_log.export(settings, export, talk=Console(file=io.StringIO()))
    told = entries(export)
    del told[place_of(told, "Slipped")]
    write(export, told)
    seen = verify(exports["supervisors"])
    assert seen.ok
    size = int((export / "checkpoint").read_text().split("\n")[1])
    note = signed_manifest(
        "all",
        [(one["number"], one["index"], one["id"]) for one in told],
        size=size,
        whole_until=seen.found["disclosed_fillers_until"],
        signer=founding.read_keys(settings).log_signer,
        settings=settings,
    )
    (export / "manifest").write_text(note)
    failed = [check.what for check in verify(export).checks if not check.passed]
    assert [what for what in failed if "exactly one entry or one filler" in what] == failed != []


async def test_an_empty_folder_verifies_nothing(tmp_path: Path) -> None:
    assert not verify(tmp_path).ok


async def test_a_log_without_witnesses_says_so_loudly(
    store: Store, line: AsyncEngine, settings: Settings, tmp_path: Path
) -> None:
    alone = settings.model_copy(update={"witnesses": (), "witness_quorum": 0})
    await utter(store, 3)
    await ticked(line, alone)
    await exported(line, tmp_path / "alone", alone)
    found = verify(tmp_path / "alone")
    assert found.ok
    assert found.warnings == [UNWITNESSED]
    assert "NO WITNESSES" in json.dumps(found.plain())
    known = TrustedLog(founding.read_keys(settings).log_signer.vkey, (WITNESSES[0].vkey,), 1)
    assert not verify(tmp_path / "alone", trusted=known).ok


async def test_nothing_that_is_still_sealed_leaves_with_the_whole_log(
    store: Store, line: AsyncEngine, settings: Settings, tmp_path: Path
) -> None:
    """Bidding Law 22: what concerns bids is known to nobody before the close."""
    lot, other = random_id(), random_id()
    await enter(store, Sealed(other))
    await enter(store, Slipped(other, START, FAR), somebody())
    await ticked(line, settings)
    await enter(store, Unsealed(other))
    await ticked(line, settings)
    await ticked(line, settings)
    await enter(store, Sealed(lot))
    await enter(store, Slipped(lot, START, FAR), somebody())
    for _ in range(3):
        await ticked(line, settings)
    size, _, whole_until = await exported(line, tmp_path / "before", settings)
    assert 0 < whole_until < size
    opened = [one["subject"] for one in told_in(tmp_path / "before") if one["kind"] == "Slipped"]
    assert opened == [str(other)]
    assert verify(tmp_path / "before").ok
    await enter(store, Unsealed(lot))
    for _ in range(3):
        await ticked(line, settings)
    await exported(line, tmp_path / "after", settings)
    opened = [one["subject"] for one in told_in(tmp_path / "after") if one["kind"] == "Slipped"]
    assert sorted(opened) == sorted([str(other), str(lot)])
    assert verify(tmp_path / "after").found["closed_to_this_reader"] == 0


async def test_who_sits_on_a_committee_does_not_leave_before_the_award(
    store: Store, line: AsyncEngine, settings: Settings, tmp_path: Path
) -> None:
    """Bidding Law 37: the committee's names are secret until the winner is determined."""
    lot = random_id()
    await enter(store, LotClosed(lot, (), bytes(32), bytes(32), (), bytes(32), 1, bytes(32)))
    await enter(store, ExpertCapacityTaken(lot, person_id=random_id()))
    for _ in range(3):
        await ticked(line, settings)
    await exported(line, tmp_path / "before", settings)
    kinds = [one["kind"] for one in told_in(tmp_path / "before")]
    assert "LotClosed" in kinds, "what is public leaves all the same"
    assert "ExpertCapacityTaken" not in kinds
    assert verify(tmp_path / "before").ok
    await enter(store, LotFailed(lot, "all_rejected", "评标委员会否决所有投标", "第42条"))
    for _ in range(3):
        await ticked(line, settings)
    await exported(line, tmp_path / "after", settings)
    assert "ExpertCapacityTaken" in [one["kind"] for one in told_in(tmp_path / "after")]
    assert verify(tmp_path / "after").found["closed_to_this_reader"] == 0


def told_in(folder: Path) -> list[dict[str, Any]]:
    """The records of an export, opened."""
    return [json.loads(unb64(one["record"])) for one in entries(folder)]


async def test_a_witnessed_log_is_not_exported_as_if_it_had_no_witnesses(
    store: Store, line: AsyncEngine, settings: Settings, tmp_path: Path
) -> None:
    await ticked(line, settings)
    unaware = settings.model_copy(update={"witnesses": ()})
    with pytest.raises(Outrun, match="has witnesses"):
        await exported(line, tmp_path / "unaware", unaware)


async def test_what_the_public_and_a_supervisor_download_verifies_and_grows(
    house: FastAPI, store: Store, line: AsyncEngine, settings: Settings, tmp_path: Path
) -> None:
    lot, supervisor = random_id(), await a_player(store, Role.SUPERVISOR)
    watcher, public = await client_of(house, supervisor), await client_of(house)
    await enter(store, Sealed(lot))
    for round_number in range(4):
        await utter(store, 5)
        await enter(store, Slipped(lot, START, FAR), somebody())
        if round_number == 2:
            await enter(store, Unsealed(lot))
        await ticked(line, settings)
        # What is not in the tree yet is in no export, and leaves no gap in it either.
        await enter(store, Slipped(lot, START, FAR), somebody())
        await utter(store, 1)
        async with line.connect() as connection:
            await sequence_once(connection)
        for name, client in (("public", public), ("supervisor", watcher)):
            assert await downloaded(client, tmp_path / name, settings) > 0
            found = verify(tmp_path / name)
            assert found.ok, found.plain()
    assert len(list((tmp_path / "public" / "checkpoints").iterdir())) == 3
    kinds = {
        name: {one["kind"] for one in told_in(tmp_path / name)} for name in ("public", "supervisor")
    }
    assert "Slipped" not in kinds["public"]
    assert "Slipped" in kinds["supervisor"]
    assert verify(tmp_path / "public").found["closed_to_this_reader"] > 0
    await watcher.aclose()
    await public.aclose()


async def test_the_log_vouches_for_no_view_but_the_one_there_is(
    house: FastAPI, store: Store, line: AsyncEngine, settings: Settings
) -> None:
    """Neither fewer entries than stand in a tree nor more, nor in a tree that was never signed."""
    public = await client_of(house)
    await utter(store, 5)
    await ticked(line, settings)
    size = int((await public.read("/log/checkpoint")).decode().split("\n")[1])
    there = [
        one["number"]
        for one in (await public.get("/api/v1/log/entries"))["entries"]
        if one["index"] is not None and one["index"] < size
    ]
    path = "/api/v1/log/manifest"
    note = await public.read(path, size=size, entries=len(there))
    manifest = open_manifest(note.decode(), founding.read_keys(settings).log_signer.vkey)
    assert (manifest.view, manifest.entries, manifest.whole_until) == ("public", len(there), 0)
    for fewer_or_more, tree in ((-1, size), (1, size), (0, size + 8), (0, size - 8)):
        with pytest.raises(Problem) as refused:
            await public.read(path, size=tree, entries=len(there) + fewer_or_more)
        assert refused.value.status == 404
    await public.aclose()
