"""Every rule has a test file, and that file names every article the rule carries out."""

from __future__ import annotations

import ast
import re
from importlib import import_module

import pytest

from kernel.statute import RULES, Article, Provenance, Rule, Severity
from trading.rules.rule_book import RULE_BOOK
from web import handbook

handbook.load_everything()
OURS = [RULES[name] for name in sorted(RULES) if name.split(".")[0] in handbook.PACKAGES]


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


def _boundary_cases() -> dict[str, set[str]]:
    """The numbers that tests name as let pass and as turned down, read from their marks."""
    named: dict[str, set[str]] = {"accepts": set(), "refuses": set()}
    for path in (handbook.ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in named
                and ast.unparse(node.func.value) == "pytest.mark"
            ):
                found = (one.value for one in node.args if isinstance(one, ast.Constant))
                named[node.func.attr] |= {str(one) for one in found}
    return named


def test_every_rule_of_the_book_is_carried_out_by_a_function_or_built_in() -> None:
    carried = {number for rule in OURS for number in rule.ids}
    assert [
        one.id for one in RULE_BOOK.values() if one.id not in carried and not one.built_in
    ] == []


def test_every_rule_of_the_book_has_a_case_it_lets_pass_and_one_it_turns_down() -> None:
    named = _boundary_cases()
    judged = {one.id for one in RULE_BOOK.values() if not one.built_in}
    assert judged - named["accepts"] == set()
    assert judged - named["refuses"] == set()
    assert named["accepts"] | named["refuses"] <= set(RULE_BOOK)


def test_what_is_said_to_be_built_in_is_a_module_of_the_house_with_a_test() -> None:
    for entry in RULE_BOOK.values():
        assert bool(entry.built_in) is bool(entry.proof)
        if entry.built_in:
            assert import_module(entry.built_in).__doc__
            assert (handbook.ROOT / entry.proof).exists(), entry.id
