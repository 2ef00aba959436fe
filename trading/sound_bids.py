"""Whether what is stored of bids agrees with itself and with the journal.

Every accepted submission has exactly one journal entry and every such entry exactly one submission,
which say the same down to the digest of each envelope; no instant is at or after its deadline, and
row, intent, entry and cut hold the same one; what was closed is what counted; what was opened is
what was closed, and nothing before; every step of a lot is in the journal.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from kernel.crypto import sealing
from kernel.crypto.digests import b64u, parse_instant, sha256
from kernel.errors import BrokenSeal
from kernel.store.journal import newest_record, records_by_id, records_of_kinds
from trading.counted_bids import counted_bids
from trading.rules.closing_cut import cut_digest, intent_commitment
from trading.rules.lot_lifecycle import LotState, was_opened


async def bid_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of submissions, closings and openings."""
    return [
        *await _steps(connection),
        *await _submissions(connection),
        *await _intents(connection),
        *await _cuts(connection),
        *await _closings(connection),
        *await _opened_early(connection),
    ]


_BIDS = text(
    "SELECT b.id, b.seq, b.withdrawn, b.bidder_id, b.lot_id, b.received_at, b.entry_id,"
    " b.statement_digest, b.policy_digest,"
    " row_number() OVER (PARTITION BY b.lot_id, b.bidder_id ORDER BY b.seq) AS place,"
    " EXISTS (SELECT 1 FROM trading.intent i JOIN trading.judgement j ON j.intent_id = i.id"
    "  WHERE i.lot_id = b.lot_id AND i.bidder_id = b.bidder_id"
    "  AND i.statement_digest = b.statement_digest AND i.received_at = b.received_at"
    "  AND j.entry_id = b.entry_id) AS judged"
    " FROM trading.bid b"
)
_ENVELOPES = text(
    "SELECT bid_id, envelope, head, header, payload_size, payload_root, payload_sha256"
    " FROM trading.bid_envelope"
)
_JUDGEMENTS = text(
    "SELECT j.intent_id, j.outcome, j.entry_id, i.lot_id, i.statement_digest, i.statement"
    " FROM trading.judgement j JOIN trading.intent i ON i.id = j.intent_id"
)
_OPENED_EARLY = text(
    "SELECT l.id FROM trading.lot l"
    " WHERE (NOT :opening = ANY(l.path) OR l.state = ANY(:before)) AND"
    " (EXISTS (SELECT 1 FROM trading.release r WHERE r.lot_id = l.id)"
    "  OR EXISTS (SELECT 1 FROM trading.share s WHERE s.lot_id = l.id)"
    "  OR EXISTS (SELECT 1 FROM trading.opened_bid o WHERE o.lot_id = l.id))"
)

UNOPENED: Final = [LotState.DRAFT, LotState.OPEN, LotState.CLOSING, LotState.CLOSED]

SAID_BY: Final = {
    "accepted": "BidSubmitted",
    "withdrawn": "BidWithdrawn",
    "refused": "BidRefused",
    "failed_by_platform": "SubmissionFailedByPlatform",
}
"""The kind of entry that says what became of a submission."""


async def _steps(connection: AsyncConnection) -> list[str]:
    """Every step of a published lot was recorded, and no other."""
    told: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for record in (await records_of_kinds(connection, ["LotMoved"])).values():
        moved = json.loads(record)
        told[moved["subject"]][moved["facts"]["came_from"], moved["facts"]["went_to"]] += 1
    lots = await connection.execute(
        text("SELECT id, state, path FROM trading.lot WHERE published_at IS NOT NULL")
    )
    return [
        f"lot {lot.id} is {lot.state}, which is not where its recorded steps lead"
        for lot in lots
        if lot.path[-1] != lot.state or Counter(pairwise(lot.path)) != told[str(lot.id)]
    ]


