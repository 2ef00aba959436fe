"""Talks about a demand and its price (谈判、磋商), and the last price that ends them.

The group talks with every supplier separately, and when the talks are over all who are left name
their last price by one deadline, once. Until it has passed a last price is a salted commitment that
its supplier signed, so that nobody, this platform included, can read one before another is given;
afterwards each supplier opens its own, and who does not counts as having withdrawn.

Much of the detail stands in measures that nobody here has read in their own text: what falls short
of those is warned of and never refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from kernel.crypto.digests import Malformed, labelled
from kernel.money import yuan_text
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    CONSULTATION_MEASURES,
    NON_TENDER_MEASURES,
    PROCUREMENT_LAW,
    Article,
    Severity,
    under,
)
from trading.rules.procedures import Offers, Switches
from trading.rules.procurement_methods import SUPPLIERS_MIN, second_price_refusals

SALT_SIZE: Final = 32
OPENING_WINDOW: Final = timedelta(minutes=30)
"""How long a supplier has to open its last price, counted from the deadline."""

SETTLING: Final = timedelta(seconds=10)
"""So long after the deadline what came before it may still be on its way into the database."""

TIME_TO_PRICE_MIN: Final = timedelta(minutes=5)
"""A platform's figure, not the law's: nobody can reckon, sign and send a price in less."""


class TalkPhase(StrEnum):
    """Where the talks of a lot are."""

    NOT_BEGUN = "not_begun"
    TALKING = "talking"
    PRICING = "pricing"
    """Last prices were asked for and are handed in sealed."""

    OPENING = "opening"
    """The deadline has passed, and suppliers open their own."""

    OPEN = "open"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class PriceCall:
    """That last prices were asked for: whose, by when, and until when they may be opened."""

    due_at: datetime
    window_until: datetime
    asked: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which the lot stood still; `until` is None while it does."""

    since: datetime
    until: datetime | None


def moved_by(moment: datetime, pauses: Sequence[Pause], *, now: datetime) -> datetime:
    """When a moment comes after the pauses that began before it, which are not counted."""
    for one in pauses:
        if one.since < moment:
            moment += (now if one.until is None else one.until) - one.since
    return moment


def after_pauses(call: PriceCall, pauses: Sequence[Pause], *, now: datetime) -> PriceCall:
    """The call with the times that hold now: a suspension stops the clock of the last price."""
    return replace(
        call,
        due_at=moved_by(call.due_at, pauses, now=now),
        window_until=moved_by(call.window_until, pauses, now=now),
    )


def holds_talks(switches: Switches) -> bool:
    """Whether a procedure has talks and a last price at all."""
    return switches.offers is Offers.FINAL_AFTER_TALKS


def prices_are_read_out(switches: Switches) -> bool:
    """Whether an opening tells what the bids say, or nobody may disclose it (采购法 38)."""
    return not holds_talks(switches)


def talks_article(switches: Switches) -> Article:
    """What an act in these talks may be refused by, in a text that was read."""
    return PROCUREMENT_LAW[38] if switches.quorum_binds else switches.principle


def phase_of(
    now: datetime,
    *,
    in_evaluation: bool,
    reported: bool,
    call: PriceCall | None,
    handed_in: Collection[UUID],
    opened: Collection[UUID],
) -> TalkPhase:
    """Where the talks are: prices lie open once the window is over, or nobody is waited for."""
    if not in_evaluation:
        return TalkPhase.OVER if reported else TalkPhase.NOT_BEGUN
    if call is None:
        return TalkPhase.TALKING
    if now < call.due_at:
        return TalkPhase.PRICING
    settled = now >= call.due_at + SETTLING and set(handed_in) <= set(opened)
    if now < call.window_until and not settled:
        return TalkPhase.OPENING
    return TalkPhase.OPEN


def lie_open(phase: TalkPhase) -> bool:
    """Whether last prices may be read by those who evaluate them."""
    return phase in (TalkPhase.OPEN, TalkPhase.OVER)


# ── what a last price is ──────────────────────────────────────────────────────────────────────


