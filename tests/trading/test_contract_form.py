"""The words of a contract: the tender's own form, or the platform's."""

from __future__ import annotations

import re

import pytest

from trading.rules.contract_form import contract_clauses
from trading.rules.notice_contents import WorkKind
from trading.rules.tender_file import Block, BlockKind


@pytest.mark.parametrize("kind", list(WorkKind))
def test_the_standard_form_is_whole_and_repeats_no_figure_of_the_main_terms(
    kind: WorkKind,
) -> None:
    clauses = contract_clauses(kind)
    assert [one["number"] for one in clauses] == [str(n) for n in range(1, len(clauses) + 1)]
    for clause in clauses:
        assert clause["title"]
        assert clause["text"].endswith("。")
        assert "【" not in clause["text"]
        assert not re.search(r"\d+元", clause["text"])


def test_what_is_bought_without_a_tender_names_the_papers_of_a_purchase() -> None:
    words = "".join(one["text"] for one in contract_clauses(WorkKind.GOODS, purchase=True))
    assert "成交通知书、响应文件、采购文件" in words
    assert not re.search("招标|投标|中标", words)


def test_the_tenders_own_form_takes_its_place() -> None:
    own = [
        Block(BlockKind.INSTRUCTIONS, "2.1", "投标有效期", "九十日。"),
        Block(BlockKind.CONTRACT, "6.1", "价款与支付", "按月计量支付。"),
        Block(BlockKind.CONTRACT, "6.2", "空", "  "),
    ]
    assert contract_clauses(WorkKind.WORKS, own) == [
        {"number": "6.1", "title": "价款与支付", "text": "按月计量支付。"}
    ]
    assert contract_clauses(WorkKind.WORKS, own[:1]) == contract_clauses(WorkKind.WORKS)
