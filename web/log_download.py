"""Downloading a whole log, so that it can be checked where the platform has no say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

from kernel.crypto import merkle
from kernel.crypto.notes import Checkpoint, SignedNote
from kernel.errors import NotFound, Outrun
from web.client import Client, Problem

TRIES: Final = 20
NAP_S: Final = 0.2


async def download(
    client: Client,
    folder: Path,
    *,
    log_vkey: str,
    witness_vkeys: Sequence[str],
    quorum: int,
) -> int:
    """Write the export `sunbid verify log` reads; how many leaves the tree has.

    The tree is the newest one that the quorum cosigned. Entries come as far as this client may
    read them: a supervisor's are all that are not sealed, a stranger's are the public ones; with
    them comes the log's signed word on which they are. An older export in the same folder stays as
    an older checkpoint to be compared with. `Outrun` where the view grows faster than it is read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    newest = folder / "checkpoint"
    if newest.exists():
        older = folder / "checkpoints"
        older.mkdir(exist_ok=True)
        newest.rename(older / str(_size(newest.read_text())))
    note = (await client.read("/log/checkpoint", quorum=quorum)).decode()
    newest.write_text(note)
    size = _size(note)
    level = 0
    while (width := size >> (merkle.TILE_HEIGHT * level)) > 0:
        for number in range(-(-width // merkle.TILE_WIDTH)):
            await _tile(client, folder, level, number, size)
            if level == 0:
                await _tile(client, folder, None, number, size)
        level += 1
    view = await _entries(client, folder, size)
    keys = {
        "log": log_vkey,
        "witnesses": list(witness_vkeys),
        "quorum": quorum,
        "view": view,
    }
    (folder / "keys.json").write_text(json.dumps(keys, indent=1))
    return size


async def _tile(client: Client, folder: Path, level: int | None, number: int, size: int) -> None:
    path = merkle.tile_path(level, number, merkle.tile_width(level, number, size))
    target = folder / path
    if not target.exists():
        content = await client.read(f"/log/{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


async def _entries(client: Client, folder: Path, size: int) -> str:
    """Write the view's entries in this tree, and the log's word on them; the view's name."""
    after, view = 0, ""
    with (folder / "entries.jsonl").open("w") as file:
        for _ in range(TRIES):
            view, after = await _written(client, file, after, size)
            with suppress(NotFound):
                note = await _manifest(client, size, after)
                (folder / "manifest").write_bytes(note)
                return view
            # What was sealed until a moment ago stands in this tree, and has only now been shown.
            await asyncio.sleep(NAP_S)
    raise Outrun("the view grows faster than it can be read; try again")


async def _written(client: Client, file: TextIO, after: int, size: int) -> tuple[str, int]:
    """Write what follows up to the first entry that this tree lacks; the view, the last number."""
    while True:
        told = await client.get("/api/v1/log/entries", after=after)
        for entry in told["entries"]:
            if entry["index"] is None or entry["index"] >= size:
                return str(told["view"]), after
            file.write(json.dumps(entry) + "\n")
            after = entry["number"]
        if not told["entries"]:
            return str(told["view"]), after


async def _manifest(client: Client, size: int, entries: int) -> bytes:
    try:
        return await client.read("/api/v1/log/manifest", size=size, entries=entries)
    except Problem as problem:
        if problem.status == 404:
            raise NotFound("the view has more entries by now") from None
        raise


def _size(note: str) -> int:
    return Checkpoint.parse(SignedNote.parse(note).text).size
