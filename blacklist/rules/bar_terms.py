"""Which misconduct bars for how long, what a bar reaches, and what a decision must say.

The platform records decisions of authorities and takes none of its own. A decision names its
authority, its number, its article, what it forbids, and from when to when; what lacks one of these
is no bar. Nobody is barred for life but where a law says so: members of an evaluation committee who
took gifts or leaked, or were struck off for the gravest misconduct (招标投标法 56; 实施条例 71, 72;
政府采购法实施条例 75).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.money import half_up
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CONDUCT_OPINIONS,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    Article,
    Regime,
    under,
)


class BarredAct(StrEnum):
    """What a bar can forbid, and where standing is asked."""

    REGISTRATION = "registration"
    AGENCY = "agency"
    SUBMISSION = "submission"
    DRAW = "draw"
    SIGN_IN = "sign_in"
    AWARD = "award"


class Subject(StrEnum):
    """Whom a decision is about: an organisation, or a natural person."""

    ORGANISATION = "organisation"
    PERSON = "person"


class Misconduct(StrEnum):
    """For what an authority may bar."""

    COLLUSION = "collusion"
    BRIBERY = "bribery"
    MISREPRESENTATION = "misrepresentation"
    NON_PERFORMANCE = "non_performance"
    AGENCY_LEAK = "agency_leak"
    PROCUREMENT_MISCONDUCT = "procurement_misconduct"
    PROCUREMENT_FALSE_COMPLAINT = "procurement_false_complaint"
    PROCUREMENT_AGENCY = "procurement_agency"
    EXPERT_MISCONDUCT = "expert_misconduct"
    EXPERT_GRAVE_MISCONDUCT = "expert_grave_misconduct"
    EXPERT_CORRUPTION = "expert_corruption"
    PROCUREMENT_EXPERT = "procurement_expert"


ACT_NAMES: Final[Mapping[BarredAct, str]] = MappingProxyType(
    {
        BarredAct.REGISTRATION: "登记",
        BarredAct.AGENCY: "代理招标、采购项目",
        BarredAct.SUBMISSION: "投标",
        BarredAct.DRAW: "被抽取为评标专家",
        BarredAct.SIGN_IN: "评标签到",
        BarredAct.AWARD: "中标",
    }
)

BIDDING_ACTS: Final = frozenset({BarredAct.REGISTRATION, BarredAct.SUBMISSION, BarredAct.AWARD})
AGENCY_ACTS: Final = frozenset({BarredAct.REGISTRATION, BarredAct.AGENCY})
EXPERT_ACTS: Final = frozenset({BarredAct.REGISTRATION, BarredAct.DRAW, BarredAct.SIGN_IN})


@dataclass(frozen=True, slots=True)
class BarTerm:
    """What one kind of misconduct may cost.

    Years bound the term from both sides; None leaves that side to the authority. `for_life` says
    that the law knows a bar without an end here. `mandatory_only` bars reach no tender that the
    law does not demand.
    """

    name: str
    articles: tuple[Article, ...]
    subject: Subject
    acts: frozenset[BarredAct]
    regime: Regime
    years_min: int | None = None
    years_max: int | None = None
    for_life: bool = False
    mandatory_only: bool = True


M, LAW, REG = Misconduct, BIDDING_LAW, BIDDING_REGULATION
_TENDERING, _PROCUREMENT = Regime.TENDERING, Regime.PROCUREMENT

BAR_TERMS: Final[Mapping[Misconduct, BarTerm]] = MappingProxyType(
    {
        M.COLLUSION: BarTerm(
            "串通投标", (LAW[53], REG[67]), Subject.ORGANISATION, BIDDING_ACTS, _TENDERING, 1, 2
        ),
        M.BRIBERY: BarTerm(
            "行贿谋取中标",
            (LAW[53], REG[67]),
            Subject.ORGANISATION,
            BIDDING_ACTS,
            _TENDERING,
            1,
            2,
        ),
        M.MISREPRESENTATION: BarTerm(
            "弄虚作假骗取中标",
            (LAW[54], REG[68]),
            Subject.ORGANISATION,
            BIDDING_ACTS,
            _TENDERING,
            1,
            3,
        ),
        M.NON_PERFORMANCE: BarTerm(
            "不按照合同履行义务", (LAW[60],), Subject.ORGANISATION, BIDDING_ACTS, _TENDERING, 2, 5
        ),
        M.AGENCY_LEAK: BarTerm(
            "招标代理机构泄密或者串通",
            (LAW[50],),
            Subject.ORGANISATION,
            AGENCY_ACTS,
            _TENDERING,
            1,
            2,
        ),
        M.PROCUREMENT_MISCONDUCT: BarTerm(
            "政府采购供应商违法行为",
            (PROCUREMENT_LAW[77], PROCUREMENT_REGULATION[72]),
            Subject.ORGANISATION,
            BIDDING_ACTS,
            _PROCUREMENT,
            1,
            3,
        ),
        M.PROCUREMENT_FALSE_COMPLAINT: BarTerm(
            "虚假投诉",
            (PROCUREMENT_REGULATION[73],),
            Subject.ORGANISATION,
            BIDDING_ACTS,
            _PROCUREMENT,
            1,
            3,
        ),
        M.PROCUREMENT_AGENCY: BarTerm(
            "采购代理机构违法行为",
            (PROCUREMENT_LAW[78],),
            Subject.ORGANISATION,
            AGENCY_ACTS,
            _PROCUREMENT,
            1,
            3,
        ),
        M.EXPERT_MISCONDUCT: BarTerm(
            "评标委员会成员违法行为情节严重", (REG[71],), Subject.PERSON, EXPERT_ACTS, _TENDERING
        ),
        M.EXPERT_GRAVE_MISCONDUCT: BarTerm(
            "评标委员会成员违法行为情节特别严重",
            (REG[71],),
            Subject.PERSON,
            EXPERT_ACTS,
            _TENDERING,
            for_life=True,
            mandatory_only=False,
        ),
        M.EXPERT_CORRUPTION: BarTerm(
            "评标委员会成员收受财物或者泄露评审情况",
            (LAW[56], REG[72]),
            Subject.PERSON,
            EXPERT_ACTS,
            _TENDERING,
            for_life=True,
            mandatory_only=False,
        ),
        M.PROCUREMENT_EXPERT: BarTerm(
            "政府采购评审专家违法行为",
            (PROCUREMENT_REGULATION[75],),
            Subject.PERSON,
            EXPERT_ACTS,
            _PROCUREMENT,
            for_life=True,
        ),
    }
)
"""What each misconduct may cost, by the law that says so."""


@dataclass(frozen=True, slots=True)
class BarDecision:
    """A decision as a supervisor puts it on record; no `ends_on` means for life.

    `article` is the article as the decision itself cites it. Both days belong to the term.
    """

    authority: str
    document_number: str
    article: str
    reason: str
    misconduct: Misconduct
    subject: Subject
    acts: frozenset[BarredAct]
    decided_on: date
    starts_on: date
    ends_on: date | None
    recorded_on: date


@dataclass(frozen=True, slots=True)
class Bar:
    """One act forbidden from one day to another, and the day of its lifting where it was lifted."""

    act: BarredAct
    starts_on: date
    ends_on: date | None
    lifted_on: date | None = None


@under(BIDDING_LAW[61], BIDDING_REGULATION[78], rule=("CR-02", "CR-03", "CR-09"))
def decision_refusals(decision: BarDecision) -> list[Refusal]:
    """Every ground on which a decision may not be recorded as a bar."""
    return [*form_refusals(decision), *reach_refusals(decision), *term_refusals(decision)]


@under(BIDDING_LAW[61], BIDDING_REGULATION[78], CONDUCT_OPINIONS[12], rule=("CR-02", "CR-09"))
def form_refusals(decision: BarDecision) -> list[Refusal]:
    """A decision without authority, number, article or reason is none; nor one from the future."""
    said = {
        "authority": ("作出决定的机关", decision.authority),
        "document_number": ("决定书文号", decision.document_number),
        "article": ("所依据的条文", decision.article),
        "reason": ("违法事实", decision.reason),
    }
    refusals = [
        Refusal("decision_lacks", BIDDING_LAW[61], f"处理决定未载明{label}", {"item": key})
        for key, (label, words) in said.items()
        if not words.strip()
    ]
    if decision.decided_on > decision.recorded_on:
        refusals.append(
            Refusal("decided_in_the_future", BIDDING_LAW[61], "决定日期不得晚于登记日期")
        )
    return refusals


@under(
    BIDDING_LAW[53],
    BIDDING_LAW[54],
    BIDDING_LAW[56],
    BIDDING_LAW[60],
    BIDDING_REGULATION[67],
    BIDDING_REGULATION[68],
    BIDDING_REGULATION[71],
    BIDDING_REGULATION[72],
    PROCUREMENT_LAW[77],
    PROCUREMENT_REGULATION[75],
    rule="CR-03",
)
def reach_refusals(decision: BarDecision) -> list[Refusal]:
    """A bar of the wrong kind of subject, of no act, or of acts its ground does not reach."""
    term = BAR_TERMS[decision.misconduct]
    article = term.articles[0]
    refusals = []
    if decision.subject is not term.subject:
        who = "单位" if term.subject is Subject.ORGANISATION else "个人"
        reason = f"“{term.name}”的处理对象应当是{who}"
        refusals.append(Refusal("wrong_subject", article, reason))
    if not decision.acts:
        refusals.append(Refusal("no_act_barred", article, "处理决定应当载明禁止的事项"))
    for act in sorted(decision.acts - term.acts):
        reason = f"“{term.name}”的处理不及于{ACT_NAMES[act]}"
        refusals.append(Refusal("act_not_reached", article, reason, {"act": str(act)}))
    return refusals


@under(
    BIDDING_LAW[50],
    BIDDING_LAW[53],
    BIDDING_LAW[54],
    BIDDING_LAW[56],
    BIDDING_LAW[60],
    BIDDING_REGULATION[67],
    BIDDING_REGULATION[68],
    BIDDING_REGULATION[71],
    BIDDING_REGULATION[72],
    CONDUCT_OPINIONS[12],
    PROCUREMENT_LAW[77],
    PROCUREMENT_LAW[78],
    PROCUREMENT_REGULATION[72],
    PROCUREMENT_REGULATION[73],
    PROCUREMENT_REGULATION[75],
    rule="CR-03",
)
def term_refusals(decision: BarDecision) -> list[Refusal]:
    """A term that runs backwards, is too short or too long, or for life without a law for it."""
    term = BAR_TERMS[decision.misconduct]
    article = term.articles[0]
    refusals = []
    if decision.starts_on < decision.decided_on:
        reason = "禁止期不得早于决定作出之日起算"
        refusals.append(Refusal("retroactive", BIDDING_LAW[61], reason))
    if decision.ends_on is None:
        if not term.for_life:
            reason = f"法律没有规定对“{term.name}”永久禁止，应当载明禁止期的截止日期"
            refusals.append(Refusal("no_end", article, reason))
        return refusals
    if decision.ends_on < decision.starts_on:
        return [*refusals, Refusal("ends_before_start", article, "禁止期截止日期早于起始日期")]
    if term.years_min is not None and decision.ends_on < _shortest_end(decision, term.years_min):
        reason = f"“{term.name}”的禁止期不得少于{term.years_min}年"
        refusals.append(Refusal("term_too_short", article, reason))
    if term.years_max is not None and decision.ends_on > years_after(
        decision.starts_on, term.years_max
    ):
        reason = f"“{term.name}”的禁止期不得超过{term.years_max}年"
        refusals.append(Refusal("term_too_long", article, reason))
    return refusals


@under(BIDDING_LAW[61], BIDDING_REGULATION[78], rule="CR-07")
def lift_refusals(
    *, authority: str, document_number: str, reason: str, lifted_already: bool
) -> list[Refusal]:
    """A bar is lifted by a document of an authority, with its reason, and once."""
    said = {
        "authority": ("作出解除决定的机关", authority),
        "document_number": ("解除决定文号", document_number),
        "reason": ("解除理由", reason),
    }
    refusals = [
        Refusal("decision_lacks", BIDDING_LAW[61], f"解除决定未载明{label}", {"item": key})
        for key, (label, words) in said.items()
        if not words.strip()
    ]
    if lifted_already:
        refusals.append(Refusal("lifted_already", BIDDING_LAW[61], "该处理决定已经解除"))
    return refusals


def holds(bar: Bar, act: BarredAct, *, on: date) -> bool:
    """Whether the bar forbids that act on that day of the calendar in Beijing.

    First and last day are barred; the day of the lifting no longer is.
    """
    begun = bar.starts_on <= on
    ended = bar.ends_on is not None and on > bar.ends_on
    lifted = bar.lifted_on is not None and on >= bar.lifted_on
    return bar.act is act and begun and not ended and not lifted


def reaches(misconduct: Misconduct, *, regime: Regime, mandatory: bool) -> bool:
    """Whether a bar for that misconduct is meant for a procedure of this kind at all.

    Most bars of the tendering law speak of tenders that the law demands; those of procurement of
    procurement.
    """
    term = BAR_TERMS[misconduct]
    return term.regime is regime and (mandatory or not term.mandatory_only)


@under(BIDDING_LAW[53], BIDDING_REGULATION[67])
def fine_range(amount: Decimal) -> tuple[Decimal, Decimal]:
    """The least and the most that collusion costs a unit: 5‰ to 10‰ of the award, in yuan."""
    return half_up(amount * 5 / 1000), half_up(amount * 10 / 1000)


def years_after(day: date, years: int) -> date:
    """The same day so many years later, or the last of the month where there is no such day."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def _shortest_end(decision: BarDecision, years: int) -> date:
    """The earliest lawful last day; whether the first day counts is the authority's to say."""
    return years_after(decision.starts_on, years) - timedelta(days=1)
