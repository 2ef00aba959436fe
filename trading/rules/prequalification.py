"""Who may bid where bidders are qualified beforehand (资格预审), by when they apply, who passes.

Applications are sealed and opened as bids are, but to their applicants alone: they name no price
that anybody could profit from hearing first. They are judged by the published conditions and by
nothing else; fewer than three who pass, and the lot is tendered again. Until the deadline nobody
learns who applied, and who passed is told to nobody else before the bids are opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.errors import NoCalendar
from kernel.identifiers import PartyId
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Regime,
    under,
)
from kernel.working_days import (
    BEIJING,
    Calendar,
    beijing_day,
    days_before,
    earliest_deadline,
)
from trading.rules.lot_lifecycle import submission_refusals
from trading.rules.procedures import Offers, Switches
from trading.rules.timetable import calendar_missing

OBJECTION_DAYS: Final = 2
CLARIFICATION_DAYS: Final = 3
QUALIFIED_MIN: Final = 3
CONDITIONS_MAX: Final = 100

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "content": "招标项目内容、规模（采购需求）",
        "qualifications": "申请人资格要求",
        "consortium": "是否接受联合体",
        "documents_how": "获取资格预审文件的办法",
        "submission_how": "递交申请文件的办法",
    }
)
"""What every prequalification notice says besides its times, by key."""


class Phase(StrEnum):
    """Where a prequalification is; time alone takes it through the first three."""

    APPLYING = "applying"
    RELEASING = "releasing"
    REVIEWING = "reviewing"
    QUALIFIED = "qualified"
    FAILED = "failed"


PHASE_NAMES: Final[Mapping[Phase, str]] = MappingProxyType(
    {
        Phase.APPLYING: "接收申请",
        Phase.RELEASING: "申请文件解密",
        Phase.REVIEWING: "资格审查",
        Phase.QUALIFIED: "资格预审结束",
        Phase.FAILED: "通过的申请人不足，重新招标",
    }
)


def phase_of(
    now: datetime, *, applications_due_at: datetime, window_until: datetime, enough: bool | None
) -> Phase:
    """Where it is now; `enough` says how its review came out, None while there is none."""
    if enough is not None:
        return Phase.QUALIFIED if enough else Phase.FAILED
    if now < applications_due_at:
        return Phase.APPLYING
    return Phase.RELEASING if now < window_until else Phase.REVIEWING


@dataclass(frozen=True, slots=True)
class ApplicationTimes:
    """The times of a prequalification: its notice, the offer of its documents, the deadline."""

    published_at: datetime
    documents_until: datetime
    applications_due_at: datetime


@under(BIDDING_REGULATION[17], PROCUREMENT_REGULATION[21], rule=("NO-06", "NO-07"))
def application_refusals(
    times: ApplicationTimes, switches: Switches, *, calendar: Calendar
) -> list[Refusal]:
    """Applications that would be due too early: five days after the offer of documents ended, in
    procurement five working days after the notice.
    """
    period = switches.prequalification_period
    if period is None:
        return []
    procurement = switches.regime is Regime.PROCUREMENT
    start_on = beijing_day(times.published_at if procurement else times.documents_until)
    try:
        earliest = period.ends_on(start_on, calendar=calendar)
    except NoCalendar as missing:
        return [calendar_missing(missing)]
    if _last_day(times.applications_due_at) >= earliest:
        return []
    since = "公告发布" if procurement else "资格预审文件停止发售"
    reason = (
        f"提交资格预审申请文件的时间自{since}之日（{start_on:%Y-%m-%d}）起不得少于{period}，"
        f"截止日不得早于{earliest:%Y-%m-%d}"
    )
    facts = {"start": start_on.isoformat(), "earliest": earliest.isoformat()}
    return [Refusal("applications_too_short", period.article, reason, facts)]


@dataclass(frozen=True, slots=True)
class Condition:
    """One published condition: what it is called, and the article or paragraph of the file."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """A prequalification notice as it would be published.

    `round_before` is where the lot's last prequalification is, None where there was none.
    """

    words: Mapping[str, str]
    conditions: tuple[Condition, ...]
    has_documents: bool
    times: ApplicationTimes
    release_window: timedelta
    round_before: Phase | None


@under(
    BIDDING_REGULATION[15],
    BIDDING_REGULATION[16],
    BIDDING_REGULATION[18],
    BIDDING_REGULATION[19],
    BIDDING_REGULATION[37],
    PROCUREMENT_REGULATION[21],
    PROCUREMENT_TENDER_MEASURES[16],
    rule=("NO-02", "NO-04", "NO-05", "NO-08"),
)
def announcement_refusals(
    notice: NoticeFacts, switches: Switches, *, calendar: Calendar
) -> list[Refusal]:
    """Every ground on which applications may not be called for in this way."""
    procurement = switches.regime is Regime.PROCUREMENT
    demands = PROCUREMENT_REGULATION[21] if procurement else BIDDING_REGULATION[15]
    refusals = []
    if switches.offers is not Offers.SEALED_ONCE or switches.invitation is not None:
        reason = "本采购方式不采用资格预审"
        refusals.append(Refusal("no_prequalification", demands, reason))
    if notice.round_before not in (None, Phase.FAILED):
        reason = "本标段的资格预审正在进行或者已经结束，不得再次发布"
        refusals.append(Refusal("prequalification_stands", BIDDING_REGULATION[19], reason))
    for key, name in WORDS.items():
        if not notice.words.get(key, "").strip():
            article = BIDDING_REGULATION[37] if key == "consortium" else demands
            reason = f"资格预审公告应当载明{name}"
            refusals.append(Refusal("notice_incomplete", article, reason, {"member": key}))
    if not notice.has_documents:
        reason = "采用资格预审的，应当编制资格预审文件，尚未上传"
        refusals.append(Refusal("no_documents", demands, reason))
    ids = [one.id for one in notice.conditions]
    if not ids or len(set(ids)) < len(ids):
        reason = "资格预审文件应当逐项载明审查标准，且不得重复"
        refusals.append(Refusal("no_conditions", BIDDING_REGULATION[18], reason))
    return [*refusals, *_time_refusals(notice, switches, calendar)]


def _time_refusals(notice: NoticeFacts, switches: Switches, calendar: Calendar) -> list[Refusal]:
    times = notice.times
    refusals = []
    if not times.published_at < times.documents_until <= times.applications_due_at:
        reason = "公告发布、资格预审文件提供截止与申请截止时间应当依次在后"
        refusals.append(Refusal("times_out_of_order", BIDDING_REGULATION[16], reason))
    if notice.release_window <= timedelta(0):
        reason = "应当给予申请人解密所需的时间"
        refusals.append(Refusal("no_release_window", E_BIDDING_MEASURES[30], reason))
    period = switches.notice_period or switches.documents_period
    start_on = beijing_day(times.published_at)
    try:
        earliest = period.ends_on(start_on, calendar=calendar)
    except NoCalendar as missing:
        return [*refusals, calendar_missing(missing)]
    if period.binds and _last_day(times.documents_until) < earliest:
        reason = (
            f"资格预审文件自{start_on:%Y-%m-%d}起提供不得少于{period}，"
            f"截止日不得早于{earliest:%Y-%m-%d}"
        )
        facts = {"start": start_on.isoformat(), "earliest": earliest.isoformat()}
        refusals.append(Refusal("documents_too_short", period.article, reason, facts))
    return [*refusals, *application_refusals(times, switches, calendar=calendar)]


@dataclass(frozen=True, slots=True)
class Addendum:
    """A change or a clarification of the prequalification documents, as it would be published.

    `due_at` is the deadline in force, `new_due_at` the one it leaves; `may_affect` says that it
    may affect how an application is made.
    """

    published_at: datetime
    phase: Phase
    says: str
    may_affect: bool
    due_at: datetime
    new_due_at: datetime


@under(BIDDING_REGULATION[21], PROCUREMENT_TENDER_MEASURES[27], rule="NO-10")
def addendum_refusals(addendum: Addendum, regime: Regime, *, calendar: Calendar) -> list[Refusal]:
    """Every ground on which an addendum to the prequalification documents is not published."""
    article = clarification_article(regime)
    refusals = stage_refusals(addendum.phase, Phase.APPLYING)
    if not addendum.says.strip():
        reason = "应当写明澄清或者修改的内容"
        refusals.append(Refusal("addendum_empty", article, reason))
    if addendum.new_due_at < addendum.due_at:
        reason = "澄清或者修改只能顺延提交资格预审申请文件的截止时间，不得提前"
        refusals.append(Refusal("deadline_moved_earlier", article, reason))
    elif addendum.phase is Phase.APPLYING and addendum.new_due_at <= addendum.published_at:
        # Only a standstill lets the deadline pass while applications are still taken.
        reason = "提交资格预审申请文件的截止时间在暂停期间已过，应当顺延"
        refusals.append(Refusal("deadline_in_the_past", article, reason))
    if addendum.may_affect:
        refusals += clarification_refusals(
            published_at=addendum.published_at,
            applications_due_at=addendum.new_due_at,
            calendar=calendar,
            regime=regime,
        )
    return refusals


def clarification_article(regime: Regime) -> Article:
    """The article by which the prequalification documents are clarified and changed."""
    procurement = regime is Regime.PROCUREMENT
    return PROCUREMENT_TENDER_MEASURES[27] if procurement else BIDDING_REGULATION[21]


@under(BIDDING_REGULATION[21], PROCUREMENT_TENDER_MEASURES[27], rule="NO-10")
def clarification_refusals(
    *,
    published_at: datetime,
    applications_due_at: datetime,
    calendar: Calendar,
    regime: Regime = Regime.TENDERING,
) -> list[Refusal]:
    """A change of the prequalification documents later than three days before the deadline."""
    article = clarification_article(regime)
    try:
        earliest = earliest_deadline(
            beijing_day(published_at), CLARIFICATION_DAYS, calendar=calendar
        )
    except NoCalendar as missing:
        return [calendar_missing(missing)]
    if _last_day(applications_due_at) >= earliest:
        return []
    reason = (
        f"澄清或者修改应当在提交资格预审申请文件截止时间至少{CLARIFICATION_DAYS}日前发布，"
        f"不足的应当顺延至{earliest:%Y-%m-%d}或者以后"
    )
    return [Refusal("deadline_must_move", article, reason, {"earliest": earliest.isoformat()})]


def objection_until(applications_due_at: datetime) -> datetime:
    """The last instant at which the prequalification documents may still be objected to."""
    return days_before(applications_due_at, OBJECTION_DAYS)


@under(BIDDING_REGULATION[22], rule="NO-11")
def objection_refusals(*, raised_at: datetime, applications_due_at: datetime) -> list[Refusal]:
    """An objection to the prequalification documents later than two days before the deadline."""
    until = objection_until(applications_due_at)
    if raised_at <= until:
        return []
    reason = (
        f"对资格预审文件的异议应当在提交申请文件截止时间{OBJECTION_DAYS}日前提出，"
        f"即不晚于{until.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
    )
    return [Refusal("objection_late", BIDDING_REGULATION[22], reason, {"until": until.isoformat()})]


@under(BIDDING_REGULATION[43], PROCUREMENT_REGULATION[21], rule="NO-08")
def lateness_refusals(
    received_at: datetime,
    *,
    applications_due_at: datetime,
    regime: Regime = Regime.TENDERING,
) -> list[Refusal]:
    """What comes at the very deadline is late: applicants obey the rules on bidders."""
    if received_at < applications_due_at:
        return []
    reason = (
        f"资格预审申请文件于{_clock(received_at)}送达，"
        f"截止时间为{_clock(applications_due_at)}，逾期送达，拒收"
    )
    facts = {
        "received_at": received_at.isoformat(),
        "applications_due_at": applications_due_at.isoformat(),
    }
    return [Refusal("late", applicants_article(regime), reason, facts)]


@dataclass(frozen=True, slots=True)
class ApplicationArrival:
    """An application as it stands at the door, unopened.

    `sealing_faults` says in words how it is not sealed as the notice asks, `missing_parts` names
    what never came whole. `last_sequence` is the applicant's newest number before, 0 for none.
    """

    received_at: datetime
    applications_due_at: datetime
    sequence: int
    last_sequence: int
    withdraws: bool = False
    has_standing: bool = False
    sealing_faults: tuple[str, ...] = ()
    missing_parts: tuple[str, ...] = ()
    applicant_is_operator: bool = False
    suspended: bool = False


@under(
    BIDDING_REGULATION[43],
    PROCUREMENT_REGULATION[21],
    E_BIDDING_MEASURES[23],
    E_BIDDING_MEASURES[40],
    rule=("NO-08", "BI-08"),
)
def arrival_refusals(arrival: ApplicationArrival, regime: Regime) -> list[Refusal]:
    """Every ground on which an application, or its withdrawal, must be turned away.

    What is late, not sealed or not whole is not taken in.
    """
    article = applicants_article(regime)
    refusals = lateness_refusals(
        arrival.received_at, applications_due_at=arrival.applications_due_at, regime=regime
    )
    if arrival.sequence != arrival.last_sequence + 1:
        following = arrival.last_sequence + 1
        reason = f"下一次递交序号应为{following}，不是{arrival.sequence}，拒收"
        facts = {"sequence": str(arrival.sequence), "following": str(following)}
        refusals.append(Refusal("wrong_sequence", E_BIDDING_MEASURES[40], reason, facts))
    # Whoever takes an application back need not wait for an answer to somebody's objection.
    refusals += submission_refusals(suspended=arrival.suspended and not arrival.withdraws)
    if arrival.withdraws and not arrival.has_standing:
        refusals.append(Refusal("nothing_to_withdraw", article, "没有可以撤回的申请文件"))
    refusals += [
        Refusal("not_sealed", article, f"申请文件未按要求加密，拒收：{fault}")
        for fault in arrival.sealing_faults
    ]
    if arrival.missing_parts:
        named = "、".join(arrival.missing_parts)
        reason = f"申请文件未传输完成，缺少：{named}"
        refusals.append(Refusal("incomplete", article, reason, {"missing": named}))
    if arrival.applicant_is_operator:
        reason = "交易平台运营机构不得在本平台投标，也不得申请资格预审"
        refusals.append(Refusal("operator_bids", E_BIDDING_MEASURES[23], reason))
    return refusals


@under(
    BIDDING_REGULATION[43],
    PROCUREMENT_REGULATION[21],
    E_BIDDING_MEASURES[30],
    E_BIDDING_MEASURES[31],
    rule="NO-08",
)
def release_refusals(now: datetime, *, phase: Phase, secret_fits: bool) -> list[Refusal]:
    """Why an application is not opened now: too early, too late, or by a secret that is not its."""
    if phase is Phase.APPLYING:
        reason = "申请截止前，任何人不得解密资格预审申请文件"
        return [Refusal("too_early", E_BIDDING_MEASURES[30], reason)]
    if phase is not Phase.RELEASING:
        reason = f"解密时间已于{_clock(now)}之前结束，未解密的申请文件视为撤回"
        return [Refusal("window_closed", E_BIDDING_MEASURES[31], reason)]
    if not secret_fits:
        reason = "解密信息与加密时不一致，请更换后重试"
        return [Refusal("wrong_secret", E_BIDDING_MEASURES[30], reason)]
    return []


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Somebody who reviewed the applications, and whether as an expert."""

    name: str
    expert: bool


