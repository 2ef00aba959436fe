"""What a draw commits to, byte for byte: exclusions, the pool's members, the calls.

Platform, parties and whoever checks a transcript derive the same bytes from this file; it knows
neither database nor network.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from kernel.crypto import merkle
from kernel.crypto.digests import Malformed, canonical, labelled

SALT_SIZE = 32


def eligibility(salt: bytes, label: bytes, grounds: Iterable[str]) -> bytes:
    """The commitment to why one label is left out, or to there being no reason."""
    if len(salt) != SALT_SIZE:
        raise Malformed("a salt has 32 bytes")
    return labelled("ebid/1/draw/eligibility", salt, label, canonical(list(grounds)))


def members_root(members: Collection[tuple[bytes, Sequence[str], bytes]]) -> bytes:
    """The Merkle root over (label, strata, eligibility) of every member, by label in byte order."""
    return merkle.root(
        [
            merkle.leaf_hash(
                labelled("ebid/1/draw/member", label, canonical(list(strata)), committed)
            )
            for label, strata, committed in sorted(members, key=lambda member: member[0])
        ]
    )


def calls_digest(calls: Sequence[dict[str, object]], left: Sequence[str]) -> bytes:
    """The digest under which every step down the lists is logged when a draw is complete."""
    return labelled("ebid/1/draw/calls", canonical({"calls": list(calls), "left": list(left)}))


def statement_evidence(digest: bytes) -> str:
    """Evidence that the expert himself signed the answer: its digest, which names nobody."""
    return f"statement:{labelled('ebid/1/draw/answer', digest).hex()}"


def decision_evidence(salt: bytes, decision: str) -> str:
    """Evidence of a late bar: a salted commitment to the decision, whose number names somebody."""
    return f"decision:{labelled('ebid/1/draw/late-bar', salt, decision.encode()).hex()}"
