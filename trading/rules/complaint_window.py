"""When a complaint (投诉) is in time, what must have come before it, and by when it is decided.

Under the tendering law: ten days from knowing, with the objection first where the law wants one,
and the time of its answer not counted. In government procurement: fifteen working days after the
answer to a challenge was due. The supervisor decides whether to take it up, and then decides the
matter; it may order a suspension meanwhile. What only the complaint measures say, which nobody here
has read, is warned of.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from kernel.errors import NoCalendar
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_REGULATION,
    COMPLAINT_MEASURES,
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
    end_of_day,
    last_day,
    last_working_day,
)
from trading.rules.objection_window import Interest
from trading.rules.timetable import calendar_missing

COMPLAINT_DAYS: Final = 10
ACCEPTANCE_WORKING_DAYS: Final = 3
DECISION_WORKING_DAYS: Final = 30
PROCUREMENT_COMPLAINT_WORKING_DAYS: Final = 15
PROCUREMENT_SUSPENSION_DAYS: Final = 30
INVESTIGATORS_MIN: Final = 2


class ComplaintAbout(StrEnum):
    """What is complained of; what the law lets one object to needs an objection first."""

    PREQUALIFICATION = "prequalification"
    """The prequalification documents."""

    QUALIFICATION = "qualification"
    """Who passed the prequalification."""

    DOCUMENTS = "documents"
    OPENING = "opening"
    RESULT = "result"
    CONDUCT = "conduct"


class Verdict(StrEnum):
    """How a complaint was decided."""

    UPHELD_CORRECT = "upheld_correct"
    """成立，责令改正。"""

    UPHELD_VOID = "upheld_void"
    """成立，招标、中标无效。"""

    DISMISSED = "dismissed"
    """缺乏事实根据或者法律依据，驳回。"""

    FALSE = "false"
    """捏造事实、伪造材料或者以非法手段取得证明材料，驳回。"""

    WITHDRAWN = "withdrawn"
    """投诉人撤回。"""


OBJECTION_FIRST: Final = frozenset(
    {
        ComplaintAbout.PREQUALIFICATION,
        ComplaintAbout.DOCUMENTS,
        ComplaintAbout.OPENING,
        ComplaintAbout.RESULT,
    }
)
"""What is objected to before it is complained of (招标投标法实施条例 22, 44, 54)."""

OF_PREQUALIFICATION: Final = frozenset(
    {ComplaintAbout.PREQUALIFICATION, ComplaintAbout.QUALIFICATION}
)
"""What is there to complain of before the lot is put out to bids."""


@dataclass(frozen=True, slots=True)
class PriorObjection:
    """The objection or challenge that came first: when it was raised, when answered or due."""

    raised_at: datetime
    answered_at: datetime | None
    answer_due_at: datetime


@dataclass(frozen=True, slots=True)
class ComplaintFacts:
    """A complaint as it is filed.

    `known_on` is the day on which the complainant knew or ought to have known. `names_complete`
    says that it names both sides with their contacts; `signed_by_representative` that a firm's
    legal representative signed it. `elsewhere` says that a review or a lawsuit is under way,
    `decided_before` that the matter was decided and nothing new is shown.
    """

    about: ComplaintAbout
    filed_at: datetime
    known_on: date
    interest: Interest
    request: str
    facts: str
    evidence: int
    objection: PriorObjection | None = None
    names_complete: bool = True
    signed_by_representative: bool = True
    elsewhere: bool = False
    decided_before: bool = False
    within_challenge: bool = True


@under(
    BIDDING_REGULATION[60],
    PROCUREMENT_LAW[55],
    PROCUREMENT_REGULATION[55],
    rule=("CO-01", "CO-07"),
)
def complaint_refusals(
    complaint: ComplaintFacts, regime: Regime, *, calendar: Calendar
) -> list[Refusal]:
    """Every ground on which the complaint is not taken in."""
    procurement = regime is Regime.PROCUREMENT
    article = PROCUREMENT_LAW[55] if procurement else BIDDING_REGULATION[60]
    form = PROCUREMENT_REGULATION[55] if procurement else BIDDING_REGULATION[60]
    refusals = []
    if complaint.interest is Interest.NONE:
        reason = "投诉人应当是投标人或者其他利害关系人"
        refusals.append(Refusal("no_interest", article, reason))
    if not complaint.request.strip():
        refusals.append(Refusal("no_request", form, "投诉应当有明确的请求"))
    if not complaint.facts.strip():
        refusals.append(Refusal("no_facts", form, "投诉应当写明基本事实"))
    if complaint.evidence < 1:
        refusals.append(Refusal("no_evidence", form, "投诉应当有必要的证明材料"))
    refusals += _objection_refusals(complaint, regime, article)
    if procurement and not complaint.within_challenge:
        reason = "投诉的事项不得超出已质疑事项的范围"
        refusals.append(Refusal("beyond_challenge", PROCUREMENT_REGULATION[55], reason))
    try:
        until = complaint_until(complaint, regime, calendar=calendar)
    except NoCalendar as missing:
        return [*refusals, calendar_missing(missing)]
    if until is not None and complaint.filed_at >= until:
        reason = f"投诉应当不晚于{_clock(until)}提出，已逾期"
        refusals.append(Refusal("complaint_late", article, reason, {"until": until.isoformat()}))
    return refusals


def _objection_refusals(
    complaint: ComplaintFacts, regime: Regime, article: Article
) -> list[Refusal]:
    needed = regime is Regime.PROCUREMENT or complaint.about in OBJECTION_FIRST
    if not needed:
        return []
    first = "质疑" if regime is Regime.PROCUREMENT else "异议"
    if complaint.objection is None:
        reason = f"应当先提出{first}，对答复不满意或者逾期未答复的，才能投诉"
        return [Refusal("objection_first", article, reason)]
    waits = (
        complaint.objection.answered_at is None
        and complaint.filed_at < complaint.objection.answer_due_at
    )
    if waits:
        reason = f"{first}答复期限至{_clock(complaint.objection.answer_due_at)}，期满前不能投诉"
        facts = {"until": complaint.objection.answer_due_at.isoformat()}
        return [Refusal("answer_awaited", article, reason, facts)]
    return []


def complaint_until(
    complaint: ComplaintFacts, regime: Regime, *, calendar: Calendar
) -> datetime | None:
    """The instant from which the complaint is late; None where its objection is missing.

    Under the tendering law the days from the objection to its answer, or to the day on which the
    answer was due, are not counted.
    """
    objection = complaint.objection
    if regime is Regime.PROCUREMENT:
        if objection is None:
            return None
        due_on = beijing_day(objection.answer_due_at - timedelta(microseconds=1))
        days = PROCUREMENT_COMPLAINT_WORKING_DAYS
        return end_of_day(last_working_day(due_on, days, calendar=calendar))
    held = timedelta(0)
    if objection is not None:
        ended_at = objection.answered_at or objection.answer_due_at
        held = beijing_day(ended_at) - beijing_day(objection.raised_at)
    days = COMPLAINT_DAYS + max(held.days, 0)
    return end_of_day(last_day(complaint.known_on, days, calendar=calendar))


@under(
    COMPLAINT_MEASURES[7],
    COMPLAINT_MEASURES[12],
    rule=("CO-03", "CO-04"),
    severity=Severity.WARN,
)
def complaint_cautions(complaint: ComplaintFacts) -> list[Caution]:
    """What speaks against taking the complaint up under measures nobody here has read."""
    cautions = []
    if not complaint.names_complete:
        reason = "投诉书应当载明投诉人和被投诉人的名称、地址及有效联系方式"
        cautions.append(Caution("names_incomplete", COMPLAINT_MEASURES[7], reason))
    if not complaint.signed_by_representative:
        reason = "法人投诉的，投诉书应当由其法定代表人或者授权代表签字并盖章"
        cautions.append(Caution("not_signed", COMPLAINT_MEASURES[7], reason))
    if complaint.elsewhere:
        reason = "投诉事项已进入行政复议或者行政诉讼程序的，可能不予受理"
        cautions.append(Caution("elsewhere", COMPLAINT_MEASURES[12], reason))
    if complaint.decided_before:
        reason = "投诉事项已经作出处理决定且没有新的证据的，可能不予受理"
        cautions.append(Caution("decided_before", COMPLAINT_MEASURES[12], reason))
    return cautions


@under(BIDDING_REGULATION[61], PROCUREMENT_LAW[56], rule=("CO-02", "CO-07"))
def acceptance_due_at(filed_at: datetime, *, calendar: Calendar) -> datetime:
    """By when the supervisor decides whether to take the complaint up."""
    day = last_working_day(beijing_day(filed_at), ACCEPTANCE_WORKING_DAYS, calendar=calendar)
    return end_of_day(day)


@under(
    BIDDING_REGULATION[61],
    PROCUREMENT_LAW[56],
    PROCUREMENT_REGULATION[58],
    rule=("CO-02", "CO-07"),
)
def decision_due_at(begun_at: datetime, *, excluded_days: int = 0, calendar: Calendar) -> datetime:
    """By when the complaint is decided; working days of tests and experts are not counted.

    `begun_at` is when it was taken up, and in procurement when it was received.
    """
    days = DECISION_WORKING_DAYS + excluded_days
    return end_of_day(last_working_day(beijing_day(begun_at), days, calendar=calendar))


@under(BIDDING_REGULATION[61], PROCUREMENT_REGULATION[57], rule=("CO-02", "CO-06"))
def decision_refusals(
    verdict: Verdict, *, facts: str, basis: str, evidence: str, regime: Regime
) -> list[Refusal]:
    """Why a decision is not complete: it states no facts, no basis, or calls false unproven."""
    procurement = regime is Regime.PROCUREMENT
    article = PROCUREMENT_REGULATION[57] if procurement else BIDDING_REGULATION[61]
    refusals = []
    if verdict is not Verdict.WITHDRAWN and not facts.strip():
        refusals.append(Refusal("no_facts", article, "处理决定应当写明查明的事实"))
    if verdict is not Verdict.WITHDRAWN and not basis.strip():
        refusals.append(Refusal("no_basis", article, "处理决定应当写明依据的条款"))
    if verdict is Verdict.FALSE and not evidence.strip():
        reason = "认定捏造事实、伪造材料的，应当写明认定的证据"
        refusals.append(Refusal("falsehood_not_shown", article, reason))
    return refusals


@under(COMPLAINT_MEASURES[15], COMPLAINT_MEASURES[19], rule="CO-05", severity=Severity.WARN)
def decision_cautions(*, investigators: int, remedy: str) -> list[Caution]:
    """What a decision lacks under measures nobody here has read."""
    cautions = []
    if investigators < INVESTIGATORS_MIN:
        reason = "调查取证应当由两名以上行政执法人员进行"
        cautions.append(Caution("too_few_investigators", COMPLAINT_MEASURES[15], reason))
    if not remedy.strip():
        reason = "处理决定应当告知行政复议、行政诉讼的途径和期限"
        cautions.append(Caution("no_remedy", COMPLAINT_MEASURES[19], reason))
    return cautions


@under(BIDDING_REGULATION[62], PROCUREMENT_LAW[57], rule=("CO-02", "CO-07"))
def suspension_until(ordered_at: datetime, regime: Regime) -> datetime | None:
    """When a suspension ordered over a complaint must end; None where no law sets an end."""
    if regime is not Regime.PROCUREMENT:
        return None
    return end_of_day(beijing_day(ordered_at) + timedelta(days=PROCUREMENT_SUSPENSION_DAYS))


def _clock(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