def price_commitment(lot: UUID, supplier: UUID, salt: bytes, price: Decimal) -> bytes:
    """What stands for a last price until it is opened; browsers reckon the same."""
    if len(salt) != SALT_SIZE:
        raise Malformed(f"a salt has {SALT_SIZE} bytes", code="salt")
    return labelled("ebid/1/last-price", lot.bytes, supplier.bytes, salt, yuan_text(price).encode())


# ── talking ───────────────────────────────────────────────────────────────────────────────────


@under(PROCUREMENT_LAW[3], PROCUREMENT_LAW[38], rule="NB-10")
def talk_refusals(phase: TalkPhase, *, remains: bool, article: Article) -> list[Refusal]:
    """Why nobody may be talked with, or nothing be changed: talks end when last prices are due."""
    if phase is not TalkPhase.TALKING:
        reason = "不在谈判（磋商）期间：已要求最后报价的，不得再谈判或者变动采购需求"
        return [Refusal("not_talking", article, reason)]
    if not remains:
        reason = "该供应商已退出或者其响应文件已被认定无效"
        return [Refusal("not_in_talks", article, reason)]
    return []


@under(PROCUREMENT_LAW[3], PROCUREMENT_LAW[38], rule="NB-10")
def standstill_refusals(*, suspended: bool, article: Article) -> list[Refusal]:
    """Why nobody talks or prices now: the lot is suspended, and meanwhile no time runs."""
    if not suspended:
        return []
    reason = "采购活动已暂停，恢复前不得谈判（磋商）、答复或者报价，暂停的时间不计算在内"
    return [Refusal("lot_suspended", article, reason)]


@under(NON_TENDER_MEASURES[31], rule="NB-11", severity=Severity.WARN)
def talk_cautions(talked: Mapping[UUID, int]) -> list[Caution]:
    """That suppliers were not given the same number of chances."""
    if len(set(talked.values())) <= 1:
        return []
    reason = "应当给予所有参加谈判（磋商）的供应商平等的机会，目前各供应商的次数不等"
    return [Caution("unequal_chances", NON_TENDER_MEASURES[31], reason)]


@under(PROCUREMENT_LAW[3], PROCUREMENT_LAW[38], rule="NB-10")
def reply_refusals(phase: TalkPhase, *, answered: bool, article: Article) -> list[Refusal]:
    """Why a supplier may not answer in the talks: they are over, or it has answered."""
    if answered:
        return [Refusal("answered", article, "已对本次谈判（磋商）作出答复")]
    if phase is not TalkPhase.TALKING:
        reason = "不在谈判（磋商）期间，不能再答复"
        return [Refusal("not_talking", article, reason)]
    return []


@under(PROCUREMENT_LAW[3], PROCUREMENT_LAW[38], rule="NB-10")
def refiling_refusals(*, files: int, changes: int, article: Article) -> list[Refusal]:
    """Why files of a response may not be handed in anew: nothing of the demand was changed."""
    if not files or changes:
        return []
    reason = "采购需求没有变动，不得重新提交响应文件"
    return [Refusal("nothing_changed", article, reason)]


@under(PROCUREMENT_LAW[3], PROCUREMENT_LAW[38], rule="NB-10")
def leave_refusals(phase: TalkPhase, *, left: bool, article: Article) -> list[Refusal]:
    """Why a supplier may not leave: it has, or the deadline of the last price has passed."""
    if left:
        return [Refusal("left", article, "已退出谈判（磋商）")]
    if phase not in (TalkPhase.TALKING, TalkPhase.PRICING):
        reason = "最后报价截止后不能退出；不公开最后报价的，视为退出"
        return [Refusal("too_late_to_leave", article, reason)]
    return []


# ── the last price ────────────────────────────────────────────────────────────────────────────


