"""Who may object to what, until when, by when it is answered, and what must wait.

Four kinds under the tendering law (异议): to the prequalification documents, until two days before
applications are due; to the tender documents, until ten days before bids are; to the opening, on
the spot; to the result, while the candidates are published. All but the third pull the brake until
they are answered; the third is answered on the spot, and the opening does not end before. In
government procurement a supplier challenges (质疑) within seven working days of knowing, the result
of a prequalification too, and nothing waits unless the authority says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.errors import NoCalendar
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    Article,
    Regime,
    Severity,
    under,
)
from kernel.working_days import (
    BEIJING,
    Calendar,
    beijing_day,
    days_before,
    end_of_day,
    last_working_day,
)
from trading.rules import prequalification
from trading.rules.procedures import Switches
from trading.rules.timetable import calendar_missing


class ObjectionKind(StrEnum):
    """What is objected to."""

    PREQUALIFICATION = "prequalification"
    """The documents by which applicants apply and are judged."""

    QUALIFICATION = "qualification"
    """Who passed the prequalification, which only a procurement lets one challenge."""

    DOCUMENTS = "documents"
    OPENING = "opening"
    RESULT = "result"


class Interest(StrEnum):
    """How whoever objects is concerned with the lot."""

    BIDDER = "bidder"
    APPLICANT = "applicant"
    POTENTIAL_BIDDER = "potential_bidder"
    INTERESTED_PARTY = "interested_party"
    NONE = "none"


KIND_NAMES: Final[Mapping[ObjectionKind, str]] = MappingProxyType(
    {
        ObjectionKind.PREQUALIFICATION: "资格预审文件",
        ObjectionKind.QUALIFICATION: "资格预审结果",
        ObjectionKind.DOCUMENTS: "招标文件",
        ObjectionKind.OPENING: "开标",
        ObjectionKind.RESULT: "评标结果",
    }
)

OBJECTION_ARTICLES: Final[Mapping[ObjectionKind, Article]] = MappingProxyType(
    {
        ObjectionKind.PREQUALIFICATION: BIDDING_REGULATION[22],
        # Nobody objects to it under the tendering law, but complains of it at once.
        ObjectionKind.QUALIFICATION: BIDDING_REGULATION[60],
        ObjectionKind.DOCUMENTS: BIDDING_REGULATION[22],
        ObjectionKind.OPENING: BIDDING_REGULATION[44],
        ObjectionKind.RESULT: BIDDING_REGULATION[54],
    }
)

OF_PREQUALIFICATION: Final = frozenset(
    {ObjectionKind.PREQUALIFICATION, ObjectionKind.QUALIFICATION}
)
"""What is there to object to before the lot is put out to bids."""

RESULT_NOTICE_WORKING_DAYS: Final = 1
"""How long the result of a procurement is on notice (政府采购货物和服务招标投标管理办法 69)."""

_WHOEVER_MEANS_TO_BID: Final = frozenset(
    {Interest.BIDDER, Interest.POTENTIAL_BIDDER, Interest.INTERESTED_PARTY}
)
_MAY_OBJECT: Final[Mapping[ObjectionKind, frozenset[Interest]]] = MappingProxyType(
    {
        ObjectionKind.PREQUALIFICATION: _WHOEVER_MEANS_TO_BID,
        ObjectionKind.QUALIFICATION: frozenset({Interest.APPLICANT}),
        ObjectionKind.DOCUMENTS: _WHOEVER_MEANS_TO_BID,
        ObjectionKind.OPENING: frozenset({Interest.BIDDER}),
        ObjectionKind.RESULT: frozenset({Interest.BIDDER, Interest.INTERESTED_PARTY}),
    }
)


@dataclass(frozen=True, slots=True)
class ObjectionFacts:
    """An objection as it is raised, and the moments of its lot that decide about it.

    Moments that have not come are None. `known_on` is the day on which a procurement supplier knew
    or ought to have known what it challenges.
    """

    kind: ObjectionKind
    raised_at: datetime
    interest: Interest
    bids_due_at: datetime | None = None
    applications_due_at: datetime | None = None
    opening_begun_at: datetime | None = None
    opening_recorded_at: datetime | None = None
    candidates_from: datetime | None = None
    candidates_until: datetime | None = None
    known_on: date | None = None


@under(
    BIDDING_REGULATION[22],
    BIDDING_REGULATION[44],
    BIDDING_REGULATION[54],
    BIDDING_REGULATION[60],
    PROCUREMENT_LAW[52],
    PROCUREMENT_REGULATION[53],
    rule=("NO-11", "OP-05", "AW-03", "CO-01", "CO-07", "CO-08"),
)
def objection_refusals(
    facts: ObjectionFacts, switches: Switches, *, calendar: Calendar
) -> list[Refusal]:
    """Every ground on which an objection is not accepted."""
    refusals = []
    article = objection_article(facts.kind, switches)
    if facts.interest not in _MAY_OBJECT[facts.kind]:
        reason = f"与本标段没有利害关系的，不能对{KIND_NAMES[facts.kind]}提出异议"
        refusals.append(Refusal("no_interest", article, reason, {"kind": str(facts.kind)}))
    if switches.challenge_period is not None and facts.kind is not ObjectionKind.OPENING:
        return refusals + _late_challenge(facts, switches, calendar)
    match facts.kind:
        case ObjectionKind.PREQUALIFICATION:
            refusals += _late_for_prequalification(facts)
        case ObjectionKind.QUALIFICATION:
            reason = "对资格预审结果不设异议程序，可以依法直接向行政监督部门投诉"
            refusals.append(Refusal("complain_at_once", article, reason))
        case ObjectionKind.DOCUMENTS:
            refusals += _late_for_documents(facts, switches)
        case ObjectionKind.OPENING:
            refusals += _not_on_the_spot(facts)
        case ObjectionKind.RESULT:
            refusals += _outside_publicity(facts)
    return refusals


def objection_article(kind: ObjectionKind, switches: Switches) -> Article:
    """The article that lets somebody object here; in procurement, the one on challenges."""
    if switches.challenge_period is None or kind is ObjectionKind.OPENING:
        return OBJECTION_ARTICLES[kind]
    return switches.challenge_period.article


def objection_until(
    facts: ObjectionFacts, switches: Switches, *, calendar: Calendar
) -> datetime | None:
    """Until when one may object here; None where no end is known yet, or where it is on the spot.

    Whether it is too early, and who may, is what `objection_refusals` says.
    """
    if facts.kind is ObjectionKind.OPENING:
        return None
    if switches.challenge_period is not None:
        try:
            return _challenge_until(facts, switches, calendar)
        except NoCalendar:
            return None
    match facts.kind:
        case ObjectionKind.PREQUALIFICATION if facts.applications_due_at is not None:
            return prequalification.objection_until(facts.applications_due_at)
        case ObjectionKind.DOCUMENTS if facts.bids_due_at is not None:
            return documents_objection_until(facts.bids_due_at, switches)
        case ObjectionKind.RESULT:
            return facts.candidates_until
        case _:
            return None


def documents_objection_until(bids_due_at: datetime, switches: Switches) -> datetime | None:
    """The last instant at which the documents may still be objected to; None in procurement."""
    days = switches.documents_objection_days
    return None if days is None else days_before(bids_due_at, days)


@under(PROCUREMENT_REGULATION[53], rule="CO-08")
def result_known_on(published_on: date, *, calendar: Calendar) -> date:
    """The day on which a published result ought to be known: the last of its notice's period."""
    return last_working_day(published_on, RESULT_NOTICE_WORKING_DAYS, calendar=calendar)


