"""What may be seen of draws: each step while it goes on, and afterwards the transcript.

Nothing here speaks of anybody but by label. Void rounds stay: a transcript names every round that
came before, so that nobody can draw again in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from expert_pool import calling, draws
from expert_pool.calling import PendingCall
from expert_pool.draws import EXHAUSTED, DrawFile
from expert_pool.rules.calling_order import CallOutcome
from expert_pool.rules.draw_protocol import DrawState
from expert_pool.tables import DrawRow, NonceShareRow
from kernel.access import Role, by
from kernel.crypto.digests import b64u
from kernel.errors import NotFound
from kernel.identifiers import DrawId, LotId
from kernel.store.parties import organisation_names
from kernel.store.transaction import Transaction

SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class PartyView:
    """How far one party has come; `confirmed_by` are the others who can rebuild its nonce."""

    name: str
    organisation_id: UUID
    organisation: str
    committed: bool
    dealt: bool
    confirmed_by: tuple[str, ...]
    misdealt_to: tuple[str, ...]
    revealed: bool
    recovered: bool
    at_fault: bool


@dataclass(frozen=True, slots=True)
class DrawView:
    """A draw as anyone may see it while it goes on.

    `state` is what the protocol says now; `recorded` whether the journal says so too. `entries` are
    the steps that stand in the journal, by the names under which a transcript proves them.
    """

    id: DrawId
    lot_id: LotId
    review_round: int | None
    round: int
    state: DrawState
    recorded: bool
    announced_at: datetime
    completed_at: datetime | None
    announcement: bytes
    told: Mapping[str, Any]
    parties: tuple[PartyView, ...]
    shares: tuple[NonceShareRow, ...]
    countersigned: bool
    accepted: int
    seats: int
    exhausted: bool
    void_reason: str
    at_fault: tuple[str, ...]
    entries: Mapping[str, UUID]


@dataclass(frozen=True, slots=True)
class DrawLine:
    """One draw in a list; a `review_round` is that of the applications it is drawn to review."""

    id: DrawId
    lot_id: LotId
    round: int
    state: DrawState
    announced_at: datetime
    review_round: int | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything that re-derives a completed draw, by labels."""

    announcement: bytes
    pool: tuple[dict[str, Any], ...]
    commitments: Mapping[str, bytes]
    countersignature: bytes
    nonces: Mapping[str, bytes]
    prk: bytes
    calls: list[dict[str, object]]
    left: list[str]
    signers: Mapping[str, bytes]
    log_vkey: str
    witnesses: tuple[str, ...]
    quorum: int
    entries: Mapping[str, UUID]


@by(*Role)
async def draw_view(tx: Transaction, draw_id: DrawId) -> DrawView:
    """One draw as it stands now; no label's fate, and no name."""
    file = await draws.find(tx, draw_id)
    draw = await draws.protocol_of(tx, file)
    calls = await draws.calls_of(tx, draw_id)
    names = await organisation_names(
        tx.session, [party.party_id for party in file.parties.values()]
    )
    at_fault = {one.name for one in file.parties.values() if one.at_fault} | draw.at_fault
    return DrawView(
        id=draw_id,
        lot_id=LotId(file.row.lot_id),
        review_round=file.row.review_round,
        round=file.row.round,
        state=draw.state,
        recorded=(draw.state is DrawState.VOID) == (file.row.state == DrawState.VOID),
        announced_at=file.row.announced_at,
        completed_at=file.row.completed_at if draw.state is DrawState.SEATED else None,
        announcement=file.row.announcement,
        told=file.told,
        parties=tuple(
            PartyView(
                name=one.name,
                organisation_id=one.party_id,
                organisation=names.get(one.party_id, ""),
                committed=one.name in draw.committed,
                dealt=one.name in draw.dealt,
                confirmed_by=_holders(draw.confirmed, one.name),
                misdealt_to=_holders(draw.misdealt, one.name),
                revealed=one.name in draw.nonces_known(),
                recovered=one.recovered,
                at_fault=one.name in at_fault,
            )
            for one in file.parties.values()
        ),
        shares=tuple(file.shares),
        countersigned=draw.countersigned,
        accepted=sum(call.outcome == CallOutcome.ACCEPTED for call in calls),
        seats=sum(file.seats.values()),
        exhausted=file.row.void_reason == EXHAUSTED or await calling.is_exhausted(tx, file),
        void_reason=file.row.void_reason or str(draw.void_reason or ""),
        at_fault=tuple(sorted(at_fault)),
        entries=_entries(file),
    )