@under(BIDDING_REGULATION[18], rule="NO-08")
def committee_due(switches: Switches, *, state_funded: bool) -> bool:
    """Whether a committee (资格审查委员会) reviews, made as the one that evaluates bids: where
    state money predominates and the law demands a tender.
    """
    return switches.regime is Regime.TENDERING and switches.mandatory and state_funded


@under(BIDDING_REGULATION[18], rule="NO-08")
def reviewer_refusals(
    reviewers: Iterable[Reviewer], switches: Switches, *, state_funded: bool
) -> list[Refusal]:
    """Why the tenderee's own review is none: it names nobody, or a committee must judge."""
    if committee_due(switches, state_funded=state_funded):
        reason = "应当由依法组建的资格审查委员会审查资格预审申请文件，招标人不得自行审查"
        return [Refusal("committee_reviews", BIDDING_REGULATION[18], reason)]
    if not list(reviewers):
        return [Refusal("no_reviewers", BIDDING_REGULATION[18], "应当写明资格审查人员")]
    return []


@under(BIDDING_REGULATION[18], rule="NO-08")
def committee_refusals(switches: Switches, *, state_funded: bool) -> list[Refusal]:
    """Why no review committee is drawn: the law leaves the review to the tenderee here."""
    if committee_due(switches, state_funded=state_funded):
        return []
    reason = "本项目由招标人（采购人）审查资格预审申请文件，不组建资格审查委员会"
    return [Refusal("no_committee_due", BIDDING_REGULATION[18], reason)]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the reviewers found of one applicant under one condition."""

    condition: str
    met: bool
    reason: str = ""


def passed(
    applicants: Mapping[PartyId, Iterable[Finding]], conditions: Iterable[Condition]
) -> frozenset[PartyId]:
    """Who met every condition; a condition nobody found anything about is not met."""
    due = {one.id for one in conditions}
    return frozenset(
        party
        for party, findings in applicants.items()
        if due <= {one.condition for one in findings if one.met}
    )


@under(BIDDING_REGULATION[18], rule="NO-08")
def review_refusals(
    findings: Iterable[Finding], conditions: Iterable[Condition], *, whole: bool = False
) -> list[Refusal]:
    """Why a review may not stand: it judges by what was not published, or gives no reason.

    A `whole` one leaves no condition out.
    """
    known = {one.id: one.name for one in conditions}
    refusals = []
    found = list(findings)
    for one in found:
        if one.condition not in known:
            reason = "资格预审应当按照资格预审文件载明的标准和方法进行"
            facts = {"condition": one.condition}
            refusals.append(Refusal("unknown_condition", BIDDING_REGULATION[18], reason, facts))
        elif not one.met and not one.reason.strip():
            reason = "未通过的条件应当写明理由"
            facts = {"condition": one.condition}
            refusals.append(Refusal("no_reason", BIDDING_REGULATION[18], reason, facts))
    left_out = known.keys() - {one.condition for one in found}
    if whole and left_out:
        named = "、".join(name for id, name in known.items() if id in left_out)
        reason = f"每项审查标准均应当作出结论，尚缺：{named}"
        refusals.append(Refusal("condition_left_out", BIDDING_REGULATION[18], reason))
    return refusals


@under(BIDDING_REGULATION[18], rule="NO-08")
def stage_refusals(phase: Phase, wanted: Phase) -> list[Refusal]:
    """Why something is not done now: it belongs to another stage of the prequalification."""
    if phase is wanted:
        return []
    reason = f"资格预审现处于“{PHASE_NAMES[phase]}”，不能办理此项业务"
    return [Refusal("wrong_stage", BIDDING_REGULATION[18], reason, {"phase": str(phase)})]


@under(BIDDING_REGULATION[62], rule="CO-02")
def brake_refusals(phase: Phase | None) -> list[Refusal]:
    """Why a supervisor does not stop it now: applicants are opening theirs, in their short window.

    None is a lot without prequalification.
    """
    if phase is not Phase.RELEASING:
        return []
    reason = "资格预审申请文件正在解密，解密时间结束后方可责令暂停"
    return [Refusal("releasing", BIDDING_REGULATION[62], reason)]


@under(BIDDING_REGULATION[19], PROCUREMENT_LAW[36], rule="NO-08")
def outcome_refusals(qualified: int, regime: Regime = Regime.TENDERING) -> list[Refusal]:
    """Fewer than three passed: the lot must be tendered again."""
    if qualified >= QUALIFIED_MIN:
        return []
    procurement = regime is Regime.PROCUREMENT
    article = PROCUREMENT_LAW[36] if procurement else BIDDING_REGULATION[19]
    reason = f"通过资格预审的申请人少于{QUALIFIED_MIN}个，应当重新招标"
    return [Refusal("too_few_qualified", article, reason, {"qualified": str(qualified)})]


@under(BIDDING_REGULATION[19], PROCUREMENT_REGULATION[21], rule="NO-08")
def publication_refusals(phase: Phase | None, regime: Regime) -> list[Refusal]:
    """A lot whose bidders are qualified beforehand is not put out to bids before enough passed.

    None is a lot without prequalification.
    """
    if phase is None or phase is Phase.QUALIFIED:
        return []
    reason = f"本标段实行资格预审，现处于“{PHASE_NAMES[phase]}”，不得发布招标文件"
    facts = {"phase": str(phase)}
    return [Refusal("prequalification_unfinished", unqualified_article(regime), reason, facts)]


@under(BIDDING_REGULATION[19], PROCUREMENT_REGULATION[21], rule="NO-08")
def access_refusals(*, qualified: bool, regime: Regime) -> list[Refusal]:
    """Who did not pass is no bidder, and has no use for the tender documents."""
    if qualified:
        return []
    reason = "本标段实行资格预审，未通过资格预审的申请人不具有投标资格"
    return [Refusal("not_prequalified", unqualified_article(regime), reason)]


def applicants_article(regime: Regime) -> Article:
    """The article by which an application is taken in or turned away."""
    return PROCUREMENT_REGULATION[21] if regime is Regime.PROCUREMENT else BIDDING_REGULATION[43]


def unqualified_article(regime: Regime) -> Article:
    """The article by which who did not pass may not bid."""
    return PROCUREMENT_REGULATION[21] if regime is Regime.PROCUREMENT else BIDDING_REGULATION[19]


def _last_day(end_at: datetime) -> date:
    return beijing_day(end_at - timedelta(microseconds=1))


def _clock(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S.%f}"
