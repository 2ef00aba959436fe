"""The numbers of papers are read back as they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules.paper_numbers import PaperKind, PaperNumber, read_paper_number

CODES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1).filter(
    lambda code: len(code) <= 200
)


@given(CODES, st.integers(1, 999_999), st.sampled_from(PaperKind))
def test_a_number_is_read_back_as_it_was_written(code: str, lot: int, kind: PaperKind) -> None:
    number = PaperNumber(code, lot, kind)
    assert read_paper_number(f" {number} ") == number


@given(CODES, st.integers(1, 999_999), st.integers(1, 99))
def test_the_notice_of_a_later_award_bears_its_place(code: str, lot: int, place: int) -> None:
    number = PaperNumber(code, lot, PaperKind.AWARD_NOTICE, place)
    assert read_paper_number(str(number)) == number
    assert str(number).endswith("TZ" if place == 1 else f"TZ{place}")


@pytest.mark.parametrize(
    "text",
    [
        *("", "JC-1", "JC-0-TZ", "JC-1-XX", "JC-1-tz", "-1-TZ", "JC-1-TZ-"),
        *("JC-1-TZ0", "JC-1-TZ1", "JC-1-TZ02", "JC-1-TZ100", "JC-1-HT2", "JC-1-JS2"),
    ],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert read_paper_number(text) is None
