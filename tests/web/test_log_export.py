"""A whole exported log verifies without the platform, and every tampering with it is found.

E-Bidding Measures 49, 58: every act is recorded, and nothing recorded may be changed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.access import Role
from kernel.crypto import merkle
from kernel.crypto.digests import b64, b64u, unb64
from kernel.crypto.notes import Checkpoint, LogSigner
from kernel.randomness import random_bytes, random_id
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import LOG, connect
from kernel.store.sequencer import sequence_once
from kernel.store.transaction import Store
from kernel.store.transparency_log import disclose_fillers, integrate_once, publish_once
from kernel.store.witnesses import ask_all
from tests.conftest import START, Database
from tests.log_story import (
    Sealed,
    Slipped,
    Unsealed,
    bystanders,
    enter,
    somebody,
    utter,
    write_export,
)
from tests.tenders import a_player
from tests.web.bid_house import bid_house
from tests.web.tender_house import client_of
from web.client import Client
from web.log_download import download
from web.verifying.log_export import verify

FAR = START + timedelta(days=4000)
TILES = ("tile", "000")


@pytest.fixture
async def line(database: Database) -> AsyncIterator[AsyncEngine]:
    engine = connect(database.url(LOG), pool_size=3)
    yield engine
    await engine.dispose()


async def ticked(line: AsyncEngine, settings: Settings, *, epoch_s: float = 0.0) -> None:
    """One tick of a log whose fillers' keys are soon over."""
    async with line.connect() as connection:
        while await sequence_once(connection):
            pass
        await integrate_once(connection, epoch_length=timedelta(seconds=epoch_s))
        await publish_once(connection, founding.read_keys(settings).log_signer)
        await disclose_fillers(connection)


@pytest.fixture
async def export(store: Store, line: AsyncEngine, settings: Settings, tmp_path: Path) -> Path:
    """A log of several tiles with sealed entries, disclosed fillers and two witnesses."""
    log_vkey = founding.read_keys(settings).log_signer.vkey
    lot = random_id()
    folder = tmp_path / "export"
    (folder / "checkpoints").mkdir(parents=True)
    async with bystanders(2, log_vkey=log_vkey, folder=tmp_path) as both:
        told, keys = [one.told for one in both], [one.signer.vkey for one in both]
        await enter(store, Sealed(lot))
        for round_number in range(8):
            await utter(store, 3)
            if round_number == 4:
                await utter(store, 65)
            await enter(store, Slipped(lot, START, FAR), somebody())
            if round_number == 6:
                await enter(store, Unsealed(lot))
            await ticked(line, settings)
            if round_number in (1, 3):
                await ask_all(line, told, quorum=2)
                async with line.connect() as connection:
                    size = await write_export(
                        connection, folder, log_vkey=log_vkey, witness_vkeys=keys, quorum=2
                    )
                (folder / "checkpoint").rename(folder / "checkpoints" / str(size))
        await ask_all(line, told, quorum=2)
        shutil.rmtree(folder / "tile")
        async with line.connect() as connection:
            await write_export(connection, folder, log_vkey=log_vkey, witness_vkeys=keys, quorum=2)
    return folder


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
    change_record,
    change_salt,
    change_index,
    change_index_to_negative,
    change_index_beyond_the_tree,
    drop_entry,
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
)


async def test_a_whole_log_verifies_and_every_tampering_with_it_is_found(
    export: Path, tmp_path: Path
) -> None:
    whole = verify(export)
    assert whole.ok, [check for check in whole.plain()["checks"] if not check["passed"]]
    assert whole.found["size"] > 512
    assert whole.found["disclosed_fillers_until"] > 0
    assert whole.found["closed_to_this_reader"] == 0
    copy = tmp_path / "copy"
    for tampering in TAMPERINGS:
        shutil.copytree(export, copy)
        tampering(copy)
        assert files(copy) != files(export), tampering.__name__
        found = verify(copy)
        assert not found.ok, tampering.__name__
        shutil.rmtree(copy)


async def test_an_empty_folder_verifies_nothing(tmp_path: Path) -> None:
    assert not verify(tmp_path).ok


@pytest.fixture
async def house(store: Store, settings: Settings) -> AsyncIterator[FastAPI]:
    async with bid_house(store, settings) as app:
        yield app


async def _downloaded(client: Client, folder: Path, settings: Settings) -> int:
    log = founding.read_keys(settings).log_signer.vkey
    return await download(client, folder, log_vkey=log, witness_vkeys=(), quorum=0)


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
            assert await _downloaded(client, tmp_path / name, settings) > 0
            found = verify(tmp_path / name)
            assert found.ok, found.plain()
    assert len(list((tmp_path / "public" / "checkpoints").iterdir())) == 3
    kinds = {
        name: {kind(one) for one in entries(tmp_path / name)} for name in ("public", "supervisor")
    }
    assert "Slipped" not in kinds["public"]
    assert "Slipped" in kinds["supervisor"]
    assert verify(tmp_path / "public").found["closed_to_this_reader"] > 0
    await watcher.aclose()
    await public.aclose()
