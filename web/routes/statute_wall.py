"""The wall on which the rules hang: every rule the platform judges by, with its article."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse

from kernel import regions
from kernel.article_texts import text_of
from kernel.money import yuan_text
from kernel.regions import RegionLevel
from kernel.statute import BIDDING_REGULATION, SCOPE_PROVISIONS, Article, Regime
from kernel.working_days import beijing_day
from trading.loaded_catalogue import catalogue_of
from trading.rules.procedures import (
    PROCEDURE_NAMES,
    SWITCH_NAMES,
    CommitteeSize,
    Invitation,
    Offers,
    Period,
    PriceMethod,
    Procedure,
    SecurityCap,
    Switches,
    Winner,
    switches_of,
)
from trading.rules.rule_book import BOUND_NAMES, RULE_BOOK, Entry
from trading.rules.trading_catalogue import (
    BUDGET_FUNDS_MIN,
    BUDGET_SHARE_MIN,
    EXEMPTION_NAMES,
    INVITATION_NAMES,
    KIND_NAMES,
    CatalogueLine,
)
from web import handbook
from web.pages import render
from web.places import Place
from web.request_scope import Act

router = Place()

CHAPTERS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "SC": ("范围与方式", "Scope and method"),
        "NO": ("公告与招标文件", "Notice and tender documents"),
        "BI": ("投标", "Bidding"),
        "OP": ("开标", "Opening"),
        "AW": ("定标与合同", "Award and contract"),
        "CO": ("异议、质疑与投诉", "Objections, challenges and complaints"),
        "PL": ("平台、记录与保密", "Platform, records and secrecy"),
        "NB": ("非招标采购方式", "Procurement without tender"),
        "LA": ("挂牌竞价", "Online listing"),
    }
)

LEVEL_NAMES: Final[Mapping[RegionLevel, tuple[str, str]]] = MappingProxyType(
    {
        RegionLevel.PROVINCE: ("省级", "province"),
        RegionLevel.CITY: ("市级", "city"),
        RegionLevel.COUNTY: ("县级", "county"),
    }
)

VALUE_WORDS: Final[Mapping[object, tuple[str, str]]] = MappingProxyType(
    {
        Regime.TENDERING: ("招标投标", "tendering"),
        Regime.PROCUREMENT: ("政府采购", "government procurement"),
        PriceMethod.BENCHMARK: ("基准价法", "by benchmark"),
        PriceMethod.LOWEST_PRICE_FIRST: ("低价优先法", "lowest price first"),
        Winner.RANK_ONE: ("排名第一", "the first in rank"),
        Winner.RANK_ONE_IF_STATE_FUNDED: (
            "国有资金控股或者主导的，排名第一",
            "the first in rank where state funds dominate",
        ),
        Winner.ANY_CANDIDATE: ("候选人之一", "any candidate"),
        Offers.SEALED_ONCE: ("一次密封报价", "sealed, once"),
        Offers.FIXED_ONCE: ("一次报出不得更改", "once, fixed"),
        Offers.FINAL_AFTER_TALKS: ("谈判（磋商）后最后报价", "a last price after talks"),
        Offers.AGREED: ("双方商定", "agreed"),
    }
)


def _day_told(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


@cache
def rules_told() -> list[dict[str, Any]]:
    """Every rule, by article: what it demands, of whom, how firmly, and what proves it."""
    handbook.load_everything()
    return [
        {
            "id": line.id,
            "says": line.says,
            "article": str(line.article),
            "regime": ", ".join(line.regimes),
            "severity": str(line.severity),
            "provenance": line.provenance,
            "from": _day_told(line.since),
            "to": _day_told(line.until),
            "name": ", ".join(line.carriers),
            "test": ", ".join(line.tests),
            "text": text_of(line.article),
        }
        for line in handbook.lines()
    ]


@router.get("/api/v1/rules")
async def rules() -> dict[str, Any]:
    """The table of rules as data."""
    return {"rules": rules_told()}


@router.get("/api/v1/catalogue")
async def get_catalogue(tx: Act) -> dict[str, Any]:
    """The trading catalogue: what must be tendered, where, and from which amount on since when."""
    return {"lines": [_line_told(one) for one in catalogue_of(tx.settings)]}


def _line_told(line: CatalogueLine) -> dict[str, Any]:
    return {
        "code": line.code,
        "name": line.name,
        "kind": str(line.kind),
        "regime": str(line.regime),
        "region": line.region_code or None,
        "level": None if line.level is None else line.level.name.lower(),
        "amounts": {
            day.isoformat(): yuan_text(amount) for day, amount in sorted(line.amounts.since.items())
        },
        "article": str(line.article),
    }


@router.get("/catalogue", response_class=HTMLResponse)
async def catalogue_page(request: Request, tx: Act) -> HTMLResponse:
    """The trading catalogue as a page, with the cases in which the law lets a project off it."""
    lines = catalogue_of(tx.settings)
    named = regions.names()
    return render(
        request,
        "statute_wall/catalogue.html",
        lines=lines,
        kind_names=KIND_NAMES,
        region_names={one.region_code: named[one.region_code] for one in lines if one.region_code},
        level_names=LEVEL_NAMES,
        regime_names=VALUE_WORDS,
        funds_min=BUDGET_FUNDS_MIN.on(beijing_day(tx.now)),
        share_min=f"{BUDGET_SHARE_MIN.on(beijing_day(tx.now)):.0%}",
        funds_article=SCOPE_PROVISIONS[2],
        exemptions=EXEMPTION_NAMES.values(),
        invitations=INVITATION_NAMES.values(),
        invitation_article=BIDDING_REGULATION[8],
        now=tx.now,
    )


@router.get("/rules", response_class=HTMLResponse)
async def rules_page(request: Request, tx: Act) -> HTMLResponse:
    """The book of rules with the texts of the articles, the procedures' switches, and the rest."""
    today = beijing_day(tx.now)
    return render(
        request,
        "statute_wall/rules.html",
        chapters=[(key, words, _entries_of(key)) for key, words in CHAPTERS.items()],
        bound_names=BOUND_NAMES,
        procedures=[_switches_told(one, today) for one in Procedure],
        switch_names=SWITCH_NAMES,
        others=[line for line in rules_told() if line["id"] not in RULE_BOOK],
        now=tx.now,
    )


