"""What must be tendered: Bidding Law 3, 4, 66; Bidding Regulation 8, 9; Mandatory Tender Provisions
2, 3, 5; Government Procurement Regulation 28; and, from memory, Mandatory Tender Provisions for
Infrastructure 2.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.refusals import Refusal
from kernel.regions import RegionLevel
from kernel.statute import Article, InForce, Regime
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure
from trading.rules.trading_catalogue import (
    EXEMPTION_NAMES,
    INVITATION_NAMES,
    KIND_NAMES,
    NATIONAL_CATALOGUE,
    CatalogueLine,
    Exemption,
    InvitationGround,
    ProjectScope,
    Sibling,
    estimate_refusals,
    exemption_refusals,
    funding_grounds,
    method_refusals,
    placed,
    read_catalogue,
    scope_cautions,
    scope_refusals,
    splitting_refusals,
)

FREE = ProjectScope(
    kind=WorkKind.WORKS,
    region_code="420100",
    procedure=Procedure.OPEN_TENDER_VOLUNTARY,
    estimate=Decimal(4_000_000),
    on=date(2026, 3, 2),
)
STATE = replace(FREE, state_controlled=True)
PIECE = Sibling("P-2", "二标", Decimal(2_000_000), Procedure.OPEN_TENDER_VOLUNTARY)


def codes(found: list[Refusal]) -> list[str]:
    return [one.code for one in found]


@pytest.mark.refuses("SC-01", "SC-02")
@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        (WorkKind.WORKS, 4_000_000),
        (WorkKind.GOODS, 2_000_000),
        (WorkKind.SURVEY_AND_DESIGN, 1_000_000),
    ],
)
def test_a_state_project_at_the_amount_cannot_be_tendered_voluntarily(
    kind: WorkKind, amount: int
) -> None:
    found = scope_refusals(replace(STATE, kind=kind, estimate=Decimal(amount)), NATIONAL_CATALOGUE)
    assert codes(found) == ["must_be_tendered"]
    assert "国有资金占控股或者主导地位" in found[0].reason
    assert found[0].facts["estimate"] == f"{amount}.00"


@pytest.mark.accepts("SC-02")
def test_a_fen_below_the_amount_is_free() -> None:
    below = replace(STATE, estimate=Decimal("3999999.99"))
    assert scope_refusals(below, NATIONAL_CATALOGUE) == []


@pytest.mark.accepts("SC-01")
def test_without_public_money_the_amount_does_not_matter() -> None:
    assert scope_refusals(replace(FREE, estimate=Decimal(10**9)), NATIONAL_CATALOGUE) == []


@pytest.mark.refuses("SC-01")
@pytest.mark.parametrize(
    ("funds", "investment", "counts"),
    [
        ("2000000", "20000000", True),
        ("1999999.99", "2000000", False),
        ("2000000", "20000000.01", False),
        ("2000000", "0", False),
    ],
)
def test_budget_money_counts_from_two_million_and_a_tenth(
    funds: str, investment: str, counts: bool
) -> None:
    scope = replace(FREE, budget_funds=Decimal(funds), total_investment=Decimal(investment))
    assert bool(funding_grounds(scope)) is counts
    assert bool(scope_refusals(scope, NATIONAL_CATALOGUE)) is counts


def test_foreign_loans_count() -> None:
    assert codes(scope_refusals(replace(FREE, foreign_funds=True), NATIONAL_CATALOGUE)) == [
        "must_be_tendered"
    ]


def test_before_the_provisions_came_into_force_nothing_is_judged_by_them() -> None:
    on = date(2018, 5, 31)
    scope = replace(STATE, on=on)
    assert scope_refusals(scope, NATIONAL_CATALOGUE) == []
    assert codes(scope_refusals(replace(scope, on=date(2018, 6, 1)), NATIONAL_CATALOGUE)) == [
        "must_be_tendered"
    ]


def test_entered_as_mandatory_nothing_is_wrong() -> None:
    scope = replace(STATE, procedure=Procedure.OPEN_TENDER_MANDATORY)
    assert scope_refusals(scope, NATIONAL_CATALOGUE) == []


@pytest.mark.refuses("SC-04")
def test_pieces_that_reach_the_amount_together_are_refused() -> None:
    scope = replace(STATE, estimate=Decimal(2_000_000), siblings=(PIECE,))
    found = splitting_refusals(scope, NATIONAL_CATALOGUE)
    assert codes(found) == ["split"]
    assert found[0].facts["together"] == "4000000.00"
    assert "二标（P-2）" in found[0].reason


@pytest.mark.accepts("SC-04")
def test_pieces_that_stay_below_it_together_are_not() -> None:
    scope = replace(STATE, estimate=Decimal("1999999.99"), siblings=(PIECE,))
    assert splitting_refusals(scope, NATIONAL_CATALOGUE) == []


@given(st.lists(st.integers(1, 399_999_999), min_size=1, max_size=6))
def test_a_split_is_found_exactly_when_the_whole_reaches_the_amount(fens: list[int]) -> None:
    first, *rest = (Decimal(fen) / 100 for fen in fens)
    siblings = tuple(
        Sibling(str(n), "标", estimate, Procedure.OPEN_TENDER_VOLUNTARY)
        for n, estimate in enumerate(rest)
    )
    scope = replace(STATE, estimate=first, siblings=siblings)
    found = bool(splitting_refusals(scope, NATIONAL_CATALOGUE))
    assert found is (bool(rest) and scope.together >= Decimal(4_000_000))


@pytest.mark.refuses("SC-04")
def test_one_item_bought_several_times_in_a_year_by_other_methods_is_a_split() -> None:
    line = _procurement_line(Decimal(2_000_000))
    scope = replace(
        FREE,
        kind=WorkKind.GOODS,
        procedure=Procedure.REQUEST_FOR_QUOTATIONS,
        estimate=Decimal("0.01"),
        siblings=(replace(PIECE, procedure=Procedure.REQUEST_FOR_QUOTATIONS),),
    )
    assert codes(splitting_refusals(scope, [line])) == ["split"]
    assert splitting_refusals(replace(scope, procurement_exception="财采〔2026〕3号"), [line]) == []
    openly = replace(scope, procedure=Procedure.PROCUREMENT_OPEN_TENDER)
    assert splitting_refusals(openly, [line]) == []
    assert splitting_refusals(replace(scope, estimate=Decimal(0)), [line]) == []


@pytest.mark.refuses("SC-05")
def test_state_money_is_tendered_openly() -> None:
    invited = replace(STATE, procedure=Procedure.INVITED_TENDER_MANDATORY)
    assert codes(method_refusals(invited, NATIONAL_CATALOGUE)) == ["must_be_open"]
    claimed = replace(invited, invitation_ground=InvitationGround.FEW_BIDDERS)
    assert codes(method_refusals(claimed, NATIONAL_CATALOGUE)) == ["no_invitation_document"]


@pytest.mark.accepts("SC-05")
def test_an_invitation_with_a_ground_and_its_document_is_allowed() -> None:
    shown = replace(
        STATE,
        procedure=Procedure.INVITED_TENDER_MANDATORY,
        invitation_ground=InvitationGround.COST_TOO_HIGH,
        invitation_document="江发改批〔2026〕8号",
    )
    assert method_refusals(shown, NATIONAL_CATALOGUE) == []
    assert method_refusals(replace(shown, state_controlled=False), NATIONAL_CATALOGUE) == []


@pytest.mark.refuses("SC-06")
@pytest.mark.parametrize("exemption", Exemption)
def test_an_exemption_shows_its_document(exemption: Exemption) -> None:
    bare = replace(STATE, exemption=exemption)
    found = exemption_refusals(bare)
    assert codes(found) == ["no_exemption_document"]
    assert found[0].article == EXEMPTION_NAMES[exemption][1]


@pytest.mark.accepts("SC-06")
def test_an_exempt_project_need_not_be_tendered() -> None:
    shown = replace(
        STATE, exemption=Exemption.DISASTER_RELIEF, exemption_document="江应急〔2026〕2号"
    )
    assert exemption_refusals(shown) == scope_refusals(shown, NATIONAL_CATALOGUE) == []


@pytest.mark.refuses("SC-03")
def test_large_works_without_state_money_are_warned_of_and_not_refused() -> None:
    scope = replace(FREE, infrastructure=True)
    assert [one.code for one in scope_cautions(scope, NATIONAL_CATALOGUE)] == [
        "may_have_to_be_tendered"
    ]
    assert scope_refusals(scope, NATIONAL_CATALOGUE) == []


@pytest.mark.accepts("SC-03")
def test_other_works_without_state_money_are_not_even_warned_of() -> None:
    assert scope_cautions(FREE, NATIONAL_CATALOGUE) == []


def test_a_placing_explains_itself() -> None:
    why = placed(replace(STATE, siblings=(PIECE,)), NATIONAL_CATALOGUE).why
    assert len(why) == 4
    assert "工程施工" in why[0]
    assert "4000000.00" in why[2]
    assert placed(replace(FREE, kind=WorkKind.SERVICES), NATIONAL_CATALOGUE).line is None


def test_the_strictest_of_several_lines_binds_and_a_regions_own_binds_only_there() -> None:
    lines = read_catalogue(json.dumps(LOCAL))
    scope = replace(STATE, estimate=Decimal(1_000_000))
    assert codes(scope_refusals(scope, [*NATIONAL_CATALOGUE, *lines])) == ["must_be_tendered"]
    elsewhere = replace(scope, region_code="430100")
    assert scope_refusals(elsewhere, [*NATIONAL_CATALOGUE, *lines]) == []
    county = replace(scope, region_code="420111")
    assert scope_refusals(county, [*NATIONAL_CATALOGUE, *lines]) == []
    assert lines[0].level is RegionLevel.CITY
    assert str(lines[0].article) == "《湖北省公共资源交易目录》第3条"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"region": "9"},
        {"document": ""},
        {"lines": [{}]},
        {"lines": None},
        {"lines": [{"amounts": {"2026-01-01": "-1"}}]},
        {"lines": [{"amounts": {"2026-01-01": "x"}}]},
        {"lines": [{"kind": "paper"}]},
        {"lines": [{"level": "village"}]},
        {"lines": [{"amounts": {"soon": "1"}}]},
    ],
)
def test_a_catalogue_that_makes_no_sense_is_not_read(spoilt: dict[str, object]) -> None:
    told = {**LOCAL, **spoilt}
    lines = spoilt.get("lines")
    if isinstance(lines, list) and lines[0]:
        told["lines"] = [{**LOCAL["lines"][0], **lines[0]}]
    with pytest.raises(ValueError):  # noqa: PT011  # what it says is for the operator alone
        read_catalogue(json.dumps(told))


def test_every_ground_and_kind_has_a_name() -> None:
    assert set(EXEMPTION_NAMES) == set(Exemption)
    assert set(INVITATION_NAMES) == set(InvitationGround)
    assert set(KIND_NAMES) == set(WorkKind)


LOCAL: dict[str, Any] = {
    "title": "湖北省公共资源交易目录",
    "document": "鄂公管〔2026〕1号",
    "region": "420000",
    "lines": [
        {
            "code": "HB-1",
            "name": "市级施工",
            "kind": "works",
            "regime": "tendering",
            "level": "city",
            "amounts": {"2026-01-01": "1000000"},
            "article": 3,
        }
    ],
}


def _procurement_line(amount: Decimal) -> CatalogueLine:
    article: Article = read_catalogue(json.dumps(LOCAL))[0].article
    return CatalogueLine(
        "B-G",
        "货物",
        WorkKind.GOODS,
        Regime.PROCUREMENT,
        InForce({date(2020, 1, 1): amount}),
        article,
    )


@pytest.mark.refuses("SC-02")
def test_a_free_project_with_state_money_states_its_estimate() -> None:
    assert codes(estimate_refusals(STATE, stated=False)) == ["estimate_unstated"]


@pytest.mark.accepts("SC-02")
@pytest.mark.parametrize(
    ("scope", "stated"),
    [
        (STATE, True),
        (FREE, False),
        (replace(STATE, procedure=Procedure.OPEN_TENDER_MANDATORY), False),
        (replace(STATE, procedure=Procedure.REQUEST_FOR_QUOTATIONS), False),
    ],
)
def test_what_the_catalogue_cannot_bind_or_binds_already_needs_no_estimate(
    scope: ProjectScope, stated: bool
) -> None:
    assert estimate_refusals(scope, stated=stated) == []
