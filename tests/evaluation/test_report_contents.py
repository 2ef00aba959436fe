"""Bidding Law 38; Bidding Regulation 53; Committee Provisions 42, 43;
Electronic Bidding Measures 34; Procurement Tender Measures 61."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules.report_contents import (
    Position,
    ReportPart,
    ReportSignature,
    report_refusals,
    signature_refusals,
    signing_state,
)
from kernel.statute import (
    BIDDING_REGULATION,
    COMMITTEE_PROVISIONS,
    E_BIDDING_MEASURES,
    PROCUREMENT_TENDER_MEASURES,
    Regime,
)

PEOPLE = [UUID(int=n) for n in range(5)]
REPORT, EARLIER = b"r" * 32, b"e" * 32
SIGNED = ReportSignature(PEOPLE[0], REPORT)


def test_a_report_has_ten_parts() -> None:
    assert len(ReportPart) == 10
    assert report_refusals(set(ReportPart), ["A", "B"], regime=Regime.TENDERING) == []
    assert report_refusals(set(ReportPart), [], regime=Regime.TENDERING) == []


@given(st.sets(st.sampled_from(ReportPart)))
def test_every_missing_part_is_named(parts: set[ReportPart]) -> None:
    found = report_refusals(parts, [], regime=Regime.TENDERING)
    assert {one.facts["part"] for one in found} == set(ReportPart) - parts
    assert {one.article for one in found} <= {COMMITTEE_PROVISIONS[42]}


def test_procurement_cites_what_binds_it() -> None:
    found = report_refusals(set(ReportPart) - {ReportPart.RANKING}, [], regime=Regime.PROCUREMENT)
    assert [one.article for one in found] == [E_BIDDING_MEASURES[34]]


@pytest.mark.parametrize(("count", "refused"), [(0, False), (3, False), (4, True)])
def test_candidates_are_three_at_most(count: int, refused: bool) -> None:
    found = report_refusals(set(ReportPart), list("ABCD")[:count], regime=Regime.TENDERING)
    assert bool(found) == refused
    assert {one.article for one in found} <= {BIDDING_REGULATION[53]}


def test_a_candidate_is_named_once() -> None:
    found = report_refusals(set(ReportPart), ["A", "A"], regime=Regime.TENDERING)
    assert [one.code for one in found] == ["candidates_unfit"]


# --- signing


def codes(signature: ReportSignature, *earlier: ReportSignature) -> list[str]:
    found = signature_refusals(
        signature,
        earlier,
        committee_members=PEOPLE,
        report_digest=REPORT,
        regime=Regime.TENDERING,
    )
    return [one.code for one in found]


def test_a_member_signs_once_with_or_without_dissent() -> None:
    assert codes(SIGNED) == []
    assert codes(replace(SIGNED, dissent="对B3技术分有不同意见，理由如下")) == []
    assert codes(replace(SIGNED, refused=True)) == []
    assert codes(SIGNED, SIGNED) == ["signed_already"]
    assert codes(replace(SIGNED, refused=True), SIGNED) == ["signed_already"]


@pytest.mark.parametrize(
    ("signature", "code"),
    [
        (replace(SIGNED, member=UUID(int=9)), "not_a_member"),
        (replace(SIGNED, report_digest=EARLIER), "another_report"),
        (replace(SIGNED, refused=True, dissent="理由"), "dissent_is_signed"),
        (replace(SIGNED, dissent="长" * 10_001), "dissent_too_long"),
    ],
)
def test_an_answer_that_cannot_stand_is_refused(signature: ReportSignature, code: str) -> None:
    assert codes(signature) == [code]


def test_a_signature_under_an_earlier_text_does_not_hinder_the_new_one() -> None:
    assert codes(SIGNED, replace(SIGNED, report_digest=EARLIER)) == []


def test_each_regime_cites_its_own_article() -> None:
    for regime, article in [
        (Regime.TENDERING, BIDDING_REGULATION[53]),
        (Regime.PROCUREMENT, PROCUREMENT_TENDER_MEASURES[61]),
    ]:
        (refusal,) = signature_refusals(
            SIGNED,
            [SIGNED],
            committee_members=PEOPLE,
            report_digest=REPORT,
            regime=regime,
        )
        assert refusal.article == article


def state_of(*signatures: ReportSignature) -> list[Position]:
    state = signing_state(signatures, committee_members=PEOPLE, report_digest=REPORT)
    return [state.positions[one] for one in PEOPLE]


def test_who_refuses_to_sign_without_written_reasons_agrees() -> None:
    found = state_of(
        ReportSignature(PEOPLE[0], REPORT),
        ReportSignature(PEOPLE[1], REPORT, dissent="书面意见"),
        ReportSignature(PEOPLE[2], REPORT, refused=True),
        ReportSignature(PEOPLE[3], REPORT, refused=True, dissent="  "),
    )
    assert found == [
        Position.AGREES,
        Position.DISSENTS,
        Position.DEEMED_TO_AGREE,
        Position.DEEMED_TO_AGREE,
        Position.PENDING,
    ]


def test_another_text_and_strangers_count_for_nothing() -> None:
    found = state_of(ReportSignature(PEOPLE[0], EARLIER), ReportSignature(UUID(int=9), REPORT))
    assert found == [Position.PENDING] * 5


@given(st.lists(st.sampled_from(["sign", "dissent", "refuse", "wait"]), min_size=5, max_size=5))
def test_a_report_is_adopted_when_all_have_answered_and_most_agree(answers: list[str]) -> None:
    given_answers = [
        ReportSignature(
            person,
            REPORT,
            dissent="意见" if answer == "dissent" else "",
            refused=answer == "refuse",
        )
        for person, answer in zip(PEOPLE, answers, strict=True)
        if answer != "wait"
    ]
    state = signing_state(given_answers, committee_members=PEOPLE, report_digest=REPORT)
    assert state.is_complete() == ("wait" not in answers)
    agreeing = sum(answer in ("sign", "refuse") for answer in answers)
    assert state.is_adopted() == ("wait" not in answers and agreeing >= 3)
