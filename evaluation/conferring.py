"""The group confers with suppliers: one at a time, then all name a last price (谈判、磋商).

It acts while all its members are at their seats, as it does when it reads. Only the purchaser's
representative can confirm a change of the demand.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from evaluation import committees, reviewing
from evaluation.committees import CommitteeFile
from evaluation.rules.rejection_grounds import rejected_bids
from kernel.access import Role, by
from kernel.identifiers import BidId, CommitteeId
from kernel.refusals import Caution
from kernel.store.transaction import Transaction
from trading import handover
from trading.handover import RefiledFile, TalksTold


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def talks(tx: Transaction, committee_id: CommitteeId) -> TalksTold:
    """The talks so far; `Refused` unless all members are at their seats."""
    file = await committees.hold(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.talks_of(tx, file.lot_id, await rejected_of(tx, file))


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def talk(tx: Transaction, committee_id: CommitteeId, bid_id: BidId, words: str) -> int:
    """Put something to one supplier alone; which of its turns it is."""
    file = await committees.lock(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.talk_with(tx, file.lot_id, bid_id, words, await rejected_of(tx, file))


@by(Role.OWNER_REPRESENTATIVE)
async def change_demand(tx: Transaction, committee_id: CommitteeId, words: str) -> int:
    """Confirm a change of the demand, and tell it to all who take part; its number."""
    file = await committees.lock(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.change_demand(tx, file.lot_id, words, await rejected_of(tx, file))


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def call_last_prices(
    tx: Transaction, committee_id: CommitteeId, due_at: datetime
) -> tuple[Caution, ...]:
    """End the talks, and ask all who are left for their last price by one deadline."""
    file = await committees.lock(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.call_last_prices(tx, file.lot_id, due_at, await rejected_of(tx, file))


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def refiled(tx: Transaction, committee_id: CommitteeId, digest: str) -> RefiledFile:
    """A file of a response that was handed in anew; `Refused` unless all members are seated."""
    file = await committees.hold(tx, committee_id)
    await committees.at_work(tx, file)
    return await handover.refiled(tx, file.lot_id, digest)


async def rejected_of(tx: Transaction, file: CommitteeFile) -> frozenset[UUID]:
    """The bids that the committee has rejected, by id."""
    motions = await reviewing.motions_of(tx, file)
    return frozenset(UUID(one) for one in rejected_bids(motions, file.member_ids))
