"""WCAG 2.2 AA: the gallery, and with it every component, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, Request, WebSocket
from fastapi.responses import HTMLResponse, JSONResponse
from playwright.async_api import Browser, Page, expect

from tests.web.browser import (
    Theme,
    assert_axe_clean,
    assert_no_overflow,
    assert_targets_are_large_enough,
    chromium,
    open_page,
    served,
)
from tests.web.gallery_house import gallery_house
from web.frame import frame_of
from web.pages import environment

pytestmark = pytest.mark.browser
__all__ = ["chromium"]

ADDRESSES = ("/_ui", "/en/_ui")
WATCHED = """{% extends "frame.html" %}{% import "components.html" as ui %}{% set live = true %}
{% block title %}观察{% endblock %}{% block main %}{{ ui.heading('观察') }}
{{ ui.live_indicator('hall/public', after=2) }}
{% call ui.live_part('/part', ['BidsOpened'], id='board') %}<p>part 0</p>{% endcall %}
{% call ui.live_part('/part', ['LotMoved'], id='other') %}<p>other 0</p>{% endcall %}
{% endblock %}"""
TO_THE_TOP = """
const first = document.createElement('span');
first.tabIndex = -1;
document.body.prepend(first);
first.focus();
"""
"""The gallery's error summary takes the focus, as it must; begin before everything instead."""

HEARD = """
window.heard = [];
document.addEventListener('sunbid:entry', (event) => window.heard.push(event.detail.seq));
"""


class Newsroom:
    """A view whose entries a test sends by hand, over the socket or the poll."""

    def __init__(self) -> None:
        self.entries: list[dict[str, object]] = []
        self.asked_after: list[int] = []
        self.polled_after: list[int] = []
        self.sockets: list[WebSocket] = []
        self.blocked = False
        self.parts_made = 0
        self.router = APIRouter()
        self.router.add_api_websocket_route("/live", self.live)
        self.router.add_api_route("/api/v1/views/{view:path}/entries", self.page)
        self.router.add_api_route("/watched", self.watched)
        self.router.add_api_route("/part", self.part)

    def write(self, kind: str) -> dict[str, object]:
        number = len(self.entries) + 1
        entry: dict[str, object] = {
            "v": 1, "view": "hall/public", "seq": number, "at": "2026-11-22T01:15:40Z",
            "kind": kind, "subject": "hall", "data": {},
        }  # fmt: skip
        self.entries.append(entry)
        return entry

    async def say(self, kind: str) -> None:
        entry = self.write(kind)
        for socket in self.sockets:
            await socket.send_json(entry)

    async def live(self, socket: WebSocket, view: str, after: int = 0) -> None:
        self.asked_after.append(after)
        if self.blocked:
            await socket.close()
            return
        await socket.accept()
        for entry in self.entries[after:]:
            await socket.send_json(entry)
        self.sockets.append(socket)
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
        self.sockets.remove(socket)

    async def page(self, view: str, after: int = 0) -> JSONResponse:
        self.polled_after.append(after)
        return JSONResponse({"entries": self.entries[after:]})

    async def watched(self, request: Request) -> HTMLResponse:
        page = environment().from_string(WATCHED)
        return HTMLResponse(page.render(frame=frame_of(request), request=request))

    async def part(self) -> HTMLResponse:
        self.parts_made += 1
        folded = "<details id='more'><summary></summary></details>"
        return HTMLResponse(f"<p id='made'>part {self.parts_made}</p>{folded}")


@pytest.fixture
async def gallery() -> AsyncIterator[str]:
    async with served(gallery_house()) as address:
        yield address


# -- how it looks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("large", [False, True], ids=["normal", "large"])
async def test_no_page_is_wider_than_the_window(
    chromium: Browser, gallery: str, path: str, large: bool
) -> None:
    async with open_page(chromium, gallery + path, large=large) as page:
        for width in (320, 360, 768, 1024, 1440):
            await page.set_viewport_size({"width": width, "height": 800})
            await assert_no_overflow(page)


@pytest.mark.parametrize("path", ["/_ui"])
async def test_text_twice_as_large_still_fits_a_phone(
    chromium: Browser, gallery: str, path: str
) -> None:
    async with open_page(chromium, gallery + path, width=360) as page:
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        await assert_no_overflow(page)


@pytest.mark.parametrize(
    ("width", "theme", "large"),
    [(360, "light", False), (1440, "dark", False), (360, "light", True)],
    ids=str,
)
@pytest.mark.parametrize("path", ADDRESSES)
async def test_axe_finds_nothing(
    chromium: Browser, gallery: str, path: str, width: int, theme: Theme, large: bool
) -> None:
    async with open_page(chromium, gallery + path, width=width, theme=theme, large=large) as page:
        await page.emulate_media(reduced_motion="reduce")
        await assert_axe_clean(page)
        await assert_targets_are_large_enough(page)


