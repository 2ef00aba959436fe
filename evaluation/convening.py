"""Forming a committee: those drawn and the tenderee's own, each with a seat at one of the sites.

Whoever convenes says which site takes in the experts of which region, and who speaks for the
tenderee; the experts come from the draw, and no name comes back. Members get numbers in an order of
chance, so that a number tells neither a list nor a place in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlmodel import col, select

from evaluation import committees
from evaluation.events import CommitteeConvened, MemberSucceeded
from evaluation.rules.committee_composition import (
    CommitteeDemands,
    CommitteeMember,
    MemberKind,
    OtherSide,
    ProposedCommittee,
    composition_refusals,
    spread_cautions,
)
from evaluation.rules.session_protocol import (
    MemberReplaced,
    Phase,
    Seat,
    placing_refusals,
    seating_refusals,
)
from evaluation.tables import CommitteeRow, MemberRow, SeatRow, SiteRow
from expert_pool import drawing
from kernel.access import Role, by
from kernel.errors import NotFound, NotPermitted, Outrun, Refused
from kernel.identifiers import CommitteeId, LotId, PersonId, SiteId
from kernel.randomness import random_bytes, random_id, random_order
from kernel.refusals import Caution, Refusal
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, REMOTE_EVALUATION_NOTICE, under
from kernel.store.clocks import unshifted_clock
from kernel.store.database import lock_exclusive
from kernel.store.parties import Organisation, organisation, take_part
from kernel.store.tables import CapacityRow, MembershipRow
from kernel.store.transaction import Transaction
from trading import handover
from trading.handover import LotBrief

SALT_SIZE: Final = 16

OTHER_SIDES: Final[Mapping[Role, OtherSide]] = {
    Role.BIDDER: OtherSide.BIDDER,
    Role.AGENCY: OtherSide.AGENCY,
    Role.SUPERVISOR: OtherSide.SUPERVISOR,
    Role.CUSTODIAN: OtherSide.CUSTODIAN,
    Role.CENTRE_STAFF: OtherSide.SITE_STAFF,
    Role.SITE_ADMINISTRATOR: OtherSide.SITE_STAFF,
}


@dataclass(frozen=True, slots=True)
class CommitteeRequest:
    """What whoever convenes says: the host site, where each region's experts sit, and who speaks
    for the tenderee; with a `review_round` the committee reviews the applications of that round."""

    lot_id: LotId
    host_site: SiteId
    placement: Mapping[str, SiteId]
    representatives: tuple[PersonId, ...] = ()
    review_round: int | None = None


@dataclass(frozen=True, slots=True)
class Convened:
    """The committee that was formed, and what is doubtful about where it sits."""

    committee_id: CommitteeId
    cautions: list[Caution]


@dataclass(frozen=True, slots=True)
class Designate:
    """Someone who is to sit in the committee, before a seat was found."""

    person_id: PersonId
    expert_id: UUID | None
    kind: MemberKind
    employer_uscc: str
    region_code: str
    site_id: UUID


@by(Role.TENDEREE, Role.AGENCY)
async def convene(tx: Transaction, request: CommitteeRequest) -> Convened:
    """Form a committee of the lot, once every drawn seat is accepted.

    `Outrun` where it has one, `NotFound` while the draw is not complete, `Refused` with every
    ground on which these people may not be convened at these sites.
    """
    review = request.review_round
    brief = await committees.own_brief(tx, request.lot_id, review)
    # Seats are given out here alone, so that no two committees get the same one.
    await lock_exclusive(tx.session, "seats")
    if await committees.find_of_lot(tx, request.lot_id, review) is not None:
        raise Outrun("the lot has a committee")
    drawn = await drawing.drawn_experts(tx, request.lot_id, review)
    window_from, window_until = await drawing.called_for(tx, request.lot_id, review)
    sites = await _sites(tx, {request.host_site, *request.placement.values()})
    tenderee = await organisation(tx, brief.tenderee_id)

    refusals = unplaced_refusals([one.region_code for one in drawn], request.placement)
    refusals += await _representative_refusals(tx, brief, request.representatives)
    if refusals:
        raise Refused(refusals)
    designates = [_from_draw(one, request.placement) for one in drawn] + [
        _speaking_for(tenderee, person, request.host_site) for person in request.representatives
    ]
    proposed = await _proposed(tx, brief, designates, tenderee_uscc=tenderee.uscc)
    refusals = composition_refusals(proposed, _demands(brief))
    committee = CommitteeRow(
        id=random_id(),
        lot_id=request.lot_id,
        review_round=review,
        host_site_id=request.host_site,
        tenderee_id=brief.tenderee_id,
        agency_id=brief.agency_id,
        phase=Phase.CONVENING,
        placement={region: str(site) for region, site in request.placement.items()},
        window_from=window_from,
        window_until=window_until,
        convened_at=tx.now,
    )
    members, unplaced = await _seated(tx, committee, designates, sites, first=1)
    refusals += unplaced or seating_refusals(
        [Seat(one.id, one.site_id, one.seat_id) for one in members],
        host_site=request.host_site,
    )
    if refusals:
        raise Refused(refusals)

    await take_part(tx, request.lot_id)
    tx.session.add(committee)
    await tx.session.flush()
    tx.session.add_all(members)

    tx.record(
        CommitteeConvened(
            request.lot_id,
            CommitteeId(committee.id),
            members=len(members),
            experts=len(drawn),
            sites=len({one.site_id for one in members}),
            window_from=window_from,
            window_until=window_until,
        )
    )

    cautions = spread_cautions(proposed, host_site_id=request.host_site)
    if review is not None:
        return Convened(CommitteeId(committee.id), cautions)
    cautions += await handover.group_cautions(
        tx, request.lot_id, members=len(members), experts=len(drawn)
    )
    return Convened(CommitteeId(committee.id), cautions)


@by(Role.TENDEREE, Role.AGENCY)
async def seat_successors(
    tx: Transaction,
    committee_id: CommitteeId,
    *,
    representatives: Sequence[PersonId] = (),
) -> int:
    """Seat successors in the place of members who left; how many were seated.

    Experts are those whom the draw called; for its own people the tenderee names
    `representatives`, who sit at the host site. `NotFound` while the draw waits for an answer.
    """
    await lock_exclusive(tx.session, "seats")
    file = await committees.lock(tx, committee_id)
    brief = await committees.own_brief(tx, file.lot_id, file.row.review_round)
    drawn = await drawing.drawn_experts(tx, file.lot_id, file.row.review_round)
    placement = {region: SiteId(UUID(site)) for region, site in file.row.placement.items()}
    sites = await _sites(tx, set(placement.values()))
    known = {one.person_id for one in file.everyone}
    fresh = [one for one in drawn if one.person_id not in known]
    vacated = [one for one in file.places if one.left_at is not None]
    open_to_named = sum(one.expert_id is None for one in vacated)
    open_to_drawn = len(vacated) - open_to_named

    refusals = unplaced_refusals([one.region_code for one in fresh], placement)
    refusals += await _representative_refusals(tx, brief, representatives)
    refusals += vacancy_refusals(named=len(representatives), vacant=open_to_named)
    refusals += succession_refusals(drawn=len(fresh), vacant=open_to_drawn)
    if refusals:
        raise Refused(refusals)
    designates = [_from_draw(one, placement) for one in fresh]
    tenderee = await organisation(tx, brief.tenderee_id)
    designates += [
        _speaking_for(tenderee, person, SiteId(file.row.host_site_id)) for person in representatives
    ]
    staying = [
        Designate(
            PersonId(one.person_id),
            one.expert_id,
            MemberKind(one.capacity),
            one.employer_uscc,
            one.region_code,
            one.site_id,
        )
        for one in file.members
    ]
    proposed = await _proposed(tx, brief, staying + designates, tenderee_uscc=tenderee.uscc)
    if len(designates) == len(vacated):
        refusals = composition_refusals(proposed, _demands(brief))
    first = 1 + max(one.number for one in file.everyone)
    members, unplaced = await _seated(tx, file.row, designates, sites, first=first)
    if refusals + unplaced:
        raise Refused(refusals + unplaced)

    await take_part(tx, file.lot_id)
    tx.session.add_all(members)
    await tx.session.flush()
    now = await unshifted_clock(tx.session)
    places = await committees.seats_and_sites(tx, members)
    for left, successor in _paired(vacated, members):
        seat, site = places[successor.id]
        await committees.step_on(
            tx,
            file,
            MemberReplaced(left.id, Seat(successor.id, successor.site_id, successor.seat_id), now),
        )
        left.successor_id = successor.id
        successor.succeeded_entry = tx.record(
            MemberSucceeded(
                file.lot_id, file.id, left.number, successor.number, site.name, seat.number
            )
        )
        tx.session.add_all([left, successor])

    return len(members)


def _demands(brief: LotBrief) -> CommitteeDemands:
    """What the lot's procedure asks of its committee."""
    return CommitteeDemands(
        brief.regime, members_min=brief.committee_min, size_article=brief.committee_article
    )


