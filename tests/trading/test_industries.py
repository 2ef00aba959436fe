"""How codes begin: the industry of a tender, told apart by whether the law demands the tender."""

from __future__ import annotations

from datetime import date

import pytest

from kernel.identifiers import is_unified_deal_code, unified_deal_code
from trading.industries import OTHER, deal_kind, industries
from trading.rules.procedures import OFFERED, Procedure, switches_of

DAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("procedure", "industry", "kind"),
    [
        (Procedure.OPEN_TENDER_MANDATORY, "A02", "A02"),
        (Procedure.OPEN_TENDER_MANDATORY, OTHER, "A99"),
        (Procedure.OPEN_TENDER_VOLUNTARY, "A02", "G02"),
        (Procedure.PROCUREMENT_OPEN_TENDER, "A02", "D01"),
    ],
)
def test_a_code_begins_with_the_industry_and_purchases_with_their_own_sign(
    procedure: Procedure, industry: str, kind: str
) -> None:
    assert deal_kind(industry, switches_of(procedure, on=DAY)) == kind


def test_whatever_the_industry_and_the_procedure_a_deal_code_can_be_made() -> None:
    for industry in industries():
        for procedure in OFFERED:
            kind = deal_kind(industry, switches_of(procedure, on=DAY))
            uscc = "91350100M000100Y43"
            code = unified_deal_code(kind=kind, platform_uscc=uscc, on=DAY, serial=1)
            assert is_unified_deal_code(code)


def test_each_industry_has_a_name_in_both_languages() -> None:
    assert len(industries()) == 15
    assert all(one.name and one.english for one in industries().values())
