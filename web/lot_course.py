"""What a published lot asks of its owners next, and what it waits for.

One step is next; others may be open beside it. Who else must act first is said as well, so that
nobody waits without knowing for whom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import col

from evaluation import committee_views, site_keeping
from evaluation.committee_views import CommitteeOutline
from evaluation.site_keeping import Site
from expert_pool import draw_history, drawing
from expert_pool.draw_history import DrawLine, DrawView
from expert_pool.rules.draw_protocol import DrawState
from kernel.access import Role
from kernel.identifiers import LotId
from kernel.store.tables import MembershipRow, OrganisationRow, PersonRow
from kernel.store.transaction import Transaction
from kernel.working_days import BEIJING
from trading import award_views, handover
from trading.award_views import LastAward, ObjectionTold
from trading.handover import LotBrief
from trading.notice_board import Notice
from trading.rules.lot_lifecycle import LotState

NOTICE_GIVEN: Final = timedelta(hours=3)
"""How long after the page is made a proposed evaluation begins at the earliest."""
BEGINS, ENDS_AT = time(9), time(18)
SEATS_PROPOSED: Final = (2, 2)
ROWS_MIN: Final = 5


class Step(StrEnum):
    """An act of the owners', or what they wait for."""

    ANSWER_OBJECTIONS = "answer_objections"
    AWAIT_DEADLINE = "await_deadline"
    AWAIT_CLOSING = "await_closing"
    ANNOUNCE_DRAW = "announce_draw"
    FOLLOW_DRAW = "follow_draw"
    FOLLOW_OPENING = "follow_opening"
    SIGN_RECORD = "sign_record"
    HAND_OVER = "hand_over"
    CONVENE = "convene"
    SEAT_SUCCESSORS = "seat_successors"
    AWAIT_SUCCESSORS = "await_successors"
    AWAIT_REPORT = "await_report"
    PUBLISH_CANDIDATES = "publish_candidates"
    AWAIT_STANDSTILL = "await_standstill"
    AWARD = "award"
    AWARD_NEXT = "award_next"
    ANNUL_AWARD = "annul_award"
    SEE_AWARD = "see_award"
    ENDED = "ended"


WAITING: Final = frozenset(
    {
        Step.AWAIT_DEADLINE,
        Step.AWAIT_CLOSING,
        Step.FOLLOW_DRAW,
        Step.FOLLOW_OPENING,
        Step.AWAIT_SUCCESSORS,
        Step.AWAIT_REPORT,
        Step.AWAIT_STANDSTILL,
    }
)
"""Where the owners have nothing to do but see that others do."""

