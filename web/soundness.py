"""The invariants checker: every floor's own, asked together.

It runs after every story of failures, at the end of the rehearsal, and in `sunbid doctor`.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from evaluation.sound_committees import committee_faults
from kernel.store.documents import Documents
from kernel.store.sound_log import log_faults
from trading.sound_awards import award_faults
from trading.sound_bids import bid_faults
from trading.sound_documents import document_faults


async def faults_of(owner: AsyncEngine, documents: Documents | None = None) -> list[str]:
    """Every invariant that does not hold, in words; empty where all do.

    With the shelf of documents, every file that a row names is read and compared too.
    """
    faults = await _faults_in_rows(owner)
    if documents is not None:
        async with owner.connect() as connection:
            line = await connection.execution_options(isolation_level="AUTOCOMMIT")
            faults += await document_faults(line, documents)
    return faults


async def _faults_in_rows(owner: AsyncEngine) -> list[str]:
    async with owner.connect() as line:
        # One snapshot for all questions: the log goes on growing while they are asked.
        connection = await line.execution_options(isolation_level="REPEATABLE READ")
        return [
            *await log_faults(connection),
            *await bid_faults(connection),
            *await committee_faults(connection),
            *await award_faults(connection),
        ]
