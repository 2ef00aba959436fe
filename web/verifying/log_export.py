"""Checking an exported log: every leaf, every root, every signature, every opened entry.

An export is a folder: `keys.json` (the log's and the witnesses' verifier keys, the quorum, the view
the entries are of), `checkpoint` (the newest, cosigned), `checkpoints/` (older ones, cosigned),
`tile/` (C2SP tlog-tiles, hash tiles and `entries` tiles), `entries.jsonl` (what opens leaves:
number in the view, id, record, salt, index) and `manifest` (the log's signed word on which entries
the view has, in which order, and whom it calls its witnesses).

Where the view is `all`, every leaf up to where the manifest calls it whole must open as one entry
or one filler. Another view leaves closed what its reader may not know; how much that is, is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel.crypto import merkle
from kernel.crypto.digests import (
    count_of,
    list_of,
    members,
    strict_json,
    text_of,
    unb64,
    unb64u,
)
from kernel.crypto.notes import VerifiedCheckpoint, open_checkpoint
from kernel.crypto.receipts import SALT_SIZE, filler_commitment, filler_leaf, leaf_data
from kernel.crypto.view_manifest import (
    WITNESSES_MAX,
    ViewManifest,
    entries_digest,
    open_manifest,
)
from kernel.errors import BrokenSeal
from web.verifying.draw_transcript import TrustedLog
from web.verifying.verdicts import Verdict

TILE_WIDTH = 256
ONCE = frozenset({"LotClosed", "ReleaseWindowClosed", "BidsOpened", "OpeningRecorded"})
"""What is entered once for each lot, so that nobody can enter another opening beside the first."""

WHOLE = "all"
"""The view of an export that leaves nothing out."""

VIEWS = frozenset({WHOLE, "public", "supervisors"})
LINE_MAX = 32 << 20

UNWITNESSED = (
    "This log has NO WITNESSES: only its own platform vouches for it, and could show others"
    " another one."
)


@dataclass(frozen=True, slots=True)
class Opened:
    """One leaf that was opened: its number in the view, where it stands, what it commits to."""

    number: int
    index: int
    id: str
    record: bytes
    salt: bytes

    @property
    def told(self) -> dict[str, Any]:
        """The record as JSON."""
        told: dict[str, Any] = json.loads(self.record)
        return told


@dataclass(frozen=True, slots=True)
class _Keys:
    """Whom an export names as its log and witnesses, and the view it is of."""

    log: str
    witnesses: tuple[str, ...]
    quorum: int
    view: str


def verify(folder: Path, *, trusted: TrustedLog | None = None) -> Verdict:
    """Everything an export claims, checked; nothing of the platform is asked."""
    verdict = Verdict()
    keys = verdict.holds("the keys can be read", lambda: _keys(folder))
    if keys is None:
        return verdict
    verdict.of_log(keys.log)
    verdict.found["view"] = keys.view
    verdict.holds("the keys are the ones you trust", lambda: _trusted_keys(keys, trusted))
    if not keys.witnesses:
        verdict.warnings.append(UNWITNESSED)
    newest = verdict.holds(
        "the checkpoint is signed by the log",
        lambda: _checkpoint(folder / "checkpoint", keys),
    )
    leaves = verdict.holds("the leaves can be read", lambda: read_leaves(folder, newest.size))
    if newest is None or leaves is None:
        return verdict
    verdict.check(
        f"{keys.quorum} witnesses cosigned the checkpoint",
        len(newest.cosignatures) >= keys.quorum,
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
    _check_entries(verdict, folder, keys, leaves)
    verdict.found["size"] = newest.size
    return verdict


def _check_entries(verdict: Verdict, folder: Path, keys: _Keys, leaves: list[bytes]) -> None:
    """What the log shows this reader opened is what it says of it, and what its leaves say."""
    manifest = verdict.holds(
        "the log vouches for a view of these keys",
        lambda: _manifest(folder, keys, size=len(leaves)),
    )
    opened = verdict.holds(
        "the opened entries can be read", lambda: list(read_entries(folder / "entries.jsonl"))
    )
    if manifest is None or opened is None:
        return
    verdict.holds(
        "the opened entries have the form of entries",
        lambda: _check_opened(verdict, opened, leaves, manifest),
    )
    verdict.holds(
        "the fillers' keys have the form of keys",
        lambda: _check_fillers(verdict, opened, leaves, manifest),
    )


def _keys(folder: Path) -> _Keys:
    told = members(
        strict_json((folder / "keys.json").read_bytes()), ("log", "witnesses", "quorum", "view")
    )
    keys = _Keys(
        text_of(told["log"]),
        tuple(text_of(one) for one in list_of(told["witnesses"], at_most=WITNESSES_MAX)),
        count_of(told["quorum"]),
        text_of(told["view"]),
    )
    if keys.view not in VIEWS:
        raise BrokenSeal(f"a log has no view {keys.view!r}")
    if not min(1, len(keys.witnesses)) <= keys.quorum <= len(keys.witnesses):
        raise BrokenSeal("a quorum is at least one of the witnesses, and at most all")
    return keys


def _trusted_keys(keys: _Keys, trusted: TrustedLog | None) -> None:
    if trusted is None:
        return
    if keys.log != trusted.log:
        raise BrokenSeal("another log than the one you trust")
    if not set(keys.witnesses) <= set(trusted.witnesses) or keys.quorum < trusted.quorum:
        raise BrokenSeal("other witnesses than you trust")


def _manifest(folder: Path, keys: _Keys, *, size: int) -> ViewManifest:
    manifest = open_manifest((folder / "manifest").read_text(), keys.log)
    if (manifest.view, manifest.size) != (keys.view, size):
        raise BrokenSeal("the log vouches for another view, or for another tree")
    if (manifest.witnesses, manifest.quorum) != (keys.witnesses, keys.quorum):
        raise BrokenSeal("the log names other witnesses, or another quorum")
    return manifest


def _checkpoint(path: Path, keys: _Keys) -> VerifiedCheckpoint:
    return open_checkpoint(path.read_text(), keys.log, keys.witnesses)


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
    """The opened entries of the export; `Malformed` where a line is not written as one."""
    for line in path.read_bytes().splitlines():
        told = members(strict_json(line, LINE_MAX), ("number", "id", "record", "salt", "index"))
        yield Opened(
            count_of(told["number"]),
            count_of(told["index"]),
            text_of(told["id"]),
            unb64(told["record"]),
            unb64u(told["salt"], SALT_SIZE),
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


def _check_opened(
    verdict: Verdict, opened: list[Opened], leaves: list[bytes], manifest: ViewManifest
) -> None:
    digest = entries_digest((entry.number, entry.index, entry.id) for entry in opened)
    verdict.check(
        f"they are the {manifest.entries} entries for which the log vouches, in their order",
        (len(opened), digest) == (manifest.entries, manifest.digest),
        f"{len(opened)} are there",
    )
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
    ids = [entry.id for entry in opened]
    verdict.check(
        "each line names the entry that it opens",
        ids == [entry.told["id"] for entry in opened],
    )
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
    verdict: Verdict, opened: list[Opened], leaves: list[bytes], manifest: ViewManifest
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
    both, neither, missing = 0, 0, 0
    for run in runs:
        for index in range(run.first, min(run.end, len(leaves))):
            is_filler = leaves[index] == filler_leaf(run.number, run.key, index)
            closed = not is_filler and index not in known
            both += is_filler and index in known
            neither += closed
            missing += closed and index < manifest.whole_until
    verdict.check("no filler was opened as an entry", not both, f"{both} were" if both else "")
    disclosed = max((run.end for run in runs), default=0)
    if manifest.view == WHOLE:
        verdict.check(
            f"every leaf before {manifest.whole_until} is exactly one entry or one filler",
            not missing and manifest.whole_until <= disclosed,
            f"{missing} are neither" if missing else "",
        )
        verdict.found["whole_until"] = manifest.whole_until
    verdict.found["disclosed_fillers_until"] = disclosed
    verdict.found["closed_to_this_reader"] = neither
