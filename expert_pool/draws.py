"""The draws as they are stored: found, held still, and read as the protocol understands them.

What the witnesses have signed and what time has made of a draw is never stored: it is found anew
at each look, so that nothing depends on when somebody looked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from sqlmodel import col, select

from expert_pool import draw_commitments
from expert_pool.events import DrawVoided
from expert_pool.rules import draw_protocol
from expert_pool.rules.calling_order import CallOutcome
from expert_pool.rules.draw_protocol import (
    AnnouncementWitnessed,
    CommitmentsWitnessed,
    Draw,
    DrawState,
)
from expert_pool.tables import (
    CallRow,
    DrawLabelRow,
    DrawPartyRow,
    DrawRow,
    DrawStatementRow,
    NonceShareRow,
)
from kernel.crypto.digests import b64u, parse_instant
from kernel.errors import NotFound
from kernel.identifiers import DrawId
from kernel.statute import Regime
from kernel.store.database import lock_exclusive
from kernel.store.parties import Statement
from kernel.store.tables import CredentialRow
from kernel.store.transaction import Transaction
from kernel.store.transparency_log import is_witnessed

AFRESH: Final = {"populate_existing": True}
"""What was read before a lock was held is read again."""

EXHAUSTED: Final = "exhausted"
"""Void because a list ran out before its seats were taken."""

LOT_ENDED: Final = "lot_ended"
"""Void because the lot it was for was cancelled or failed."""


@dataclass(slots=True)
class DrawFile:
    """Everything stored of one draw but who stands behind the labels."""

    row: DrawRow
    parties: dict[str, DrawPartyRow]
    shares: Sequence[NonceShareRow]
    told: dict[str, Any]

    @property
    def id(self) -> DrawId:
        """The draw's id."""
        return DrawId(self.row.id)

    @property
    def seats(self) -> dict[str, int]:
        """How many experts each stratum is to seat, in the order of the announcement."""
        return {one["name"]: int(one["seats"]) for one in self.told["strata"]}

    @property
    def regime(self) -> Regime:
        """The family of law the lot belongs to, as the announcement says."""
        return Regime(self.told["regime"])

    def party_of(self, tx: Transaction) -> DrawPartyRow:
        """The acting organisation's part in the draw; `NotFound` where it has none."""
        for party in self.parties.values():
            if party.party_id == tx.actor.party:
                return party
        raise NotFound("no such draw")

    def share(self, *, dealer: str, holder: str) -> NonceShareRow:
        """The share one party was dealt by another; `NotFound` where there is none."""
        for share in self.shares:
            if (share.dealer, share.holder) == (dealer, holder):
                return share
        raise NotFound("no such share")


# ── finding ───────────────────────────────────────────────────────────────────────────────────


async def lock_lot(tx: Transaction, lot_id: UUID) -> None:
    """Have all draws of a lot for this transaction alone."""
    await lock_exclusive(tx.session, f"draw:{lot_id}")


async def find(tx: Transaction, draw_id: UUID) -> DrawFile:
    """The draw as it is stored now; `NotFound` where there is none."""
    row = await tx.session.get(DrawRow, draw_id, populate_existing=True)
    if row is None:
        raise NotFound("no such draw")
    parties = await tx.session.scalars(
        select(DrawPartyRow)
        .where(DrawPartyRow.draw_id == draw_id)
        .order_by(col(DrawPartyRow.name))
        .execution_options(**AFRESH)
    )
    shares = await tx.session.scalars(
        select(NonceShareRow)
        .where(NonceShareRow.draw_id == draw_id)
        .order_by(col(NonceShareRow.dealer), col(NonceShareRow.holder))
        .execution_options(**AFRESH)
    )
    return DrawFile(
        row,
        {party.name: party for party in parties},
        shares.all(),
        json.loads(row.announcement),
    )


async def hold(tx: Transaction, draw_id: UUID) -> DrawFile:
    """The draw, for this transaction alone until it ends."""
    row = await tx.session.get(DrawRow, draw_id)
    if row is None:
        raise NotFound("no such draw")
    await lock_lot(tx, row.lot_id)
    return await find(tx, draw_id)


async def of_lot(tx: Transaction, lot_id: UUID) -> Sequence[DrawRow]:
    """Every draw of a lot, as they were announced."""
    rows = await tx.session.scalars(
        select(DrawRow)
        .where(DrawRow.lot_id == lot_id)
        .order_by(col(DrawRow.announced_at), col(DrawRow.round))
    )
    return rows.all()


async def for_committee(
    tx: Transaction, lot_id: UUID, review_round: int | None
) -> Sequence[DrawRow]:
    """Every draw of one committee of a lot, the first round first."""
    return [row for row in await of_lot(tx, lot_id) if row.review_round == review_round]


async def labels_of(tx: Transaction, draw_id: UUID) -> Sequence[DrawLabelRow]:
    """The draw's labels in byte order, with what was decided of each beforehand."""
    rows = await tx.session.scalars(select(DrawLabelRow).where(DrawLabelRow.draw_id == draw_id))
    return sorted(rows, key=lambda row: row.label)


async def calls_of(tx: Transaction, draw_id: UUID) -> list[CallRow]:
    """Every step down the draw's lists, in the order in which they were taken."""
    rows = await tx.session.scalars(
        select(CallRow)
        .where(CallRow.draw_id == draw_id)
        .order_by(col(CallRow.number))
        .execution_options(**AFRESH)
    )
    return list(rows)


