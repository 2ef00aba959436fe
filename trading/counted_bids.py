"""Which bids count: the last one of each bidder that was not withdrawn.

Read it once a lot is closed, for what `LotClosed` names is exactly this list in this order. Before
that nobody may be told what is in it (招标投标法 22).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kernel.crypto import sealing
from trading.tables import BidEnvelopeRow, BidRow


@dataclass(frozen=True, slots=True)
class SealedEnvelope:
    """One envelope as it was submitted; `parts` are the digests of its payload in the sealed
    drawer.
    """

    kind: str
    head: bytes
    header: bytes
    payload_root: bytes
    payload_size: int
    parts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CountedBid:
    """A bid that counts; `escrowed` says its bidder put every one of its secrets into escrow."""

    id: UUID
    bidder_id: UUID
    seq: int
    envelopes: tuple[SealedEnvelope, ...]
    escrowed: bool
    received_at: datetime


async def counted_bids(session: AsyncSession, lot_id: UUID) -> tuple[CountedBid, ...]:
    """The bids of a lot that count, in the order in which they arrived."""
    newest = (
        select(BidRow)
        .where(col(BidRow.lot_id) == lot_id)
        .ext(distinct_on(col(BidRow.bidder_id)))
        .order_by(col(BidRow.bidder_id), col(BidRow.seq).desc())
    )
    bids = [bid for bid in await session.scalars(newest) if not bid.withdrawn]
    bids.sort(key=lambda bid: (bid.received_at, bid.id))
    rows = await session.scalars(
        select(BidEnvelopeRow)
        .where(col(BidEnvelopeRow.bid_id).in_([bid.id for bid in bids]))
        .order_by(col(BidEnvelopeRow.envelope).desc())
    )
    envelopes: dict[UUID, list[SealedEnvelope]] = {}
    for row in rows:
        envelopes.setdefault(row.bid_id, []).append(
            SealedEnvelope(
                row.envelope,
                row.head,
                row.header,
                row.payload_root,
                row.payload_size,
                tuple(row.parts),
            )
        )
    return tuple(
        CountedBid(
            bid.id,
            bid.bidder_id,
            bid.seq,
            tuple(envelopes[bid.id]),
            all(_is_escrowed(envelope) for envelope in envelopes[bid.id]),
            bid.received_at,
        )
        for bid in bids
    )


def _is_escrowed(envelope: SealedEnvelope) -> bool:
    header = sealing.parse_header(envelope.header)
    return header.component(sealing.BIDDER).shamir is not None
