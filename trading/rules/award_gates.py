"""What stands between the committee's report and the award notice.

Candidates are published for their days; objections are answered; the winner is not barred on the
day. A winner who is barred after the deadline holds the award up and makes nobody else the winner.
Award notice and result notices leave at the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    COMMITTEE_PROVISIONS,
    E_BIDDING_MEASURES,
    NOTICE_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Provenance,
    Regime,
    Severity,
    under,
)
from kernel.working_days import (
    BEIJING,
    Calendar,
    beijing_day,
    end_of_day,
    end_of_publicity,
)
from trading.rules.bid_admission import CitedBar
from trading.rules.procedures import Switches
from trading.rules.winner_choice import Candidate

# The revision of 2013 asks for evaluation and award within the bid validity; its text is not at
# hand, so it only warns.
VALIDITY_ARTICLE = COMMITTEE_PROVISIONS.read_as(40, Provenance.MEMORY)


@dataclass(frozen=True, slots=True)
class Publicity:
    """Candidates about to be published, or published.

    `lacks` names, in words, what the notice of each candidate must say and does not: price,
    quality, time, evaluation, project head, response to the qualification.
    """

    candidates: tuple[Candidate, ...]
    report_received_at: datetime
    published_at: datetime
    days: int
    lacks: tuple[str, ...] = ()
    states_objection_channel: bool = True


@dataclass(frozen=True, slots=True)
class AwardGate:
    """A lot at the moment at which its award notice is to go out.

    `candidates_until` is the end of the publicity, None where candidates were not published.
    `open_objections` are those not answered yet.
    """

    now: datetime
    candidates_until: datetime | None
    open_objections: int
    winner_bar: CitedBar | None
    bids_due_at: datetime
    validity_days: int
    deciding_complaints: int = 0


@under(
    BIDDING_REGULATION[53],
    BIDDING_REGULATION[54],
    NOTICE_MEASURES[6],
    PROCUREMENT_TENDER_MEASURES[68],
    rule=("AW-01", "AW-02", "EV-18"),
)
def publicity_refusals(publicity: Publicity, switches: Switches) -> list[Refusal]:
    """Every ground on which candidates may not be published like this."""
    refusals = []
    ranks = sorted(one.rank for one in publicity.candidates)
    if not ranks:
        reason = "评标报告没有推荐中标候选人"
        return [Refusal("no_candidates", switches.candidates_article, reason)]
    if len(ranks) > switches.candidates_max:
        reason = f"中标候选人不得超过{switches.candidates_max}个"
        refusals.append(Refusal("too_many_candidates", switches.candidates_article, reason))
    if ranks != list(range(1, len(ranks) + 1)):
        reason = "中标候选人应当标明排序，且排序应当连续"
        refusals.append(Refusal("ranks_broken", switches.candidates_article, reason))
    if publicity.days < switches.publicity_days():
        reason = f"公示期不得少于{switches.publicity_days()}日"
        refusals.append(Refusal("publicity_too_short", BIDDING_REGULATION[54], reason))
    if switches.publicity is not None:
        refusals += [
            Refusal("publicity_lacks", NOTICE_MEASURES[6], f"公示未载明{what}", {"item": what})
            for what in publicity.lacks
        ]
        if not publicity.states_objection_channel:
            reason = "公示应当载明提出异议的渠道和方式"
            refusals.append(Refusal("no_objection_channel", NOTICE_MEASURES[6], reason))
    return refusals


@under(BIDDING_REGULATION[54], rule="AW-01", severity=Severity.WARN)
def publicity_cautions(
    publicity: Publicity, switches: Switches, *, calendar: Calendar
) -> list[Caution]:
    """Candidates published later than the law asks, which no refusal would put right."""
    if switches.publish_within is None:
        return []
    due_on = switches.publish_within.ends_on(
        beijing_day(publicity.report_received_at), calendar=calendar
    )
    if publicity.published_at < end_of_day(due_on):
        return []
    reason = f"应当自收到评标报告之日起{switches.publish_within}内公示中标候选人，已逾期"
    return [Caution("published_late", switches.publish_within.article, reason)]


def candidates_until(published_at: datetime, days: int, *, calendar: Calendar) -> datetime:
    """When the publicity ends: 24:00 of its last day, or at once where none is due."""
    return end_of_publicity(published_at, days, calendar=calendar)


@under(
    BIDDING_LAW[26],
    BIDDING_REGULATION[54],
    BIDDING_REGULATION[55],
    BIDDING_REGULATION[62],
    E_BIDDING_MEASURES[36],
    PROCUREMENT_LAW[22],
    PROCUREMENT_REGULATION[43],
    rule=("AW-01", "AW-03", "AW-04", "AW-08"),
)
def award_refusals(gate: AwardGate, switches: Switches) -> list[Refusal]:
    """Every ground on which the award notice may not go out now."""
    refusals = []
    if gate.candidates_until is None:
        reason = "中标候选人尚未公示，不得定标"
        refusals.append(Refusal("not_published", BIDDING_REGULATION[54], reason))
    elif gate.now < gate.candidates_until:
        reason = f"中标候选人公示期至{_clock(gate.candidates_until)}，期满前不得定标"
        facts = {"until": gate.candidates_until.isoformat()}
        refusals.append(Refusal("publicity_running", BIDDING_REGULATION[54], reason, facts))
    if gate.open_objections and switches.regime is Regime.TENDERING:
        reason = f"尚有{gate.open_objections}件异议未答复，答复前不得定标"
        refusals.append(Refusal("objection_open", BIDDING_REGULATION[54], reason))
    if gate.deciding_complaints:
        reason = f"行政监督部门责令暂停，尚有{gate.deciding_complaints}件投诉未处理完毕"
        refusals.append(Refusal("complaint_open", BIDDING_REGULATION[62], reason))
    if gate.winner_bar is not None:
        article = PROCUREMENT_LAW[22] if switches.regime is Regime.PROCUREMENT else BIDDING_LAW[26]
        reason = (
            f"拟中标人处于禁止投标期内：{gate.winner_bar}；"
            "解除前不得发出中标通知书，也不因此递补其他中标候选人"
        )
        refusals.append(Refusal("winner_barred", article, reason, gate.winner_bar.as_facts()))
    return refusals


@under(VALIDITY_ARTICLE, rule="EV-30", severity=Severity.WARN)
def award_cautions(gate: AwardGate) -> list[Caution]:
    """An award after the bids' validity has run out, unless every bidder extended it."""
    until = validity_until(gate.bids_due_at, gate.validity_days)
    if gate.now < until:
        return []
    reason = f"投标有效期已于{_clock(until)}届满，定标前应当取得投标人同意延长"
    return [Caution("validity_expired", VALIDITY_ARTICLE, reason)]


