"""The strangers' check: everything again, offline, by programs that ask the platform nothing.

Then the other way round: a changed row, a dropped leaf and a rolled-back database must each be
found.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.crypto import merkle
from kernel.crypto.digests import b64, unb64
from kernel.store.database import connect
from web import keeping_copies
from web.log_download import download
from web.premises import documents_of, reached
from web.rehearsal.stage import Stage
from web.soundness import faults_of
from web.verifying import log_export

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
    """Verify every artefact offline, then tamper and be found out."""
    stage.talk.rule("校验 The strangers' check")
    folder = stage.out / "log"
    shutil.rmtree(folder, ignore_errors=True)
    # A run of fillers must have ended before its key can come out; two exports a moment apart also
    # show that the later log extends the earlier one.
    await _download(stage, folder)
    await asyncio.sleep(3 * stage.settings.log_tick_s)
    size = await _download(stage, folder)
    stage.say(f"the whole log, {size} leaves, verified by a program that asks nobody")
    whole = await verified("log", folder)
    exported = [
        await asyncio.to_thread(_changed_row, folder, stage.settings.data / "tampered-row"),
        await asyncio.to_thread(_dropped_leaf, folder, stage.settings.data / "tampered-leaf"),
    ]
    restored = await _in_the_database(stage, folder / "checkpoint")
    found = [exported[0] and restored[0], exported[1] and restored[1], restored[2]]
    stage.expect(
        52,
        "the whole log verifies; a changed row, a dropped leaf and a rollback are each found",
        "《电子招标投标办法》第49条、第58条",
        whole and all(found),
        f"log {'ok' if whole else 'NOT ok'}; row, leaf, rollback: "
        + ", ".join("found" if one else "MISSED" for one in found),
    )


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


def _changed_row(folder: Path, copy: Path) -> bool:
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    lines = (copy / "entries.jsonl").read_text().splitlines()
    told = json.loads(lines[len(lines) // 2])
    record = bytearray(unb64(told["record"]))
    record[len(record) // 2] ^= 1
    told["record"] = b64(bytes(record))
    lines[len(lines) // 2] = json.dumps(told)
    (copy / "entries.jsonl").write_text("\n".join(lines) + "\n")
    return not log_export.verify(copy).ok


def _dropped_leaf(folder: Path, copy: Path) -> bool:
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    tile = copy / merkle.tile_path(None, 0)
    content = tile.read_bytes()
    tile.write_bytes(content[34:] + content[:34])
    moved = not log_export.verify(copy).ok
    tile.write_bytes(content[34:])
    return moved and not log_export.verify(copy).ok


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
