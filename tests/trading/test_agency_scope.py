"""How far a letter of authorisation reaches: Bidding Law 15; Civil Code 165."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from uuid import UUID

import pytest

from kernel.statute import BIDDING_LAW
from trading.rules.agency_scope import (
    LETTER,
    AgencyAct,
    AgencyScope,
    agency_refusals,
    letter_refusals,
)

LOT, OTHER = UUID(int=1), UUID(int=2)
UNTIL = date(2026, 6, 30)
SCOPE = AgencyScope(frozenset({LOT}), frozenset({AgencyAct.DRAFT, AgencyAct.PUBLISH}), UNTIL)
DAY = timedelta(days=1)


@pytest.mark.accepts("PL-07")
def test_an_agency_does_what_its_letter_says_to_the_end_of_its_last_day() -> None:
    for act in SCOPE.acts:
        assert agency_refusals(SCOPE, act, LOT, on=UNTIL) == []
    for act, lot in product(AgencyAct, (LOT, OTHER, None)):
        assert agency_refusals(AgencyScope(), act, lot, on=UNTIL) == []


@pytest.mark.refuses("PL-07")
def test_every_ground_against_it_is_told() -> None:
    found = agency_refusals(SCOPE, AgencyAct.OPEN, OTHER, on=UNTIL + DAY)
    assert [one.code for one in found] == [
        *("authorisation_expired", "authorisation_other_lot", "authorisation_other_act"),
    ]
    assert {one.article for one in found} == {BIDDING_LAW[15]}
    (new_lot,) = agency_refusals(SCOPE, AgencyAct.DRAFT, None, on=UNTIL)
    assert new_lot.code == "authorisation_other_lot"


@pytest.mark.parametrize("act", list(AgencyAct))
def test_without_a_letter_it_drafts_and_after_its_end_it_does_nothing(act: AgencyAct) -> None:
    drafting = act is AgencyAct.DRAFT
    found = agency_refusals(None, act, LOT, on=UNTIL)
    assert [one.code for one in found] == ([] if drafting else ["agency_not_authorised"])
    ended = agency_refusals(replace(SCOPE, ended=True), act, LOT, on=UNTIL)
    assert [one.code for one in ended] == ["authorisation_ended"]


def test_a_letter_says_for_what_until_a_day_to_come_and_for_own_lots() -> None:
    own = frozenset({LOT})
    assert letter_refusals(SCOPE, today=UNTIL, own_lots=own) == []
    empty = AgencyScope(frozenset({OTHER}), frozenset(), UNTIL - DAY)
    found = letter_refusals(empty, today=UNTIL, own_lots=own)
    assert [(one.code, one.facts["pointer"]) for one in found] == [
        ("letter_without_acts", "#/acts"),
        ("letter_outdated", "#/until"),
        ("letter_other_lots", "#/lots"),
    ]
    assert {one.article for one in found} == {LETTER}
