"""How a procedure speaks: its pages are written in the words of a tender, and one table turns them.

What is no tender has a procurement notice, a last moment for responses, and suppliers with whom a
deal is made; in procurement there is a purchaser. Names of laws stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from functools import cache, lru_cache, partial
from types import MappingProxyType
from typing import Final

from kernel.statute import Regime
from trading.rules.procedures import Offers, Procedure, switches_of
from web.words import Language


class Manner(StrEnum):
    """The ways to speak of a procedure."""

    TENDER = "tender"
    PROCUREMENT_TENDER = "procurement_tender"
    PURCHASE = "purchase"


_PURCHASER: Final = {
    "招标人": "采购人",
    "招标代理": "采购代理",
    "Tenderee": "Purchaser",
    "tenderee": "purchaser",
}

SAID: Final[Mapping[Manner, Mapping[str, str]]] = MappingProxyType(
    {
        Manner.TENDER: {},
        Manner.PROCUREMENT_TENDER: _PURCHASER,
        Manner.PURCHASE: {
            **_PURCHASER,
            "招标（采购）": "采购",
            "投标（响应）": "响应",
            "中标（成交）": "成交",
            "招标投标": "采购",
            "招标": "采购",
            "怎样投标": "怎样递交响应文件",
            "我要投标": "递交响应文件",
            "登录后投标": "登录后递交响应文件",
            "我的投标": "我的响应文件",
            "最高投标限价": "最高限价",
            "投标保证金": "保证金",
            "投标文件": "响应文件",
            "投标人": "供应商",
            "投标": "响应",
            "中标人": "成交供应商",
            "中标": "成交",
            "评标委员会": "评审小组",
            "评标": "评审",
            "开标大厅": "开标大厅",
            "招标工作台": "招标工作台",
            "开标一览表": "报价一览表",
            "开标": "开启",
            "唱标": "公布报价",
            "流标": "采购失败",
            "Tender notice": "Procurement notice",
            "Tender documents": "Procurement documents",
            "The tender": "The procurement",
            "the tender": "the procurement",
            "Bids due": "Responses due",
            "bids are due": "responses are due",
        },
    }
)
"""What a manner says instead of the words of a tender; of two that fit, the longer one counts."""


def manner_of(procedure: Procedure) -> Manner:
    """How to speak of a procedure, on whatever day."""
    switches = switches_of(procedure, on=date.max)
    if switches.offers is not Offers.SEALED_ONCE:
        return Manner.PURCHASE
    return Manner.PROCUREMENT_TENDER if switches.regime is Regime.PROCUREMENT else Manner.TENDER


@lru_cache(maxsize=8192)
def in_manner(manner: Manner, words: str) -> str:
    """The words of a tender, said in another manner."""
    if manner is Manner.TENDER:
        return words
    said = SAID[manner]
    return _pattern(manner).sub(lambda found: said.get(found[0], found[0]), words)


@cache
def _pattern(manner: Manner) -> re.Pattern[str]:
    longest_first = sorted(SAID[manner], key=len, reverse=True)
    words = [rf"\b{one}\b" if one.isascii() else one for one in longest_first]
    return re.compile("|".join(["《[^》]*》", *words]))


def telling(
    procedure: Procedure | str, *, tell: Callable[..., str], language: Language
) -> Callable[..., str]:
    """`tell`, as a page speaks that is about a lot of this procedure."""
    return speaking(manner_of(Procedure(procedure)), tell=tell, language=language)


def speaking(manner: Manner, *, tell: Callable[..., str], language: Language) -> Callable[..., str]:
    """`tell`, in this manner."""
    return partial(_told, manner, tell, language)


def _told(
    manner: Manner,
    tell: Callable[..., str],
    language: Language,
    zh: str,
    en: str,
    /,
    **filled: object,
) -> str:
    return tell(in_manner(manner, zh), in_manner(manner, en), language=language, **filled)
