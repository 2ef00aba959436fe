"""Downloading a whole log, so that it can be checked where the platform has no say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kernel.crypto import merkle
from kernel.crypto.notes import Checkpoint, SignedNote
from web.client import Client


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
    read them: a supervisor's are all that are not sealed, a stranger's are the public ones. An
    older export in the same folder stays as an older checkpoint to be compared with.
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
    view = await _entries(client, folder / "entries.jsonl", size)
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


async def _entries(client: Client, path: Path, size: int) -> str:
    """Write the entries up to the first that this tree does not hold yet; the view they are of.

    Their numbers are dense, so that a line lost from the export shows.
    """
    after = 0
    with path.open("w") as file:
        while True:
            told = await client.get("/api/v1/log/entries", after=after)
            for entry in told["entries"]:
                if entry["index"] is None or entry["index"] >= size:
                    return str(told["view"])
                file.write(json.dumps(entry) + "\n")
                after = entry["number"]
            if not told["entries"]:
                return str(told["view"])


def _size(note: str) -> int:
    return Checkpoint.parse(SignedNote.parse(note).text).size