async def test_a_refusal_as_a_page_is_clean_too(chromium: Browser, gallery: str) -> None:
    async with open_page(chromium, gallery + "/_ui", width=360) as page:
        await page.goto(gallery + "/_ui")
        answer = await page.request.get(gallery + "/refused", headers={"Accept": "text/html"})
        assert answer.status == 409
        await page.set_content(await answer.text())
        await assert_axe_clean(page)
        await assert_no_overflow(page)


async def test_without_javascript_the_page_is_complete(chromium: Browser, gallery: str) -> None:
    async with open_page(chromium, gallery + "/_ui", javascript=False) as page:
        await expect(page.get_by_role("timer", name="距递交截止")).to_have_text("3 天 00:14:27")
        await expect(page.get_by_role("row")).not_to_have_count(0)
        assert await page.get_by_role("button", name="复制").count() == 0
        await page.get_by_role("link", name="大字版").click()
        await expect(page.locator("html")).to_have_attribute("data-size", "large")
        await page.get_by_role("link", name="标准字号").click()
        await expect(page.locator("html")).not_to_have_attribute("data-size", "large")


async def test_a_chosen_colour_stays_whatever_the_system_prefers(
    chromium: Browser, gallery: str
) -> None:
    async with open_page(chromium, gallery + "/_ui", theme="light") as page:
        light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.get_by_role("link", name="深色").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.get_by_role("link", name="English").click()
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await page.get_by_role("link", name="中文").click()
        await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    assert light != dark


async def test_paper_is_white_whatever_the_screen_was(chromium: Browser, gallery: str) -> None:
    async with open_page(chromium, gallery + "/_ui", theme="dark") as page:
        async with page.expect_navigation():
            await page.get_by_role("link", name="深色").click()
        await page.emulate_media(media="print")
        colours = await page.evaluate(
            """() => [document.body, document.querySelector('.note'), document.querySelector('.tw')]
              .map((e) => getComputedStyle(e))
              .map((style) => [style.color, style.backgroundColor])"""
        )
        assert {ink for ink, _ in colours} == {"rgb(0, 0, 0)"}
        assert colours[0][1] == "rgb(255, 255, 255)"
        await expect(page.get_by_role("banner")).to_be_hidden()


# -- keyboard -------------------------------------------------------------------------------------


async def test_the_first_stop_skips_to_the_content(chromium: Browser, gallery: str) -> None:
    async with open_page(chromium, gallery + "/_ui") as page:
        await page.evaluate(TO_THE_TOP)
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="跳到主要内容")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()


async def test_every_stop_shows_where_it_is_and_none_is_a_trap(
    chromium: Browser, gallery: str
) -> None:
    async with open_page(chromium, gallery + "/_ui", width=360) as page:
        await page.evaluate(TO_THE_TOP)
        seen: list[str] = []
        for _ in range(200):
            await page.keyboard.press("Tab")
            stop = await page.evaluate(
                """() => {
                  const e = document.activeElement;
                  if (e === document.body) return null;
                  const style = getComputedStyle(e);
                  const box = e.getBoundingClientRect();
                  const shown = style.outlineStyle !== 'none'
                    && parseFloat(style.outlineWidth) >= 2;
                  const inside = box.bottom > 0 && box.top < innerHeight;
                  const words = (e.textContent || e.name || '').trim();
                  const what = `${e.tagName} ${words.slice(0, 30)}`;
                  return { shown, inside, what };
                }"""
            )
            if stop is None:
                break
            assert stop["shown"], stop["what"]
            assert stop["inside"], stop["what"]
            seen.append(stop["what"])
        else:
            raise AssertionError(f"a trap: {seen[-3:]}")
        assert any("递交投标文件" in what for what in seen)
        assert any("透明日志" in what for what in seen)


# -- the clock ------------------------------------------------------------------------------------


async def test_a_wrong_clock_of_the_visitor_is_told_and_not_used(
    chromium: Browser, gallery: str
) -> None:
    world = "Date.parse('2026-11-01T22:15:33Z')"  # the demonstration runs 20 days and 3 hours ahead
    fast = f"const began = performance.now(); Date.now = () => {world} + 312000"
    fast += " + performance.now() - began;"
    async with open_page(chromium, gallery + "/_ui", script=fast) as page:
        warning = page.locator("[data-drift]")
        await expect(warning).to_contain_text("您的电脑时间快 5 分钟")
        left = await page.get_by_role("timer", name="解密剩余时间").inner_text()
        assert left in ("08:24", "08:23", "08:22", "08:21")


async def test_a_right_clock_is_not_complained_of(chromium: Browser, gallery: str) -> None:
    right = "const began = performance.now();"
    right += " Date.now = () => Date.parse('2026-11-01T22:15:33Z') + performance.now() - began;"
    async with open_page(chromium, gallery + "/_ui", script=right) as page:
        await expect(page.locator("footer [data-apart]")).to_be_visible()
        await expect(page.locator("[data-drift]")).to_be_hidden()


