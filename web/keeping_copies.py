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
import re
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
from obstore.store import LocalStore, from_url
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.crypto import merkle
from kernel.crypto.digests import instant_text
from kernel.crypto.notes import Checkpoint, SignedNote, open_checkpoint
from kernel.errors import BrokenSeal, NotFound, Outrun
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.clocks import unshifted_clock
from kernel.store.database import connect
from kernel.store.transparency_log import latest_note
from trading import uploading
from trading.named_documents import documents_named
from web.premises import Reached, reached
from web.terminal_words import shown

VERSION = "sunbid-backup/1"
MANIFEST = "manifest.json"
DUMP = "database.dump"
LIST = "documents.txt"
DOCUMENTS = "documents"
DONE, UNVERIFIED = 0, 6

_TABLES = text(
    "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
)
_TABLE_DONE = re.compile(r"dumping contents of table|processing data for table")


async def back_up(settings: Settings, target: Path, *, talk: Console, as_json: bool = False) -> int:
    """Copy everything into a new folder; the platform may go on running.

    `NotFound` where there is no platform; none is made. A document that is not what its name says
    is copied all the same, and makes the answer 6.
    """
    if target.exists() and any(target.iterdir()):
        raise Outrun(f"{target} is not empty")
    if not settings.database_url and not (settings.data / "postgres").exists():
        raise NotFound(f"{settings.data} holds no platform")
    async with reached(settings) as place:
        engine = connect(place.owner_url, role=place.role, pool_size=1)
        try:
            if not await founding.is_founded(engine):
                raise NotFound("there is no platform in this database")
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            async with engine.connect() as line:
                connection = await line.execution_options(isolation_level="AUTOCOMMIT")
                # The checkpoint is read before the dump, so the dump holds at least its tree.
                note = await latest_note(connection)
                taken_at = instant_text(await unshifted_clock(connection))
                # Documents are copied after the dump, and nothing leaves the disk between them: a
                # row in it never lacks its file.
                async with uploading.all_parts_kept(connection):
                    tables = int((await connection.execute(_TABLES)).scalar_one())
                    with _bar("Copying the database", tables, talk) as hear:
                        dump = ("--format=custom", "--verbose", f"--file={target / DUMP}")
                        await _run(place, "pg_dump", *dump, hear=hear)
                    shelf = _folder(target / DOCUMENTS)
                    copied = await _copy_documents(_shelf(settings), shelf, talk)
        finally:
            await engine.dispose()
    (target / LIST).write_text("".join(f"{name}\n" for name in copied.names))
    if _keys(settings.data).exists():
        shutil.copytree(_keys(settings.data), _keys(target))
    manifest = {
        "v": VERSION,
        "taken_at": taken_at,
        "checkpoint": note,
        "dump_sha256": _digest(target / DUMP),
        "documents": len(copied.names),
        "documents_sha256": _digest(target / LIST),
    }
    (target / MANIFEST).write_text(json.dumps(manifest, indent=1))
    await asyncio.to_thread(os.sync)
    talk.print(
        f"Backed up to {shown(target)}: {len(copied.names)} documents, checkpoint of size"
        f" {_size(note)}."
    )
    facts = {"folder": str(target), "documents": len(copied.names), "log_size": _size(note)}
    return _told(copied.faults, talk, facts if as_json else None)


async def restore(
    settings: Settings,
    source: Path,
    *,
    checkpoint: Path | None,
    talk: Console,
    as_json: bool = False,
) -> int:
    """Restore into an empty installation, rebuild the root, and compare it.

    `checkpoint` is a later one from somebody else: a log that is shorter was rolled back. Whatever
    is given is read before anything is written; `NotFound`, `BrokenSeal` or `Outrun` leave all as
    it was.
    """
    manifest = _manifest(source)
    later = None if checkpoint is None else _note_in(checkpoint)
    for name, digest in ((DUMP, "dump_sha256"), (LIST, "documents_sha256")):
        if not (source / name).exists() or _digest(source / name) != manifest.get(digest):
            raise BrokenSeal(f"{name} is not the one that was made")
    if _keys(settings.data).exists():
        raise Outrun(f"{settings.data} holds the keys of a platform already")
    settings.data.mkdir(parents=True, exist_ok=True)
    async with reached(settings) as place:
        engine = connect(place.owner_url, role=place.role, pool_size=1)
        try:
            async with engine.connect() as connection:
                present = await connection.execute(text("SELECT to_regclass('kernel.journal')"))
                if present.scalar_one() is not None:
                    raise Outrun("there is a platform in this database already")
            listed = await _run(place, "pg_restore", "--list", str(source / DUMP))
            with _bar("Restoring the database", listed.count(" TABLE DATA "), talk) as hear:
                await _run(
                    place,
                    "pg_restore",
                    "--no-owner",
                    "--single-transaction",
                    "--exit-on-error",
                    "--verbose",
                    f"--dbname={_database(place)}",
                    str(source / DUMP),
                    hear=hear,
                )
            faults = await _put_back_documents(settings, source, talk)
            if _keys(source).exists():
                shutil.copytree(_keys(source), _keys(settings.data))
            with talk.status("Rebuilding the log's root"):
                faults += await compare(engine, settings, manifest, later)
        finally:
            await engine.dispose()
    if not faults:
        talk.print("Restored and verified.")
    facts = {"folder": str(settings.data), "documents": manifest.get("documents")}
    return _told(faults, talk, facts if as_json else None)


def _told(faults: list[str], talk: Console, facts: dict[str, object] | None) -> int:
    """Say what is wrong to a person, and to a program, who asked for `facts`, everything."""
    if facts is not None:
        print(json.dumps({"ok": not faults, **facts, "faults": faults}, ensure_ascii=False))
    for fault in faults:
        talk.print(f"[red]✗[/] {shown(fault)}")
    if faults:
        talk.print("[red]This copy is NOT as it should be.[/]")
    return UNVERIFIED if faults else DONE