def _entries_of(chapter: str) -> list[tuple[Entry, list[tuple[Article, str | None]]]]:
    return [
        (entry, [(article, text_of(article)) for article in entry.articles])
        for entry in RULE_BOOK.values()
        if entry.id.startswith(chapter)
    ]


def _switches_told(procedure: Procedure, on: date) -> dict[str, Any]:
    """A procedure with the value of each of its switches in both languages, and its article."""
    switches = switches_of(procedure, on=on)
    return {
        "key": str(procedure),
        "name": PROCEDURE_NAMES[procedure],
        "switches": [
            (field.name, value_told(value), _article_in(value))
            for field in fields(Switches)
            if not isinstance(value := getattr(switches, field.name), Article)
        ],
    }


def _article_in(value: object) -> Article | None:
    found = getattr(value, "article", None)
    return found if isinstance(found, Article) else None


def value_told(value: object) -> tuple[str, str]:
    """The value of a switch in words, Chinese and English; `TypeError` for a kind it has none."""
    match value:
        case None:
            return ("无规定", "left open")
        case bool():
            return ("是", "yes") if value else ("否", "no")
        case Period(days=days, working=working):
            if days == 0:
                return ("不限", "any")
            return (str(value), f"{days} {'working ' if working else ''}days")
        case SecurityCap(share=share, basis=basis):
            return (f"{basis}的{share:.0%}", f"{share:.0%} of the estimate or budget")
        case CommitteeSize(members_min=least, large_from=large_from, large_members_min=large):
            if large_from is None:
                return (f"{least}人以上单数", f"{least} or more, odd")
            ten_thousands = large_from / Decimal(10_000)
            return (
                f"{least}人以上单数；预算{ten_thousands:,.0f}万元以上的{large}人以上",
                f"{least} or more, odd; {large} from a budget of CNY {large_from:,.0f}",
            )
        case Invitation(invited_min=least):
            return (f"{least}家以上", f"{least} or more")
        case frozenset():
            words = sorted(value_told(one) for one in value)
            return ("、".join(one for one, _ in words), ", ".join(other for _, other in words))
        case int():
            return (str(value), str(value))
        case _ if value in VALUE_WORDS:
            return VALUE_WORDS[value]
    raise TypeError(f"no words for {value!r}")
