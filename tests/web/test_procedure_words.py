"""UX 13: the thing is named as its procedure names it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from trading.rules.procedures import Procedure
from web.pages import tell
from web.procedure_words import SAID, Manner, in_manner, manner_of, telling
from web.words import Language


def test_every_procedure_has_its_manner() -> None:
    found = {one: manner_of(one) for one in Procedure}
    assert {one for one, manner in found.items() if manner is Manner.PURCHASE} == {
        Procedure.COMPETITIVE_NEGOTIATION,
        Procedure.COMPETITIVE_CONSULTATION,
        Procedure.REQUEST_FOR_QUOTATIONS,
        Procedure.SINGLE_SOURCE,
    }
    assert found[Procedure.OPEN_TENDER_MANDATORY] is Manner.TENDER
    assert found[Procedure.PROCUREMENT_OPEN_TENDER] is Manner.PROCUREMENT_TENDER


@pytest.mark.parametrize(
    ("words", "purchase", "procured"),
    [
        ("招标公告", "采购公告", "招标公告"),
        ("距投标截止", "距响应截止", "距投标截止"),
        ("评标排名", "评审排名", "评标排名"),
        ("中标候选人公示", "成交候选人公示", "中标候选人公示"),
        ("投标人与招标人", "供应商与采购人", "投标人与采购人"),
        ("《中华人民共和国招标投标法》第28条", "《中华人民共和国招标投标法》第28条", None),
        ("The tenderee", "The purchaser", "The purchaser"),
    ],
)
def test_words_of_a_tender_are_said_as_the_procedure_says_them(
    words: str, purchase: str, procured: str | None
) -> None:
    assert in_manner(Manner.PURCHASE, words) == purchase
    assert in_manner(Manner.PROCUREMENT_TENDER, words) == (procured or words)
    assert in_manner(Manner.TENDER, words) == words


@given(some.text(some.sampled_from("招标投人文件公告截止中评开大厅"), max_size=30))
def test_a_law_keeps_its_name_whatever_stands_in_it(name: str) -> None:
    for manner in Manner:
        assert in_manner(manner, f"《{name}》") == f"《{name}》"


def test_no_word_of_the_table_is_left_in_what_it_says_but_a_place_name() -> None:
    for said in SAID.values():
        for word in said.values():
            assert "投标" not in word
            assert "中标" not in word


def test_a_page_tells_in_the_readers_language() -> None:
    for language, expected in ((Language.ZH, "采购公告 7"), (Language.EN, "Procurement notice 7")):
        told = telling(Procedure.REQUEST_FOR_QUOTATIONS, tell=tell, language=language)
        assert told("招标公告 {n}", "Tender notice {n}", n=7) == expected
