"""The industries by which the data standard classifies tenders (行业分类), and how codes begin.

The list is data (LAW.md 6.2, as provinces' platforms publish it) and lies beside this file. Tenders
that the law demands have the list's letter A, others G; how purchases and property begin is
confirmed by no text that we have read, and stands here alone to be changed.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from kernel.statute import Regime
from trading.rules.procedures import Switches

_FILE: Final = Path(__file__).with_name("industries.csv")

OTHER: Final = "A99"
"""The industry of whatever is of none."""

PURCHASE: Final = "D01"


@dataclass(frozen=True, slots=True)
class Industry:
    """One line of the list."""

    code: str
    name: str
    english: str


@cache
def industries() -> Mapping[str, Industry]:
    """Every industry by its code."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return MappingProxyType({row["code"]: Industry(**row) for row in csv.DictReader(file)})


def deal_kind(industry: str, switches: Switches) -> str:
    """The three signs with which the codes of a project of this industry and procedure begin."""
    if switches.regime is Regime.PROCUREMENT:
        return PURCHASE
    if switches.regime is Regime.TENDERING and not switches.mandatory:
        return f"G{industry[1:]}"
    return industry
