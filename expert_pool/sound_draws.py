"""Whether what is stored of draws agrees with itself and with the journal.

A lot has one draw that counts, and every one before it came to nothing for a reason on record. What
was announced is what is kept; every nonce is the one its party committed to, and who reveals does
so under the supervisor's countersignature; from them follows the order, and from the order who was
called.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import col, select

from expert_pool import draws
from expert_pool.rules.calling_order import CallOutcome, walk
from expert_pool.rules.draw_protocol import DrawState
from expert_pool.tables import (
    CallRow,
    DrawLabelRow,
    DrawPartyRow,
    DrawRow,
    DrawStatementRow,
)
from kernel.crypto import fair_draw
from kernel.crypto.digests import b64u, sha256
from kernel.errors import BrokenSeal
from kernel.store.journal import records_of_kinds

KNOWN_NONCES: Final = frozenset({DrawState.RANKED, DrawState.CALLING, DrawState.SEATED})
COUNTERSIGNED: Final = KNOWN_NONCES | {DrawState.REVEALING}

PartRow = TypeVar("PartRow", CallRow, DrawLabelRow, DrawPartyRow, DrawStatementRow)


@dataclass(frozen=True, slots=True)
class _Kept:
    """One draw with all that is stored of it."""

    row: DrawRow
    parties: Sequence[DrawPartyRow]
    labels: Sequence[DrawLabelRow]
    calls: Sequence[CallRow]
    statements: Sequence[DrawStatementRow]

    @property
    def told(self) -> dict[str, Any]:
        """What was announced."""
        told: dict[str, Any] = json.loads(self.row.announcement)
        return told

    @property
    def seats(self) -> int:
        """How many experts are to be seated in all."""
        return sum(int(one["seats"]) for one in self.told["strata"])


async def draw_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of draws, their rounds, their order and their calls."""
    kept = await _all_kept(connection)
    return [
        *await _entries(connection, kept),
        *_rounds(kept),
        *_committees(kept),
        *(fault for one in kept for fault in _pool_faults(one)),
        *(fault for one in kept for fault in _nonce_faults(one)),
        *(fault for one in kept for fault in _call_faults(one)),
    ]


async def _all_kept(connection: AsyncConnection) -> list[_Kept]:
    async with AsyncSession(connection, join_transaction_mode="create_savepoint") as session:
        parties, labels, calls, statements = (
            await _by_draw(session, DrawPartyRow),
            await _by_draw(session, DrawLabelRow),
            await _by_draw(session, CallRow),
            await _by_draw(session, DrawStatementRow),
        )
        rows = await session.scalars(
            select(DrawRow).order_by(
                col(DrawRow.lot_id), col(DrawRow.review_round), col(DrawRow.round)
            )
        )
        return [
            _Kept(row, parties[row.id], labels[row.id], calls[row.id], statements[row.id])
            for row in rows
        ]


async def _by_draw(session: AsyncSession, table: type[PartRow]) -> dict[UUID, list[PartRow]]:
    found: defaultdict[UUID, list[PartRow]] = defaultdict(list)
    for row in await session.scalars(select(table)):
        found[row.draw_id].append(row)
    return found


async def _entries(connection: AsyncConnection, kept: Sequence[_Kept]) -> list[str]:
    """Each draw has its announcement and its end in the journal, and the journal knows no other."""
    told = {
        id: json.loads(record)
        for id, record in (
            await records_of_kinds(
                connection,
                [
                    *("DrawAnnounced", "DrawVoided", "DrawCompleted"),
                    *("EligibilityCountersigned", "DrawRanked"),
                ],
            )
        ).items()
    }
    faults = []
    ranked = {
        one["facts"]["draw_id"]: one["facts"]["prk"]
        for one in told.values()
        if one["kind"] == "DrawRanked"
    }
    for draw in kept:
        row = draw.row
        due: list[tuple[UUID | None, str, dict[str, object]]] = [
            (
                row.announced_entry,
                "DrawAnnounced",
                {"round": row.round, "announcement": b64u(row.announcement)},
            )
        ]
        if row.state == DrawState.VOID:
            at_fault = sorted(one.name for one in draw.parties if one.at_fault)
            due.append(
                (row.voided_entry, "DrawVoided", {"reason": row.void_reason, "at_fault": at_fault})
            )
        if row.state == DrawState.SEATED:
            counts: dict[str, object] = {"seats": draw.seats, "passed": len(draw.calls)}
            due.append((row.completed_entry, "DrawCompleted", counts))
        if row.state in COUNTERSIGNED:
            due.append((row.countersigned_entry, "EligibilityCountersigned", {}))
        faults += [
            f"the {kind} of draw {row.id} is not in the journal, or says something else"
            for entry, kind, facts in due
            if not _says(None if entry is None else told.get(entry), kind, row, facts)
        ]
        if ranked.get(str(row.id)) != (None if row.prk is None else b64u(row.prk)):
            faults.append(f"the journal tells another order of draw {row.id}")
    known = {str(draw.row.id) for draw in kept}
    return faults + [
        f"draw {one['facts']['draw_id']} was announced and is not kept"
        for one in told.values()
        if one["kind"] == "DrawAnnounced" and one["facts"]["draw_id"] not in known
    ]