async def compare(
    engine: AsyncEngine, settings: Settings, manifest: dict[str, Any], later: str | None
) -> list[str]:
    """What is wrong with a restored database; empty when it is what it should be."""
    faults = []
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT hash FROM kernel.log_leaf ORDER BY index"))
        hashes = [row[0] for row in rows]
        vkey = (await connection.execute(text("SELECT log_vkey FROM kernel.platform"))).scalar_one()
        named = {
            f"{drawer}{digest.hex()[:2]}/{digest.hex()}"
            for drawer, digest in await documents_named(connection)
        }
    if lost := sorted(named - set(await _names(_shelf(settings)))):
        faults.append(f"{len(lost)} documents are missing, {lost[0]} first")
    if manifest["checkpoint"]:
        faults += _compare_with(hashes, manifest["checkpoint"], vkey, "the copy's own checkpoint")
    if later is not None:
        faults += _compare_with(hashes, later, vkey, "the checkpoint given")
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


def _note_in(path: Path) -> str:
    """The checkpoint in this file; whose it is can be told only beside the restored log."""
    try:
        note = path.read_text()
    except OSError as error:
        raise NotFound(f"the checkpoint {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BrokenSeal(f"{path} is not a checkpoint") from None
    Checkpoint.parse(SignedNote.parse(note).text)
    return note


def _manifest(source: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{source} holds no backup") from None
    except ValueError:
        raise BrokenSeal(f"{MANIFEST} is damaged") from None
    if not isinstance(manifest, dict) or manifest.get("v") != VERSION:
        raise BrokenSeal(f"{MANIFEST} is not that of a backup")
    return manifest


@dataclass(slots=True)
class _Copied:
    """What was copied, by name, and what was found wrong on the way."""

    names: list[str]
    faults: list[str]


def _shelf(settings: Settings) -> Any:
    """Where the documents are: every drawer of it, in a folder or a service."""
    return from_url(settings.blob_url) if settings.blob_url else _folder(settings.data / DOCUMENTS)


def _folder(path: Path) -> Any:
    path.mkdir(parents=True, exist_ok=True)
    return LocalStore(str(path.absolute()), mkdir=True)


def _keys(folder: Path) -> Path:
    return folder / "keys"


async def _names(shelf: Any) -> list[str]:
    return sorted([one["path"] async for page in obstore.list(shelf) for one in page])


async def _copy_documents(source: Any, target: Any, talk: Console) -> _Copied:
    names = await _names(source)
    copied = _Copied([], [])
    with Progress(console=talk, transient=True) as progress:
        task = progress.add_task("Copying documents", total=len(names))
        for name in names:
            try:
                answer = await obstore.get_async(source, name)
            except FileNotFoundError:
                # A damaged file that is just being replaced; its row came after the dump.
                continue
            copied.names.append(name)
            content = bytes(await answer.bytes_async())
            if await asyncio.to_thread(_is_damaged, name, content):
                copied.faults.append(f"document {name} is damaged")
            await obstore.put_async(target, name, content)
            progress.advance(task)
    return copied


async def _put_back_documents(settings: Settings, source: Path, talk: Console) -> list[str]:
    copied = await _copy_documents(_folder(source / DOCUMENTS), _shelf(settings), talk)
    listed = set((source / LIST).read_text().split())
    lost = sorted(listed - set(copied.names))
    return copied.faults + (
        [f"the copy lacks {len(lost)} documents, {lost[0]} first"] if lost else []
    )


def _is_damaged(name: str, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() != name.rpartition("/")[2]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(note: str | None) -> int:
    return Checkpoint.parse(SignedNote.parse(note).text).size if note else 0


def _database(place: Reached) -> str:
    return str(make_url(place.owner_url).database)


@contextmanager
def _bar(what: str, total: int, talk: Console) -> Iterator[Callable[[str], None]]:
    """Shows how many of so many tables are done, by what the program says on its way."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=talk, transient=True) as progress:
        task = progress.add_task(f"{what}, tables", total=total)

        def hear(line: str) -> None:
            if _TABLE_DONE.search(line):
                progress.advance(task)

        yield hear


async def _run(
    place: Reached, program: str, *arguments: str, hear: Callable[[str], None] = lambda _: None
) -> str:
    """Run one of the database's own programs; what it wrote. `hear` is told its talk, by line."""
    url = make_url(place.owner_url)
    environment = {
        **os.environ,
        "PGHOST": str(url.query.get("host") or url.host or ""),
        "PGPORT": str(url.port or url.query.get("port") or 5432),
        "PGUSER": str(url.username),
        "PGDATABASE": str(url.database),
        "PGPASSWORD": str(url.password or ""),
        "PGCONNECT_TIMEOUT": "10",
        "LC_ALL": "C",
    }
    if place.role:
        environment["PGOPTIONS"] = f"-c role={place.role}"
    path = str(place.tools / program) if place.tools else program
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            *arguments,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise NotFound(f"{program} is not installed on this machine") from None
    assert process.stdout is not None
    wrote, said = await asyncio.gather(process.stdout.read(), _heard(process.stderr, hear))
    if await process.wait():
        raise BrokenSeal(f"{program} failed: {said[-500:].strip()}")
    return wrote.decode(errors="replace")


async def _heard(talk: asyncio.StreamReader | None, hear: Callable[[str], None]) -> str:
    """The last lines that a program said, each of them heard when it came."""
    last: deque[str] = deque(maxlen=5)
    while talk is not None and (line := (await talk.readline()).decode(errors="replace")):
        hear(line)
        last.append(line)
    return "".join(last)
