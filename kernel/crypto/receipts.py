"""A receipt: the proof, checked without us, that a record stands in the log.

The log holds salted commitments only; a receipt opens one of them. Its form is C2SP
`tlog-proof@v1`: salt and record in the extra line, the leaf's index, the inclusion proof, and the
checkpoint with all its signatures. Fillers, which hide how much the log holds, are leaves of the
same form whose salts follow from a key that is committed beforehand and disclosed later.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kernel.crypto import merkle
from kernel.crypto.digests import (
    Malformed,
    b64,
    canonical,
    labelled,
    members,
    strict_json,
    unb64,
)
from kernel.crypto.notes import VerifiedCheckpoint, open_checkpoint, parse_decimal

SALT_SIZE = 32
PROOF_MAX_CHARACTERS = 4 << 20

_HEADING = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """A record that stands in the log, where, and under which checkpoint that is shown."""

    record: bytes
    salt: bytes
    index: int
    checkpoint: VerifiedCheckpoint


@dataclass(frozen=True, slots=True)
class _Parts:
    record: bytes
    salt: bytes
    index: int
    path: tuple[bytes, ...]
    note: str


def leaf_data(salt: bytes, record: bytes) -> bytes:
    """What the log holds of a record: 32 bytes that tell nothing without the salt."""
    if len(salt) != SALT_SIZE:
        raise ValueError("a salt has 32 bytes")
    return labelled("ebid/1/leaf", salt, record)


def write_proof(*, record: bytes, salt: bytes, index: int, path: Sequence[bytes], note: str) -> str:
    """The text of a receipt; nothing is checked here."""
    opening = json.dumps({"salt": b64(salt), "record": b64(record)}, separators=(",", ":"))
    lines = [_HEADING, f"extra {b64(opening.encode())}", f"index {index}", *map(b64, path)]
    return "".join(line + "\n" for line in lines) + "\n" + note


def verify_proof(text: str, *, log_vkey: str, witness_vkeys: Collection[str]) -> VerifiedProof:
    """What a receipt proves: its record stands in the tree whose checkpoint this log signed.

    How many witnesses cosigned, and when, is in the checkpoint; `witnessed_before` judges it.
    `BrokenSeal` for everything else.
    """
    parts = _parse(text)
    checkpoint = open_checkpoint(parts.note, log_vkey, witness_vkeys)
    merkle.verify_inclusion(
        merkle.leaf_hash(leaf_data(parts.salt, parts.record)),
        index=parts.index,
        size=checkpoint.size,
        root=checkpoint.root,
        proof=parts.path,
    )
    return VerifiedProof(parts.record, parts.salt, parts.index, checkpoint)


def witnessed_before(verified: VerifiedProof, deadline: datetime, quorum: int) -> bool:
    """Whether at least `quorum` witnesses cosigned, by their own clocks, before the deadline.

    A witness signs whole seconds: the second it names must have ended by the deadline, so that
    the very instant of the deadline is late.
    """
    if quorum < 1:
        raise ValueError("a quorum is at least one witness")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    last = (deadline - epoch) // timedelta(seconds=1) - 1
    return sum(at <= last for at in verified.checkpoint.cosignatures.values()) >= quorum


def filler_salt(key: bytes, index: int) -> bytes:
    """The salt of the filler at this index of the log, under the key of its run."""
    message = b"ebid/1/filler/salt\0" + index.to_bytes(8, "big")
    return hmac.digest(key, message, "sha256")


def filler_record(number: int) -> bytes:
    """What every filler of run `number` says: nothing but that it is one."""
    return canonical({"v": "ebid-filler/1", "run": number})


def filler_leaf(number: int, key: bytes, index: int) -> bytes:
    """The leaf data of the filler at this index, under the key of run `number`."""
    return leaf_data(filler_salt(key, index), filler_record(number))


def filler_commitment(number: int, key: bytes) -> bytes:
    """The commitment to the key of run `number`, logged before the first filler under it."""
    if len(key) != SALT_SIZE:
        raise ValueError("a filler key has 32 bytes")
    return labelled("ebid/1/filler/key", number.to_bytes(8, "big"), key)


def _parse(text: str) -> _Parts:
    """The parts of a receipt that is written exactly as `write_proof` writes it."""
    if len(text) > PROOF_MAX_CHARACTERS:
        raise Malformed("receipt too long")
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or len(lines) < 3 or len(lines) > 3 + merkle.LONGEST_PROOF:
        raise Malformed("not a tlog-proof")
    heading, extra, index, *path = lines
    prefixes = extra.startswith("extra "), index.startswith("index ")
    if heading != _HEADING or not all(prefixes):
        raise Malformed("not a tlog-proof")
    opening = members(
        strict_json(unb64(extra.removeprefix("extra ")), PROOF_MAX_CHARACTERS), ("salt", "record")
    )
    parts = _Parts(
        record=unb64(opening["record"]),
        salt=unb64(opening["salt"], SALT_SIZE),
        index=parse_decimal(index.removeprefix("index ")),
        path=tuple(unb64(one, merkle.HASH_SIZE) for one in path),
        note=note,
    )
    rewritten = write_proof(
        record=parts.record, salt=parts.salt, index=parts.index, path=parts.path, note=note
    )
    if rewritten != text:
        raise Malformed("a receipt is written in one way only")
    return parts