@by(*Role)
async def draws_of_lot(tx: Transaction, lot_id: LotId) -> tuple[DrawLine, ...]:
    """Every draw of a lot, void ones included, as they were announced."""
    return tuple(_line(row) for row in await draws.of_lot(tx, lot_id))


@by(*Role)
async def draws_of_committee(
    tx: Transaction, lot_id: LotId, review_round: int | None = None
) -> tuple[DrawLine, ...]:
    """Every draw of one committee of a lot, void ones included, the first round first."""
    rows = await draws.for_committee(tx, lot_id, review_round)
    return tuple(_line(row) for row in rows)


@by(*Role)
async def recent_draws(tx: Transaction) -> tuple[DrawLine, ...]:
    """The newest draws of all lots."""
    rows = await tx.session.scalars(
        select(DrawRow).order_by(col(DrawRow.announced_at).desc()).limit(SHOWN_MAX)
    )
    return tuple(_line(row) for row in rows)


@by(Role.CENTRE_STAFF)
async def waiting_calls(tx: Transaction) -> tuple[tuple[DrawLine, list[PendingCall]], ...]:
    """The calls that wait for an answer, draw by draw, by place and without anybody's name."""
    found = []
    for draw in await recent_draws(tx):
        if draw.state is DrawState.CALLING:
            calls = await calling.pending_calls(tx, draw.id)
            if calls:
                found.append((draw, calls))
    return tuple(found)


@by(*Role)
async def transcript(tx: Transaction, draw_id: DrawId) -> Transcript:
    """Everything that re-derives a completed draw, by labels; `NotFound` before it is complete."""
    file = await draws.find(tx, draw_id)
    row = file.row
    if row.state != DrawState.SEATED or row.prk is None or row.completed_entry is None:
        raise NotFound("the draw is not complete")
    commitments = await draws.statements_of(tx, draw_id, "draw-commit")
    (countersigned,) = await draws.statements_of(tx, draw_id, "draw-eligibility")
    calls, left = await draws.calls_told(tx, draw_id)
    entries = _entries(file) | {"completed": row.completed_entry}
    for earlier in await draws.for_committee(tx, row.lot_id, row.review_round):
        if earlier.round < row.round and earlier.voided_entry is not None:
            entries[f"round/{earlier.round}/announced"] = earlier.announced_entry
            entries[f"round/{earlier.round}/voided"] = earlier.voided_entry
    return Transcript(
        announcement=row.announcement,
        pool=tuple(
            {
                "label": b64u(member.label),
                "strata": member.strata,
                "eligibility": b64u(draws.eligibility_of(member)),
            }
            for member in await draws.labels_of(tx, draw_id)
        ),
        commitments={one.author: one.statement for one in commitments},
        countersignature=countersigned.statement,
        nonces={one.name: one.nonce for one in file.parties.values() if one.nonce is not None},
        prk=row.prk,
        calls=calls,
        left=left,
        signers={one.keyid: one.public_key for one in (*commitments, countersigned)},
        log_vkey=file.told["log"],
        witnesses=tuple(file.told["witnesses"]),
        quorum=file.told["quorum"],
        entries=entries,
    )


def _entries(file: DrawFile) -> dict[str, UUID]:
    """The journal entries whose places in the log show that everything was fixed in time."""
    found: dict[str, UUID] = {
        "close": UUID(file.told["close_entry"]),
        "announced": file.row.announced_entry,
    }
    for one in file.parties.values():
        for step, entry in (
            ("committed", one.committed_entry),
            ("dealt", one.dealt_entry),
            ("revealed", one.revealed_entry),
        ):
            if entry is not None:
                found[f"{step}/{one.name}"] = entry
    if file.row.countersigned_entry is not None:
        found["eligibility"] = file.row.countersigned_entry
    return found


def _holders(pairs: frozenset[tuple[str, str]], dealer: str) -> tuple[str, ...]:
    return tuple(sorted(holder for holder, of in pairs if of == dealer))


def _line(row: DrawRow) -> DrawLine:
    return DrawLine(
        DrawId(row.id),
        LotId(row.lot_id),
        row.round,
        DrawState(row.state),
        row.announced_at,
        row.review_round,
    )