async def test_a_countdown_ends_in_words_and_says_so(chromium: Browser, gallery: str) -> None:
    async with open_page(chromium, gallery + "/_ui") as page:
        await page.evaluate(
            """() => {
              const box = document.querySelector('[data-countdown]');
              window.due = 0;
              document.addEventListener('sunbid:due', () => { window.due += 1; });
              box.dataset.countdown = new Date(Date.parse(box.dataset.now) + 4000).toISOString();
            }"""
        )
        timer = page.get_by_role("timer", name="距递交截止")
        await expect(timer).to_have_text("已截止 09:30:00（服务器）", timeout=10_000)
        assert await page.evaluate("window.due") == 1


# -- tables ---------------------------------------------------------------------------------------


async def test_amounts_are_sorted_as_exact_figures(chromium: Browser, gallery: str) -> None:
    async with open_page(chromium, gallery + "/_ui") as page:
        table = page.get_by_role("table", name="唱标表")
        heading = table.get_by_role("columnheader", name="投标报价")
        await heading.get_by_role("button").click()
        assert await heading.get_attribute("aria-sort") == "ascending"
        cells = table.locator("tbody td[data-v]:nth-child(3)")
        amounts = await cells.all_inner_texts()
        assert amounts == sorted(amounts)
        await heading.get_by_role("button").click()
        assert await cells.all_inner_texts() == sorted(amounts, reverse=True)


# -- news -----------------------------------------------------------------------------------------


@pytest.fixture
async def newsroom() -> AsyncIterator[tuple[Newsroom, str]]:
    room = Newsroom()
    for _ in range(2):
        room.write("LotMoved")
    async with served(gallery_house(more=room.router)) as address:
        yield room, address


async def _heard(page: Page, *numbers: int) -> None:
    await page.wait_for_function(
        "(want) => String(window.heard) === want", arg=",".join(map(str, numbers))
    )


async def test_news_arrives_in_order_and_refreshes_only_what_it_concerns(
    chromium: Browser, newsroom: tuple[Newsroom, str]
) -> None:
    room, address = newsroom
    async with open_page(chromium, address + "/watched", script=HEARD) as page:
        await expect(page.locator("[data-live-state]")).to_have_text("连接正常")
        assert room.asked_after == [2]
        await room.say("BidderReleased")
        await room.say("BidsOpened")
        await _heard(page, 3, 4)
        await expect(page.locator("#board")).to_have_text("part 1")
        await expect(page.locator("#other")).to_have_text("other 0")


async def test_what_a_reader_has_unfolded_stays_so_when_its_part_is_fetched_again(
    chromium: Browser, newsroom: tuple[Newsroom, str]
) -> None:
    room, address = newsroom
    async with open_page(chromium, address + "/watched") as page:
        await expect(page.locator("[data-live-state]")).to_have_text("连接正常")
        await room.say("BidsOpened")
        await expect(page.locator("#board")).to_have_text("part 1")
        assert await page.locator("#more").evaluate("(fold) => fold.open") is False
        await page.locator("#more").evaluate("(fold) => { fold.open = true; }")
        await room.say("BidsOpened")
        await expect(page.locator("#board")).to_have_text("part 2")
        assert await page.locator("#more").evaluate("(fold) => fold.open") is True


async def test_a_lost_line_is_taken_up_after_the_last_number(
    chromium: Browser, newsroom: tuple[Newsroom, str]
) -> None:
    room, address = newsroom
    async with open_page(chromium, address + "/watched", script=HEARD) as page:
        await expect(page.locator("[data-live-state]")).to_have_text("连接正常")
        await room.say("BidderReleased")
        await _heard(page, 3)
        await room.sockets[0].close(1012)
        room.write("BidderReleased")
        await _heard(page, 3, 4)
        assert room.asked_after == [2, 3]


async def test_a_gap_is_never_shown_but_asked_for_again(
    chromium: Browser, newsroom: tuple[Newsroom, str]
) -> None:
    room, address = newsroom
    async with open_page(chromium, address + "/watched", script=HEARD) as page:
        await expect(page.locator("[data-live-state]")).to_have_text("连接正常")
        room.write("BidderReleased")
        await room.say("BidsOpened")
        await _heard(page, 3, 4)
        assert room.asked_after == [2, 2]


async def test_where_sockets_are_blocked_the_entries_are_polled(
    chromium: Browser, newsroom: tuple[Newsroom, str]
) -> None:
    room, address = newsroom
    room.blocked = True
    async with open_page(
        chromium, address + "/watched", script=HEARD, expected="WebSocket connection"
    ) as page:
        await expect(page.locator("[data-live-state]")).to_have_text("轮询", timeout=15_000)
        await room.say("BidsOpened")
        await _heard(page, 3)
        await expect(page.locator("#board")).to_have_text("part 1")