def validity_until(bids_due_at: datetime, validity_days: int) -> datetime:
    """24:00 of the last day of the bids' validity, which runs from the deadline.

    It is promised by the bidders in days and does not wait for a working day.
    """
    return end_of_day(beijing_day(bids_due_at) + timedelta(days=validity_days))


@under(
    BIDDING_LAW[46],
    BIDDING_LAW[47],
    BIDDING_REGULATION[57],
    rule=("AW-09", "AW-11", "AW-12"),
)
def award_deadlines(noticed_on: date, switches: Switches, *, calendar: Calendar) -> dict[str, date]:
    """The last days of what follows an award notice: the contract, and where due the report."""
    deadlines = {"contract": switches.contract_period.ends_on(noticed_on, calendar=calendar)}
    if switches.award_report_period is not None:
        deadlines["report"] = switches.award_report_period.ends_on(noticed_on, calendar=calendar)
    if switches.regime is Regime.PROCUREMENT:
        losers = switches.security_return_after_contract
        deadlines["losers_security"] = losers.ends_on(noticed_on, calendar=calendar)
    return deadlines


def security_return_on(signed_on: date, switches: Switches, *, calendar: Calendar) -> date:
    """The last day on which bid securities go back after the contract was signed."""
    return switches.security_return_after_contract.ends_on(signed_on, calendar=calendar)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
