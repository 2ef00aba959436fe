"""The tender file: Bidding Law 19, 46; Bidding Regulation 15, 16, 27, 28, 30, 50, 58; Electronic
Bidding Measures 16, 19; Government Procurement Law 46; Government Procurement Regulation 30, 48;
Procurement Tender Measures 20.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from kernel.crypto.digests import Malformed
from kernel.statute import Regime
from tests.tender_files import a_clean_file
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure, switches_of
from trading.rules.tender_file import (
    BLOCK_NAMES,
    BillItem,
    BlockKind,
    FileTerms,
    contract_form_refusals,
    parse_tender_file,
    place_of,
    procurement_refusals,
    structure_refusals,
    tender_file_document,
    terms_refusals,
)

TENDERING = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
WORKS = a_clean_file(WorkKind.WORKS, Regime.TENDERING)
GOODS = a_clean_file(WorkKind.GOODS, Regime.PROCUREMENT)


def codes(found: list[Any]) -> list[str]:
    return [one.code for one in found]


@pytest.mark.parametrize("file", [WORKS, GOODS])
def test_a_file_is_read_back_as_it_was_written(file: Any) -> None:
    told = json.loads(json.dumps(tender_file_document(file)))
    assert parse_tender_file(told) == file


def spoilt(**changes: object) -> dict[str, Any]:
    told: dict[str, Any] = tender_file_document(WORKS)
    return {**told, **changes}


def block(**changes: object) -> dict[str, Any]:
    told: dict[str, Any] = tender_file_document(WORKS)
    return {**told, "blocks": [{**told["blocks"][0], **changes}, *told["blocks"][1:]]}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        spoilt(v="ebid-tender-file/2"),
        spoilt(more=1),
        spoilt(blocks={}),
        spoilt(bill=[{"number": "1", "name": "管", "unit": "米", "quantity": "0"}]),
        spoilt(bill=[{"number": "1", "name": " ", "unit": "米", "quantity": "1"}]),
        spoilt(bill=[{"number": "1", "name": "管", "unit": "米", "quantity": "1e3"}]),
        spoilt(terms={"stages": True}),
        spoilt(terms={"stages": 1001}),
        spoilt(terms={"reserve_secret": 1}),
        spoilt(terms={"documents_fee": "-1"}),
        spoilt(terms={"budget": "x"}),
        spoilt(terms={"unknown": 1}),
        spoilt(terms={"performance_security_share": "10%"}),
        spoilt(terms={"visits_for": "一建"}),
        spoilt(terms={"template": "x" * 201}),
        block(kind="poem"),
        block(number="3."),
        block(number="1.1.1.1.1.1"),
        block(title=" "),
        block(text="x" * 50_001),
        block(essential="yes"),
        block(number=tender_file_document(WORKS)["blocks"][1]["number"]),  # type: ignore[index]  # a list of blocks
    ],
)
def test_what_is_no_tender_file_is_not_read(document: object) -> None:
    with pytest.raises(Malformed):
        parse_tender_file(document)


@pytest.mark.accepts("NO-23", "NO-24", "NO-18", "NO-19", "NO-20", "NO-25", "AW-11", "AW-14")
@pytest.mark.parametrize(("file", "switches"), [(WORKS, TENDERING), (GOODS, PROCUREMENT)])
def test_nothing_stands_against_a_clean_file(file: Any, switches: Any) -> None:
    for rule in (structure_refusals, procurement_refusals, contract_form_refusals, terms_refusals):
        assert rule(file, switches) == []


@pytest.mark.refuses("NO-23")
@pytest.mark.parametrize("kind", BlockKind)
def test_a_file_without_one_of_its_parts_is_refused(kind: BlockKind) -> None:
    blocks = tuple(one for one in WORKS.blocks if one.kind is not kind)
    found = structure_refusals(replace(WORKS, blocks=blocks), TENDERING)
    assert [(one.code, one.facts) for one in found] == [("block_missing", {"block": str(kind)})]
    assert BLOCK_NAMES[kind] in found[0].reason


@pytest.mark.refuses("NO-23")
def test_a_file_names_its_template_and_lists_what_it_wants() -> None:
    bare = replace(WORKS, bill=(), terms=FileTerms())
    assert codes(structure_refusals(bare, TENDERING)) == ["no_template", "bill_empty"]
    item = BillItem("1", "管材", "米", Decimal(1))
    twice = replace(WORKS, bill=(item, item))
    assert codes(structure_refusals(twice, TENDERING)) == ["bill_number_twice"]


@pytest.mark.refuses("NO-24")
def test_procurement_states_budget_and_credit_and_marks_what_is_essential() -> None:
    blocks = tuple(replace(one, essential=False) for one in GOODS.blocks)
    bare = replace(GOODS, blocks=blocks, terms=FileTerms(template="t"))
    assert codes(procurement_refusals(bare, PROCUREMENT)) == [
        *("no_budget", "credit_unstated", "credit_unstated", "credit_unstated", "nothing_marked"),
    ]
    assert procurement_refusals(bare, TENDERING) == []


@pytest.mark.refuses("AW-11", "AW-14")
def test_a_contract_form_asks_for_a_tenth_and_thirty_days_at_most() -> None:
    terms = replace(WORKS.terms, performance_security_share=Decimal("0.1001"), sign_within_days=31)
    for file, switches in ((WORKS, TENDERING), (GOODS, PROCUREMENT)):
        found = contract_form_refusals(replace(file, terms=terms), switches)
        assert codes(found) == ["performance_security_too_high", "signed_too_late"]
    limit = replace(terms, performance_security_share=Decimal("0.1"), sign_within_days=30)
    assert contract_form_refusals(replace(WORKS, terms=limit), TENDERING) == []


@pytest.mark.refuses("NO-18", "NO-19", "NO-20", "NO-25")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"platform_fee": Decimal("0.01")}, "platform_fee"),
        ({"documents_fee": Decimal("0.01")}, "documents_fee"),
        ({"visits_for": ("一建",)}, "selective_visit"),
        ({"reserve_estimates": 2}, "several_reserves"),
        ({"reserve_estimates": 1, "reserve_secret": False}, "reserve_open"),
        ({"reserve_estimates": 1, "reserve_decides": True}, "reserve_decides"),
        ({"stages": 2, "security_stage": 2, "price_in_first_stage": True}, "price_in_first_stage"),
        ({"stages": 2, "security_stage": 1}, "security_in_first_stage"),
    ],
)
def test_each_term_the_law_forbids_is_refused(changes: dict[str, Any], code: str) -> None:
    file = replace(WORKS, terms=replace(WORKS.terms, **changes))
    assert codes(terms_refusals(file, TENDERING)) == [code]


@pytest.mark.accepts("NO-18", "NO-20")
def test_one_secret_reserve_and_a_second_stage_with_its_security_are_allowed() -> None:
    terms = replace(WORKS.terms, reserve_estimates=1, stages=2, security_stage=2)
    assert terms_refusals(replace(WORKS, terms=terms), TENDERING) == []


def test_a_finding_about_a_kind_of_block_stands_at_the_first_of_them() -> None:
    assert place_of(WORKS, BlockKind.EVALUATION) == "4.1"
    assert place_of(replace(WORKS, blocks=()), BlockKind.EVALUATION) == ""
