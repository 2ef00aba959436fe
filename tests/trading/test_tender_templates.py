"""Standard texts for tender files: Bidding Law 19."""

from __future__ import annotations

from datetime import date
from itertools import pairwise, product

import pytest

from kernel.statute import Regime
from trading.rules.notice_contents import WorkKind
from trading.rules.tender_file import Block, BlockKind
from trading.rules.tender_templates import (
    begun,
    filled,
    gap_refusals,
    gaps,
    in_order,
    template_for,
)

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


@pytest.mark.refuses("NO-23")
def test_a_gap_that_nobody_filled_is_a_ground_with_its_block() -> None:
    template = template_for(WorkKind.WORKS, Regime.TENDERING, on=TODAY)
    file = begun(template, {"项目名称": "污水处理厂", "资金来源": "财政资金"})
    found = {one.facts["place"]: one for one in gap_refusals(file)}
    assert "1.1" not in found
    assert "施工资质、注册建造师" in found["3.2"].reason
    assert file.terms.template == template.name


@pytest.mark.accepts("NO-23")
def test_a_file_without_gaps_has_no_such_ground() -> None:
    template = template_for(WorkKind.GOODS, Regime.TENDERING, on=TODAY)
    values = {gap: "见数据" for block in template.blocks for gap in gaps(block)}
    assert gap_refusals(begun(template, values)) == []


def test_blocks_stand_in_the_order_of_their_numbers() -> None:
    blocks = [Block(BlockKind.NOTICE, number, "标题", "") for number in ("2.10", "10", "2.9", "2")]
    assert [one.number for one in in_order(blocks)] == ["2", "2.9", "2.10", "10"]
