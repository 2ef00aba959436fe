"""Trying a scheme before it is published: Bidding Law 40; Bidding Regulation 49."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from evaluation.rules.scheme_document import parse_scheme
from evaluation.rules.scheme_trial import (
    Trial,
    TrialBid,
    bids_to_start,
    trial_refusals,
    tried,
)
from kernel.statute import Regime
from tests.tenders import SCHEME

GOOD = {"construction": Decimal(22), "records": Decimal(12)}
BIDS = (
    TrialBid("甲", Decimal(1_000_000), GOOD),
    TrialBid("乙", Decimal(1_100_000), GOOD),
    TrialBid("丙", Decimal(1_200_000), {**GOOD, "construction": Decimal(25)}),
)
TRIAL = Trial(parse_scheme(SCHEME), Regime.TENDERING, BIDS)


def codes(trial: Trial) -> set[str]:
    return {one.code for one in trial_refusals(trial)}


def test_a_trial_totals_and_ranks_as_an_evaluation_would() -> None:
    assert trial_refusals(TRIAL) == []
    result = tried(TRIAL)
    assert result.benchmark == Decimal("1100000.00")
    assert [(one.bid, one.rank) for one in result.lines] == [("乙", 1), ("甲", 2), ("丙", 3)]
    assert result.candidates == ("乙", "甲", "丙")
    assert result.line("乙").total == Decimal("94.00")
    without = tried(replace(TRIAL, bids=(*BIDS[:2], replace(BIDS[2], rejected=True))))
    assert without.benchmark == Decimal("1050000.00")
    assert without.line("丙").rank is None


@pytest.mark.parametrize(
    ("bid", "code"),
    [
        (replace(BIDS[0], price=Decimal(0)), "price_missing"),
        (replace(BIDS[0], marks={"records": Decimal(12)}), "marks_missing"),
        (replace(BIDS[0], marks={**GOOD, "records": Decimal(16)}), "out_of_band"),
        (replace(BIDS[0], marks={**GOOD, "records": Decimal(10)}), "off_step"),
        (replace(BIDS[0], marks={**GOOD, "beauty": Decimal(1)}), "unknown_item"),
        (replace(BIDS[0], name="乙"), "bid_twice"),
    ],
)
def test_what_no_member_could_give_is_said_with_the_bid(bid: TrialBid, code: str) -> None:
    found = trial_refusals(replace(TRIAL, bids=(bid, *BIDS[1:])))
    assert code in {one.code for one in found}
    assert all(bid.name in one.reason for one in found)


def test_a_k_is_one_of_the_documents_or_none() -> None:
    assert codes(replace(TRIAL, k=Decimal(1))) == {"k_unknown"}
    formula = TRIAL.scheme.formula
    assert formula is not None
    drawn = replace(TRIAL.scheme, formula=replace(formula, k_set=(Decimal("0.98"),)))
    assert codes(replace(TRIAL, scheme=drawn)) == {"k_unknown"}
    assert codes(replace(TRIAL, scheme=drawn, k=Decimal("0.98"))) == set()
    nobody = tuple(replace(one, rejected=True) for one in BIDS)
    assert codes(replace(TRIAL, bids=nobody)) == {"no_valid_bid"}


def test_the_bids_to_begin_with_may_all_be_given() -> None:
    prices = [Decimal(100 + place) for place in range(5)]
    bids = bids_to_start(TRIAL.scheme, prices, names="甲乙丙丁戊")
    assert trial_refusals(replace(TRIAL, bids=bids)) == []
