"""Proofs that entries stand in the log, as routes hand them out."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from kernel.store.transaction import Transaction
from kernel.store.transparency_log import proof_of


async def proofs_of(tx: Transaction, entries: Mapping[str, UUID]) -> dict[str, str]:
    """The proofs of those entries that stand in a checkpoint with the witnesses' quorum."""
    quorum = tx.settings.witness_quorum
    found = {
        name: await proof_of(tx.session, entry, quorum=quorum) for name, entry in entries.items()
    }
    return {name: proof for name, proof in found.items() if proof is not None}
