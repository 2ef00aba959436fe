"""What an article says, where its text is at hand.

The texts lie in `law_texts/`, one file for each instrument, as they were promulgated (statutes are
free of copyright: 著作权法 5). A text is shown beside the rule that rests on it; no rule is read
from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CHONGQING_REGULATION,
    NINGBO_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PUYANG_REGULATION,
    Article,
    Instrument,
)

FOLDER: Final = Path(__file__).with_name("law_texts")

TEXTS: Final[Mapping[Instrument, str]] = MappingProxyType(
    {
        BIDDING_LAW: "bidding_law.md",
        BIDDING_REGULATION: "bidding_regulation.md",
        PROCUREMENT_LAW: "procurement_law.md",
        PROCUREMENT_REGULATION: "procurement_regulation.md",
        CHONGQING_REGULATION: "chongqing_regulation.md",
        NINGBO_REGULATION: "ningbo_regulation.md",
        PUYANG_REGULATION: "puyang_regulation.md",
    }
)
"""The instruments whose texts are at hand."""

_DIGITS: Final = {character: value for value, character in enumerate("零一二三四五六七八九")}
_ARTICLE: Final = re.compile(r"^第([零一二三四五六七八九十百]+)条\s*(.*)$")


def text_of(article: Article) -> str | None:
    """The article's paragraphs, or None where we have no text of its instrument or no such article.

    A numbered item is shown with the whole article, since it means little alone.
    """
    file = TEXTS.get(article.instrument)
    return None if file is None else articles_in(file).get(article.number)


@cache
def articles_in(file: str) -> Mapping[int, str]:
    """Every article of one text by its number, paragraphs apart by line ends."""
    found: dict[int, list[str]] = {}
    paragraphs: list[str] | None = None
    for line in (FOLDER / file).read_text("utf-8").splitlines():
        text = line.strip().strip("\u3000").strip()
        begun = _ARTICLE.match(text)
        if begun:
            paragraphs = found[number_in(begun[1])] = [begun[2]]
        elif text.startswith("#"):
            paragraphs = None
        elif text and paragraphs is not None:
            paragraphs.append(text)
    return MappingProxyType({number: "\n".join(lines) for number, lines in found.items()})


def number_in(numerals: str) -> int:
    """The number that Chinese numerals below a thousand write: 第一百零二条 is 102."""
    total = digit = 0
    for character in numerals:
        if character == "百":
            total, digit = total + (digit or 1) * 100, 0
        elif character == "十":
            total, digit = total + (digit or 1) * 10, 0
        else:
            digit = _DIGITS[character]
    return total + digit
