"""Bidding Regulation 49; Procurement Tender Measures 55, 62, 64."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules.score_commitment import (
    ChangeGround,
    Mark,
    ScoreSheet,
    SheetChange,
    change_refusals,
    changed_marks,
    check_reveal,
    commitment,
    parse_sheet,
    reveal_refusals,
    sheet_bytes,
    sheet_document,
    sheet_refusals,
)
from evaluation.rules.score_scheme import (
    ItemKind,
    ItemPart,
    ScoreItem,
    ScoreScheme,
    ScoringMethod,
)
from kernel.crypto.digests import Malformed, strict_json
from kernel.errors import BrokenSeal
from kernel.statute import BIDDING_REGULATION, PROCUREMENT_TENDER_MEASURES, Regime

COMMITTEE, EXPERT, OTHER = (UUID(int=n) for n in (1, 2, 3))
NONCE = bytes(range(32))
SHEET = ScoreSheet(
    COMMITTEE,
    EXPERT,
    1,
    (
        Mark("B2", "T1", Decimal("17.50")),
        Mark("B1", "T2", Decimal(8)),
        Mark("B1", "T1", Decimal("18.0")),
        Mark("B2", "T2", Decimal("7.25")),
    ),
)
SCHEME = ScoreScheme(
    ScoringMethod.COMPREHENSIVE_SCORING,
    (
        ScoreItem("T1", "方案", ItemKind.SUBJECTIVE, ItemPart.TECHNICAL, Decimal(20)),
        ScoreItem("T2", "业绩", ItemKind.OBJECTIVE, ItemPart.BUSINESS, Decimal(10)),
    ),
    Decimal(70),
    None,
)
MARKS = st.lists(
    st.builds(
        Mark,
        st.sampled_from(["B1", "B2", "B3"]),
        st.sampled_from(["T1", "T2"]),
        st.decimals(0, 100, places=2),
    ),
    unique_by=lambda one: (one.bid, one.item),
    max_size=6,
)


def test_a_sheet_has_one_text_whatever_the_order_it_was_filled_in() -> None:
    turned = replace(SHEET, marks=SHEET.marks[::-1])
    assert turned == SHEET
    assert sheet_bytes(SHEET) == (
        b'{"committee":"00000000-0000-0000-0000-000000000001",'
        b'"expert":"00000000-0000-0000-0000-000000000002",'
        b'"marks":[{"bid":"B1","item":"T1","score":"18"},{"bid":"B1","item":"T2","score":"8"},'
        b'{"bid":"B2","item":"T1","score":"17.5"},{"bid":"B2","item":"T2","score":"7.25"}],'
        b'"round":1,"v":"ebid-score-sheet/1"}'
    )


def test_the_commitment_is_the_hash_of_everything_under_its_label() -> None:
    expected = hashlib.sha256(
        b"ebid/1/score\0"
        + COMMITTEE.bytes
        + EXPERT.bytes
        + b"\0\0\0\1"
        + NONCE
        + sheet_bytes(SHEET)
    ).digest()
    assert commitment(SHEET, NONCE) == expected
    check_reveal(SHEET, NONCE, expected)


@pytest.mark.parametrize(
    "changed",
    [
        replace(SHEET, committee=OTHER),
        replace(SHEET, expert=OTHER),
        replace(SHEET, round=2),
        replace(SHEET, marks=SHEET.marks[1:]),
        replace(SHEET, marks=(replace(SHEET.marks[0], score=Decimal("18.01")), *SHEET.marks[1:])),
    ],
)
def test_another_sheet_does_not_open_the_commitment(changed: ScoreSheet) -> None:
    with pytest.raises(BrokenSeal):
        check_reveal(changed, NONCE, commitment(SHEET, NONCE))


@given(st.integers(0, 31), st.integers(1, 255))
def test_another_nonce_does_not_open_the_commitment(place: int, change: int) -> None:
    other = bytearray(NONCE)
    other[place] ^= change
    with pytest.raises(BrokenSeal):
        check_reveal(SHEET, bytes(other), commitment(SHEET, NONCE))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_nonce_has_thirty_two_bytes(size: int) -> None:
    with pytest.raises(BrokenSeal):
        check_reveal(SHEET, bytes(size), commitment(SHEET, NONCE))
    with pytest.raises(ValueError, match="32 bytes"):
        commitment(SHEET, bytes(size))


@given(MARKS, st.integers(1, 2**32 - 1))
def test_a_sheet_survives_being_written_and_read(marks: list[Mark], number: int) -> None:
    sheet = ScoreSheet(COMMITTEE, EXPERT, number, tuple(marks))
    assert parse_sheet(strict_json(sheet_bytes(sheet))) == sheet


@pytest.mark.parametrize(
    "change",
    [
        {"v": "ebid-score-sheet/2"},
        {"round": 0},
        {"round": "1"},
        {"committee": "1"},
        {"expert": str(EXPERT).upper() + "0"},
        {"extra": 1},
        {"marks": [{"bid": "B1", "item": "T1", "score": "18.0"}]},
        {"marks": [{"bid": "B1", "item": "T1", "score": 18}]},
        {"marks": [{"bid": "B1", "item": "T1", "score": "1"}] * 2},
        {
            "marks": [
                {"bid": "B2", "item": "T1", "score": "1"},
                {"bid": "B1", "item": "T1", "score": "1"},
            ]
        },
    ],
)
def test_a_sheet_written_otherwise_is_malformed(change: dict[str, Any]) -> None:
    document = json.loads(sheet_bytes(SHEET)) | change
    with pytest.raises(Malformed):
        parse_sheet(document)


def test_a_sheet_without_rounds_or_with_a_double_mark_does_not_exist() -> None:
    with pytest.raises(ValueError, match="rounds"):
        replace(SHEET, round=0)
    with pytest.raises(ValueError, match="twice"):
        replace(SHEET, marks=SHEET.marks + SHEET.marks[:1])


def test_a_mark_is_found_or_it_is_not() -> None:
    assert SHEET.mark("B2", "T1") == Decimal("17.5")
    with pytest.raises(KeyError):
        SHEET.mark("B3", "T1")
    assert sheet_document(SHEET)["round"] == 1


# --- what may be committed, revealed and changed


def test_a_full_sheet_within_its_bands_may_be_committed_to() -> None:
    assert sheet_refusals(SHEET, SCHEME, bids={"B1", "B2"}, regime=Regime.PROCUREMENT) == []


def test_a_sheet_is_judged_as_a_whole_with_every_ground() -> None:
    marks = (Mark("B1", "T1", Decimal("20.01")), Mark("B9", "T1", Decimal(1)))
    found = sheet_refusals(
        replace(SHEET, marks=marks), SCHEME, bids={"B1", "B2"}, regime=Regime.TENDERING
    )
    assert [one.code for one in found] == ["marks_missing", "unknown_bid", "out_of_band"]
    assert found[0].facts["missing"] == "3"


@given(st.sets(st.integers(0, 4).map(lambda n: UUID(int=n))))
def test_nothing_is_revealed_before_every_member_has_committed(committed: set[UUID]) -> None:
    people = [UUID(int=n) for n in range(5)]
    found = reveal_refusals(
        committee_members=people, committed=committed, regime=Regime.PROCUREMENT
    )
    assert (found == []) == (len(committed) == 5)
    assert {one.article for one in found} <= {PROCUREMENT_TENDER_MEASURES[62]}


CHANGED = replace(
    SHEET, round=2, marks=(replace(SHEET.marks[0], score=Decimal(1)), *SHEET.marks[1:])
)
CHANGE = SheetChange(SHEET, CHANGED, "误看第12页，应为1分")


def changes(change: SheetChange, regime: Regime = Regime.TENDERING) -> set[str]:
    return {one.code for one in change_refusals(change, regime=regime)}


def test_a_change_with_a_reason_is_a_new_round() -> None:
    assert changes(CHANGE) == set()
    assert changed_marks(SHEET, CHANGED) == (("B1", "T1"),)
    assert changed_marks(SHEET, replace(SHEET, marks=SHEET.marks[1:])) == (("B1", "T1"),)


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
def test_a_change_without_a_reason_is_refused(reason: str) -> None:
    (refusal,) = change_refusals(replace(CHANGE, reason=reason), regime=Regime.TENDERING)
    assert (refusal.code, refusal.article) == ("no_reason", BIDDING_REGULATION[49])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (replace(CHANGE, after=replace(CHANGED, expert=OTHER)), "not_own_sheet"),
        (replace(CHANGE, after=replace(CHANGED, round=3)), "round_outrun"),
        (replace(CHANGE, after=replace(SHEET, round=2)), "nothing_changed"),
        (replace(CHANGE, report_signed=True), "report_signed"),
    ],
)
def test_a_change_that_is_none_of_ones_own_is_refused(change: SheetChange, code: str) -> None:
    assert changes(change) == {code}


def test_procurement_names_four_grounds_once_totals_are_known() -> None:
    known = replace(CHANGE, totals_known=True)
    assert changes(known, Regime.PROCUREMENT) == {"no_lawful_ground"}
    assert changes(known) == set()
    assert len(ChangeGround) == 4
    for ground in ChangeGround:
        assert changes(replace(known, ground=ground), Regime.PROCUREMENT) == set()
    (refusal,) = change_refusals(known, regime=Regime.PROCUREMENT)
    assert refusal.article == PROCUREMENT_TENDER_MEASURES[64]
