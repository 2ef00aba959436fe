"""A scoring method that was changed, told in words (Bidding Law 23)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.purchases import LOWEST
from tests.tenders import SCHEME
from trading.rules.scheme_words import SchemeChange, scheme_changes, scheme_lines, scheme_parts
from web.rehearsal.scheme import SCHEME as REHEARSED


def changed(**changes: Any) -> dict[str, Any]:
    """The scheme with its first item otherwise."""
    other = deepcopy(SCHEME)
    other["items"][0] |= changes
    return other


def test_an_item_is_told_with_its_weight_before_and_after() -> None:
    (found,) = scheme_changes(SCHEME, changed(highest="30", weight="0.5"))
    assert found.title == "施工组织设计"
    assert "最高25分，权重1，" in found.old
    assert "最高30分，权重0.5，" in found.new


def test_an_item_that_is_called_otherwise_is_the_same_one_and_both_names_are_told() -> None:
    (found,) = scheme_changes(SCHEME, changed(name="施工方案"))
    assert found.title == "施工方案"
    assert (found.old[:7], found.new[:5]) == ("施工组织设计：", "施工方案：")


def test_what_comes_and_what_goes_has_no_words_on_the_other_side() -> None:
    without = {**SCHEME, "items": SCHEME["items"][1:], "trim_from": 7}
    added, gone = scheme_changes(SCHEME, without)
    trimmed = "7名成员起，每项去掉一个最高分和一个最低分"
    assert added == SchemeChange("去掉最高分和最低分", "", trimmed)
    assert (gone.title, gone.new) == ("施工组织设计", "")
    assert scheme_changes(SCHEME, SCHEME) == ()


@pytest.mark.parametrize("scheme", [SCHEME, REHEARSED, LOWEST])
def test_every_part_of_a_scheme_has_words_and_none_is_left_as_it_is_written(
    scheme: dict[str, Any],
) -> None:
    lines = scheme_lines(scheme).splitlines()
    assert len(lines) == len(scheme_parts(scheme))
    assert not [line for line in lines if "_" in line or "{" in line]
    assert [one.new for one in scheme_changes(None, scheme)] == [
        line.partition("：")[2] for line in lines
    ]
    assert scheme_lines(None) == ""
