"""The open data: what was published, for whoever counts for himself.

The same facts as on the pages, as tables and as releases of the Open Contracting Data Standard.
They are read as by the public whoever asks: published lots, and of a lot's bidders only those that
were awarded it. No number of bidders, downloads or visits is in any of them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query, Request, Response
from fastapi.responses import HTMLResponse

from kernel.errors import NotFound
from kernel.settings import Settings
from kernel.store.parties import organisations_by_id
from trading import award_ledger, endings, published_news
from trading.notice_board import Search
from trading.published_news import DATED_EACH, DatedLot
from web import ocds
from web.pages import render
from web.places import Place
from web.request_scope import Act, Visit
from web.sheet_text import CSV, Cell, sheet
from web.unchanged import kept_answer

router = Place()

JSON: Final = "application/json"
Page = Annotated[int, Query(ge=1, le=10_000)]

AWARDS: Final[Mapping[str, str]] = {
    "lot": "标段标识",
    "code": "标段编号",
    "project_name": "项目名称",
    "name": "标段名称",
    "tenderee": "招标人（采购人）",
    "procedure": "交易方式",
    "region": "地区代码",
    "number": "第几次定标",
    "winner": "中标人",
    "winner_uscc": "中标人统一社会信用代码",
    "price": "中标价（元）",
    "ceiling_price": "最高投标限价（元）",
    "awarded_at": "定标时间",
    "in_force": "有效",
    "contract": "合同编号",
    "contract_price": "合同价（元）",
    "signed_at": "合同签订时间",
    "settled": "结算价（元）",
    "difference": "结算差额（元）",
    "settled_at": "结算公布时间",
}

TERMINATIONS: Final[Mapping[str, str]] = {
    "lot": "标段标识",
    "code": "标段编号",
    "project_name": "项目名称",
    "name": "标段名称",
    "tenderee": "招标人（采购人）",
    "procedure": "交易方式",
    "region": "地区代码",
    "state": "结果",
    "ended_at": "时间",
    "reason": "原因",
    "article": "依据",
}


@router.get("/data", response_class=HTMLResponse)
async def data_page(request: Request, tx: Act) -> HTMLResponse:
    """What there is to download, what its columns mean, and what is never in it."""
    return render(
        request,
        "open_data/data.html",
        tables=[("/data/awards.csv", AWARDS), ("/data/terminations.csv", TERMINATIONS)],
        ocds_version=ocds.VERSION,
        ocds_prefix=ocds.PREFIX,
        now=tx.now,
    )


@router.get("/data/awards.csv")
async def awards_sheet(request: Request, tx: Visit, page: Page = 1) -> Response:
    """The awards with their contracts and settlements, the newest first."""
    found, more = await award_ledger.awards(tx, page=page)
    rows = [
        (
            str(one.line.lot_id),
            f"{one.line.project_code}-{one.line.number}",
            one.line.project_name,
            one.line.name,
            one.line.tenderee,
            str(one.line.procedure),
            one.line.region_code,
            one.number,
            one.winner,
            one.winner_uscc,
            one.price,
            one.line.ceiling_price,
            one.awarded_at,
            int(one.in_force),
            one.contract,
            one.contract_price,
            one.signed_at,
            one.settled,
            None if one.settlement is None else one.settlement.difference,
            one.settled_at,
        )
        for one in found
    ]
    return _sheet_of(request, AWARDS, rows, "awards.csv", following=page + 1 if more else 0)


@router.get("/data/terminations.csv")
async def terminations_sheet(request: Request, tx: Visit, page: Page = 1) -> Response:
    """The lots that ended without an award, the newest end first."""
    found, more = await endings.ended_lots(tx, Search(page=page))
    rows = [
        (
            str(one.line.lot_id),
            f"{one.line.project_code}-{one.line.number}",
            one.line.project_name,
            one.line.name,
            one.line.tenderee,
            str(one.line.procedure),
            one.line.region_code,
            str(one.line.state),
            one.ended_at,
            one.reason,
            one.article,
        )
        for one in found
    ]
    return _sheet_of(
        request, TERMINATIONS, rows, "terminations.csv", following=page + 1 if more else 0
    )


@router.get("/api/v1/ocds")
async def ocds_package(request: Request, tx: Visit, page: Page = 1) -> Response:
    """The releases of all published lots, some at a time."""
    site: Settings = request.app.state.settings
    lots = await published_news.dated(tx, Search(page=page))
    further = f"{site.origin}/api/v1/ocds?page={page + 1}" if len(lots) == DATED_EACH else ""
    uri = f"{site.origin}/api/v1/ocds?page={page}"
    return await _packed(request, tx, lots, uri=uri, next_page=further)


@router.get("/api/v1/lots/{lot_id}/ocds")
async def ocds_of_lot(request: Request, tx: Visit, lot_id: UUID) -> Response:
    """The release of one published lot."""
    lots = await published_news.dated(tx, Search(), lot_id=lot_id)
    if not lots:
        raise NotFound("no such lot")
    site: Settings = request.app.state.settings
    return await _packed(request, tx, lots, uri=f"{site.origin}/api/v1/lots/{lot_id}/ocds")


async def _packed(
    request: Request, tx: Visit, lots: tuple[DatedLot, ...], *, uri: str, next_page: str = ""
) -> Response:
    found = ocds.published(
        lots,
        tenderees=await organisations_by_id(tx, {one.tenderee_id for one in lots}),
        awards=await award_ledger.awards_of_lots(tx, {one.line.lot_id for one in lots}),
    )
    told = ocds.package(
        found, uri=uri, at=tx.now, site=request.app.state.settings, next_page=next_page
    )
    return Response(json.dumps(told, ensure_ascii=False), media_type=JSON)


def _sheet_of(
    request: Request,
    columns: Mapping[str, str],
    rows: Iterable[Sequence[Cell]],
    name: str,
    *,
    following: int,
) -> Response:
    """A page of a table as CSV, and where the following one is, if any."""
    site: Settings = request.app.state.settings
    further = f'<{site.origin}/data/{name}?page={following}>; rel="next"' if following else ""
    return kept_answer(request, sheet(columns, rows), CSV, links=further, saved_as=name)
