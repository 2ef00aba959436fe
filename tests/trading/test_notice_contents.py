"""What a notice must say and may not ask for.

Bidding Law 15, 16, 19; Bidding Regulation 26, 27, 37; Notice Measures 5; Electronic Bidding
Measures 14, 17; Government Procurement Regulation 33; Procurement Tender Measures 12; SME Payment
Regulation 13; and, warning only, Works Tender Measures 37, Survey and Design Tender Measures 24.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import (
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
)
from trading.rules.notice_contents import (
    AGENCY_WORDS,
    REQUIRED_WORDS,
    NoticeContents,
    WorkKind,
    notice_refusals,
    security_cautions,
)
from trading.rules.procedures import Procedure, SecurityForm, Switches, switches_of

MANDATORY = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))

WORDS = {key: f"{label}：如实" for key, (label, _) in {**REQUIRED_WORDS, **AGENCY_WORDS}.items()}
COMPLETE = NoticeContents(
    organisation_verified=True,
    words=WORDS,
    has_agency=True,
    agency_authorised=True,
    estimate=Decimal(12_000_000),
    bid_security=Decimal(240_000),
    security_forms=frozenset({SecurityForm.TRANSFER, SecurityForm.BANK_GUARANTEE}),
    has_ceiling=True,
    ceiling_price=Decimal(11_800_000),
)


def codes(contents: NoticeContents, switches: Switches = MANDATORY) -> list[str]:
    return [one.code for one in notice_refusals(contents, switches)]


@pytest.mark.accepts("NO-02", "NO-17", "PL-07")
def test_a_complete_notice_may_be_published_in_every_regime() -> None:
    assert codes(COMPLETE) == []
    assert codes(COMPLETE, PROCUREMENT) == []


@pytest.mark.refuses("NO-02")
@pytest.mark.parametrize("key", [*REQUIRED_WORDS, *AGENCY_WORDS])
@pytest.mark.parametrize("words", [None, "", "  \n"])
def test_each_thing_a_notice_must_say_is_missed(key: str, words: str | None) -> None:
    said = {name: text for name, text in WORDS.items() if name != key}
    if words is not None:
        said[key] = words
    found = notice_refusals(replace(COMPLETE, words=said), MANDATORY)
    assert [(one.code, one.facts["item"]) for one in found] == [("notice_lacks", key)]


def test_without_an_agency_its_words_are_not_asked_for() -> None:
    alone = {key: text for key, text in WORDS.items() if key not in AGENCY_WORDS}
    assert codes(replace(COMPLETE, words=alone, has_agency=False, agency_authorised=False)) == []


def test_every_ground_is_given_at_once() -> None:
    empty = replace(COMPLETE, words={}, organisation_verified=False, agency_authorised=False)
    found = codes(empty)
    assert found[:2] == ["organisation_unverified", "agency_not_authorised"]
    assert found.count("notice_lacks") == len(WORDS)


@pytest.mark.refuses("PL-07")
def test_an_unverified_organisation_publishes_nothing() -> None:
    found = notice_refusals(replace(COMPLETE, organisation_verified=False), MANDATORY)
    assert [(one.code, one.article) for one in found] == [
        ("organisation_unverified", E_BIDDING_MEASURES[14])
    ]


@pytest.mark.accepts("NO-14")
@pytest.mark.refuses("NO-14")
def test_a_security_of_two_per_cent_is_lawful_and_a_fen_more_is_not() -> None:
    one_more = replace(COMPLETE, bid_security=Decimal("240000.01"))
    found = notice_refusals(one_more, MANDATORY)
    assert [(one.code, one.article) for one in found] == [
        ("security_too_high", BIDDING_REGULATION[26])
    ]
    assert found[0].facts == {"most": "240000.00", "asked": "240000.01"}
    assert [one.article for one in notice_refusals(one_more, PROCUREMENT)] == [
        PROCUREMENT_REGULATION[33]
    ]


@given(st.integers(1, 10**14), st.integers(-500, 500))
def test_the_cap_is_met_exactly_at_every_estimate(estimate_fen: int, off: int) -> None:
    estimate = Decimal(estimate_fen) / 100
    security = MANDATORY.security.most_for(estimate) + Decimal(off) / 100
    if security <= 0:
        return
    contents = replace(COMPLETE, estimate=estimate, bid_security=security, ceiling_price=None)
    too_high = "security_too_high" in codes(replace(contents, has_ceiling=False))
    assert too_high is (off > 0)


def test_a_security_is_not_negative() -> None:
    assert codes(replace(COMPLETE, bid_security=Decimal("-0.01"))) == ["security_negative"]


def test_whoever_asks_for_a_security_takes_guarantees_for_it() -> None:
    no_guarantee = replace(COMPLETE, security_forms=frozenset({SecurityForm.TRANSFER}))
    assert codes(no_guarantee) == ["guarantee_refused"]
    assert codes(replace(no_guarantee, bid_security=Decimal(0))) == []


def test_procurement_takes_no_cash() -> None:
    cash = replace(
        COMPLETE, security_forms=frozenset({SecurityForm.CASH, SecurityForm.BANK_GUARANTEE})
    )
    assert codes(cash) == []
    assert codes(cash, PROCUREMENT) == ["security_in_cash"]


@pytest.mark.refuses("NO-17")
def test_a_floor_is_forbidden() -> None:
    found = notice_refusals(replace(COMPLETE, minimum_price=Decimal(0)), MANDATORY)
    assert [(one.code, one.article) for one in found] == [("minimum_price", BIDDING_REGULATION[27])]


def test_a_ceiling_is_stated_or_can_be_computed() -> None:
    unsaid = replace(COMPLETE, ceiling_price=None)
    assert codes(unsaid) == ["ceiling_not_stated"]
    assert codes(replace(unsaid, ceiling_method="按第三章计算")) == []
    assert codes(replace(unsaid, has_ceiling=False)) == []
    assert codes(replace(COMPLETE, ceiling_price=Decimal(0))) == ["ceiling_not_positive"]


def test_only_a_procurement_ceiling_stays_within_the_budget() -> None:
    above = replace(COMPLETE, ceiling_price=COMPLETE.estimate + Decimal("0.01"))
    assert codes(above) == []
    found = notice_refusals(above, PROCUREMENT)
    assert [(one.code, one.article) for one in found] == [
        ("ceiling_above_budget", PROCUREMENT_TENDER_MEASURES[12])
    ]
    assert codes(replace(above, ceiling_price=COMPLETE.estimate), PROCUREMENT) == []


def test_an_estimate_is_needed() -> None:
    assert "no_estimate" in codes(replace(COMPLETE, estimate=Decimal(0), bid_security=Decimal(0)))


@pytest.mark.parametrize(
    ("kind", "cap"), [(WorkKind.WORKS, 800_000), (WorkKind.SURVEY_AND_DESIGN, 100_000)]
)
def test_the_caps_of_the_sectors_only_warn(kind: WorkKind, cap: int) -> None:
    large = replace(COMPLETE, estimate=Decimal(10**9), work_kind=kind, has_ceiling=False)
    at_cap = replace(large, bid_security=Decimal(cap), ceiling_price=None)
    above = replace(at_cap, bid_security=Decimal(cap) + Decimal("0.01"))
    assert security_cautions(at_cap) == []
    assert [one.code for one in security_cautions(above)] == ["security_above_sector_cap"]
    assert codes(above) == []


def test_goods_and_services_have_no_sector_cap() -> None:
    goods = replace(COMPLETE, bid_security=Decimal(10**9), work_kind=WorkKind.GOODS)
    assert security_cautions(goods) == []
