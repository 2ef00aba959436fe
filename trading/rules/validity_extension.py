"""Extending the bids' validity: everybody is asked, nobody is made to, and no bid may change.

A bid is an offer that binds for the time its documents ask for, counted from the deadline. Whoever
agrees is bound longer; whoever refuses leaves with its security; whoever says nothing stays bound
to the end of the time it promised, and no longer. An answer says yes or no and has room for no
more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_REGULATION,
    CIVIL_CODE,
    PROCUREMENT_TENDER_MEASURES,
    Regime,
    Severity,
    under,
)
from kernel.working_days import BEIJING
from trading.rules.award_gates import VALIDITY_ARTICLE, validity_until
from trading.rules.lot_lifecycle import ENDS, LotState
from trading.rules.procedures import Switches

DAYS_MAX = 3650


class Reply(StrEnum):
    """What a bidder has made of a request."""

    WAITING = "waiting"
    AGREED = "agreed"
    REFUSED = "refused"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Request:
    """A request to be bound longer, as it is about to be made.

    `validity_days` are those that bind now, `proposed_days` what they would become, both from the
    deadline; `still_waits` says that an earlier request can still be answered.
    """

    now: datetime
    state: LotState
    closed: bool
    bids_due_at: datetime
    validity_days: int
    proposed_days: int
    answer_by: datetime
    reason: str
    still_waits: bool = False


@under(BIDDING_REGULATION[25], PROCUREMENT_TENDER_MEASURES[23], CIVIL_CODE[478], rule=("NO-13",))
def request_refusals(request: Request, switches: Switches) -> list[Refusal]:
    """Every ground on which bidders may not be asked like this."""
    article = switches.validity_article
    refusals = []
    if not request.closed:
        reason = "投标有效期从投标截止之日起算，截止前可以修改投标文件，无须延长"
        refusals.append(Refusal("not_closed", article, reason))
    if request.state in ENDS:
        refusals.append(Refusal("lot_ended", article, "招标已经结束，无须延长投标有效期"))
    if request.proposed_days <= request.validity_days:
        reason = f"延长后的投标有效期应当长于现在的{request.validity_days}日"
        refusals.append(Refusal("not_longer", article, reason))
    if not request.reason.strip():
        refusals.append(Refusal("no_reason", article, "要求延长投标有效期应当说明理由"))
    ends_at = validity_until(request.bids_due_at, request.validity_days)
    if request.answer_by <= request.now:
        refusals.append(Refusal("answer_by_past", article, "答复期限应当在提出要求之后"))
    elif request.now < ends_at < request.answer_by:
        reason = (
            f"投标有效期于{ends_at.astimezone(BEIJING):%Y-%m-%d %H:%M}届满，答复期限不得晚于此时"
        )
        facts = {"until": ends_at.isoformat()}
        refusals.append(Refusal("answers_too_late", CIVIL_CODE[478], reason, facts))
    if request.still_waits:
        reason = "此前的延长要求尚在答复期内"
        refusals.append(Refusal("asked_already", article, reason))
    return refusals


@under(VALIDITY_ARTICLE, rule="EV-30", severity=Severity.WARN)
def request_cautions(request: Request) -> list[Caution]:
    """A request that comes when the bids bind nobody any more."""
    if request.now < validity_until(request.bids_due_at, request.validity_days):
        return []
    reason = "投标有效期已经届满，应当在届满前要求延长"
    return [Caution("validity_expired", VALIDITY_ARTICLE, reason)]


@under(BIDDING_REGULATION[25], PROCUREMENT_TENDER_MEASURES[23], CIVIL_CODE[478], rule=("NO-13",))
def reply_refusals(
    *, now: datetime, answer_by: datetime, answered: bool, state: LotState, switches: Switches
) -> list[Refusal]:
    """Why an answer is not taken: it was given before, or comes too late to bind anybody."""
    article = switches.validity_article
    refusals = []
    if answered:
        refusals.append(Refusal("answered_already", article, "已经答复，不得更改"))
    if now >= answer_by:
        refusals.append(Refusal("answered_late", CIVIL_CODE[478], "答复期限已过"))
    if state in ENDS:
        refusals.append(Refusal("lot_ended", article, "招标已经结束，无须答复"))
    return refusals


def reply_of(agreed: bool | None, *, now: datetime, answer_by: datetime) -> Reply:
    """What has become of the request to one bidder; `agreed` is None where it did not answer."""
    if agreed is None:
        return Reply.WAITING if now < answer_by else Reply.SILENT
    return Reply.AGREED if agreed else Reply.REFUSED


def left_at(
    *,
    refused_at: datetime | None,
    unanswered_until: datetime | None,
    promised_until: datetime,
    now: datetime,
) -> datetime | None:
    """When a bid stopped binding its bidder over a request; None while it still does.

    By a refusal at once, as the documents say; by silence when the time it had promised is over, or
    where it was asked only after that, when it could have answered.
    """
    if refused_at is not None or unanswered_until is None:
        return refused_at
    end = max(promised_until, unanswered_until)
    return end if now >= end else None


def lapse_reason(switches: Switches) -> str:
    """What is said of a bid whose bidder did not agree."""
    who = "供应商" if switches.regime is Regime.PROCUREMENT else "投标人"
    return f"{who}未同意延长投标有效期，其投标已经失效，投标保证金应当退还"
