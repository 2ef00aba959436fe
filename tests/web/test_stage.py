"""What counts as a refusal with its article, and what a stranger at the rehearsal knows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kernel.settings import Settings
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, CONDUCT_OPINIONS, E_BIDDING_MEASURES
from web.client import Problem
from web.rehearsal.stage import Facts, Stage, cites, same_article


@pytest.mark.parametrize(
    ("cited", "article"),
    [
        (BIDDING_LAW[24], "《招标投标法》第24条"),
        (BIDDING_REGULATION[36], "《招标投标法实施条例》第36条"),
        (E_BIDDING_MEASURES[26], "《电子招标投标办法》第26条"),
        (BIDDING_REGULATION[51, 6], "《招标投标法实施条例》第51条第（六）项"),
        (BIDDING_REGULATION[51, 6], "《招标投标法实施条例》第51条"),
        (CONDUCT_OPINIONS[14], str(CONDUCT_OPINIONS[14])),
    ],
    ids=str,
)
def test_an_article_is_the_same_with_and_without_the_republics_name(
    cited: object, article: str
) -> None:
    assert same_article(str(cited), article)
    assert same_article(f"依据{cited}及其他规定", article)


@pytest.mark.parametrize(
    ("cited", "article"),
    [
        # The number alone is not the article: another instrument has one too.
        (BIDDING_LAW[36], "《招标投标法实施条例》第36条"),
        (BIDDING_REGULATION[36], "《电子招标投标办法》第36条"),
        (BIDDING_LAW[24], "《招标投标法》第25条"),
        (BIDDING_REGULATION[51, 5], "《招标投标法实施条例》第51条第（六）项"),
        (BIDDING_REGULATION[51], "《招标投标法实施条例》第51条第（六）项"),
        ("第36条", "《招标投标法实施条例》第36条"),
        ("", "《招标投标法实施条例》第36条"),
    ],
    ids=str,
)
def test_an_article_of_another_instrument_number_or_item_is_another(
    cited: object, article: str
) -> None:
    assert not same_article(str(cited), article)


def test_a_refusal_cites_what_one_of_its_grounds_cites() -> None:
    grounds: list[dict[str, Any]] = [
        {"code": "a", "article": str(BIDDING_LAW[28])},
        {"code": "b", "article": str(BIDDING_REGULATION[36])},
    ]
    problem = Problem(409, "refused", grounds, {})
    assert cites(problem, "《招标投标法实施条例》第36条")
    assert not cites(problem, "《招标投标法》第36条")
    assert not cites(Problem(404, "not_found", [], {}), "《招标投标法》第28条")
    assert not cites(None, "《招标投标法》第28条")


def test_what_is_no_article_is_no_expectation() -> None:
    with pytest.raises(ValueError, match="no article"):
        same_article(str(BIDDING_LAW[28]), "第二十八条")


def test_a_stranger_pins_the_log_every_witness_and_the_quorum(
    settings: Settings, tmp_path: Path
) -> None:
    facts = Facts(log_vkey="log", witness_vkeys=("one", "two"))
    stage = Stage(settings, tmp_path, Console(file=io.StringIO()), facts=facts)
    assert stage.pins == (
        *("--log", "log", "--quorum", str(settings.witness_quorum)),
        *("--witness", "one", "--witness", "two"),
    )
