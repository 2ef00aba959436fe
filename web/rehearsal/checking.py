"""The strangers' check: everything again, offline, by programs that ask the platform nothing.

Then the other way round: a changed row, a dropped leaf and a rolled-back database must each be
found.
"""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sys
from pathlib import Path

from rich.console import Console
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.crypto import merkle
from kernel.crypto.digests import b64, unb64
from kernel.crypto.view_manifest import open_manifest
from kernel.store.database import connect
from web import exporting_log, keeping_copies
from web.log_download import download
from web.premises import documents_of, reached
from web.rehearsal.stage import Stage
from web.soundness import faults_of
from web.verifying import log_export
from web.verifying.draw_transcript import TrustedLog

VERIFY_PATIENCE_S = 120
CHANGED_ROW = (
    "UPDATE kernel.journal SET record = record || ' '::bytea"
    " WHERE id = (SELECT id FROM kernel.journal WHERE receipted LIMIT 1)"
)
DROPPED_LEAF = (
    "DELETE FROM kernel.log_leaf WHERE index = (SELECT max(index) / 2 FROM kernel.log_leaf)"
)


async def take_early_copy(stage: Stage) -> None:
    """Back the platform up in the middle of its life, for the rollback that must be found."""
    target = stage.settings.data / "early-copy"
    await keeping_copies.back_up(stage.settings, target, talk=stage.talk)


async def check_everything(stage: Stage) -> None:
    """Verify the log offline, as its operator has it and as a supervisor; then tamper with both."""
    stage.talk.rule("校验 The strangers' check")
    folder, whole = stage.out / "log", stage.settings.data / "whole-log"
    await _download(stage, folder)
    restored = await _in_the_database(stage, folder / "checkpoint")
    # Two downloads some time apart also show that the later log extends the earlier one.
    size = await _download(stage, folder)
    stage.say(f"the log as a supervisor sees it, {size} leaves, verified by a program of its own")
    # The operator's own export opens every leaf, and stays with him: it tells who signed in when.
    until = await _export_whole(stage, whole, beyond=_last_act(folder))
    stage.say(f"the whole log: every leaf before {until} is exactly one entry or one filler")
    verdicts = [await verified("log", one, *stage.pins) for one in (folder, whole)]
    tampered = [
        [await asyncio.to_thread(one, stage, export) for export in (folder, whole)]
        for one in (_changed_row, _dropped_leaf, _lost_entry)
    ]
    row, leaf, entry = (all(one) for one in tampered)
    found = [row and restored[0], leaf and entry and restored[1], restored[2]]
    stage.expect(
        52,
        "the whole log verifies; a changed row, a dropped leaf and a rollback are each found",
        "《电子招标投标办法》第49条、第58条",
        all(verdicts) and all(found),
        f"as a supervisor sees it {'ok' if verdicts[0] else 'NOT ok'}, whole before leaf {until}"
        f" {'ok' if verdicts[1] else 'NOT ok'}; row, leaf, rollback: "
        + ", ".join("found" if one else "MISSED" for one in found),
    )


def _last_act(folder: Path) -> int:
    """Where the last act of the play stands in the log: the award, or else a lot's failing."""
    told = [json.loads(line) for line in (folder / "entries.jsonl").read_text().splitlines()]
    return max(
        int(one["index"])
        for one in told
        if json.loads(unb64(one["record"]))["kind"] in ("AwardPublished", "LotFailed")
    )


async def _export_whole(stage: Stage, folder: Path, *, beyond: int) -> int:
    """Write the whole log out where it is kept, whole beyond that leaf; up to where it is.

    The key of a run of fillers comes out when the run has ended, so this may have to wait for it.
    """
    quiet = Console(file=io.StringIO())
    async with asyncio.timeout(VERIFY_PATIENCE_S):
        while True:
            shutil.rmtree(folder, ignore_errors=True)
            await exporting_log.export(stage.settings, folder, talk=quiet)
            note = (folder / "manifest").read_text()
            until = open_manifest(note, stage.facts.log_vkey).whole_until
            if until > beyond:
                return until
            await asyncio.sleep(stage.settings.filler_epoch_s / 4)