@under(
    BIDDING_REGULATION[22],
    BIDDING_REGULATION[54],
    PROCUREMENT_LAW[53],
    rule=("NO-11", "AW-03", "CO-07"),
)
def answer_due_at(
    kind: ObjectionKind,
    raised_at: datetime,
    switches: Switches,
    *,
    calendar: Calendar,
) -> datetime:
    """The instant by which the objection must be answered; at once for one to the opening."""
    if kind is ObjectionKind.OPENING:
        return raised_at
    return end_of_day(switches.answer_period.ends_on(beijing_day(raised_at), calendar=calendar))


@under(BIDDING_REGULATION[22], BIDDING_REGULATION[54], rule=("NO-11", "AW-03"))
def must_wait(kind: ObjectionKind, switches: Switches) -> bool:
    """Whether the lot stands still until the objection is answered (作出答复前，应当暂停)."""
    at_once = kind in (ObjectionKind.OPENING, ObjectionKind.QUALIFICATION)
    return switches.regime is Regime.TENDERING and not at_once


@under(
    BIDDING_REGULATION[22],
    BIDDING_REGULATION[44],
    BIDDING_REGULATION[54],
    rule=("NO-11", "OP-05", "AW-03"),
)
def answer_refusals(
    kind: ObjectionKind, *, answered_already: bool, answer: str, withdrawn: bool = False
) -> list[Refusal]:
    """Why an answer is not accepted: there is one, it says nothing, or nobody asks any more."""
    article = OBJECTION_ARTICLES[kind]
    refusals = []
    if withdrawn:
        refusals.append(Refusal("withdrawn", article, "该异议已经撤回"))
    if answered_already:
        refusals.append(Refusal("answered", article, "该异议已经答复"))
    if not answer.strip():
        refusals.append(Refusal("answer_empty", article, "答复内容不得为空"))
    return refusals