@under(REMOTE_EVALUATION_NOTICE[4], rule="RE-04")
def unplaced_refusals(regions: Sequence[str], placement: Mapping[str, SiteId]) -> list[Refusal]:
    """Why these experts cannot be seated: nobody said where those of their region sit."""
    missing = Counter(region for region in regions if region not in placement)
    return [
        Refusal(
            "region_unplaced",
            REMOTE_EVALUATION_NOTICE[4],
            f"未指定{region}地区{count}名专家的评标场所",
            {"region": region},
        )
        for region, count in sorted(missing.items())
    ]


@under(BIDDING_LAW[37], rule="EX-01")
def representative_refusals(*, named: int, entitled: int) -> list[Refusal]:
    """Why these people may not sit for the tenderee: not all of them represent it."""
    if named == entitled:
        return []
    reason = f"{named - entitled}名人员不是招标人登记的代表，不得作为招标人代表参加评标"
    return [Refusal("not_a_representative", BIDDING_LAW[37], reason)]


@under(BIDDING_LAW[37], rule="EX-01")
def vacancy_refusals(*, named: int, vacant: int) -> list[Refusal]:
    """Why these people may not be named: none of the tenderee's own has left."""
    if named <= vacant:
        return []
    reason = f"招标人代表空缺{vacant}名，不得另行指定{named}名"
    return [Refusal("no_vacancy", BIDDING_LAW[37], reason)]


