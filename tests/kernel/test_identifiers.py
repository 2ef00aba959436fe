"""Unified social credit codes (GB 32100-2015) and unified deal codes (ISO 7064 MOD 37-2)."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.identifiers import (
    USCC_ALPHABET,
    is_unified_deal_code,
    mod_37_2_check_character,
    organisation_check_character,
    unified_deal_code,
    uscc_check_character,
    uscc_doubts,
    uscc_faults,
)

REAL_CODES = Path(__file__).resolve().parents[3] / "shared" / "data" / "uscc-sample.csv"
PLATFORM = "91350100M000100Y43"

stems = st.builds(
    lambda head, region, rest: head + region + rest,
    st.text(USCC_ALPHABET, min_size=2, max_size=2),
    st.text("0123456789", min_size=6, max_size=6),
    st.text(USCC_ALPHABET, min_size=9, max_size=9),
)


@pytest.mark.parametrize(
    "code",
    ["91350100M000100Y43", "91330106673959654P", "91110000802100433B", "914403001922038216"],
)
def test_the_worked_examples_are_without_fault_or_doubt(code: str) -> None:
    assert uscc_faults(code) == []
    assert uscc_doubts(code) == []


def test_a_wrong_check_character_is_doubted_and_not_refused() -> None:
    assert uscc_faults("91420100177738286U") == []
    assert "校验码应为A" in uscc_doubts("91420100177738286U")[0]


def test_the_organisation_code_inside_agrees_with_its_own_check() -> None:
    assert organisation_check_character("M000100Y") == "4"


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("", "应为18位"),
        ("91350100M000100Y4", "应为18位"),
        ("91350100M000100Y433", "应为18位"),
        ("9135010OM000100Y43", "不得含有字符 O"),
        ("91350100m000100Y43", "不得含有字符 m"),
        ("91350100M000100Y4３", "不得含有字符"),
        ("9135A100M000100Y43", "第3至8位"),
    ],
)
def test_what_cannot_be_a_code_is_named(code: str, fault: str) -> None:
    assert any(fault in found for found in uscc_faults(code))
    assert uscc_doubts(code) == []


@given(stems, st.integers(0, 16), st.sampled_from(USCC_ALPHABET))
def test_every_single_changed_character_is_doubted(stem: str, place: int, other: str) -> None:
    changed = stem[:place] + other + stem[place + 1 :]
    if changed != stem:
        assert uscc_check_character(changed) != uscc_check_character(stem)


def test_real_firms_are_never_refused() -> None:
    if not REAL_CODES.exists():
        pytest.skip("the sample of real codes is not on this machine")
    with REAL_CODES.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 100
    assert [row["uscc"] for row in rows if uscc_faults(row["uscc"])] == []
    doubted = {row["uscc"] for row in rows if uscc_doubts(row["uscc"])}
    assert doubted == {row["uscc"] for row in rows if row["check_digit_valid"] == "False"}


def test_stems_of_the_wrong_form_have_no_check_character() -> None:
    for stem in ("", "91350100M000100Y43", "9135010OM000100Y4"):
        with pytest.raises(ValueError, match="stem"):
            uscc_check_character(stem)
    with pytest.raises(ValueError, match="stem"):
        organisation_check_character("short")
    with pytest.raises(ValueError, match="digits and capital letters"):
        mod_37_2_check_character("a-b")


@pytest.mark.parametrize(("kind", "serial", "check"), [("A01", 1, "K"), ("D01", 2, "Z")])
def test_the_worked_deal_codes_are_met(kind: str, serial: int, check: str) -> None:
    code = unified_deal_code(kind=kind, platform_uscc=PLATFORM, on=date(2026, 3, 1), serial=serial)
    assert code == f"{kind}-{PLATFORM}-20260301-{serial:06d}-{check}"
    assert len(code) == 40
    assert is_unified_deal_code(code)


@given(st.integers(1, 999_999), st.integers(0, 37), st.sampled_from("0123456789"))
def test_a_mistyped_digit_of_a_deal_code_is_found(serial: int, place: int, digit: str) -> None:
    code = unified_deal_code(kind="A01", platform_uscc=PLATFORM, on=date(2026, 3, 1), serial=serial)
    mistyped = code[:place] + digit + code[place + 1 :]
    assert is_unified_deal_code(mistyped) == (mistyped == code)


def test_a_deal_code_of_wrong_parts_is_not_made() -> None:
    good = {"kind": "A01", "platform_uscc": PLATFORM, "on": date(2026, 3, 1), "serial": 1}
    for wrong in ({"kind": "01A"}, {"platform_uscc": "123"}, {"serial": 0}, {"serial": 1_000_000}):
        with pytest.raises(ValueError, match=r"kind|credit|serial"):
            unified_deal_code(**{**good, **wrong})  # type: ignore[arg-type]  # parts vary in kind