@under(PROCUREMENT_LAW[3], PROCUREMENT_LAW[38], rule=("NB-04", "NB-10"))
def call_refusals(
    phase: TalkPhase,
    *,
    talked: Mapping[UUID, int],
    unanswered: int,
    due_in: timedelta,
    article: Article,
) -> list[Refusal]:
    """Why last prices may not be asked for; `talked` says how often with each who is left."""
    if phase in (TalkPhase.PRICING, TalkPhase.OPENING, TalkPhase.OPEN):
        return second_price_refusals(named_before=True, article=article)
    if phase is not TalkPhase.TALKING:
        return [Refusal("not_talking", article, "不在谈判（磋商）期间，不能要求最后报价")]
    refusals = []
    if not talked:
        refusals.append(Refusal("nobody_left", article, "没有可以要求最后报价的供应商"))
    if not all(talked.values()):
        reason = "小组应当先与每一供应商分别谈判（磋商），再要求最后报价"
        refusals.append(Refusal("not_talked_with", article, reason))
    if unanswered:
        reason = f"尚有{unanswered}次谈判（磋商）未得到供应商答复"
        refusals.append(Refusal("talks_unanswered", article, reason))
    if due_in < TIME_TO_PRICE_MIN:
        minutes = TIME_TO_PRICE_MIN // timedelta(minutes=1)
        reason = f"应当给供应商规定的时间作最后报价，不少于{minutes}分钟"
        refusals.append(Refusal("no_time_to_price", article, reason))
    return refusals


@under(
    NON_TENDER_MEASURES[32],
    NON_TENDER_MEASURES[33],
    CONSULTATION_MEASURES[20],
    CONSULTATION_MEASURES[21],
    rule="NB-11",
    severity=Severity.WARN,
)
def call_cautions(
    talked: Mapping[UUID, int],
    *,
    ground_allows_two: bool,
    article: Article,
    not_refiled: int = 0,
    refiling: Article = NON_TENDER_MEASURES[32],
) -> list[Caution]:
    """That fewer are left than should name a last price, or had unequal chances before it.

    And that `not_refiled` of them handed in no files since the demand was changed.
    """
    cautions = talk_cautions(talked)
    if not_refiled:
        reason = f"采购需求变动后，有{not_refiled}家供应商没有重新提交响应文件，请核对"
        cautions.append(Caution("not_refiled", refiling, reason, {"suppliers": str(not_refiled)}))
    if len(talked) < (SUPPLIERS_MIN - 1 if ground_allows_two else SUPPLIERS_MIN):
        reason = "提交最后报价的供应商不得少于3家（法定情形2家），请核对是否应当终止采购活动"
        facts = {"suppliers": str(len(talked))}
        cautions.append(Caution("too_few_last_prices", article, reason, facts))
    return cautions


@under(PROCUREMENT_LAW[3], PROCUREMENT_LAW[38], rule="NB-10")
def hand_in_refusals(phase: TalkPhase, *, left: bool, article: Article) -> list[Refusal]:
    """Why a last price cannot be handed in; the instant of the deadline itself is late."""
    if left:
        return [Refusal("left", article, "已退出谈判（磋商），不能再报价")]
    if phase is TalkPhase.PRICING:
        return []
    if phase in (TalkPhase.NOT_BEGUN, TalkPhase.TALKING):
        reason = "小组尚未要求最后报价"
        return [Refusal("not_called", article, reason)]
    return [Refusal("late", article, "最后报价逾期提交")]


@under(PROCUREMENT_LAW[3], PROCUREMENT_LAW[38], rule="NB-10")
def open_refusals(phase: TalkPhase, *, fits: bool, article: Article) -> list[Refusal]:
    """Why a last price cannot be opened: before the deadline, after the window, or another one."""
    if phase in (TalkPhase.NOT_BEGUN, TalkPhase.TALKING, TalkPhase.PRICING):
        reason = "最后报价截止前任何人不得公开最后报价"
        return [Refusal("too_early", article, reason)]
    if phase is not TalkPhase.OPENING:
        reason = "公开最后报价的时间已过，视为退出"
        return [Refusal("window_closed", article, reason)]
    if not fits:
        reason = "与截止前提交的最后报价不一致；最后报价不得更改"
        return [Refusal("another_price", article, reason)]
    return []


@under(PROCUREMENT_LAW[3], PROCUREMENT_LAW[38], rule="NB-10")
def evaluation_waits(phase: TalkPhase, *, article: Article) -> list[Refusal]:
    """Why nothing may be scored or reported yet: what decides is the last price."""
    if lie_open(phase):
        return []
    reason = "最后报价尚未公开，不得评分或者汇总评审结果"
    return [Refusal("last_prices_due", article, reason)]
