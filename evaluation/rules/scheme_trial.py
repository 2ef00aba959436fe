"""Trying a scheme on bids that nobody made, before it is published.

The very functions that total and rank real bids do it here, so that what a trial shows is what an
evaluation would come to. One imaginary member marks for all: among members who agree, a mean with
or without its extremes is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from evaluation.rules.ranking import (
    Allowance,
    EvaluatedBid,
    EvaluationResult,
    Totalling,
    ranked,
)
from evaluation.rules.score_commitment import Mark, ScoreSheet
from evaluation.rules.score_scheme import ScoreScheme, score_refusals
from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, Regime, under

BIDS_MAX: Final = 20
_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class TrialBid:
    """A bid that somebody imagines: its marks are what each item would earn."""

    name: str
    price: Decimal
    marks: Mapping[str, Decimal]
    rejected: bool = False
    small_enterprise: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """A scheme and the bids to try it on; `k` is the coefficient as if it had been drawn."""

    scheme: ScoreScheme
    regime: Regime
    bids: tuple[TrialBid, ...]
    k: Decimal | None = None
    ceiling: Decimal | None = None


@under(BIDDING_LAW[40], BIDDING_REGULATION[49])
def trial_refusals(trial: Trial) -> list[Refusal]:
    """Why these bids could not be scored by this scheme, each ground with the bid it is about."""
    article, scheme = BIDDING_REGULATION[49], trial.scheme
    refusals = []
    if all(one.rejected for one in trial.bids):
        refusals.append(Refusal("no_valid_bid", BIDDING_LAW[40], "没有可以评分的有效投标"))
    for name, count in Counter(one.name for one in trial.bids).items():
        if count > 1:
            refusals.append(Refusal("bid_twice", article, f"“{name}”出现了 {count} 次"))
    k_set = () if scheme.formula is None else scheme.formula.k_set
    if (trial.k is None) is bool(k_set) or (k_set and trial.k not in k_set):
        reason = "系数 K 应当是招标文件所列数值之一" if k_set else "评标办法没有规定系数 K"
        refusals.append(Refusal("k_unknown", article, reason))
    for bid in trial.bids:
        if bid.price <= 0:
            refusals.append(_about(bid, "price_missing", "没有报价"))
        if bid.rejected:
            continue
        for item in scheme.items:
            if item.id not in bid.marks:
                refusals.append(_about(bid, "marks_missing", f"评审因素“{item.name}”没有分值"))
        for item_id, mark in bid.marks.items():
            for one in score_refusals(scheme, item_id, mark):
                refusals.append(_about(bid, one.code, _of_item(scheme, item_id) + one.reason))
    return refusals


def tried(trial: Trial) -> EvaluationResult:
    """What the scheme makes of these bids; to be judged by `trial_refusals` first."""
    marks = tuple(
        Mark(bid.name, item.id, bid.marks[item.id])
        for bid in trial.bids
        if not bid.rejected
        for item in trial.scheme.items
    )
    return ranked(
        Totalling(
            scheme=trial.scheme,
            regime=trial.regime,
            bids=tuple(_evaluated(bid, place) for place, bid in enumerate(trial.bids, start=1)),
            rejected=frozenset(bid.name for bid in trial.bids if bid.rejected),
            sheets=(ScoreSheet(_NOBODY, _NOBODY, 1, marks),),
            k=trial.k,
            ceiling=trial.ceiling,
        )
    )


def _evaluated(bid: TrialBid, place: int) -> EvaluatedBid:
    allowance = Allowance.SMALL_ENTERPRISE if bid.small_enterprise else Allowance.NONE
    return EvaluatedBid(bid.name, bid.price, allowance, received=place)


def _about(bid: TrialBid, code: str, reason: str) -> Refusal:
    return Refusal(code, BIDDING_REGULATION[49], f"{bid.name}：{reason}", {"bid": bid.name})


def _of_item(scheme: ScoreScheme, item_id: str) -> str:
    name = next((item.name for item in scheme.items if item.id == item_id), "")
    return f"“{name}”" if name else ""


def first_marks(scheme: ScoreScheme, *, share: Decimal) -> dict[str, Decimal]:
    """A mark for each item that lies near this share of its full mark and may be given."""
    return {item.id: _near(item.highest * share, item.step) for item in scheme.items}


def _near(mark: Decimal, step: Decimal) -> Decimal:
    return mark // step * step if step else mark


def bids_to_start(
    scheme: ScoreScheme, prices: Sequence[Decimal], *, names: Sequence[str]
) -> tuple[TrialBid, ...]:
    """Bids to begin a trial with, the dearer ones a little better."""
    shares = [Decimal(80 + 5 * place) / 100 for place in range(len(prices))]
    return tuple(
        TrialBid(name, price, first_marks(scheme, share=min(share, Decimal(1))))
        for name, price, share in zip(names, prices, shares, strict=True)
    )
