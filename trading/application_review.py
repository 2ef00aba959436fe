"""What a review committee is told of a prequalification, and the report that it brings back.

The door to it is `handover`: evaluation knows nothing else of trading. Nobody is told who applied
before the release window is over, and members read only while the review lasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from kernel.access import Role, by
from kernel.errors import NotFound, Refused
from kernel.identifiers import LotId, PartyId
from kernel.store.transaction import Transaction
from trading import lots, prequalification_views, prequalifying
from trading.events import ApplicationsRead
from trading.prequalification_rounds import addenda_of, newest_round, phase_now
from trading.prequalification_views import Applicant
from trading.prequalifying import Conclusion, Reviewed
from trading.rules.prequalification import Condition, Finding, Phase, stage_refusals
from trading.tables import LotRow, PrequalificationRow, ProjectRow

ApplicationShown = Applicant
FindingMade = Finding


@dataclass(frozen=True, slots=True)
class SignedReview:
    """A review committee's report, signed by its members, and what it found of each applicant."""

    lot_id: LotId
    round: int
    report_digest: bytes
    report: bytes
    findings: Mapping[PartyId, Sequence[Finding]]


@by(Role.TENDEREE, Role.AGENCY)
async def own_round(tx: Transaction, lot_id: UUID) -> int:
    """The newest round of the prequalification of an own lot; `NotFound` where there is none."""
    await lots.owned(tx, lot_id)
    found = await newest_round(tx.session, lot_id)
    if found is None:
        raise NotFound("no prequalification of this lot")
    return found.round


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def conditions_of(tx: Transaction, lot_id: LotId, round: int) -> tuple[Condition, ...]:
    """The published conditions by which the applications of a round are judged."""
    _, _, found = await round_of(tx, lot_id, round)
    return tuple(Condition(one["id"], one["name"]) for one in found.conditions)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def applications(tx: Transaction, lot_id: LotId, round: int) -> tuple[Applicant, ...]:
    """The opened applications before the committee; each look is recorded."""
    lot, project, found = await round_of(tx, lot_id, round)
    return await prequalification_views.applicants_in(tx, lot, project, found)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def application_file(
    tx: Transaction, lot_id: LotId, round: int, application_id: UUID, name: str
) -> bytes:
    """One file of an opened application; each look is recorded."""
    lot, _, found = await round_of(tx, lot_id, round)
    return await prequalification_views.file_in(tx, lot, found, application_id, name)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def application_paper(
    tx: Transaction, lot_id: LotId, round: int, application_id: UUID, reference: str
) -> tuple[str, bytes]:
    """The scanned paper of a library's entry that an application refers to: its name and bytes."""
    lot, _, found = await round_of(tx, lot_id, round)
    return await prequalification_views.library_file_in(tx, lot, found, application_id, reference)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def take_review(tx: Transaction, review: SignedReview) -> Reviewed:
    """Take a signed report over, and tell every applicant its result.

    `Refused` while the lot stands still, where the review is over, and where the report does not
    judge every opened application by every published condition.
    """
    lot = await lots.lock(tx, review.lot_id)
    _, _, found = await round_of(tx, review.lot_id, review.round)
    return await prequalifying.conclude(
        tx,
        lot,
        found,
        review.findings,
        Conclusion(review.report_digest, review.report, by_committee=True),
        against=await prequalifying.unready(tx, lot, found),
    )


# ── for the neighbours in this house ──────────────────────────────────────────────────────────


async def round_of(
    tx: Transaction, lot_id: UUID, round: int
) -> tuple[LotRow, ProjectRow, PrequalificationRow]:
    """A round of a lot's prequalification whose release window is over; `Refused` before."""
    lot = await lots.hold(tx, lot_id)
    found = await tx.session.get(PrequalificationRow, (lot_id, round))
    if found is None:
        raise NotFound("no such prequalification")
    phase = await phase_now(tx, found)
    if phase in (Phase.APPLYING, Phase.RELEASING):
        raise Refused(stage_refusals(phase, Phase.REVIEWING))
    return lot, await tx.session.get_one(ProjectRow, lot.project_id), found


async def parties_of(tx: Transaction, lot: LotRow, found: PrequalificationRow) -> list[PartyId]:
    """Everybody who applied by an opened application, the members of consortia included."""
    parties: list[PartyId] = []
    for one in await prequalifying.opened_applications(tx, found):
        bidder = await prequalifying.applicant_in(tx, lot, found, one)
        parties += sorted(bidder.parties)
    tx.record(ApplicationsRead(lot.id, round=found.round))
    return parties


async def call_entry(tx: Transaction, found: PrequalificationRow) -> UUID:
    """The journal's entry that fixed until when applications are taken and released."""
    amended = bool(await addenda_of(tx.session, found))
    kind = "PrequalificationAmended" if amended else "PrequalificationAnnounced"
    return await lots.entry_of(tx, found.lot_id, kind)
