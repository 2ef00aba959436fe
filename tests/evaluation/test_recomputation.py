"""Bidding Regulation 49, 51, 53; Procurement Tender Measures 64: one record, one result."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules.ranking import (
    BidStatus,
    EvaluatedBid,
    Totalling,
    ranked,
    result_document,
)
from evaluation.rules.recomputation import evaluation_document, recompute
from evaluation.rules.rejection_grounds import RejectionGround, RejectionMotion
from evaluation.rules.score_arithmetic import (
    BenchmarkMethod,
    BenchmarkTerms,
    Deduction,
    DeductionMethod,
)
from evaluation.rules.score_commitment import Mark, ScoreSheet, commitment
from evaluation.rules.score_scheme import (
    BenchmarkPrice,
    ItemKind,
    ItemPart,
    ScoreItem,
    ScoreScheme,
    ScoringMethod,
)
from kernel.crypto.digests import Malformed, canonical, strict_json
from kernel.errors import BrokenSeal, PlatformError, Refused
from kernel.statute import Regime

COMMITTEE = UUID(int=77)
PEOPLE = [UUID(int=n) for n in range(1, 6)]
BIDS = {"A": 9620, "B": 9710, "C": 9755, "D": 9800, "E": 9848, "X": 20000}
SCHEME = ScoreScheme(
    ScoringMethod.COMPREHENSIVE_EVALUATION,
    (
        ScoreItem("T", "施工方案", ItemKind.SUBJECTIVE, ItemPart.TECHNICAL, Decimal(30)),
        ScoreItem("B", "业绩", ItemKind.OBJECTIVE, ItemPart.BUSINESS, Decimal(10)),
    ),
    Decimal(60),
    BenchmarkPrice(
        BenchmarkTerms(BenchmarkMethod.TRIMMED_MEAN, scaling=BenchmarkMethod.MEAN_TIMES_K),
        Deduction(DeductionMethod.LINEAR, above=Decimal(2), below=Decimal(1)),
        k_set=(Decimal("0.95"), Decimal("0.98")),
    ),
)
MOTION = RejectionMotion(
    "X",
    RejectionGround.PRICE_OUT_OF_BOUNDS,
    "报价函第1页",
    "超过最高投标限价",
    in_favour=frozenset(PEOPLE[:4]),
    against=frozenset(PEOPLE[4:]),
)


def sheet_of(person: UUID, number: int = 1) -> ScoreSheet:
    extra = PEOPLE.index(person) + number
    return ScoreSheet(
        COMMITTEE,
        person,
        number,
        tuple(
            mark
            for n, bid in enumerate(BIDS)
            if bid != "X"
            for mark in (Mark(bid, "T", Decimal(20 + n % 3 + extra)), Mark(bid, "B", Decimal(n)))
        ),
    )


def committed(sheet: ScoreSheet, reason: str = "") -> tuple[ScoreSheet, bytes, bytes, str]:
    nonce = bytes([sheet.expert.int, sheet.round]) * 16
    return sheet, nonce, commitment(sheet, nonce), reason


FIRST = [committed(sheet_of(person)) for person in PEOPLE]
SECOND = committed(sheet_of(PEOPLE[2], 2), "误看页码")
FACTS = Totalling(
    scheme=SCHEME,
    regime=Regime.TENDERING,
    bids=tuple(EvaluatedBid(bid, Decimal(price)) for bid, price in BIDS.items()),
    rejected=frozenset({"X"}),
    sheets=tuple(SECOND[0] if sheet.expert == PEOPLE[2] else sheet for sheet, _, _, _ in FIRST),
    k=Decimal("0.98"),
)
RECORD: dict[str, Any] = json.loads(
    canonical(
        evaluation_document(
            FACTS,
            committee=COMMITTEE,
            committee_members=PEOPLE,
            motions=[MOTION],
            sheets=[*FIRST, SECOND],
        )
    )
)


def test_a_result_is_reckoned_again_from_its_record() -> None:
    result = recompute(RECORD)
    assert result == ranked(FACTS)
    assert result.line("X").status is BidStatus.REJECTED
    assert result.benchmark == Decimal("9559.9000")
    written = canonical(result_document(result))
    assert strict_json(written) == result_document(recompute(RECORD))


def test_the_last_sheet_of_a_member_counts() -> None:
    without = copy.deepcopy(RECORD)
    without["sheets"] = [one for one in without["sheets"] if one["sheet"]["round"] == 1]
    assert recompute(without) != recompute(RECORD)


def test_a_rejection_that_was_not_carried_leaves_the_bid_in() -> None:
    lost = copy.deepcopy(RECORD)
    motion = lost["motions"][0]
    motion["in_favour"], motion["against"] = motion["in_favour"][:2], motion["in_favour"][2:]
    with pytest.raises(Refused):  # nobody scored it
        recompute(lost)


def changed(**members: object) -> dict[str, Any]:
    return copy.deepcopy(RECORD) | members


@pytest.mark.parametrize(
    "record",
    [
        changed(v="ebid-evaluation/2"),
        changed(regime="all"),
        changed(regime="land"),
        changed(extra=1),
        changed(k=None),
        changed(k="0.97"),
        changed(k=0),
        changed(members=RECORD["members"][::-1]),
        changed(members=RECORD["members"] + ["x"]),
        changed(members=[one.replace("-", "") for one in RECORD["members"]]),
        changed(bids=RECORD["bids"] * 2),
        changed(bids=[one | {"price": "0"} for one in RECORD["bids"]]),
        changed(bids=[one | {"allowance": "friend"} for one in RECORD["bids"]]),
        changed(drawn=["Q"]),
        changed(drawn=["A", "A"]),
        changed(motions=[RECORD["motions"][0] | {"bid": "Q"}]),
        changed(motions=[RECORD["motions"][0] | {"ground": "whim"}]),
        changed(motions=[RECORD["motions"][0] | {"asked": 1}]),
        changed(motions=[RECORD["motions"][0] | {"against": RECORD["motions"][0]["in_favour"]}]),
        changed(motions=[RECORD["motions"][0] | {"against": [str(UUID(int=9))]}]),
        changed(sheets=RECORD["sheets"] * 2),
        changed(sheets=[one | {"reason": "x"} for one in RECORD["sheets"]]),
        changed(sheets=[one | {"reason": ""} for one in RECORD["sheets"]]),
        changed(committee=str(UUID(int=78))),
    ],
)
def test_a_record_written_otherwise_is_malformed(record: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        recompute(record)


@pytest.mark.parametrize("member", sorted(RECORD))
def test_nothing_may_be_left_out(member: str) -> None:
    with pytest.raises(Malformed):
        recompute({name: value for name, value in RECORD.items() if name != member})


@given(st.sampled_from(range(len(RECORD["sheets"]))), st.data())
def test_a_changed_mark_does_not_open_its_commitment(place: int, data: st.DataObject) -> None:
    record = copy.deepcopy(RECORD)
    marks = record["sheets"][place]["sheet"]["marks"]
    mark = data.draw(st.sampled_from(marks))
    mark["score"] = str(int(mark["score"]) + 1)
    with pytest.raises(BrokenSeal):
        recompute(record)


@given(st.integers(0, len(RECORD["sheets"]) - 1), st.sampled_from(["drop", "double", "swap"]))
def test_a_sheet_dropped_doubled_or_moved_is_noticed(place: int, how: str) -> None:
    record = copy.deepcopy(RECORD)
    listed = record["sheets"]
    if how == "drop":
        removed = listed.pop(place)
        if removed["sheet"]["expert"] == str(PEOPLE[2]) and removed["sheet"]["round"] == 2:
            assert recompute(record) != recompute(RECORD)
            return
    elif how == "double":
        listed.insert(place, listed[place])
    else:
        listed[place]["sheet"], listed[place - 1]["sheet"] = (
            listed[place - 1]["sheet"],
            listed[place]["sheet"],
        )
    with pytest.raises(PlatformError):
        recompute(record)


def test_an_unlawful_mark_is_refused_although_it_was_committed_to() -> None:
    sheet = FIRST[0][0]
    over = replace(sheet, marks=(Mark("A", "T", Decimal(31)), *sheet.marks[:0], *sheet.marks[2:]))
    over = replace(over, marks=(*over.marks, Mark("A", "B", Decimal(0))))
    listed = [committed(over), *FIRST[1:], SECOND]
    document = evaluation_document(
        FACTS,
        committee=COMMITTEE,
        committee_members=PEOPLE,
        motions=[MOTION],
        sheets=listed,
    )
    with pytest.raises(Refused) as caught:
        recompute(document)
    assert [one.code for one in caught.value.refusals] == ["out_of_band"]


def test_a_rejection_without_a_page_is_refused() -> None:
    record = changed(motions=[RECORD["motions"][0] | {"page": ""}])
    with pytest.raises(Refused) as caught:
        recompute(record)
    assert [one.code for one in caught.value.refusals] == ["no_page"]
