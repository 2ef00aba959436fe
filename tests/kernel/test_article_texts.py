"""The texts of the law that are shown beside rules."""

from __future__ import annotations

import pytest

from kernel.article_texts import TEXTS, articles_in, number_in, text_of
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, E_BIDDING_MEASURES, Instrument
from web import handbook


@pytest.mark.parametrize(
    ("numerals", "number"),
    [("一", 1), ("十", 10), ("十九", 19), ("二十", 20), ("六十八", 68), ("一百零二", 102)],
)
def test_numerals_are_read(numerals: str, number: int) -> None:
    assert number_in(numerals) == number


@pytest.mark.parametrize("instrument", list(TEXTS), ids=lambda one: one.name)
def test_every_article_of_a_text_is_found_in_its_order(instrument: Instrument) -> None:
    numbers = list(articles_in(TEXTS[instrument]))
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 30


def test_an_article_has_all_its_paragraphs_and_nothing_of_the_next() -> None:
    text = text_of(BIDDING_LAW[24])
    assert text is not None
    assert "最短不得少于二十日" in text
    regulation = text_of(BIDDING_REGULATION[22])
    assert regulation is not None
    assert "作出答复前，应当暂停招标投标活动" in regulation
    assert "第二十三条" not in regulation


def test_an_item_shows_the_whole_article_and_an_unknown_text_nothing() -> None:
    assert text_of(BIDDING_REGULATION[40, 1]) == text_of(BIDDING_REGULATION[40])
    assert text_of(E_BIDDING_MEASURES[26]) is None


def test_every_article_that_a_rule_cites_is_in_its_text() -> None:
    handbook.load_everything()
    cited = {line.article for line in handbook.lines()}
    missing = [
        str(article)
        for article in cited
        if article.instrument in TEXTS and text_of(article) is None
    ]
    assert missing == []
