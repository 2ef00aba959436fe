"""The news stand: what was published, for programs that follow it without an account.

Feeds, tables and calendars of the very search that the list of notices shows, and the dates of one
lot. They are read as by the public whoever asks, so that one answer serves all: what the tendering
side published about published lots, and of a result only that there is one. Nobody's presence, no
bid and no count of either is in them before a lot's close, because none of it is read here.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Final
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Query, Request, Response

from kernel.errors import NotFound
from kernel.settings import Settings
from trading import published_news
from trading.notice_board import NoticeLine, Search
from trading.published_news import DatedLot, News
from web.calendar_text import ICS, Appointment, calendar
from web.feed_text import ATOM, JSON_FEED, Feed, Item, atom, json_feed
from web.pages import moment_long, with_query, yuan
from web.places import Place
from web.procedure_words import in_manner, manner_of
from web.region_names import region_name
from web.request_scope import Visit
from web.routes.public_hall import ListAsked
from web.sheet_text import CSV, Cell, sheet
from web.unchanged import kept_answer
from web.words import Language, say

router = Place()

Asked = Annotated[ListAsked, Query()]
SINCE: Final = "2026"
"""The year in the ids of items (RFC 4151): by then the names were ours."""

KINDS: Final[Mapping[str, str]] = {
    "tender": "招标公告",
    "clarification": "澄清或者修改",
    "cancellation": "终止公告",
    "complaint_decision": "投诉处理决定",
    "no_agreement": "未能成交公告",
    "candidates": "中标候选人公示",
    "award": "中标结果公告",
    "annulment": "中标无效公告",
    "contract": "合同公告",
    "settlement": "结算公告",
}
"""What each kind of news is called, in the words of a tender."""

COLUMNS: Final[Mapping[str, str]] = {
    "id": "标段标识",
    "code": "项目编号",
    "number": "标段号",
    "project_name": "项目名称",
    "name": "标段名称",
    "tenderee": "招标人（采购人）",
    "procedure": "交易方式",
    "category": "类别",
    "region": "地区代码",
    "region_name": "地区",
    "state": "状态",
    "state_name": "状态名称",
    "suspended": "暂停",
    "ceiling_price": "最高投标限价（元）",
    "published_at": "发布时间",
    "bids_due_at": "投标截止时间",
    "candidates_until": "公示截止时间",
    "url": "网址",
}


# ── feeds ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/notices.atom")
async def notices_atom(request: Request, tx: Visit, asked: Asked) -> Response:
    """What was published about the lots that match, as Atom."""
    return await _fed(request, tx, asked, "/notices.atom", atom, ATOM)


@router.get("/notices.json")
async def notices_json_feed(request: Request, tx: Visit, asked: Asked) -> Response:
    """The same as JSON Feed."""
    return await _fed(request, tx, asked, "/notices.json", json_feed, JSON_FEED)


async def _fed(
    request: Request,
    tx: Visit,
    asked: ListAsked,
    path: str,
    told: Callable[[Feed], bytes],
    media_type: str,
) -> Response:
    site: Settings = request.app.state.settings
    found = await published_news.news(tx, asked.search())

    def page(number: int) -> str:
        return site.origin + with_query(path, _query(asked), page=number if number > 1 else None)

    feed = Feed(
        id=site.origin + with_query("/notices", _query(asked)),
        title=" · ".join((site.site_name, "交易信息", *_said(asked))),
        subtitle="公告、变更、公示和结果 / Notices, changes, candidates and results",
        url=page(found.page),
        home=site.origin + with_query("/notices", _query(asked)),
        first=page(1),
        previous=page(found.page - 1) if found.page > 1 else "",
        next=page(found.page + 1) if found.page < found.pages else "",
        last=page(found.pages),
        items=[_item(one, site) for one in found.items],
    )
    return kept_answer(request, told(feed), media_type, changed_at=feed.updated_at)


def _item(one: News, site: Settings) -> Item:
    line = one.line
    kind = _kind(one)
    return Item(
        id=f"tag:{_host(site)},{SINCE}:lots/{line.lot_id}/{one.kind}/{one.number}",
        url=site.origin + _place(one),
        title=f"{kind}：{line.project_name} · {line.name}",
        text="\n".join(_words(one)),
        author=line.tenderee,
        tags=(kind, str(line.procedure), str(line.category), region_name(line.region_code)),
        published_at=one.published_at,
    )


def _kind(one: News) -> str:
    return in_manner(manner_of(one.line.procedure), KINDS.get(one.kind, one.title or one.kind))


def _words(one: News) -> list[str]:
    line = one.line
    told = [
        f"项目编号：{line.project_code}-{line.number}",
        f"招标人：{line.tenderee}",
        f"地区：{region_name(line.region_code)}",
    ]
    if one.kind == "tender" and line.ceiling_price is not None:
        told.append(f"最高投标限价：{yuan(line.ceiling_price)} 元")
    if one.kind in ("tender", "clarification") and one.bids_due_at is not None:
        told.append(f"投标截止：{moment_long(one.bids_due_at)}")
    told = [in_manner(manner_of(line.procedure), words) for words in told]
    return [*told, one.text] if one.text else told


def _place(one: News) -> str:
    lot_id = one.line.lot_id
    match one.kind:
        case "candidates" | "award" | "annulment":
            return f"/awards/{lot_id}"
        case "contract" | "settlement":
            return f"/contracts/{lot_id}"
        case "cancellation":
            return f"/notices/{lot_id}/termination"
    return f"/notices/{lot_id}"


# ── the list as a table ───────────────────────────────────────────────────────────────────────


@router.get("/notices.csv")
async def notices_csv(request: Request, tx: Visit, asked: Asked) -> Response:
    """The lots that match as a table, ten thousand at a time."""
    site: Settings = request.app.state.settings
    found, more = await published_news.listed(tx, asked.search())
    further = with_query("/notices.csv", _query(asked), page=asked.page + 1)
    return kept_answer(
        request,
        sheet(COLUMNS, (_row(line, site) for line in found)),
        CSV,
        links=f'<{site.origin}{further}>; rel="next"' if more else "",
        saved_as="notices.csv",
    )


def _row(line: NoticeLine, site: Settings) -> tuple[Cell, ...]:
    manner = manner_of(line.procedure)
    return (
        str(line.lot_id),
        line.project_code,
        line.number,
        line.project_name,
        line.name,
        line.tenderee,
        str(line.procedure),
        str(line.category),
        line.region_code,
        region_name(line.region_code),
        str(line.state),
        in_manner(manner, say(f"state.{line.state}", Language.ZH)),
        int(line.suspended),
        line.ceiling_price,
        line.published_at,
        line.bids_due_at,
        line.candidates_until,
        f"{site.origin}/notices/{line.lot_id}",
    )


# ── calendars ─────────────────────────────────────────────────────────────────────────────────


@router.get("/openings.ics")
async def openings_calendar(request: Request, tx: Visit, asked: Asked) -> Response:
    """The deadlines and openings of the lots that match, as a calendar."""
    site: Settings = request.app.state.settings
    found = await published_news.dated(tx, asked.search())
    name = " · ".join((site.site_name, "开标日程", *_said(asked)))
    return _calendar(request, found, name, "openings.ics")


@router.get("/openings/{lot_id}.ics")
async def lot_calendar(request: Request, tx: Visit, lot_id: UUID) -> Response:
    """The dates of one published lot, as a calendar."""
    found = await published_news.dated(tx, Search(), lot_id=lot_id)
    if not found:
        raise NotFound("no such lot")
    return _calendar(request, found, found[0].line.name, f"{lot_id}.ics")


def _calendar(request: Request, found: tuple[DatedLot, ...], name: str, saved_as: str) -> Response:
    site: Settings = request.app.state.settings
    held = [one for lot in found for one in _appointments(lot, site)]
    return kept_answer(
        request, calendar(name, held, product=site.site_name), ICS, saved_as=saved_as
    )


def _appointments(lot: DatedLot, site: Settings) -> list[Appointment]:
    """What is held of a lot, each with a sequence that rises with every change."""
    line, hall = lot.line, f"{site.origin}/openings/{lot.line.lot_id}"
    told = f"{line.project_name} · {line.name}\n{line.project_code}-{line.number}\n{line.tenderee}"
    manner = manner_of(line.procedure)
    found = [
        Appointment(
            f"{line.lot_id}-documents@{_host(site)}",
            in_manner(manner, f"招标文件获取截止：{line.name}"),
            lot.documents_until,
            lot.documents_until,
            told,
            f"{site.origin}/notices/{line.lot_id}",
            2 * lot.version - 2 + lot.called_off,
            lot.changed_at,
            lot.called_off,
        ),
        Appointment(
            f"{line.lot_id}-opening@{_host(site)}",
            in_manner(manner, f"投标截止、开标：{line.name}"),
            lot.bids_due_at,
            lot.bids_due_at + lot.window,
            told,
            hall,
            2 * lot.version - 2 + lot.unopened,
            lot.changed_at,
            lot.unopened,
        ),
    ]
    if lot.candidates_until is not None and lot.candidates_at is not None:
        found.append(
            Appointment(
                f"{line.lot_id}-publicity@{_host(site)}",
                in_manner(manner, f"中标候选人公示截止：{line.name}"),
                lot.candidates_until,
                lot.candidates_until,
                told,
                f"{site.origin}/awards/{line.lot_id}",
                lot.round,
                lot.candidates_at,
            )
        )
    return found


# ── what all of them say ──────────────────────────────────────────────────────────────────────


def _query(asked: ListAsked) -> dict[str, object]:
    return {"q": asked.q, "stage": asked.stage, "region": asked.region}


def _said(asked: ListAsked) -> list[str]:
    """What was looked for, in words."""
    region = region_name(asked.region) if asked.region else ""
    return [one for one in (asked.q, asked.stage, region) if one]


def _host(site: Settings) -> str:
    return urlsplit(site.origin).hostname or "localhost"
