"""Both languages say everything: no word of the frame is missing, and none is idle."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from string import Formatter

import pytest

from kernel.access import Role
from trading.rules.lot_lifecycle import LotState
from web import pages, problems
from web.problems import Kind
from web.words import CATALOGUE, STATE_TONES, Language, say

HOUSE = Path(pages.__file__).parents[1]
SAID = re.compile(r"\bsay\(\s*'([\w.]+)'")
GROUPS_BY_NAME = ("state.", "status.", "role.", "problem.", "fault.", "display.", "time.")
"""Groups whose keys are put together from a name; who needs them is tested by itself."""


def templates() -> list[Path]:
    return sorted((HOUSE / "web" / "templates").rglob("*.html"))


def fillings(words: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(words) if name is not None}


@pytest.mark.parametrize("key", sorted(CATALOGUE))
def test_every_word_is_said_in_both_languages(key: str) -> None:
    words = CATALOGUE[key]
    assert words.zh.strip() == words.zh != ""
    assert words.en.strip() == words.en != ""
    assert fillings(words.zh) == fillings(words.en)


@pytest.mark.parametrize("key", sorted(CATALOGUE))
def test_words_keep_to_the_house_style(key: str) -> None:
    words = CATALOGUE[key]
    both = words.zh + words.en
    assert not re.search("[!！]", both), "nothing is shouted"
    assert "请稍候" not in words.zh, "a wait has a number"
    assert "操作失败" not in words.zh
    assert words.zh.count("请") <= 1 or key.endswith((".text", ".call")), "polite once"
    prose = re.sub(r"\{\w+\}|https?://\S+", "", words.zh)
    if re.search(r"[一-鿿]", prose):
        assert not re.search(r"[一-鿿][,;:?()]|[,;:?()][一-鿿]", prose), "full-width marks"
    assert not re.search(r"[一-鿿]", words.en) or key == "display.other_language"


def test_every_key_a_template_says_is_in_the_catalogue() -> None:
    said = {
        key: template.name
        for template in templates()
        for key in SAID.findall(template.read_text("utf-8"))
        if not key.endswith(".")
    }
    assert {key: where for key, where in said.items() if key not in CATALOGUE} == {}


def test_no_word_is_idle() -> None:
    sources = chain(templates(), (HOUSE / "web").rglob("*.py"))
    text = "\n".join(path.read_text("utf-8") for path in sources if path.name != "words.py")
    idle = [
        key
        for key in CATALOGUE
        if not key.startswith(GROUPS_BY_NAME)
        and not re.search(rf"['\"]{re.escape(key)}['\"]", text)
    ]
    assert idle == []


@pytest.mark.parametrize("state", list(LotState))
def test_every_state_of_a_lot_has_a_tag(state: LotState) -> None:
    assert STATE_TONES[state]
    assert say(f"state.{state}", Language.ZH) != say(f"state.{state}", Language.EN)


def test_every_tag_of_a_state_has_words() -> None:
    assert {f"state.{name}" for name in STATE_TONES} <= set(CATALOGUE)


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_a_name(role: Role) -> None:
    assert f"role.{role}" in CATALOGUE


def kinds() -> list[Kind]:
    named = [value for value in vars(problems).values() if isinstance(value, Kind)]
    return [*named, *problems.KINDS.values()]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.code)
def test_every_problem_says_what_happened_and_what_is_safe(kind: Kind) -> None:
    assert f"problem.{kind.code}" in CATALOGUE
    assert f"problem.{kind.code}.text" in CATALOGUE


def test_a_missing_filling_is_an_error() -> None:
    with pytest.raises(KeyError):
        say("pager.where", Language.ZH, page=1)


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(KeyError):
        say("no.such.word", Language.EN)
