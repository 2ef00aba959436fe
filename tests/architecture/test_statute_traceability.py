"""Every rule has a test file, and that file names every article the rule carries out."""

from __future__ import annotations

import re

import pytest

from kernel.statute import RULES, Article, Provenance, Rule, Severity
from web import handbook

handbook.load_everything()
OURS = [rule for rule in RULES.values() if rule.name.split(".")[0] in handbook.PACKAGES]


def _names(docstring: str, article: Article) -> bool:
    """Whether a text cites the article: its instrument by name, its number in the list behind."""
    for found in re.finditer(
        rf"{re.escape(article.instrument.name)}((?:[\s,(]|and|\d|\))+)", docstring
    ):
        if re.search(rf"(?<!\d){article.number}(?!\d)", found[1]):
            return True
    return False


@pytest.mark.parametrize("rule", OURS, ids=lambda rule: rule.name)
def test_every_article_a_rule_carries_out_is_named_by_its_test(rule: Rule) -> None:
    path = handbook.ROOT / handbook.test_of(rule.name)
    assert path.exists(), f"{rule.name} has no test at {path.name}"
    text = " ".join(path.read_text().split())
    missing = [str(article) for article in rule.articles if not _names(text, article)]
    assert missing == []


def test_no_rule_that_blocks_rests_on_memory() -> None:
    blocking = [rule for rule in OURS if rule.severity is Severity.BLOCK]
    assert [rule.name for rule in blocking if rule.provenance is Provenance.MEMORY] == []
    assert blocking