@under(
    BIDDING_REGULATION[22],
    BIDDING_REGULATION[44],
    BIDDING_REGULATION[54],
    PROCUREMENT_LAW[52],
    rule=("NO-11", "AW-03"),
)
def withdrawal_refusals(
    kind: ObjectionKind, switches: Switches, *, answered: bool, withdrawn: bool
) -> list[Refusal]:
    """Why an objection cannot be taken back: it was answered, or was taken back before."""
    article = objection_article(kind, switches)
    refusals = []
    if answered:
        refusals.append(Refusal("answered", article, "该异议已经答复，不能撤回"))
    if withdrawn:
        refusals.append(Refusal("withdrawn", article, "该异议已经撤回"))
    return refusals


@under(
    BIDDING_REGULATION[22],
    BIDDING_REGULATION[54],
    PROCUREMENT_LAW[53],
    rule=("NO-11", "AW-03"),
    severity=Severity.WARN,
)
def answer_cautions(
    kind: ObjectionKind, *, answered_at: datetime, due_at: datetime, switches: Switches
) -> list[Caution]:
    """A late answer is warned of and taken all the same, since silence would harm more."""
    if kind is ObjectionKind.OPENING or answered_at < due_at:
        return []
    reason = f"答复逾期：应当在收到异议之日起{switches.answer_period}内作出答复"
    return [Caution("answered_late", switches.answer_period.article, reason)]


def _late_for_prequalification(facts: ObjectionFacts) -> list[Refusal]:
    if facts.applications_due_at is None:
        return []
    return prequalification.objection_refusals(
        raised_at=facts.raised_at, applications_due_at=facts.applications_due_at
    )


def _late_for_documents(facts: ObjectionFacts, switches: Switches) -> list[Refusal]:
    if facts.bids_due_at is None:
        return []
    until = documents_objection_until(facts.bids_due_at, switches)
    if until is None or facts.raised_at <= until:
        return []
    reason = (
        f"对招标文件的异议应当在投标截止时间{switches.documents_objection_days}日前提出，"
        f"即不晚于{_clock(until)}"
    )
    article = OBJECTION_ARTICLES[ObjectionKind.DOCUMENTS]
    return [Refusal("objection_late", article, reason, {"until": until.isoformat()})]


def _not_on_the_spot(facts: ObjectionFacts) -> list[Refusal]:
    article = OBJECTION_ARTICLES[ObjectionKind.OPENING]
    if facts.opening_begun_at is None or facts.raised_at < facts.opening_begun_at:
        return [Refusal("objection_early", article, "开标尚未开始，不能对开标提出异议")]
    if facts.opening_recorded_at is not None and facts.raised_at >= facts.opening_recorded_at:
        return [Refusal("objection_late", article, "开标已结束，对开标的异议应当在开标现场提出")]
    return []


def _outside_publicity(facts: ObjectionFacts) -> list[Refusal]:
    article = OBJECTION_ARTICLES[ObjectionKind.RESULT]
    if facts.candidates_from is None or facts.raised_at < facts.candidates_from:
        return [Refusal("objection_early", article, "中标候选人尚未公示，不能对评标结果提出异议")]
    if facts.candidates_until is not None and facts.raised_at >= facts.candidates_until:
        reason = f"中标候选人公示已于{_clock(facts.candidates_until)}结束"
        return [
            Refusal(
                "objection_late", article, reason, {"until": facts.candidates_until.isoformat()}
            )
        ]
    return []


def _challenge_until(
    facts: ObjectionFacts, switches: Switches, calendar: Calendar
) -> datetime | None:
    period = switches.challenge_period
    if period is None or facts.known_on is None:
        return None
    return end_of_day(period.ends_on(facts.known_on, calendar=calendar))


def _late_challenge(facts: ObjectionFacts, switches: Switches, calendar: Calendar) -> list[Refusal]:
    period = switches.challenge_period
    try:
        until = _challenge_until(facts, switches, calendar)
    except NoCalendar as missing:
        return [calendar_missing(missing)]
    if period is None or until is None or facts.raised_at < until:
        return []
    reason = f"质疑应当在知道或者应知其权益受到损害之日起{period}内提出，已逾期"
    return [Refusal("objection_late", period.article, reason, {"until": until.isoformat()})]


def _clock(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