async def statements_of(tx: Transaction, draw_id: UUID, kind: str) -> Sequence[DrawStatementRow]:
    """The signed statements of one kind."""
    rows = await tx.session.scalars(
        select(DrawStatementRow).where(
            DrawStatementRow.draw_id == draw_id, DrawStatementRow.kind == kind
        )
    )
    return rows.all()


# ── the protocol's view ───────────────────────────────────────────────────────────────────────


async def protocol_of(tx: Transaction, file: DrawFile) -> Draw:
    """The draw as the protocol understands it now: stored, as witnessed, and after waiting."""
    row, told, parties = file.row, file.told, file.parties.values()
    accepted = 0
    if row.state in (DrawState.CALLING, DrawState.SEATED):
        calls = await calls_of(tx, row.id)
        accepted = sum(call.outcome == CallOutcome.ACCEPTED for call in calls)
    draw = Draw(
        parties=frozenset(file.parties),
        supervisor=told["supervisor"],
        threshold=told["threshold"],
        commit_by=parse_instant(told["commit_by"]),
        confirm_by=parse_instant(told["confirm_by"]),
        reveal_by=parse_instant(told["reveal_by"]),
        recover_by=parse_instant(told["recover_by"]),
        state=DrawState(row.state),
        committed=frozenset(one.name for one in parties if one.committed_entry is not None),
        dealt=frozenset(one.name for one in parties if one.dealt_entry is not None),
        confirmed=frozenset((s.holder, s.dealer) for s in file.shares if s.confirmed_at),
        misdealt=frozenset((s.holder, s.dealer) for s in file.shares if s.misdealt_at),
        countersigned=row.countersigned_entry is not None,
        revealed=frozenset(one.name for one in parties if one.nonce and not one.recovered),
        recovered=frozenset(one.name for one in parties if one.nonce and one.recovered),
        open_seats=sum(file.seats.values()) - accepted,
    )
    if draw.state is DrawState.ANNOUNCED and await _witnessed(tx, [row.announced_entry]):
        draw = draw_protocol.step(draw, AnnouncementWitnessed(), at=tx.now)
    if draw.state is DrawState.COMMITTING and draw.committed == draw.parties:
        if await _witnessed(tx, [one.committed_entry for one in parties if one.committed_entry]):
            draw = draw_protocol.step(draw, CommitmentsWitnessed(), at=tx.now)
    elif draw.state not in (DrawState.ANNOUNCED, DrawState.COMMITTING):
        draw = replace(draw, all_witnessed=True)
    return draw_protocol.after_waiting(draw, at=tx.now)


async def _witnessed(tx: Transaction, entries: Collection[UUID]) -> bool:
    quorum = tx.settings.witness_quorum
    for entry in entries:
        if not await is_witnessed(tx.session, entry, quorum=quorum):
            return False
    return True


def keep_state(tx: Transaction, file: DrawFile, draw: Draw) -> None:
    """Store where the protocol has brought the draw."""
    file.row.state = draw.state
    tx.session.add(file.row)


def keep_void(tx: Transaction, file: DrawFile, reason: str, at_fault: Collection[str]) -> None:
    """Store that the draw came to nothing, and whose fault it was."""
    file.row.state, file.row.void_reason = DrawState.VOID, reason
    file.row.voided_entry = tx.record(
        DrawVoided(file.row.lot_id, file.id, reason=reason, at_fault=tuple(sorted(at_fault)))
    )
    tx.session.add(file.row)
    for name in at_fault:
        file.parties[name].at_fault = True
        tx.session.add(file.parties[name])


async def keep_statement(
    tx: Transaction, file: DrawFile, statement: Statement, *, author: str
) -> None:
    """Store a statement as it was signed, with the key that verifies it for ever."""
    credential = await tx.session.get_one(CredentialRow, statement.keyid)
    tx.session.add(
        DrawStatementRow(
            digest=statement.digest,
            draw_id=file.id,
            kind=statement.kind,
            author=author,
            keyid=statement.keyid,
            public_key=credential.public_key,
            statement=statement.envelope,
            made_at=tx.now,
        )
    )


# ── what is committed to ──────────────────────────────────────────────────────────────────────


def eligibility_of(row: DrawLabelRow) -> bytes:
    """The commitment to one label's exclusion, or to there being none."""
    return draw_commitments.eligibility(row.eligibility_salt, row.label, row.grounds)


def members_root_of(rows: Collection[DrawLabelRow]) -> bytes:
    """The commitment to every label's strata and exclusion."""
    return draw_commitments.members_root(
        [(row.label, row.strata, eligibility_of(row)) for row in rows]
    )


async def calls_told(tx: Transaction, draw_id: UUID) -> tuple[list[dict[str, object]], list[str]]:
    """Every step down the lists, and who left in which order, as a transcript tells them."""
    members = {row.label: row for row in await labels_of(tx, draw_id)}
    calls = await calls_of(tx, draw_id)
    left = sorted((call.left_number, call.label) for call in calls if call.left_number is not None)
    told: list[dict[str, object]] = [
        {
            "stratum": call.stratum,
            "place": call.place,
            "label": b64u(call.label),
            "outcome": call.outcome,
            "evidence": call.evidence,
            "grounds": members[call.label].grounds,
            "eligibility_salt": b64u(members[call.label].eligibility_salt),
        }
        for call in calls
    ]
    return told, [b64u(label) for _, label in left]
