"""What follows from an objection that stands.

Bidding Regulation 22, 23, 54, 55, 56; Government Procurement Law 53; Government
Procurement Regulation 71.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from trading.rules.lot_lifecycle import LotState
from trading.rules.objection_outcome import (
    OUTCOME_NAMES,
    REMEDY_NAMES,
    ObjectionOutcome,
    Remedy,
    Reply,
    outcome_refusals,
    remedies_for,
    remedy_article,
    remedy_refusals,
    return_refusals,
    wait_reason,
)
from trading.rules.objection_window import ObjectionKind
from trading.rules.procedures import Procedure, Switches, switches_of

MANDATORY = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
K, R, S = ObjectionKind, Remedy, LotState
REJECTED = Reply(K.DOCUMENTS, ObjectionOutcome.REJECTED, R.NOTHING, S.OPEN)
UPHELD = Reply(K.DOCUMENTS, ObjectionOutcome.UPHELD, R.CHANGE, S.OPEN)
EXAMINED = Reply(
    K.RESULT,
    ObjectionOutcome.UPHELD,
    R.EXAMINE,
    S.CANDIDATES_PUBLISHED,
    candidate_named=True,
    recommended=True,
)


def codes(reply: Reply, switches: Switches = MANDATORY) -> list[str]:
    return [one.code for one in outcome_refusals(reply, switches)]


@pytest.mark.parametrize(
    ("about", "state", "switches", "remedies"),
    [
        (K.DOCUMENTS, S.OPEN, MANDATORY, (R.CHANGE, R.TERMINATE)),
        (K.DOCUMENTS, S.OPENED, PROCUREMENT, (R.TERMINATE,)),
        (K.DOCUMENTS, S.AWARDED, PROCUREMENT, (R.ANNUL,)),
        (K.PREQUALIFICATION, S.DRAFT, MANDATORY, (R.CHANGE, R.TERMINATE)),
        (K.QUALIFICATION, S.DRAFT, PROCUREMENT, (R.TERMINATE,)),
        (K.RESULT, S.CANDIDATES_PUBLISHED, MANDATORY, (R.RETURN, R.EXAMINE, R.TERMINATE)),
        (K.RESULT, S.CLEARED_FOR_AWARD, PROCUREMENT, (R.RETURN, R.TERMINATE)),
        (K.RESULT, S.AWARDED, PROCUREMENT, (R.ANNUL,)),
        (K.RESULT, S.CANCELLED, MANDATORY, ()),
    ],
)
def test_what_can_be_put_right_follows_from_what_is_objected_to_and_where_the_lot_is(
    about: ObjectionKind, state: LotState, switches: Switches, remedies: tuple[Remedy, ...]
) -> None:
    assert remedies_for(about, state, switches) == remedies


def test_an_answer_says_whether_the_objection_stands_and_what_follows() -> None:
    assert codes(REJECTED) == codes(UPHELD) == codes(EXAMINED) == []
    assert codes(replace(UPHELD, outcome=ObjectionOutcome.PARTLY, remedy=R.NOTHING)) == []
    assert codes(replace(UPHELD, remedy=R.NOTHING)) == ["remedy_missing"]
    assert codes(replace(REJECTED, remedy=R.CHANGE)) == ["nothing_to_remedy"]
    assert codes(replace(UPHELD, remedy=R.RETURN)) == ["remedy_impossible"]
    assert codes(replace(UPHELD, state=S.CLOSING)) == ["remedy_impossible", "closing"]
    # Of a lot that came to nothing an objection may be right, and nothing is left to put right.
    assert codes(replace(UPHELD, remedy=R.NOTHING, state=S.CANCELLED)) == []


def test_whoever_is_to_be_examined_is_a_candidate_and_named() -> None:
    nobody = replace(EXAMINED, candidate_named=False, recommended=False)
    assert codes(nobody) == codes(replace(EXAMINED, recommended=False)) == ["not_a_candidate"]
    assert codes(replace(EXAMINED, remedy=R.RETURN)) == ["candidate_idle"]
    assert codes(EXAMINED, PROCUREMENT) == ["remedy_impossible"]


def test_nothing_is_concluded_before_what_follows_was_carried_out() -> None:
    assert remedy_refusals({}, PROCUREMENT) == []
    [ground] = remedy_refusals({K.RESULT: R.ANNUL}, PROCUREMENT)
    assert (ground.code, ground.article.number) == ("remedy_awaited", 71)


def test_the_result_goes_back_once_and_with_words_for_the_committee() -> None:
    assert return_refusals(R.RETURN, carried_out=False, words="复核业绩得分") == []
    found = return_refusals(R.RETURN, carried_out=True, words=" ")
    assert [one.code for one in found] == ["carried_out", "no_order"]
    [ground] = return_refusals(R.CHANGE, carried_out=False, words="复核")
    assert ground.code == "no_return_due"


@pytest.mark.parametrize("remedy", Remedy)
def test_each_remedy_is_named_and_rests_on_an_article_of_its_own_law(remedy: Remedy) -> None:
    assert set(OUTCOME_NAMES) == set(ObjectionOutcome)
    assert REMEDY_NAMES[remedy] in wait_reason(K.RESULT, ObjectionOutcome.UPHELD, remedy)
    if remedy is not R.EXAMINE:
        laws = {
            remedy_article(remedy, K.DOCUMENTS, switches).instrument.regime
            for switches in (MANDATORY, PROCUREMENT)
        }
        assert len(laws) == 2
