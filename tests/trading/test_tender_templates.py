"""Standard texts for tender files."""

from __future__ import annotations

from datetime import date
from itertools import pairwise, product

import pytest

from kernel.statute import Regime
from trading.rules.notice_contents import WorkKind
from trading.rules.tender_file import BlockKind
from trading.rules.tender_templates import filled, gaps, template_for

FAMILIES = (Regime.TENDERING, Regime.PROCUREMENT)
TODAY = date(2026, 3, 2)


@pytest.mark.parametrize(("kind", "regime"), list(product(WorkKind, FAMILIES)))
def test_every_category_and_family_has_a_text_with_every_kind_of_block(
    kind: WorkKind, regime: Regime
) -> None:
    template = template_for(kind, regime, on=TODAY)
    assert {block.kind for block in template.blocks} == set(BlockKind)
    numbers = [tuple(map(int, block.number.split("."))) for block in template.blocks]
    assert all(one < other for one, other in pairwise(numbers))


def test_the_version_is_the_one_of_the_law_on_that_day() -> None:
    before = template_for(WorkKind.WORKS, Regime.TENDERING, on=date(2022, 8, 31))
    after = template_for(WorkKind.WORKS, Regime.TENDERING, on=date(2022, 9, 1))
    assert (before.name, after.name) == ("works-tendering/2013", "works-tendering/2022")
    with pytest.raises(LookupError):
        template_for(WorkKind.WORKS, Regime.PROCUREMENT, on=date(2017, 9, 30))


def test_gaps_are_filled_by_name_and_others_stay() -> None:
    block = template_for(WorkKind.WORKS, Regime.TENDERING, on=TODAY).blocks[0]
    assert gaps(block) == ("项目名称", "资金来源")
    told = filled(block, {"项目名称": "污水管网"})
    assert "污水管网已具备招标条件" in told.text
    assert gaps(told) == ("资金来源",)


def test_nothing_is_tendered_under_no_law() -> None:
    with pytest.raises(ValueError, match="tendering or procurement"):
        template_for(WorkKind.WORKS, Regime.ALL, on=TODAY)