@under(BIDDING_REGULATION[48], rule="EX-12")
def succession_refusals(*, drawn: int, vacant: int) -> list[Refusal]:
    """Why so many drawn experts may not be seated: fewer members have left.

    Nobody is added to a committee, and a whole new one is no succession.
    """
    if drawn <= vacant:
        return []
    reason = f"需要补抽的专家成员为{vacant}名，不得以补抽为名增加为{drawn}名"
    return [Refusal("no_vacancy", BIDDING_REGULATION[48], reason)]


# ── what the above is made of ─────────────────────────────────────────────────────────────────


async def _sites(tx: Transaction, ids: set[SiteId]) -> dict[UUID, SiteRow]:
    rows = await tx.session.scalars(select(SiteRow).where(col(SiteRow.id).in_(ids)))
    found = {row.id: row for row in rows}
    if set(found) != set(ids):
        raise NotFound("no such site")
    return found


def _from_draw(expert: drawing.DrawnExpert, placement: Mapping[str, SiteId]) -> Designate:
    return Designate(
        expert.person_id,
        expert.expert_id,
        MemberKind.EXPERT,
        expert.employer_uscc,
        expert.region_code,
        placement[expert.region_code],
    )


def _speaking_for(tenderee: Organisation, person: PersonId, site: SiteId) -> Designate:
    return Designate(
        person, None, MemberKind.REPRESENTATIVE, tenderee.uscc, tenderee.region_code, site
    )


