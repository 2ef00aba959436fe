"""What may be entered in a library and used: Electronic Bidding Measures 14; Bidding Regulation
18, 42, 51.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules.library_entries import (
    ANNOUNCED_BEFORE,
    KIND_NAMES,
    REQUIREMENT_CODES,
    EntryFacts,
    EntryKind,
    EntryState,
    LibraryEntry,
    entry_faults,
    entry_refusals,
    number_key,
    reference_cautions,
    stage_due,
    state_of,
    use_refusals,
    verdict_refusals,
)

OWN = "91350100M000100Y43"
TODAY = date(2026, 3, 2)
LICENCE = LibraryEntry(
    EntryKind.QUALIFICATION,
    "市政公用工程施工总承包一级",
    "D242000001",
    "江城市住房和城乡建设局",
    date(2024, 5, 1),
    TODAY,
)
PERFORMANCE = LibraryEntry(
    EntryKind.PERFORMANCE, "一期工程", "HT-2023-01", "东湖水务", TODAY, None, Decimal("1.00")
)
FACTS = EntryFacts(OWN)
DAY = timedelta(days=1)


def codes(entry: LibraryEntry, facts: EntryFacts = FACTS) -> list[str]:
    return [one.code for one in entry_refusals(entry, facts, today=TODAY)]


@pytest.mark.accepts("PL-07")
def test_a_licence_is_entered_to_the_end_of_its_last_day() -> None:
    assert codes(LICENCE) == []
    assert codes(replace(LICENCE, ends_on=None)) == []
    assert codes(PERFORMANCE) == []
    assert codes(replace(LICENCE, kind=EntryKind.BUSINESS, number=OWN)) == []


@pytest.mark.refuses("PL-07")
@pytest.mark.parametrize(
    ("entry", "facts", "expected", "pointer"),
    [
        (replace(LICENCE, ends_on=TODAY - DAY), FACTS, "licence_expired", "#/valid_to"),
        (
            replace(PERFORMANCE, begins_on=TODAY + DAY),
            FACTS,
            "performance_ahead",
            "#/contracted_on",
        ),
        (replace(PERFORMANCE, ends_on=TODAY + DAY), FACTS, "performance_ahead", "#/completed_on"),
        (replace(LICENCE, kind=EntryKind.BUSINESS), FACTS, "uscc_malformed", "#/number"),
        (
            replace(LICENCE, kind=EntryKind.BUSINESS, number="91330106673959654P"),
            FACTS,
            "not_own_code",
            "#/number",
        ),
        (LICENCE, replace(FACTS, known_here=True), "entry_known", "#/number"),
        (LICENCE, replace(FACTS, known_elsewhere=True), "entry_elsewhere", "#/number"),
    ],
)
def test_what_is_wrong_with_an_entry_is_told_with_the_place(
    entry: LibraryEntry, facts: EntryFacts, expected: str, pointer: str
) -> None:
    (refusal,) = entry_refusals(entry, facts, today=TODAY)
    assert (refusal.code, refusal.facts["pointer"]) == (expected, pointer)


def test_every_ground_is_told_at_once() -> None:
    spoilt = replace(LICENCE, kind=EntryKind.BUSINESS, ends_on=TODAY - DAY)
    facts = EntryFacts(OWN, known_here=True, known_elsewhere=True)
    assert codes(spoilt, facts) == [
        *("uscc_malformed", "licence_expired", "entry_known", "entry_elsewhere"),
    ]


@pytest.mark.parametrize("number", ["D24", "D2420 00001", "编号\u200b0001", "x" * 65, ""])
def test_a_number_that_could_not_be_read_back_is_malformed(number: str) -> None:
    assert list(entry_faults(replace(LICENCE, number=number))) == ["number"]
    assert list(entry_faults(replace(LICENCE, ends_on=date(2024, 4, 30)))) == ["valid_to"]
    assert list(entry_faults(replace(PERFORMANCE, ends_on=TODAY - DAY))) == ["completed_on"]
    assert entry_faults(LICENCE) == {}


def test_numbers_are_alike_whatever_their_width_case_and_brackets() -> None:
    alike = (
        "（鄂）JZ安许证字〔2024〕000123",
        "(鄂)jz安许证字[2024]000123",
        "鄂JZ安许证字2024000123",
    )
    assert len({number_key(one) for one in alike}) == 1
    assert number_key("D242000001") != number_key("D242000011")


@pytest.mark.parametrize("verdict", [None, True, False])
@pytest.mark.parametrize("withdrawn", [True, False])
@pytest.mark.parametrize("replaced", [True, False])
def test_only_a_verified_entry_that_still_stands_is_used(
    verdict: bool | None, withdrawn: bool, replaced: bool
) -> None:
    state = state_of(verdict=verdict, withdrawn=withdrawn, replaced=replaced)
    usable = use_refusals(state, LICENCE, on=TODAY) == []
    assert usable is (verdict is True and not withdrawn and not replaced)
    judged = verdict_refusals(state, own_entry=False) == []
    assert judged is (verdict is None and not withdrawn)


def test_nobody_verifies_what_he_entered_himself() -> None:
    (refusal,) = verdict_refusals(EntryState.WAITING, own_entry=True)
    assert refusal.code == "own_entry"


@pytest.mark.accepts("BI-11")
@pytest.mark.refuses("BI-11")
def test_a_licence_counts_on_the_days_of_its_term_and_no_others() -> None:
    verified = EntryState.VERIFIED
    for day in (LICENCE.begins_on, TODAY):
        assert use_refusals(verified, LICENCE, on=day) == []
        assert reference_cautions((verified, LICENCE), on=day) == []
    (early,) = use_refusals(verified, LICENCE, on=LICENCE.begins_on - DAY)
    (late,) = reference_cautions((verified, LICENCE), on=TODAY + DAY)
    assert (early.code, late.code) == ("licence_ahead", "licence_expired")
    (false,) = reference_cautions((EntryState.REFUSED, LICENCE), on=TODAY)
    assert false.code == "entry_refused"
    (unknown,) = reference_cautions(None, on=TODAY)
    assert unknown.code == "entry_unknown"
    (applied,) = reference_cautions(None, on=TODAY, applied=True)
    assert (applied.code, str(applied.article)) == (
        "entry_unknown",
        "《中华人民共和国招标投标法实施条例》第18条",
    )
    assert use_refusals(verified, PERFORMANCE, on=TODAY + 9999 * DAY) == []


@pytest.mark.parametrize(
    ("left", "stage"),
    [(61, None), (60, 60), (31, 60), (30, 30), (8, 30), (7, 7), (0, 7), (-1, None)],
)
def test_an_end_is_announced_sixty_thirty_and_seven_days_before(
    left: int, stage: int | None
) -> None:
    assert stage_due(LICENCE, today=TODAY - left * DAY) == stage


def test_what_has_no_end_is_never_announced() -> None:
    assert stage_due(replace(LICENCE, ends_on=None), today=TODAY) is None
    assert stage_due(replace(PERFORMANCE, ends_on=TODAY), today=TODAY) is None


@given(st.integers(-10, 400), st.integers(0, 400))
def test_no_stage_comes_back_once_a_nearer_one_is_reached(left: int, later: int) -> None:
    now, then = (
        stage_due(LICENCE, today=TODAY - days * DAY) for days in (left, max(left - later, 0))
    )
    if left >= 0 and now is not None:
        assert then is not None
        assert then <= now
        assert now in ANNOUNCED_BEFORE


def test_each_kind_has_a_name_and_the_standards_code() -> None:
    assert set(KIND_NAMES) == set(REQUIREMENT_CODES) == set(EntryKind)
    assert set(REQUIREMENT_CODES.values()) <= {"1", "2", "3", "4", "5", "9"}
