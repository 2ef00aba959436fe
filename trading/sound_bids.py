"""Whether what is stored of bids agrees with itself and with the journal.

Every accepted submission has exactly one journal entry that says the same; no instant is at or
after its deadline; what was closed is what counted; what was opened is what was closed.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from kernel.crypto.digests import b64u, parse_instant
from kernel.store.journal import newest_record, records_by_id
from trading.counted_bids import counted_bids
from trading.rules.lot_lifecycle import LotState, was_opened


async def bid_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of submissions, closings and openings."""
    return [
        *await _submissions(connection),
        *await _intents(connection),
        *await _closings(connection),
    ]


async def _submissions(connection: AsyncConnection) -> list[str]:
    rows = await connection.execute(
        text(
            "SELECT b.id, b.seq, b.withdrawn, b.bidder_id, b.lot_id, b.received_at, b.entry_id,"
            " row_number() OVER (PARTITION BY b.lot_id, b.bidder_id ORDER BY b.seq) AS place"
            " FROM trading.bid b"
        )
    )
    bids = rows.all()
    records = {
        entry_id: json.loads(record)
        for entry_id, record in (
            await records_by_id(connection, [bid.entry_id for bid in bids])
        ).items()
    }
    faults = []
    for bid in bids:
        record = records.get(bid.entry_id)
        if record is None:
            faults.append(f"bid {bid.id} has no entry in the journal")
            continue
        facts = record["facts"]
        kind = "BidWithdrawn" if bid.withdrawn else "BidSubmitted"
        if (record["kind"], facts["seq"], facts["bidder_id"]) != (
            kind,
            bid.seq,
            str(bid.bidder_id),
        ):
            faults.append(f"bid {bid.id} and its entry say different things")
        received = parse_instant(facts["received_at"])
        if received != bid.received_at or received >= parse_instant(facts["deadline"]):
            faults.append(f"bid {bid.id} was not received in time, or its instants differ")
        if bid.seq != bid.place:
            faults.append(f"bid {bid.id} is number {bid.seq}, but the {bid.place}. of its bidder")
    bare = await connection.execute(
        text(
            "SELECT count(*) FROM trading.bid b WHERE NOT b.withdrawn AND NOT EXISTS"
            " (SELECT 1 FROM trading.bid_envelope e WHERE e.bid_id = b.id)"
        )
    )
    if count := bare.scalar_one():
        faults.append(f"{count} bids have no envelopes")
    return faults


async def _intents(connection: AsyncConnection) -> list[str]:
    unjudged = await connection.execute(
        text(
            "SELECT count(*) FROM trading.intent i JOIN trading.lot l ON l.id = i.lot_id"
            " WHERE :closed = ANY(l.path) AND NOT EXISTS"
            " (SELECT 1 FROM trading.judgement j WHERE j.intent_id = i.id)"
        ),
        {"closed": LotState.CLOSED},
    )
    count = unjudged.scalar_one()
    return [f"{count} submissions of closed lots were never judged"] if count else []


async def _closings(connection: AsyncConnection) -> list[str]:
    lots = (
        await connection.execute(
            text("SELECT id, path FROM trading.lot WHERE :closed = ANY(path)"),
            {"closed": LotState.CLOSED},
        )
    ).all()
    faults = []
    for lot in lots:
        async with AsyncSession(connection, join_transaction_mode="create_savepoint") as session:
            counted = await counted_bids(session, lot.id)
        told = await _newest(connection, lot.id, "LotClosed")
        listed = [(one["bidder"], one["seq"]) for one in told["facts"]["bids"]] if told else None
        if listed is None or sorted(listed) != sorted(
            (str(bid.bidder_id), bid.seq) for bid in counted
        ):
            faults.append(f"the closing of lot {lot.id} lists other bids than those that count")
        heads = {b64u(e.head) for bid in counted for e in bid.envelopes}
        if told and heads != {e["head"] for one in told["facts"]["bids"] for e in one["envelopes"]}:
            faults.append(f"the closing of lot {lot.id} lists other envelopes than are kept")
        if was_opened(lot.path):
            opened = await connection.execute(
                text("SELECT bid_id FROM trading.opened_bid WHERE lot_id = :lot"), {"lot": lot.id}
            )
            if {row[0] for row in opened} != {bid.id for bid in counted}:
                faults.append(f"what was opened of lot {lot.id} is not what was closed")
    return faults


async def _newest(connection: AsyncConnection, lot_id: UUID, kind: str) -> dict[str, Any] | None:
    record = await newest_record(connection, lot_id, kind)
    return None if record is None else dict(json.loads(record))
