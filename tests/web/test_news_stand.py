"""What anybody may follow: RFC 4287, 4151, 5005 (Atom), 5545 (iCalendar), 9110 (tags).

招标投标法 22、电子招标投标办法 21: no feed, table or calendar tells who bids before the close.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree.ElementTree import fromstring

import httpx
import pytest
from fastapi import FastAPI

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.questions import clarify
from tests.tenders import NOW, Cast, PublishedLot, a_cast, a_draft, a_published_lot, cancelled
from tests.web.tender_house import client_of, page
from web.app import create_app
from web.calendar_text import LINE_MAX, Appointment, calendar
from web.feed_text import NO_NEWS_AT, Feed, Item, atom
from web.sheet_text import MARK, sheet

AT = datetime(2026, 3, 27, 1, 30, tzinfo=UTC)
OPENING = Appointment(
    "one@example.cn", "开标；A,B", AT, AT + timedelta(hours=1), "一\n二" * 60, "http://x/", 0, NOW
)
ATOM = "{http://www.w3.org/2005/Atom}"


def unfolded(content: bytes) -> list[str]:
    return content.decode().replace("\r\n ", "").split("\r\n")


# ── how it is written ─────────────────────────────────────────────────────────────────────────


def test_a_calendar_is_folded_escaped_and_in_beijing_time() -> None:
    written = calendar("开标日程", [OPENING], product="阳光交易")
    assert all(len(line) <= LINE_MAX for line in written.split(b"\r\n"))
    lines = unfolded(written)
    assert "DTSTART;TZID=Asia/Shanghai:20260327T093000" in lines
    assert "DTEND;TZID=Asia/Shanghai:20260327T103000" in lines
    assert "SUMMARY:开标；A\\,B" in lines
    assert [line for line in lines if line.startswith("TRIGGER")] == [
        "TRIGGER:-PT60M",
        "TRIGGER:-PT15M",
    ]
    assert lines.count("BEGIN:VTIMEZONE") == lines.count("END:VTIMEZONE") == 1


def test_no_spreadsheet_takes_a_name_for_a_formula() -> None:
    rows = list(
        csv.reader(
            io.StringIO(
                sheet(
                    {"a": "甲", "b": "乙"},
                    [["=HYPERLINK(1)", Decimal("-1.50")], ["@x", None], ["-a", AT]],
                ).decode()
            )
        )
    )
    assert rows[0] == [f"{MARK}甲", "乙"]
    assert rows[1:] == [
        ["a", "b"],
        ["'=HYPERLINK(1)", "-1.50"],
        ["'@x", ""],
        ["'-a", "2026-03-27T09:30:00+08:00"],
    ]


def test_a_feed_holds_no_character_that_xml_cannot() -> None:
    item = Item("tag:x,2026:1", "http://x/", "甲\x0b<乙>", "", "丙", (), AT)
    written = atom(Feed("http://x/", "题", "", "", "", "", "", "", "", [item]))
    assert fromstring(written).findtext(f"{ATOM}entry/{ATOM}title") == "甲<乙>"
    empty = fromstring(atom(Feed("http://x/", "题", "", "", "", "", "", "", "", [])))
    assert empty.findtext(f"{ATOM}updated") == "2000-01-01T08:00:00+08:00"
    assert NO_NEWS_AT < NOW


# ── what it says ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def cast(store: Store) -> Cast:
    return await a_cast(store)


@pytest.fixture
async def lot(store: Store, cast: Cast) -> PublishedLot:
    return await a_published_lot(store, cast)


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def read(house: FastAPI, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=house)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
        return await visitor.get(path, headers=headers)


async def test_a_search_can_be_followed_from_its_notice_to_its_end(
    store: Store, house: FastAPI, cast: Cast, lot: PublishedLot
) -> None:
    await a_draft(store, cast)
    first = await read(house, "/notices.atom?q=施工总承包")
    assert first.headers["content-type"].startswith("application/atom+xml")
    known = {"If-None-Match": first.headers["etag"]}
    again = await read(house, "/notices.atom?q=施工总承包", **known)
    since = {"If-Modified-Since": first.headers["last-modified"]}
    assert (again.status_code, again.content) == (304, b"")
    assert (await read(house, "/notices.atom?q=施工总承包", **since)).status_code == 304
    calendar_before = unfolded((await read(house, f"/openings/{lot.lot_id}.ics")).content)
    assert "SEQUENCE:0" in calendar_before

    agency = await client_of(house, cast.agency)
    await clarify(agency, lot.lot_id, may_affect_bids=False)
    await cancelled(store, cast, lot, now=NOW + timedelta(hours=1))

    changed = await read(house, "/notices.atom?q=施工总承包", **known)
    entries = fromstring(changed.content).findall(f"{ATOM}entry")
    assert [one.findtext(f"{ATOM}title", "").partition("：")[0] for one in entries] == [
        "终止公告",
        "澄清或者修改",
        "招标公告",
    ]
    old = fromstring(first.content).findall(f"{ATOM}entry")
    assert [one.findtext(f"{ATOM}id") for one in old] == [entries[-1].findtext(f"{ATOM}id")]
    told = (await read(house, "/notices.json?stage=ended")).json()
    assert [one["id"] for one in told["items"]] == [one.findtext(f"{ATOM}id") for one in entries]
    assert "项目用地规划调整" in told["items"][0]["content_text"]
    assert (await read(house, "/notices.json?stage=open")).json()["items"] == []

    for path in (f"/openings/{lot.lot_id}.ics", "/openings.ics"):
        lines = unfolded((await read(house, path)).content)
        ids = [line for line in lines if line.startswith("UID:")]
        assert ids == [line for line in calendar_before if line.startswith("UID:")]
        assert lines.count("STATUS:CANCELLED") == lines.count("SEQUENCE:1") == len(ids) == 2
    rows = list(csv.reader(io.StringIO((await read(house, "/notices.csv")).text)))
    assert [row[0] for row in rows[2:]] == [str(lot.lot_id)]
    assert dict(zip(rows[1], rows[2], strict=True))["state"] == "cancelled"


async def test_a_draft_has_no_calendar_and_the_list_says_where_it_is_followed(
    store: Store, house: FastAPI, cast: Cast
) -> None:
    _, draft = await a_draft(store, cast)
    assert (await read(house, f"/openings/{draft}.ics")).status_code == 404
    listed = await page(house, "/notices?stage=open")
    assert 'type="application/atom+xml" title="Atom" href="/notices.atom?stage=open"' in listed
    assert 'href="/openings.ics?stage=open"' in listed