def _says(told: dict[str, Any] | None, kind: str, row: DrawRow, facts: dict[str, object]) -> bool:
    return told is not None and (
        (told["kind"], told["subject"], told["facts"]["draw_id"])
        == (kind, str(row.lot_id), str(row.id))
        and facts.items() <= told["facts"].items()
    )


def _rounds(kept: Sequence[_Kept]) -> list[str]:
    """Rounds count from one; all but the last came to nothing, each for a reason."""
    rounds: defaultdict[tuple[UUID, int | None], list[DrawRow]] = defaultdict(list)
    for draw in kept:
        rounds[draw.row.lot_id, draw.row.review_round].append(draw.row)
    faults = []
    for (lot_id, _), rows in rounds.items():
        if [row.round for row in rows] != list(range(1, len(rows) + 1)):
            faults.append(f"a round is missing among the draws of lot {lot_id}")
        if any(row.state != DrawState.VOID for row in rows[:-1]):
            faults.append(f"lot {lot_id} has two draws that count for one committee")
        faults += [
            f"draw {row.id} is void without a reason, or has one and is not"
            for row in rows
            if (row.state == DrawState.VOID) != bool(row.void_reason)
        ]
    return faults


def _committees(kept: Sequence[_Kept]) -> list[str]:
    return [
        f"draw {draw.row.id} is for another committee than was announced"
        for draw in kept
        if draw.told.get("review_round") != draw.row.review_round
    ]


def _pool_faults(draw: _Kept) -> list[str]:
    pool = draw.told["pool"]
    now = {
        "size": len(draw.labels),
        "root": b64u(fair_draw.pool_root([row.label for row in draw.labels])),
        "members_root": b64u(draws.members_root_of(draw.labels)),
    }
    return [] if pool == now else [f"the pool of draw {draw.row.id} is not the one announced"]


def _nonce_faults(draw: _Kept) -> list[str]:
    row, digest = draw.row, sha256(draw.row.announcement)
    faults = []
    signed = {(one.author, one.kind) for one in draw.statements}
    for party in draw.parties:
        if party.commitment is not None and (party.name, "draw-commit") not in signed:
            faults.append(f"{party.name} committed in draw {row.id} without a signature")
        if party.nonce is None:
            continue
        try:
            fair_draw.check_reveal(digest, party.name, party.nonce, party.commitment or b"")
        except BrokenSeal as error:
            faults.append(f"draw {row.id}: {error}")
    if row.state in COUNTERSIGNED and (draw.told["supervisor"], "draw-eligibility") not in signed:
        faults.append(f"the exclusions of draw {row.id} were never countersigned")
    if row.state in KNOWN_NONCES:
        nonces = {one.name: one.nonce for one in draw.parties if one.nonce is not None}
        known = bool(nonces) and len(nonces) == len(draw.parties)
        if not known or row.prk != fair_draw.prk(digest, nonces):
            faults.append(f"the order of draw {row.id} does not follow from its nonces")
    return faults


def _call_faults(draw: _Kept) -> list[str]:
    """Who was called is who the order, the exclusions and those who left make it."""
    if draw.row.prk is None:
        return [f"draw {draw.row.id} called without an order"] if draw.calls else []
    key = draw.row.prk
    left = sorted(
        (one.left_number, one.label, CallOutcome(one.outcome))
        for one in draw.calls
        if one.left_number is not None
    )
    seats = {one["name"]: int(one["seats"]) for one in draw.told["strata"]}
    try:
        walked = walk(
            {
                stratum: fair_draw.ranking(
                    key, stratum, [row.label for row in draw.labels if stratum in row.strata]
                )
                for stratum in seats
            },
            numbers=seats,
            grounds={row.label: row.grounds for row in draw.labels},
            left=[(label, outcome) for _, label, outcome in left],
        )
    except (ValueError, BrokenSeal):
        return [f"the calls of draw {draw.row.id} do not follow its order"]
    due = [(one.stratum, one.place, one.label, one.outcome) for one in walked.steps]
    made = [
        (one.stratum, one.place, one.label, _as_walked(one.outcome))
        for one in sorted(draw.calls, key=lambda call: call.number)
    ]
    faults = [] if made == due else [f"the calls of draw {draw.row.id} do not follow its order"]
    seated = sum(one.outcome == CallOutcome.ACCEPTED for one in draw.calls)
    if draw.row.state == DrawState.SEATED and seated != draw.seats:
        faults.append(f"draw {draw.row.id} is complete with {seated} of {draw.seats} seats")
    return faults


def _as_walked(outcome: str) -> CallOutcome:
    """The outcome as the order alone tells it: who accepted was called."""
    told = CallOutcome(outcome)
    return CallOutcome.CALLED if told is CallOutcome.ACCEPTED else told
