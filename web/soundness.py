"""The invariants checker: every floor's own, asked together.

It runs after every story of failures, at the end of the rehearsal, and in `sunbid doctor`.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from evaluation.sound_committees import committee_faults
from kernel.store.sound_log import log_faults
from trading.sound_awards import award_faults
from trading.sound_bids import bid_faults


async def faults_of(owner: AsyncEngine) -> list[str]:
    """Every invariant that does not hold, in words; empty where all do."""
    async with owner.connect() as line:
        # One snapshot for all questions: the log goes on growing while they are asked.
        connection = await line.execution_options(isolation_level="REPEATABLE READ")
        return [
            *await log_faults(connection),
            *await bid_faults(connection),
            *await committee_faults(connection),
            *await award_faults(connection),
        ]
