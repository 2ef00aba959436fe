"""How long records are kept: Government Procurement Law 42; Chongqing Bidding Regulation 38;
Personal Information Law 19, 47; Electronic Bidding Measures 40.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import Regime
from trading.rules.record_keeping import (
    CLASS_NAMES,
    Held,
    RecordClass,
    archive_refusals,
    erasure_refusals,
    kept_until,
    person_refusals,
    term_of,
)

TENDERING, PROCUREMENT = Regime.TENDERING, Regime.PROCUREMENT
UNTIL = date(2041, 3, 2)
OVER = Held(RecordClass.TENDER, UNTIL, (), purpose_over=True)


@pytest.mark.accepts("PL-09", "PL-10")
@pytest.mark.parametrize("regime", [TENDERING, PROCUREMENT])
def test_a_record_may_go_the_day_after_its_fifteen_years(regime: Regime) -> None:
    term = term_of(RecordClass.TENDER, regime)
    assert kept_until(date(2026, 3, 2), term) == UNTIL
    assert erasure_refusals(OVER, on=UNTIL + timedelta(days=1), regime=regime) == []


@pytest.mark.refuses("PL-09", "PL-10")
@pytest.mark.parametrize("regime", [TENDERING, PROCUREMENT])
def test_it_is_kept_to_the_last_of_its_days(regime: Regime) -> None:
    found = erasure_refusals(OVER, on=UNTIL, regime=regime)
    assert [(one.code, one.facts) for one in found] == [("term_running", {"until": "2041-03-02"})]


def test_nobody_sets_a_shorter_term_and_anybody_a_longer() -> None:
    with pytest.raises(ValueError, match="fifteen"):
        term_of(RecordClass.TENDER, TENDERING, years=14)
    assert term_of(RecordClass.TENDER, TENDERING, years=30).years == 30


def test_a_leap_day_is_kept_until_the_day_before_where_there_is_none() -> None:
    term = term_of(RecordClass.TENDER, TENDERING)
    assert kept_until(date(2028, 2, 29), term) == date(2043, 2, 28)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(15, 60))
def test_a_term_never_ends_early_by_more_than_the_leap_day(ended: date, years: int) -> None:
    until = kept_until(ended, term_of(RecordClass.TENDER, TENDERING, years=years))
    assert until.year == ended.year + years
    assert (until.month, until.day) in {(ended.month, ended.day), (2, 28)}


@pytest.mark.refuses("PL-14")
def test_biometrics_go_when_their_purpose_is_over_and_a_hold_keeps_even_them() -> None:
    assert term_of(RecordClass.BIOMETRICS, PROCUREMENT).years is None
    face = replace(OVER, kind=RecordClass.BIOMETRICS)
    on = date(2026, 3, 3)
    assert erasure_refusals(face, on=on, regime=TENDERING) == []
    needed = replace(face, purpose_over=False)
    assert [one.code for one in erasure_refusals(needed, on=on, regime=TENDERING)] == [
        "purpose_not_over"
    ]
    held = replace(face, holds=("江城市人民法院",))
    assert [one.code for one in erasure_refusals(held, on=on, regime=TENDERING)] == ["legal_hold"]


def test_every_kind_of_record_has_a_name_and_a_term() -> None:
    assert set(CLASS_NAMES) == set(RecordClass)
    for kind in RecordClass:
        assert term_of(kind, TENDERING).article


def test_a_lot_is_put_into_its_archive_when_it_has_ended() -> None:
    assert archive_refusals(ended=True) == []
    assert [one.code for one in archive_refusals(ended=False)] == ["not_ended"]


@pytest.mark.accepts("PL-14")
@pytest.mark.refuses("PL-14")
def test_a_person_is_forgotten_the_day_after_the_last_record_of_his_lots() -> None:
    after = UNTIL + timedelta(days=1)
    assert person_refusals(acts_for=0, until=UNTIL, holds=0, on=after) == []
    assert person_refusals(acts_for=0, until=None, holds=0, on=date(2026, 3, 2)) == []
    found = person_refusals(acts_for=1, until=UNTIL, holds=2, on=UNTIL)
    assert [one.code for one in found] == ["still_acting", "legal_hold", "term_running"]