async def _download(stage: Stage, folder: Path) -> int:
    return await download(
        stage["supervisor"],
        folder,
        log_vkey=stage.facts.log_vkey,
        witness_vkeys=stage.facts.witness_vkeys,
        quorum=stage.settings.witness_quorum,
    )


async def verified(what: str, path: Path, *options: str) -> bool:
    """Whether `sunbid verify` agrees, in a process of its own with nothing of the platform's."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "web.verifying.offline_checks", what, str(path), *options),
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PATH": "/usr/bin:/bin"},
    )
    async with asyncio.timeout(VERIFY_PATIENCE_S):
        return await process.wait() == 0


def _changed_row(stage: Stage, export: Path) -> bool:
    """Whether one changed byte of an entry's record is found."""
    copy = _copied(stage, export)
    lines = (copy / "entries.jsonl").read_text().splitlines()
    told = json.loads(lines[len(lines) // 2])
    record = bytearray(unb64(told["record"]))
    record[len(record) // 2] ^= 1
    told["record"] = b64(bytes(record))
    lines[len(lines) // 2] = json.dumps(told)
    (copy / "entries.jsonl").write_text("\n".join(lines) + "\n")
    return not _is_whole(stage, copy)


def _dropped_leaf(stage: Stage, export: Path) -> bool:
    """Whether two leaves that changed places are found, and one that is gone."""
    copy = _copied(stage, export)
    tile = copy / merkle.tile_path(None, 0)
    content = tile.read_bytes()
    tile.write_bytes(content[34:68] + content[:34] + content[68:])
    moved = not _is_whole(stage, copy)
    tile.write_bytes(content[34:])
    return moved and not _is_whole(stage, copy)


def _lost_entry(stage: Stage, export: Path) -> bool:
    """Whether an entry is missed that is left out, the others being numbered anew."""
    copy = _copied(stage, export)
    lines = (copy / "entries.jsonl").read_text().splitlines()
    del lines[len(lines) // 2]
    told = [{**json.loads(line), "number": place} for place, line in enumerate(lines, start=1)]
    (copy / "entries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))
    return not _is_whole(stage, copy)


def _copied(stage: Stage, export: Path) -> Path:
    copy = stage.settings.data / "tampered"
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(export, copy))


def _is_whole(stage: Stage, folder: Path) -> bool:
    facts = stage.facts
    known = TrustedLog(facts.log_vkey, facts.witness_vkeys, stage.settings.witness_quorum)
    return log_export.verify(folder, trusted=known).ok


async def _in_the_database(stage: Stage, later: Path) -> tuple[bool, bool, bool]:
    """Whether a changed row, a dropped leaf and a rollback are found in a platform's own database.

    It is an early copy, put back in place of the platform: a later checkpoint shows that, and what
    is done to it afterwards behind the triggers shows too.
    """
    source = stage.settings.data / "early-copy"
    other = stage.settings.model_copy(update={"data": stage.settings.data / "rolled-back"})
    await keeping_copies.restore(other, source, checkpoint=None, talk=stage.talk)
    manifest = json.loads((source / keeping_copies.MANIFEST).read_text())
    async with reached(other) as place:
        engine = connect(place.owner_url, role=place.role, pool_size=1)
        try:
            alone = await keeping_copies.compare(engine, other, manifest, None)
            with_later = await keeping_copies.compare(engine, other, manifest, later.read_text())
            faults = await faults_of(engine, documents_of(other))
            for fault in faults:
                stage.say(f"the early copy: {fault}")
            await _behind_the_triggers(engine, "kernel.journal", CHANGED_ROW)
            row = not faults and bool(await faults_of(engine))
            await _behind_the_triggers(engine, "kernel.log_leaf", DROPPED_LEAF)
            leaf = bool(await keeping_copies.compare(engine, other, manifest, None))
        finally:
            await engine.dispose()
    back = not alone and any("rolled back" in fault for fault in with_later)
    return row, leaf, back


async def _behind_the_triggers(engine: AsyncEngine, table: str, statement: str) -> None:
    """What the owner of a database can do to a table that nobody may change."""
    async with engine.begin() as connection:
        await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        await connection.execute(text(statement))
