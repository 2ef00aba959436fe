"""Backup and restore, and the proof that what was restored is what was lost.

A copy holds the database, the documents, the platform's keys and the newest checkpoint. Restoring
rebuilds the log's root from the leaves and compares it with that checkpoint; a later checkpoint,
kept by a witness or a bidder, shows whether the copy is older than the log the world has seen. A
copy holds no way to open a bid, since the platform holds none; its keys still make it secret.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.clock import unshifted_clock
from kernel.crypto import merkle
from kernel.crypto.digests import instant_text
from kernel.crypto.notes import Checkpoint, SignedNote, open_checkpoint
from kernel.errors import BrokenSeal, NotFound, Outrun
from kernel.settings import Settings
from kernel.store.database import connect
from kernel.store.transparency_log import latest_note
from web.premises import Reached, reached

MANIFEST = "manifest.json"
DUMP = "database.dump"
DONE, UNVERIFIED = 0, 6


async def back_up(settings: Settings, target: Path, *, talk: Console) -> int:
    """Copy everything into a new folder; the platform may go on running."""
    if target.exists() and any(target.iterdir()):
        raise Outrun(f"{target} is not empty")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with reached(settings) as place:
        engine = connect(place.owner_url, role=place.role, pool_size=1)
        try:
            async with engine.connect() as connection:
                # The checkpoint is read before the dump, so the dump holds at least its tree.
                note = await latest_note(connection)
                taken_at = instant_text(await unshifted_clock(connection))
        finally:
            await engine.dispose()
        talk.print("Copying the database…")
        await _run(place, "pg_dump", "--format=custom", f"--file={target / DUMP}")
    # Documents are copied after the dump: a row in it never lacks its file.
    count = _copy_documents(settings.data / "documents", target / "documents", talk)
    if (settings.data / "keys").exists():
        shutil.copytree(settings.data / "keys", target / "keys")
    manifest = {
        "v": "sunbid-backup/1",
        "taken_at": taken_at,
        "checkpoint": note,
        "dump_sha256": _digest(target / DUMP),
        "documents": count,
    }
    (target / MANIFEST).write_text(json.dumps(manifest, indent=1))
    talk.print(f"Backed up to {target}: {count} documents, checkpoint of size {_size(note)}.")
    return DONE


async def restore(
    settings: Settings, source: Path, *, checkpoint: Path | None, talk: Console
) -> int:
    """Restore into an empty installation, rebuild the root, and compare it.

    `checkpoint` is a later one from somebody else: a log that is shorter was rolled back.
    """
    manifest = _manifest(source)
    if _digest(source / DUMP) != manifest["dump_sha256"]:
        raise BrokenSeal("the dump is not the one that was made")
    settings.data.mkdir(parents=True, exist_ok=True)
    async with reached(settings) as place:
        engine = connect(place.owner_url, role=place.role, pool_size=1)
        try:
            async with engine.connect() as connection:
                present = await connection.execute(text("SELECT to_regclass('kernel.journal')"))
                if present.scalar_one() is not None:
                    raise Outrun("there is a platform in this database already")
            talk.print("Restoring the database…")
            await _run(
                place,
                "pg_restore",
                "--no-owner",
                "--exit-on-error",
                f"--dbname={_database(place)}",
                str(source / DUMP),
            )
            _copy_documents(source / "documents", settings.data / "documents", talk)
            if (source / "keys").exists():
                shutil.copytree(source / "keys", settings.data / "keys", dirs_exist_ok=True)
            faults = await compare(engine, settings, manifest, checkpoint)
        finally:
            await engine.dispose()
    for fault in faults:
        talk.print(f"[red]✗[/] {fault}")
    talk.print("Restored and verified." if not faults else "[red]Restored, but NOT as it was.[/]")
    return UNVERIFIED if faults else DONE


async def compare(
    engine: AsyncEngine, settings: Settings, manifest: dict[str, Any], later: Path | None
) -> list[str]:
    """What is wrong with a restored database; empty when it is what it should be."""
    faults = []
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT hash FROM kernel.log_leaf ORDER BY index"))
        hashes = [row[0] for row in rows]
        vkey = (await connection.execute(text("SELECT log_vkey FROM kernel.platform"))).scalar_one()
        documents = await connection.execute(text("SELECT digest FROM kernel.document"))
        lost = [d.hex() for (d,) in documents if not _has(settings.data / "documents", d.hex())]
    if lost:
        faults.append(f"{len(lost)} documents are missing, {lost[0]} first")
    if manifest["checkpoint"]:
        faults += _compare_with(hashes, manifest["checkpoint"], vkey, "the copy's own checkpoint")
    if later is not None:
        faults += _compare_with(hashes, later.read_text(), vkey, "the checkpoint given")
    return faults


def _compare_with(hashes: list[bytes], note: str, vkey: str, whose: str) -> list[str]:
    try:
        seen = open_checkpoint(note, vkey, ())
    except BrokenSeal as error:
        return [f"{whose} does not verify: {error}"]
    if seen.size > len(hashes):
        return [
            f"the log was rolled back: {whose} has {seen.size} leaves, this database {len(hashes)}"
        ]
    if merkle.root(hashes[: seen.size]) != seen.root:
        return [f"the log's past differs from {whose}"]
    return []


def _manifest(source: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_text())
    except FileNotFoundError:
        raise NotFound(f"{source} holds no backup") from None
    return manifest


def _copy_documents(source: Path, target: Path, talk: Console) -> int:
    files = [path for path in source.rglob("*") if path.is_file()] if source.exists() else []
    with Progress(console=talk, transient=True) as progress:
        task = progress.add_task("Copying documents", total=len(files))
        for path in files:
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists():
                shutil.copy2(path, copy)
            progress.advance(task)
    return len(files)


def _has(folder: Path, name: str) -> bool:
    return (folder / name[:2] / name).exists()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(note: str | None) -> int:
    return Checkpoint.parse(SignedNote.parse(note).text).size if note else 0


def _database(place: Reached) -> str:
    return str(make_url(place.owner_url).database)


async def _run(place: Reached, program: str, *arguments: str) -> None:
    url = make_url(place.owner_url)
    environment = {
        **os.environ,
        "PGHOST": str(url.query.get("host") or url.host or ""),
        "PGPORT": str(url.port or url.query.get("port") or 5432),
        "PGUSER": str(url.username),
        "PGDATABASE": str(url.database),
        "PGPASSWORD": str(url.password or ""),
        "PGCONNECT_TIMEOUT": "10",
    }
    if place.role:
        environment["PGOPTIONS"] = f"-c role={place.role}"
    path = str(place.tools / program) if place.tools else program
    process = await asyncio.create_subprocess_exec(
        path, *arguments, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    if process.returncode:
        raise BrokenSeal(f"{program} failed: {said.decode(errors='replace').strip()[-500:]}")
