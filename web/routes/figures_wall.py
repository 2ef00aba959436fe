"""The wall of figures: how much was tendered, what came of it, what was saved, what it cost.

Every figure is a sum over published lots and published awards. There is none of bids, bidders,
downloads or visits, so that before a close nothing can be read off a figure that moves.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from kernel.crypto.digests import instant_text
from kernel.money import yuan_text
from trading import award_ledger, contract_views
from trading.award_ledger import Figure, Figures
from web.pages import render
from web.places import Place
from web.region_names import PROVINCES
from web.request_scope import Act, Visit
from web.sheet_text import CSV, sheet
from web.unchanged import kept_answer

router = Place()


class Topic(StrEnum):
    """By what the figures are broken down."""

    MONTH = "month"
    PROCEDURE = "procedure"
    REGION = "region"


COLUMNS: Final[Mapping[str, str]] = {
    "key": "分组",
    "published": "发布标段数",
    "failed": "未产生结果的标段数",
    "awards": "有效中标数",
    "measured": "有最高限价的有效中标数",
    "ceiling": "最高限价合计（元）",
    "awarded": "中标价合计（元）",
    "saved": "节约（元）",
}


@router.get("/stats", response_class=HTMLResponse)
async def figures_page(request: Request, tx: Act) -> HTMLResponse:
    """The figures as tables."""
    found = await award_ledger.figures(tx)
    return render(
        request,
        "figures_wall/figures.html",
        figures=found,
        topics=[(str(topic), _of(found, topic)) for topic in Topic],
        settled=(await contract_views.settlement_statistics(tx)).total,
        provinces=PROVINCES,
        now=tx.now,
    )


@router.get("/stats/{topic}.csv")
async def figures_sheet(request: Request, tx: Visit, topic: Topic) -> Response:
    """One of the tables for a spreadsheet."""
    rows = [
        (
            one.key,
            one.published,
            one.failed,
            one.awards,
            one.measured,
            one.ceiling,
            one.awarded,
            one.saved,
        )
        for one in _of(await award_ledger.figures(tx), topic)
    ]
    return kept_answer(request, sheet(COLUMNS, rows), CSV, saved_as=f"{topic}.csv")


@router.get("/api/v1/statistics")
async def get_statistics(tx: Act) -> dict[str, Any]:
    """The figures for programs."""
    found = await award_ledger.figures(tx)
    return {
        "at": instant_text(tx.now),
        "total": _told(found.total),
        **{f"by_{topic}": [_told(one) for one in _of(found, topic)] for topic in Topic},
    }


def _of(found: Figures, topic: Topic) -> tuple[Figure, ...]:
    match topic:
        case Topic.MONTH:
            return found.by_month
        case Topic.PROCEDURE:
            return found.by_procedure
        case Topic.REGION:
            return found.by_region


def _told(one: Figure) -> dict[str, Any]:
    return {
        "key": one.key,
        "published": one.published,
        "failed": one.failed,
        "awards": one.awards,
        "measured": one.measured,
        "ceiling": yuan_text(one.ceiling),
        "awarded": yuan_text(one.awarded),
        "saved": f"{one.saved:.2f}",
        "share": None if one.share is None else f"{one.share:.4f}",
    }
