"""Electronic Bidding Measures 32: the opening record verifies offline, and no mutant of it does."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernel.access import PLATFORM
from kernel.crypto.digests import b64u, canonical
from kernel.crypto.signing import Envelope
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.embedded_postgres import EmbeddedPostgres
from kernel.store.transaction import Store, transaction
from kernel.store.transparency_log import proof_of
from tests.conftest import TEMPLATE
from tests.kept_stores import Tick, founded_store
from tests.opened_lots import Hall, a_hall, an_entry, everything_opened, released, window_ended
from tests.sealed_bids import a_tender
from trading import opening, opening_views
from web.verifying import opening_record


@pytest.fixture(scope="module")
async def kept(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Path, Hall]]:
    """An export of three opened bids and one that was revoked, and their hall; made once."""
    folder, name = tmp_path_factory.mktemp("kept") / "opening", "kept_opening"
    async with founded_store(postgres, name, TEMPLATE, folder.parent / "store") as (
        store,
        tick,
        settings,
    ):
        hall = await a_hall_opened(store, tick)
        yield await an_export(hall, store, settings, folder), hall
    await postgres.drop_database(name)


@pytest.fixture
def export(kept: tuple[Path, Hall], tmp_path: Path) -> Path:
    """A copy of the export that a test may spoil."""
    return Path(shutil.copytree(kept[0], tmp_path / "opening"))


@pytest.fixture
def hall(kept: tuple[Path, Hall]) -> Hall:
    """The hall it came from."""
    return kept[1]


async def a_hall_opened(store: Store, tick: Tick) -> Hall:
    tender = await a_tender(store)
    entries = [await an_entry(store, tender, f"{n}00000.00") for n in (7, 8, 9, 6)]
    await tick()
    hall = await a_hall(store, tender, entries)
    for entry in entries[:3]:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    then, agency = await hall.window_ends_at(), tender.cast.agency
    async with transaction(store, actor=agency.actor, now=then) as tx:
        draft = await opening.draft_record(tx, hall.lot_id)
        raw = agency.key.sign("application/vnd.ebid.opening-record.v1+json", draft).to_bytes()
        await opening.sign_record(tx, hall.lot_id, raw)
    await tick()
    return hall


async def an_export(hall: Hall, store: Store, settings: Settings, folder: Path) -> Path:
    (folder / "sheets").mkdir(parents=True)
    async with transaction(store, actor=PLATFORM) as tx:
        record = await opening_views.published_record(tx, hall.lot_id)
        for head in record.sheets:
            content = await opening_views.sealed_sheet(tx, hall.lot_id, head)
            (folder / "sheets" / f"{b64u(head)}.ebid").write_bytes(content)
        for name, entry in (
            ("close", record.close_entry),
            ("window-closed", record.window_closed_entry),
        ):
            proof = await proof_of(tx.session, entry)
            assert proof is not None
            (folder / f"{name}.tlog-proof").write_text(proof)
    (folder / "record.dsse").write_bytes(record.record)
    (folder / "policy.dsse").write_bytes(record.policy)
    (folder / "timetable.dsse").write_bytes(record.timetable)
    keys = {
        "log": founding.read_keys(settings).log_signer.vkey,
        "witnesses": [],
        "quorum": 0,
        "signers": {keyid: b64u(key) for keyid, key in record.signers.items()},
    }
    (folder / "keys.json").write_text(json.dumps(keys))
    return folder


def failed(folder: Path) -> list[str]:
    return [check.what for check in opening_record.verify(folder).checks if not check.passed]


async def test_the_exported_record_verifies(export: Path) -> None:
    verdict = opening_record.verify(export)
    assert verdict.ok, failed(export)
    assert len(list((export / "sheets").iterdir())) == 3


async def test_a_flipped_byte_in_any_file_is_found(export: Path, tmp_path: Path) -> None:
    dice = random.Random(32)
    for path in sorted(p for p in export.rglob("*") if p.is_file() and p.name != "keys.json"):
        content = path.read_bytes()
        for place in {0, len(content) // 2, *(dice.randrange(len(content)) for _ in range(6))}:
            mutant = bytearray(content)
            mutant[place] ^= 1
            path.write_bytes(bytes(mutant))
            try:
                assert not opening_record.verify(export).ok, f"{path.name} at {place}"
            finally:
                path.write_bytes(content)


def mutants(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The record with one thing changed, everywhere something can be changed."""

    def fresh() -> dict[str, Any]:
        copy: dict[str, Any] = json.loads(json.dumps(record))
        return copy

    for name in ("lot", "policy", "timetable", "close_entry", "window_closed_entry"):
        mutant = fresh()
        mutant[name] = mutant[name][:-2] + ("AA" if mutant[name][-2:] != "AA" else "BB")
        yield name, mutant
    for place in range(len(record["bids"])):
        mutant = fresh()
        del mutant["bids"][place]
        yield f"bid {place} dropped", mutant
        mutant = fresh()
        mutant["bids"].append(mutant["bids"][place])
        yield f"bid {place} doubled", mutant
        mutant = fresh()
        bid = mutant["bids"][place]
        bid["seq"] += 1
        yield f"bid {place} renumbered", mutant
        for outcome in ("opened", "opened_by_custodians", "revoked", "withdrawn"):
            mutant = fresh()
            if mutant["bids"][place]["outcome"] == outcome:
                continue
            # Who released in time decides between some outcomes and others; a revoked bid and a
            # withdrawn one differ in whose fault it was, which the entries do not tell.
            if {mutant["bids"][place]["outcome"], outcome} == {"revoked", "withdrawn"}:
                continue
            mutant["bids"][place]["outcome"] = outcome
            yield f"bid {place} {outcome}", mutant
        for kind in ("sheet", "bid"):
            for fact in ("head", "payload_root"):
                mutant = fresh()
                text = mutant["bids"][place][kind][fact]
                mutant["bids"][place][kind][fact] = ("B" if text[0] == "A" else "A") + text[1:]
                yield f"bid {place} {kind} {fact}", mutant
            mutant = fresh()
            mutant["bids"][place][kind]["payload_size"] += 1
            yield f"bid {place} {kind} size", mutant
        if record["bids"][place]["announced"]:
            mutant = fresh()
            mutant["bids"][place]["announced"]["price"] = "1.00"
            yield f"bid {place} price", mutant
            for component in record["bids"][place]["sheet"]["secrets"]:
                mutant = fresh()
                secret = mutant["bids"][place]["sheet"]["secrets"][component]
                mutant["bids"][place]["sheet"]["secrets"][component] = (
                    "B" if secret[0] == "A" else "A"
                ) + secret[1:]
                yield f"bid {place} secret of {component}", mutant
    mutant = fresh()
    one, other = mutant["bids"][0], mutant["bids"][1]
    one["announced"], other["announced"] = other["announced"], one["announced"]
    yield "two sheets swapped", mutant


async def test_a_record_changed_and_signed_again_by_its_host_is_found(
    export: Path, hall: Hall
) -> None:
    """Even the one who may sign it cannot make it say anything else."""
    signed = Envelope.from_bytes((export / "record.dsse").read_bytes(), max_bytes=32 << 20)
    record = json.loads(signed.payload)
    host = hall.tender.cast.agency.key
    assert host.sign(signed.payload_type, canonical(record)).payload == signed.payload
    count = 0
    for name, mutant in mutants(record):
        (export / "record.dsse").write_bytes(
            host.sign(signed.payload_type, canonical(mutant)).to_bytes()
        )
        assert not opening_record.verify(export).ok, name
        count += 1
    assert count > 40


@pytest.mark.parametrize(
    "missing", ["record.dsse", "policy.dsse", "close.tlog-proof", "window-closed.tlog-proof"]
)
async def test_a_missing_file_is_found(export: Path, missing: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(export, copy)
    (copy / missing).unlink()
    assert not opening_record.verify(copy).ok


async def test_a_closing_shown_as_the_windows_end_is_found(export: Path) -> None:
    shutil.copy(export / "close.tlog-proof", export / "window-closed.tlog-proof")
    assert not opening_record.verify(export).ok