BEFORE_CLOSE: Final = frozenset({LotState.DRAFT, LotState.OPEN, LotState.CLOSING})
ENDED_WITHOUT_AWARD: Final = frozenset({LotState.FAILED, LotState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Course:
    """Where a published lot stands, as far as its owners may know it."""

    state: LotState
    brief: LotBrief | None
    """None before the close, when nobody may know more of it than the public, and when it ended
    without an award."""

    draws: tuple[DrawLine, ...]
    committee: CommitteeOutline | None
    objections: tuple[ObjectionTold, ...]
    """Those that wait for the owners' answer, the first due first."""

    last_award: LastAward = LastAward.NONE
    """What has become of the newest award."""

    review_round: int | None = None
    """The round of a prequalification whose applications its committee reviews."""

    @property
    def draw(self) -> DrawLine | None:
        """The lot's newest draw."""
        return self.draws[-1] if self.draws else None

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is open now: what the owners must do first, and then what they wait for."""
        found = [Step.ANSWER_OBJECTIONS] if self.objections else []
        found += self._steps()
        return tuple(sorted(dict.fromkeys(found), key=lambda step: step in WAITING))

    def _steps(self) -> list[Step]:
        match self.state:
            case LotState.DRAFT if self.review_round is not None:
                return self._drawing() or [Step.AWAIT_REPORT]
            case LotState.DRAFT | LotState.OPEN:
                return [Step.AWAIT_DEADLINE]
            case LotState.CLOSING:
                return [Step.AWAIT_CLOSING]
            case LotState.CLOSED | LotState.OPENING:
                return [*self._drawing(), Step.FOLLOW_OPENING]
            case LotState.OPENED:
                recorded = self.brief is not None and self.brief.opening_record is not None
                return [Step.HAND_OVER if recorded else Step.SIGN_RECORD, *self._drawing()]
            case LotState.IN_EVALUATION:
                return [*self._drawing(), Step.AWAIT_REPORT]
            case LotState.EVALUATED:
                return [Step.PUBLISH_CANDIDATES]
            case LotState.CANDIDATES_PUBLISHED:
                return [Step.AWAIT_STANDSTILL]
            case LotState.CLEARED_FOR_AWARD:
                fell = self.last_award is LastAward.ANNULLED
                return [Step.AWARD_NEXT if fell else Step.AWARD]
            case LotState.AWARDED:
                given_up = self.last_award is LastAward.RENOUNCED
                return [Step.ANNUL_AWARD] if given_up else [Step.SEE_AWARD]
            case LotState.FAILED | LotState.CANCELLED:
                return [Step.ENDED]

    def _drawing(self) -> list[Step]:
        """What the committee still asks for: its draw, its members, or successors."""
        drawn = self.draw is not None and self.draw.state is DrawState.SEATED
        if self.committee is not None:
            if not self.committee.vacant_experts + self.committee.vacant_representatives:
                return []
            return [Step.SEAT_SUCCESSORS if drawn else Step.AWAIT_SUCCESSORS]
        if drawn:
            return [Step.CONVENE]
        live = self.draw is not None and self.draw.state is not DrawState.VOID
        return [Step.FOLLOW_DRAW] if live else [Step.ANNOUNCE_DRAW]


async def course_of(tx: Transaction, found: Notice) -> Course:
    """Where an own published lot stands."""
    lot_id, state = found.line.lot_id, found.line.state
    closed = state not in BEFORE_CLOSE | ENDED_WITHOUT_AWARD
    waiting = [
        one
        for one in await award_views.objections_at_hand(tx)
        if one.lot_id == lot_id and one.may_answer
    ]
    return Course(
        state,
        await handover.own_lot_brief(tx, lot_id) if closed else None,
        await draw_history.draws_of_committee(tx, lot_id),
        await committee_views.own_committee(tx, lot_id) if closed else None,
        tuple(sorted(waiting, key=lambda one: one.answer_due_at)),
        await award_views.last_award(tx, lot_id),
    )


async def review_course_of(tx: Transaction, lot_id: LotId, round: int) -> Course:
    """Where the review committee of a prequalification stands, whose applications are open."""
    brief = await handover.own_review_brief(tx, lot_id, round)
    return Course(
        brief.state,
        brief,
        await draw_history.draws_of_committee(tx, lot_id, round),
        await committee_views.own_committee(tx, lot_id, round),
        (),
        review_round=round,
    )


# ── what the forms propose ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class DrawProposed:
    """What the form of a draw begins with: the last void round's terms, or the lot's own."""

    parties: list[dict[str, str]]
    """Those that are fixed by the lot; the form adds the supervisor and the centre."""

    sitting_out: tuple[str, ...]
    supervisors: list[tuple[str, str]]
    centres: list[tuple[str, str]]
    strata: list[dict[str, Any]]
    representatives: int
    window_from: str
    window_until: str


async def draw_proposed(tx: Transaction, course: Course) -> DrawProposed:
    """What a new draw for the lot would sensibly ask for."""
    assert course.brief is not None
    last: DrawView | None = None
    if course.draw is not None:
        last = await draw_history.draw_view(tx, course.draw.id)
    failed = set(last.at_fault) if last is not None else set()
    out = {
        str(one.organisation_id)
        for one in (() if last is None else last.parties)
        if one.name in failed
    }
    own = {"tenderee": course.brief.tenderee_id, "agency": course.brief.agency_id}
    strata = list(last.told["strata"]) if last is not None else _strata(course.brief.region_code)
    begins = _next_morning(tx.now + NOTICE_GIVEN)
    return DrawProposed(
        parties=[
            {"name": name, "organisation": str(party)}
            for name, party in own.items()
            if party is not None and str(party) not in out
        ],
        sitting_out=tuple(sorted(failed)),
        supervisors=await _verified(tx, Role.SUPERVISOR, without=out),
        centres=await _verified(tx, Role.CENTRE_STAFF, without=out),
        strata=strata + [{}] * max(1, ROWS_MIN - len(strata)),
        representatives=int(last.told["representatives"]) if last is not None else 1,
        window_from=f"{begins:%Y-%m-%dT%H:%M}",
        window_until=f"{begins.replace(hour=ENDS_AT.hour):%Y-%m-%dT%H:%M}",
    )


@dataclass(frozen=True, slots=True)
class CommitteeProposed:
    """What the form of a committee begins with."""

    sites: Sequence[Site]
    regions: list[tuple[str, str]]
    """(region of drawn experts, the site that lies there or else the host's)."""

    host: str
    representatives: list[tuple[str, str]]


async def committee_proposed(tx: Transaction, course: Course) -> CommitteeProposed:
    """Where a committee would sensibly sit, and who may speak for the tenderee.

    Of those drawn only the regions are told, which whoever convenes must give a site to.
    """
    assert course.brief is not None
    sites = [one for one in await site_keeping.sites(tx) if one.seats]
    by_region = {one.region_code: str(one.id) for one in reversed(sites)}
    first = str(sites[0].id) if sites else ""
    host = by_region.get(course.brief.region_code, first)
    regions: set[str] = set()
    if course.committee is None:
        drawn = await drawing.drawn_experts(tx, course.brief.lot_id, course.review_round)
        regions = {one.region_code for one in drawn}
    return CommitteeProposed(
        sites,
        [(region, by_region.get(region, host)) for region in sorted(regions)],
        host,
        await _representatives(tx, course.brief),
    )


# ── what the above is made of ─────────────────────────────────────────────────────────────────


def _strata(region: str) -> list[dict[str, Any]]:
    """Half of the experts from the host's region, half from anywhere."""
    here, elsewhere = SEATS_PROPOSED
    return [
        {"name": "主场专家", "specialism": "", "region": region, "seats": here},
        {"name": "异地专家", "specialism": "", "region": "", "seats": elsewhere},
    ]


def _next_morning(after: datetime) -> datetime:
    """The first morning in Beijing at which an evaluation could begin after this instant."""
    local = after.astimezone(BEIJING)
    begins = local.replace(hour=BEGINS.hour, minute=0, second=0, microsecond=0)
    return begins if begins >= local else begins + timedelta(days=1)


async def _verified(tx: Transaction, role: Role, *, without: set[str]) -> list[tuple[str, str]]:
    rows = await tx.session.execute(
        select(col(OrganisationRow.id), col(OrganisationRow.name))
        .where(
            col(OrganisationRow.roles).contains([str(role)]),
            col(OrganisationRow.verified_at).is_not(None),
        )
        .order_by(col(OrganisationRow.name))
        .limit(200)
    )
    return [(str(id), name) for id, name in rows if str(id) not in without]


async def _representatives(tx: Transaction, brief: LotBrief) -> list[tuple[str, str]]:
    rows = await tx.session.execute(
        select(col(PersonRow.id), col(PersonRow.name))
        .join(MembershipRow, col(MembershipRow.person_id) == col(PersonRow.id))
        .where(
            col(MembershipRow.party_id) == brief.tenderee_id,
            col(MembershipRow.role) == Role.OWNER_REPRESENTATIVE,
            col(MembershipRow.ended_at).is_(None),
        )
        .order_by(col(PersonRow.name))
    )
    return [(str(id), name) for id, name in rows]
