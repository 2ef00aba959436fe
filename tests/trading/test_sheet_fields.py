"""Bidding Law 36: the price and the other main contents of each bid are read out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tenders import SHEET_FIELDS
from trading.rules.sheet_fields import FIELDS_MAX, sheet_faults, sheet_refusals

PRICE = {"key": "price", "label": "投标总价（元）", "kind": "money"}
SHEET = {
    "v": "ebid-sheet/1",
    "currency": "CNY",
    "price": "128460000.00",
    "duration_days": 540,
    "quality": "合格",
    "manager": "张三",
}


def codes(*fields: dict[str, Any]) -> set[str]:
    return {refusal.code for refusal in sheet_refusals(fields)}


def test_a_sheet_that_asks_for_the_price_and_more_is_lawful() -> None:
    assert sheet_refusals(SHEET_FIELDS) == []


def test_a_sheet_without_a_price_is_refused() -> None:
    assert codes() == {"sheet_lacks_price"}
    assert codes({**PRICE, "kind": "text"}) == {"sheet_lacks_price"}


def test_a_sheet_that_asks_twice_or_too_often_is_refused() -> None:
    assert codes(PRICE, PRICE) == {"sheet_fields_repeat"}
    many = [{**PRICE, "key": f"price{n}" if n else "price"} for n in range(FIELDS_MAX + 1)]
    assert codes(*many) == {"sheet_fields_repeat"}


@pytest.mark.parametrize(
    "field",
    [
        {"key": "Price", "label": "x", "kind": "text"},
        {"key": "v", "label": "x", "kind": "text"},
        {"key": "currency", "label": "x", "kind": "text"},
        {"key": "a", "label": "", "kind": "text"},
        {"key": "a", "label": "x" * 61, "kind": "text"},
        {"key": "a", "label": "x", "kind": "float"},
        {"key": "a", "label": "x"},
        {"key": "a", "label": "x", "kind": "text", "more": 1},
        {"key": 1, "label": "x", "kind": "text"},
    ],
)
def test_a_field_in_the_wrong_shape_is_refused(field: dict[str, Any]) -> None:
    assert "sheet_field_malformed" in codes(PRICE, field)


def test_a_sheet_that_answers_every_field_has_no_fault() -> None:
    assert sheet_faults(SHEET, SHEET_FIELDS) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"price": "1284600"},
        {"price": "0.01"},
    ],
)
def test_an_amount_may_be_written_with_or_without_its_fen(changes: dict[str, Any]) -> None:
    assert sheet_faults({**SHEET, **changes}, SHEET_FIELDS) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"price": 128460000},
        {"price": "128,460,000.00"},
        {"price": "0.00"},
        {"price": "-1"},
        {"duration_days": "540"},
        {"duration_days": -1},
        {"duration_days": True},
        {"quality": " "},
        {"quality": "x" * 501},
        {"note": "more"},
    ],
)
def test_a_sheet_that_answers_otherwise_has_one_fault(changes: dict[str, Any]) -> None:
    assert len(sheet_faults({**SHEET, **changes}, SHEET_FIELDS)) == 1


@given(st.sampled_from(sorted(SHEET.keys() - {"v", "currency"})))
def test_a_field_left_out_is_named(key: str) -> None:
    left = {name: value for name, value in SHEET.items() if name != key}
    (fault,) = sheet_faults(left, SHEET_FIELDS)
    assert next(field["label"] for field in SHEET_FIELDS if field["key"] == key) in fault
