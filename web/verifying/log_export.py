"""Checking a whole exported log: every leaf, every root, every signature, every opened entry.

An export is a folder: `keys.json` (the log's and the witnesses' verifier keys, the quorum, the view
the entries are of), `checkpoint` (the newest, cosigned), `checkpoints/` (older ones, cosigned),
`tile/` (C2SP tlog-tiles, hash tiles and `entries` tiles) and `entries.jsonl` (what opens leaves:
number in the view, record, salt, index).

Where the view is `all`, every leaf whose fillers' key is disclosed must open as one entry or one
filler. Another view leaves closed what its reader may not know; how much that is, is told.
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
from kernel.crypto.receipts import filler_commitment, filler_leaf, leaf_data
from kernel.errors import BrokenSeal
from web.verifying.verdicts import Verdict

TILE_WIDTH = 256
ONCE = frozenset({"LotClosed", "ReleaseWindowClosed", "BidsOpened", "OpeningRecorded"})
"""What is entered once for each lot, so that nobody can enter another opening beside the first."""

WHOLE = "all"
"""The view of an export that leaves nothing out."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One leaf that was opened: its number in the view, where it stands, what it commits to."""

    number: int
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
        verdict.holds(
            "the opened entries have the form of entries",
            lambda: _check_opened(verdict, opened, leaves),
        )
        verdict.holds(
            "the fillers' keys have the form of keys",
            lambda: _check_fillers(verdict, opened, leaves, whole=keys["view"] == WHOLE),
        )
    verdict.found["size"] = newest.size
    return verdict


def _keys(folder: Path) -> dict[str, Any]:
    keys = json.loads((folder / "keys.json").read_text())
    return {
        "log": str(keys["log"]),
        "witnesses": tuple(map(str, keys["witnesses"])),
        "quorum": int(keys["quorum"]),
        "view": str(keys["view"]),
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
        yield Opened(
            int(told["number"]), int(told["index"]), unb64(told["record"]), unb64u(told["salt"])
        )


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
    verdict.check(
        "no entry of the view is left out",
        [entry.number for entry in opened] == list(range(1, len(opened) + 1)),
    )
    places = [entry.index for entry in opened]
    verdict.check("no leaf is opened twice", len(places) == len(set(places)))
    wrong = [
        entry.index
        for entry in opened
        if not 0 <= entry.index < len(leaves)
        or leaf_data(entry.salt, entry.record) != leaves[entry.index]
    ]
    verdict.check(
        f"all {len(opened)} opened entries are the ones the log committed to",
        not wrong,
        f"leaves {wrong[:5]} are not" if wrong else "",
    )
    ids = [entry.told["id"] for entry in opened]
    verdict.check("no entry stands in the log twice", len(ids) == len(set(ids)))
    steps = [(entry.told["subject"], entry.told["kind"]) for entry in opened]
    once = [step for step in steps if step[1] in ONCE]
    verdict.check("no lot was closed, opened or recorded twice", len(once) == len(set(once)))


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of fillers whose key was disclosed."""

    number: int
    key: bytes
    first: int
    end: int


def _check_fillers(
    verdict: Verdict, opened: list[Opened], leaves: list[bytes], *, whole: bool
) -> None:
    facts = [(entry.told["kind"], entry.told["facts"]) for entry in opened]
    committed = {
        told["number"]: unb64u(told["commitment"])
        for kind, told in facts
        if kind == "FillerKeyCommitted"
    }
    runs = [
        _Run(told["number"], unb64u(told["key"]), told["first_index"], told["end_index"])
        for kind, told in facts
        if kind == "FillerKeyDisclosed"
    ]
    for run in runs:
        verdict.check(
            f"the fillers' key {run.number} is the one committed to",
            committed.get(run.number) == filler_commitment(run.number, run.key),
        )
    in_order = sorted(runs, key=lambda run: run.number)
    verdict.check(
        "the keys of all runs of fillers up to the last disclosed one are there",
        [run.number for run in in_order] == list(range(1, len(runs) + 1)),
    )
    verdict.check(
        "each run of fillers begins where the one before it ended",
        [run.first for run in in_order] == [0, *(run.end for run in in_order)][: len(runs)],
    )
    known = {entry.index for entry in opened}
    both, neither = 0, 0
    for run in runs:
        for index in range(run.first, min(run.end, len(leaves))):
            is_filler = leaves[index] == filler_leaf(run.number, run.key, index)
            both += is_filler and index in known
            neither += not is_filler and index not in known
    verdict.check("no filler was opened as an entry", not both, f"{both} were" if both else "")
    if whole:
        verdict.check(
            "every disclosed leaf is exactly one entry or one filler",
            not neither,
            f"{neither} are neither" if neither else "",
        )
    verdict.found["disclosed_fillers_until"] = max((run.end for run in runs), default=0)
    verdict.found["closed_to_this_reader"] = neither
