"""The cut: what had arrived when a lot began to close, committed to before anyone may know it.

Each submission stands in the cut as a commitment under a nonce of its own, which its receipt
discloses. The digest over all commitments is logged when the closing begins and opened when it
ends, so whoever holds a receipt can show, with the log's proofs alone, that a bid of the last
second was there in time (电子招标投标办法 27).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kernel.crypto.digests import instant_text, labelled


def intent_commitment(nonce: bytes, submission: bytes, received_at: datetime) -> bytes:
    """What stands for one submission in a cut; without the nonce it tells nothing.

    `submission` is the SHA-256 of the signed statement's bytes.
    """
    return labelled("ebid/1/intent", nonce, submission, instant_text(received_at).encode())


def cut_digest(salt: bytes, commitments: Sequence[bytes]) -> bytes:
    """The digest by which a cut is committed to, over its commitments in their order."""
    return labelled("ebid/1/cut", salt, *commitments)


def stands_in_cut(
    commitment: bytes, *, salt: bytes, commitments: Sequence[bytes], digest: bytes
) -> bool:
    """Whether a submission is in the cut that was committed to as `digest`, once it is opened."""
    return commitment in commitments and cut_digest(salt, commitments) == digest