async def _submissions(connection: AsyncConnection) -> list[str]:
    bids = (await connection.execute(_BIDS)).all()
    entries = await records_of_kinds(connection, ["BidSubmitted", "BidWithdrawn"])
    envelopes: defaultdict[UUID, list[Any]] = defaultdict(list)
    for envelope in await connection.execute(_ENVELOPES):
        envelopes[envelope.bid_id].append(envelope)

    faults = [
        f"entry {entry_id} tells of a submission that is not kept"
        for entry_id in entries.keys() - {bid.entry_id for bid in bids}
    ]
    for bid in bids:
        if bid.seq != bid.place:
            faults.append(f"bid {bid.id} is number {bid.seq}, but the {bid.place}. of its bidder")
        if not bid.judged:
            faults.append(f"bid {bid.id} was received otherwise, or never judged")
        if not all(_is_its_header(one) for one in envelopes[bid.id]):
            faults.append(f"an envelope of bid {bid.id} is not the one that its head names")
        if bid.entry_id not in entries:
            faults.append(f"bid {bid.id} has no entry in the journal")
            continue
        record = json.loads(entries[bid.entry_id])
        if record["kind"] != ("BidWithdrawn" if bid.withdrawn else "BidSubmitted") or (
            _told(record) != _kept(bid, envelopes[bid.id])
        ):
            faults.append(f"bid {bid.id} and its entry say different things")
        received = parse_instant(record["facts"]["received_at"])
        if received != bid.received_at or received >= parse_instant(record["facts"]["deadline"]):
            faults.append(f"bid {bid.id} was not received in time, or its instants differ")
    return faults


def _told(record: dict[str, Any]) -> object:
    facts = record["facts"]
    return (
        (record["subject"], facts["bidder_id"], facts["seq"], facts["submission"]),
        facts.get("policy"),
        sorted(facts.get("envelopes", ()), key=str),
    )


def _kept(bid: Any, envelopes: list[Any]) -> object:
    return (
        (str(bid.lot_id), str(bid.bidder_id), bid.seq, b64u(bid.statement_digest)),
        None if bid.withdrawn else b64u(bid.policy_digest),
        sorted(
            (
                {
                    "envelope": one.envelope,
                    "head": b64u(one.head),
                    "payload_size": one.payload_size,
                    "payload_root": b64u(one.payload_root),
                    "payload_sha256": b64u(one.payload_sha256),
                }
                for one in envelopes
            ),
            key=str,
        ),
    )


def _is_its_header(envelope: Any) -> bool:
    try:
        return bool(sealing.parse_header(envelope.header).head == envelope.head)
    except BrokenSeal:
        return False


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
    faults = [f"{count} submissions of closed lots were never judged"] if count else []
    judgements = (await connection.execute(_JUDGEMENTS)).all()
    records = await records_by_id(connection, [one.entry_id for one in judgements])
    for one in judgements:
        told = json.loads(records.get(one.entry_id, b"{}"))
        said = (told.get("kind"), told.get("subject"), told.get("facts", {}).get("submission"))
        if said != (SAID_BY[one.outcome], str(one.lot_id), b64u(one.statement_digest)):
            faults.append(f"the journal tells the judgement of {one.intent_id} otherwise")
        if sha256(one.statement) != one.statement_digest:
            faults.append(f"submission {one.intent_id} is not what was signed")
    return faults


async def _cuts(connection: AsyncConnection) -> list[str]:
    """What a closing cut is what was received, instant for instant, and is what was logged."""
    closings = await connection.execute(
        text("SELECT lot_id, salt, commitments, cut_digest FROM trading.closing")
    )
    received: defaultdict[UUID, set[bytes]] = defaultdict(set)
    for intent in await connection.execute(
        text("SELECT lot_id, nonce, statement_digest, received_at FROM trading.intent")
    ):
        received[intent.lot_id].add(
            intent_commitment(intent.nonce, intent.statement_digest, intent.received_at)
        )
    faults = []
    for closing in closings.all():
        told = await _newest(connection, closing.lot_id, "LotClosing")
        digest = cut_digest(closing.salt, closing.commitments)
        if digest != closing.cut_digest or (
            told is None or told["facts"]["cut_digest"] != b64u(digest)
        ):
            faults.append(f"the cut of lot {closing.lot_id} is not the one that was logged")
        if not received[closing.lot_id] <= set(closing.commitments):
            faults.append(f"what was received for lot {closing.lot_id} is not what was cut")
    return faults


async def _opened_early(connection: AsyncConnection) -> list[str]:
    """No secret, share or price of a bid is kept before its lot is being opened."""
    rows = await connection.execute(
        _OPENED_EARLY, {"opening": LotState.OPENING, "before": UNOPENED}
    )
    return [f"something of lot {row.id} lies open before its opening" for row in rows]


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
