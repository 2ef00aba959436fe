"""Region codes of GB/T 2260."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.regions import (
    RegionLevel,
    city_of,
    is_region_code,
    level_of,
    lies_in,
    names,
    province_of,
    region_path,
)

codes = st.sampled_from(sorted(names()))


def test_the_table_holds_every_province_and_thousands_of_counties() -> None:
    provinces = [one for one in names() if level_of(one) is RegionLevel.PROVINCE]
    assert len(provinces) == 34
    assert sum(level_of(one) is RegionLevel.COUNTY for one in names()) > 2800


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("420000", "湖北省"),
        ("420100", "湖北省武汉市"),
        ("420111", "湖北省武汉市洪山区"),
        ("110101", "北京市东城区"),
        ("429004", "湖北省仙桃市"),
        ("429099", "湖北省（429099）"),
        ("999999", "（999999）"),
    ],
)
def test_a_region_is_named_with_what_it_lies_in(code: str, path: str) -> None:
    assert region_path(code) == path


@pytest.mark.parametrize(
    ("code", "is_one"),
    [("420111", True), ("420199", True), ("990000", False), ("42011", False), ("42011a", False)],
)
def test_a_code_has_six_digits_and_a_province(code: str, is_one: bool) -> None:
    assert is_region_code(code) is is_one


@given(codes)
def test_every_region_lies_in_itself_its_city_and_its_province(code: str) -> None:
    assert lies_in(code, code)
    assert lies_in(code, city_of(code))
    assert lies_in(code, province_of(code))
    assert not lies_in(province_of(code), code) or level_of(code) is RegionLevel.PROVINCE


@given(codes, codes)
def test_two_regions_lie_in_each_other_only_if_they_are_one(one: str, other: str) -> None:
    assert (lies_in(one, other) and lies_in(other, one)) is (one == other)
