"""The generated tables of both READMEs are what the code says, and leave nobody out."""

from __future__ import annotations

import re

import pytest

from kernel.access import ROLES_BY_ACTIVITY, Role
from web import handbook


@pytest.mark.parametrize("name", handbook.READMES)
def test_the_readme_is_what_the_code_says(name: str) -> None:
    readme = (handbook.ROOT / name).read_text("utf-8")
    assert handbook.renewed(readme) == readme, "run: python3 do.py sunbid docs"


def test_the_chinese_readme_has_every_section_and_decision_of_the_english_one() -> None:
    english, chinese = ((handbook.ROOT / name).read_text("utf-8") for name in handbook.READMES)
    for shape in (r"^#+ ", r"^\d+\. \*\*", r"^```"):
        here, there = (len(re.findall(shape, text, re.M)) for text in (english, chinese))
        assert here == there, shape


def test_a_witness_may_do_what_everybody_who_is_signed_in_may_and_no_more() -> None:
    handbook.load_everything()
    people = set(Role) - {Role.PLATFORM, Role.PUBLIC}
    for name, roles in ROLES_BY_ACTIVITY.items():
        if Role.WITNESS in roles and name.split(".")[0] in handbook.PACKAGES:
            assert roles >= people, name
            assert f"| `{name}` |" in handbook.access_matrix()
    assert handbook.SHORT.keys() == set(Role)