def _paired(
    vacated: Sequence[MemberRow], fresh: Sequence[MemberRow]
) -> list[tuple[MemberRow, MemberRow]]:
    """Who follows whom: an expert an expert, a representative a representative."""
    waiting = list(fresh)
    pairs = []
    for left in vacated:
        successor = next((one for one in waiting if one.capacity == left.capacity), None)
        if successor is not None:
            waiting.remove(successor)
            pairs.append((left, successor))
    return pairs


async def _representative_refusals(
    tx: Transaction, brief: LotBrief, persons: Sequence[PersonId]
) -> list[Refusal]:
    if len(set(persons)) != len(persons):
        raise NotPermitted("a representative is named once")
    entitled = await tx.session.scalars(
        select(MembershipRow.person_id).where(
            col(MembershipRow.person_id).in_(persons),
            col(MembershipRow.party_id) == brief.tenderee_id,
            col(MembershipRow.role) == Role.OWNER_REPRESENTATIVE,
            col(MembershipRow.ended_at).is_(None),
        )
    )
    return representative_refusals(named=len(persons), entitled=len(set(entitled)))


async def _proposed(
    tx: Transaction, brief: LotBrief, designates: Sequence[Designate], *, tenderee_uscc: str
) -> ProposedCommittee:
    rows = await tx.session.execute(
        select(CapacityRow.person_id, CapacityRow.role).where(
            col(CapacityRow.subject_id) == brief.lot_id,
            col(CapacityRow.person_id).in_([one.person_id for one in designates]),
        )
    )
    held: dict[UUID, set[OtherSide]] = {}
    for person_id, role in rows:
        if Role(role) in OTHER_SIDES:
            held.setdefault(person_id, set()).add(OTHER_SIDES[Role(role)])
    return ProposedCommittee(
        tuple(
            CommitteeMember(
                one.person_id,
                one.kind,
                one.employer_uscc,
                one.site_id,
                frozenset(held.get(one.person_id, ())),
            )
            for one in designates
        ),
        tenderee_uscc=tenderee_uscc,
    )


async def _seated(
    tx: Transaction,
    committee: CommitteeRow,
    designates: Sequence[Designate],
    sites: Mapping[UUID, SiteRow],
    *,
    first: int,
) -> tuple[list[MemberRow], list[Refusal]]:
    """A member for each of them, numbered by chance, at the first free seat of its site."""
    refusals: list[Refusal] = []
    free: dict[UUID, list[SeatRow]] = {}
    for site_id, wanted in Counter(one.site_id for one in designates).items():
        free[site_id] = await _free_seats(tx, committee, site_id)
        refusals += placing_refusals(
            wanted=wanted, free=len(free[site_id]), site=sites[site_id].name
        )
    if refusals:
        return [], refusals
    shuffled = [designates[place] for place in random_order(len(designates))]
    return [
        MemberRow(
            id=random_id(),
            committee_id=committee.id,
            person_id=one.person_id,
            expert_id=one.expert_id,
            number=number,
            capacity=one.kind,
            employer_uscc=one.employer_uscc,
            region_code=one.region_code,
            site_id=one.site_id,
            seat_id=free[one.site_id].pop(0).id,
            salt=random_bytes(SALT_SIZE),
            seated_at=tx.now,
        )
        for number, one in enumerate(shuffled, start=first)
    ], []


async def _free_seats(tx: Transaction, committee: CommitteeRow, site_id: UUID) -> list[SeatRow]:
    """The site's seats that nobody else needs in the committee's window, by number.

    Whoever left needs none any more.
    """
    taken = (
        select(MemberRow.seat_id)
        .join(CommitteeRow, col(CommitteeRow.id) == col(MemberRow.committee_id))
        .where(
            col(CommitteeRow.window_from) < committee.window_until,
            col(CommitteeRow.window_until) > committee.window_from,
            col(CommitteeRow.closed_at).is_(None),
            col(MemberRow.left_at).is_(None),
        )
    )
    rows = await tx.session.scalars(
        select(SeatRow)
        .where(col(SeatRow.site_id) == site_id, col(SeatRow.id).not_in(taken))
        .order_by(col(SeatRow.number))
    )
    return list(rows)
