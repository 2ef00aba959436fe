"""Administrative regions by their codes (GB/T 2260): names, levels, and what lies in what.

The table is of 2024 and comes with the platform. Codes of regions that have since been merged or
renamed stand in many papers; they are known by their province, and nobody is refused for one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

_FILE: Final = Path(__file__).with_name("regions.csv")
_FORM: Final = re.compile(r"[1-9]\d{5}")

GROUPINGS: Final = frozenset({"市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"})
"""Names of groups of regions, which are no places of their own."""


class RegionLevel(IntEnum):
    """The levels of government that a code can stand for, the highest first."""

    PROVINCE = 1
    CITY = 2
    COUNTY = 3


@cache
def names() -> Mapping[str, str]:
    """The name of each region of the table by its six digits."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return MappingProxyType({row["code"]: row["name"] for row in csv.DictReader(file)})


def is_region_code(code: str) -> bool:
    """Whether six digits can be a region's code: of the table, or of a province of the table."""
    return bool(_FORM.fullmatch(code)) and province_of(code) in names()


def province_of(code: str) -> str:
    """The code of the province that a region lies in."""
    return f"{code[:2]}0000"


def city_of(code: str) -> str:
    """The code of the city that a region lies in, or its own where it is a province."""
    return f"{code[:4]}00"


def level_of(code: str) -> RegionLevel:
    """Which level of government a code stands for."""
    if code.endswith("0000"):
        return RegionLevel.PROVINCE
    return RegionLevel.CITY if code.endswith("00") else RegionLevel.COUNTY


def lies_in(code: str, other: str) -> bool:
    """Whether one region is the other or a part of it."""
    if level_of(other) is RegionLevel.PROVINCE:
        return code[:2] == other[:2]
    if level_of(other) is RegionLevel.CITY:
        return code[:4] == other[:4]
    return code == other


def region_path(code: str) -> str:
    """A region with what it lies in: `湖北省武汉市洪山区`; a code that is unknown stands behind.

    Groups of regions, such as 市辖区, are left out.
    """
    known = names()
    steps = dict.fromkeys((province_of(code), city_of(code), code))
    found = [known[step] for step in steps if step in known and known[step] not in GROUPINGS]
    if code in known:
        return "".join(found)
    return f"{''.join(found)}（{code}）"
