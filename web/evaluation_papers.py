"""The evaluation as a stranger checks it: what its committee leaves, and on whose word it rests.

Which log and which witnesses count for a lot says its opening policy, to which every bidder sealed
and whose hash the log holds since the closing. It goes out with the record, so that nobody can name
weaker ones beside it later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from evaluation import room_views
from kernel.crypto.digests import b64, strict_json
from kernel.crypto.signing import Envelope
from kernel.identifiers import LotId
from kernel.store.transaction import Transaction
from trading import opening_views


@dataclass(frozen=True, slots=True)
class EvaluationPapers:
    """Everything of a record but the proofs, and the entries of which it needs them, by name."""

    bundle: Mapping[str, Any]
    entries: Mapping[str, UUID]


async def evaluation_papers(tx: Transaction, lot_id: LotId) -> EvaluationPapers:
    """The record of a lot's evaluation; `NotFound` for those who may not have it yet."""
    told = await room_views.published_record(tx, lot_id)
    opening = await opening_views.published_record(tx, lot_id)
    policy = Envelope.from_bytes(opening.policy).payload
    named: Any = strict_json(policy)
    return EvaluationPapers(
        {
            **told.bundle,
            "signatures": sorted(told.bundle["signatures"], key=lambda one: str(one["member"])),
            "keys": {
                **told.bundle["keys"],
                **{name: named[name] for name in ("log", "witnesses", "quorum")},
            },
            "policy": b64(policy),
        },
        {**told.entries, "close": opening.entries["close"]},
    )
