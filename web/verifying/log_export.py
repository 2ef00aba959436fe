"""Checking a whole exported log: every leaf, every root, every signature, every opened entry.

An export is a folder: `keys.json` (the log's and the witnesses' verifier keys and the quorum),
`checkpoint` (the newest, cosigned), `checkpoints/` (older ones, cosigned), `tile/` (C2SP
tlog-tiles, hash tiles and `entries` tiles), `entries.jsonl` (what opens leaves: record, salt,
index) and, where rows are compared, what the platform showed elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel.crypto import merkle
from kernel.crypto.digests import unb64, unb64u
from kernel.crypto.notes import VerifiedCheckpoint, open_checkpoint
from kernel.crypto.receipts import filler_commitment, filler_record, filler_salt, leaf_data
from kernel.errors import BrokenSeal
from web.verifying.verdicts import Verdict

TILE_WIDTH = 256


@dataclass(frozen=True, slots=True)
class Opened:
    """One leaf that was opened: where it stands and what it commits to."""

    index: int
    record: bytes
    salt: bytes

    @property
    def told(self) -> dict[str, Any]:
        """The record as JSON."""
        told: dict[str, Any] = json.loads(self.record)
        return told


def verify(folder: Path) -> Verdict:
    """Everything an export claims, checked; nothing of the platform is asked."""
    verdict = Verdict()
    keys = verdict.holds("the keys can be read", lambda: _keys(folder))
    if keys is None:
        return verdict
    newest = verdict.holds(
        "the checkpoint is signed by the log",
        lambda: _checkpoint(folder / "checkpoint", keys),
    )
    leaves = verdict.holds("the leaves can be read", lambda: read_leaves(folder, newest.size))
    if newest is None or leaves is None:
        return verdict
    verdict.check(
        f"{keys['quorum']} witnesses cosigned the checkpoint",
        len(newest.cosignatures) >= keys["quorum"],
        f"{len(newest.cosignatures)} did",
    )
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    verdict.check("the leaves give the signed root", merkle.root(hashes) == newest.root)
    verdict.holds("the hash tiles are those of the leaves", lambda: _same_tiles(folder, hashes))
    for path in sorted((folder / "checkpoints").glob("*")):
        verdict.holds(
            f"the older checkpoint {path.name} is a prefix",
            lambda path=path: _prefix(_checkpoint(path, keys), hashes),  # type: ignore[misc]  # mypy cannot infer a lambda's default
        )
    opened = verdict.holds(
        "the opened entries can be read", lambda: list(read_entries(folder / "entries.jsonl"))
    )
    if opened is not None:
        _check_opened(verdict, opened, leaves)
    verdict.found["size"] = newest.size
    return verdict


def _keys(folder: Path) -> dict[str, Any]:
    keys = json.loads((folder / "keys.json").read_text())
    return {
        "log": str(keys["log"]),
        "witnesses": tuple(map(str, keys["witnesses"])),
        "quorum": int(keys["quorum"]),
    }


def _checkpoint(path: Path, keys: dict[str, Any]) -> VerifiedCheckpoint:
    return open_checkpoint(path.read_text(), keys["log"], keys["witnesses"])


def read_leaves(folder: Path, size: int) -> list[bytes]:
    """The leaves from the `entries` tiles; `BrokenSeal` where one is short or malformed."""
    leaves: list[bytes] = []
    for number in range(-(-size // TILE_WIDTH)):
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        content = (folder / merkle.tile_path(None, number, width)).read_bytes()
        place = 0
        for _ in range(width):
            length = int.from_bytes(content[place : place + 2], "big")
            leaf = content[place + 2 : place + 2 + length]
            if len(leaf) != length or length != 32:
                raise BrokenSeal("a leaf is malformed")
            leaves.append(leaf)
            place += 2 + length
        if place != len(content):
            raise BrokenSeal("a tile has bytes behind its leaves")
    return leaves


def read_entries(path: Path) -> Iterable[Opened]:
    """The opened entries of the export."""
    for line in path.read_text().splitlines():
        told = json.loads(line)
        if told["index"] is not None:
            yield Opened(int(told["index"]), unb64(told["record"]), unb64u(told["salt"]))


def _same_tiles(folder: Path, hashes: list[bytes]) -> None:
    level, nodes = 0, hashes
    while nodes:
        for number in range(-(-len(nodes) // TILE_WIDTH)):
            part = nodes[number * TILE_WIDTH : (number + 1) * TILE_WIDTH]
            content = (folder / merkle.tile_path(level, number, len(part))).read_bytes()
            if content != b"".join(part):
                raise BrokenSeal(f"hash tile {level}/{number} is not that of the leaves")
        # A full tile's root is the node eight levels up: `root` combines what it is given.
        full = len(nodes) // TILE_WIDTH
        nodes = [merkle.root(nodes[n * TILE_WIDTH : (n + 1) * TILE_WIDTH]) for n in range(full)]
        level += 1


def _prefix(older: VerifiedCheckpoint, hashes: list[bytes]) -> None:
    if older.size > len(hashes):
        raise BrokenSeal("the log is shorter than it was: it was rolled back")
    if merkle.root(hashes[: older.size]) != older.root:
        raise BrokenSeal("the log's past was changed")


def _check_opened(verdict: Verdict, opened: list[Opened], leaves: list[bytes]) -> None:
    places = [entry.index for entry in opened]
    verdict.check("no leaf is opened twice", len(places) == len(set(places)))
    wrong = [
        entry.index
        for entry in opened
        if entry.index >= len(leaves) or leaf_data(entry.salt, entry.record) != leaves[entry.index]
    ]
    verdict.check(
        f"all {len(opened)} opened entries are the ones the log committed to",
        not wrong,
        f"leaves {wrong[:5]} are not" if wrong else "",
    )
    ids = [entry.told["id"] for entry in opened]
    verdict.check("no entry stands in the log twice", len(ids) == len(set(ids)))
    committed = {
        entry.told["facts"]["number"]: entry.told["facts"]["commitment"]
        for entry in opened
        if entry.told["kind"] == "FillerKeyCommitted"
    }
    known = set(places)
    unexplained = 0
    for entry in opened:
        if entry.told["kind"] != "FillerKeyDisclosed":
            continue
        facts = entry.told["facts"]
        number, key = facts["number"], unb64u(facts["key"])
        verdict.check(
            f"the fillers' key {number} is the one committed to beforehand",
            number in committed and unb64u(committed[number]) == filler_commitment(number, key),
        )
        for index in range(facts["first_index"], facts["end_index"]):
            filler = leaf_data(filler_salt(key, index), filler_record(number))
            is_filler = index < len(leaves) and leaves[index] == filler
            if is_filler == (index in known):
                unexplained += 1
    verdict.check(
        "every disclosed leaf is exactly one entry or one filler",
        unexplained == 0,
        f"{unexplained} are not" if unexplained else "",
    )
