"""The evaluation room in a real browser: marks are never lost, reading stops before one's eyes.

Bidding Law 38; Bidding Regulation 49. WCAG 2.2 AA.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import pytest
from playwright.async_api import Browser, Page, Route, expect

from evaluation import attending, scoring
from kernel.access import Role
from tests.committees_at_work import KeptCommittees, Sitter, WorkRoom
from tests.draw_cast import bar_expert
from tests.sealed_bids import ticking
from tests.tenders import Player, a_player
from tests.web.browser import (
    assert_holds_everywhere,
    chromium,
    open_page,
    served,
)
from tests.web.evaluation_house import EvaluationHouse, evaluation_house
from tests.web.tender_house import token_of

__all__ = ["chromium"]

pytestmark = pytest.mark.browser

SAVED = "[data-saved]"


@dataclass(slots=True)
class Windows:
    """The room's pages, under an address of their own."""

    house: EvaluationHouse
    chromium: Browser
    address: str

    @property
    def room(self) -> WorkRoom:
        return self.house.room

    @asynccontextmanager
    async def open(self, who: Player, path: str = "", *, expected: str = "") -> AsyncIterator[Page]:
        """A page of the room as this player sees it."""
        address = self.address + (path or f"/evaluation/{self.room.committee_id}")
        async with open_page(
            self.chromium,
            address,
            token=await token_of(self.room.store, who),
            expected=expected,
        ) as page:
            yield page

    async def sheet(self) -> str:
        """The path of the page on which the first bid is marked."""
        bid = (await self.room.bids())[0]
        return f"/evaluation/{self.room.committee_id}?bid={bid.bid_id}&file=报价.csv"

    async def cells(self, sitter: Sitter) -> dict[str, tuple[Decimal | None, int]]:
        """The member's marks as they are stored: score and version by item."""
        own = await self.room.do(sitter.player, scoring.own_marks, self.room.committee_id)
        return {cell.item: (cell.score, cell.version) for cell in own.cells}


@pytest.fixture
async def windows(
    room: WorkRoom, kept_committees: KeptCommittees, chromium: Browser
) -> AsyncIterator[Windows]:
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    async with (
        evaluation_house(room, kept_committees, room.database, origin=origin) as house,
        served(house.app, listener=listener) as address,
        ticking(room.draw.tick),
    ):
        await room.sit()
        yield Windows(house, chromium, address)


async def test_a_mark_is_saved_as_it_is_typed_and_enter_goes_on(windows: Windows) -> None:
    sitter = windows.room.sitters[0]
    async with windows.open(sitter.player, await windows.sheet()) as page:
        first = page.get_by_label("施工组织设计")
        await first.fill("21.5")
        await first.press("Enter")
        await expect(page.get_by_label("类似工程业绩")).to_be_focused()
        await page.keyboard.type("12")
        await expect(page.locator(SAVED)).to_contain_text("已自动保存")
        await expect(page.locator("#said-records")).to_have_text("✓")
    assert await windows.cells(sitter) == {
        "construction": (Decimal("21.5"), 1),
        "records": (Decimal(12), 1),
    }


async def test_marks_typed_while_the_line_is_cut_arrive_once_when_it_is_back(
    windows: Windows,
) -> None:
    sitter = windows.room.sitters[0]
    async with windows.open(
        sitter.player, await windows.sheet(), expected="ERR_INTERNET_DISCONNECTED"
    ) as page:
        await page.context.set_offline(True)
        await page.get_by_label("施工组织设计").fill("20")
        await expect(page.locator(SAVED)).to_contain_text("待发送")
        await page.get_by_label("施工组织设计").fill("22")
        await page.get_by_label("类似工程业绩").fill("9")
        await expect(page.locator(SAVED)).to_contain_text("3 项待发送")
        assert await windows.cells(sitter) == {}
        await page.context.set_offline(False)
        await expect(page.locator(SAVED)).to_contain_text("已自动保存")
    assert await windows.cells(sitter) == {
        "construction": (Decimal(22), 2),
        "records": (Decimal(9), 1),
    }


async def test_marks_that_wait_survive_that_the_page_is_loaded_again(windows: Windows) -> None:
    sitter = windows.room.sitters[0]
    async with windows.open(
        sitter.player, await windows.sheet(), expected="Failed to load resource"
    ) as page:
        await page.route("**/marks/**", lambda route: route.abort())
        await page.get_by_label("施工组织设计").fill("23")
        await expect(page.locator(SAVED)).to_contain_text("1 项待发送")
        await page.reload()
        await expect(page.get_by_label("施工组织设计")).to_have_value("23")
        await page.unroute("**/marks/**")
        await expect(page.locator(SAVED)).to_contain_text("已自动保存")
    assert await windows.cells(sitter) == {"construction": (Decimal(23), 1)}


async def test_a_mark_out_of_its_band_says_what_is_allowed(windows: Windows) -> None:
    async with windows.open(
        windows.room.sitters[0].player, await windows.sheet(), expected="409"
    ) as page:
        await page.get_by_label("施工组织设计").fill("26")
        await expect(page.locator("#said-construction")).to_contain_text("20 到 25")
        await page.get_by_label("施工组织设计").fill("25")
        await expect(page.locator("#said-construction")).to_have_text("✓")


async def test_two_windows_of_one_member_are_asked_which_mark_is_meant(windows: Windows) -> None:
    sitter = windows.room.sitters[0]
    path = await windows.sheet()
    async with (
        windows.open(sitter.player, path) as one,
        windows.open(sitter.player, path) as other,
    ):
        await one.get_by_label("施工组织设计").fill("20")
        await expect(one.locator("#said-construction")).to_have_text("✓")
        await other.get_by_label("施工组织设计").fill("24")
        said = other.locator("#said-construction")
        await expect(said).to_contain_text("请选择")
        await said.get_by_role("button", name="24").click()
        await expect(said).to_have_text("✓")
    assert await windows.cells(sitter) == {"construction": (Decimal(24), 2)}


async def test_when_a_line_is_lost_what_is_read_goes_from_every_screen_and_no_mark_is_lost(
    windows: Windows,
) -> None:
    room = windows.room
    async with windows.open(
        room.sitters[0].player, await windows.sheet(), expected="Failed to load resource"
    ) as page:
        await expect(page.locator(".paper pre")).to_be_visible()
        await room.lose_line(room.sitters[3])
        await attending.note_absences(room.store)
        await expect(page.locator("#board")).to_contain_text("暂停评审")
        await expect(page.locator(".paper pre")).to_have_count(0)
        mark = page.get_by_label("施工组织设计")
        await mark.fill("20")
        await expect(page.locator(SAVED)).to_contain_text("已自动保存")
        await page.route("**/marks/**", lambda route: route.abort())
        await mark.fill("23")
        await room.sign_in(room.sitters[3], signed_at="2026-03-24T09:00:00Z")
        await expect(page.locator(".paper pre")).to_be_visible()
        await expect(mark).to_have_value("23")
        await expect(mark).to_be_focused()
        await page.unroute("**/marks/**")
        await expect(page.locator(SAVED)).to_contain_text("已自动保存")
    assert (await windows.cells(room.sitters[0]))["construction"] == (Decimal(23), 2)


async def test_a_rejection_is_proposed_and_voted_on_in_the_page(windows: Windows) -> None:
    room = windows.room
    path = await windows.sheet()
    async with windows.open(room.sitters[0].player, path) as page:
        await page.get_by_text("提议否决此投标").click()
        await page.get_by_label("法定理由").select_option("not_responsive")
        await page.get_by_label("投标文件页码").fill("第12页")
        await page.get_by_label("理由", exact=True).fill("工期不响应")
        await page.get_by_role("button", name="提交表决").click()
        await page.get_by_role("button", name="赞成否决").wait_for()

        # Whoever is quicker than the scripts of a page is not turned away.
        pressed = asyncio.Event()

        async def late(route: Route) -> None:
            await pressed.wait()
            await route.continue_()

        await page.route(re.compile("json_forms"), late)
        await page.reload(wait_until="commit")
        await page.get_by_role("button", name="赞成否决").click(no_wait_after=True)
        pressed.set()
        await expect(page.locator("#board")).to_contain_text("您已表决")
    for sitter in room.sitters[1:3]:
        async with windows.open(sitter.player) as page:
            await page.get_by_role("button", name="赞成否决").click()
            await expect(page.locator("#board")).to_contain_text(
                "您已表决" if sitter is room.sitters[1] else "已否决 3/5"
            )


async def test_the_rooms_pages_are_whole_and_accessible(windows: Windows) -> None:
    room = windows.room
    bid = (await room.bids())[0].bid_id
    await room.propose(bid)
    member, sheet = room.sitters[0].player, await windows.sheet()
    keeper = room.keepers[room.sites[0]]
    pages = [
        (member, "/evaluation", "已签到"),
        (member, sheet, "我的评分"),
        (room.supervisor, "/evaluation", "评审中"),
        (room.supervisor, f"/evaluation/{room.committee_id}", "成员进度"),
        (keeper, "/sites", "应到人员"),
        (room.agency, "/evaluation", "认为时间不够的成员"),
        (room.hall.entries[0].player, "/evaluation", "其他任何人不得进入评标室"),
    ]
    for who, path, words in pages:
        async with windows.open(who, path) as page:
            await expect(page.locator("main")).to_contain_text(words)
            await assert_holds_everywhere(page)


async def test_a_member_asks_for_time_in_the_page_and_whoever_tenders_gives_it(
    windows: Windows,
) -> None:
    """Bidding Regulation 48."""
    room = windows.room
    for sitter in room.sitters[:2]:
        async with windows.open(sitter.player) as page:
            await page.get_by_text("评标时间不够").click()
            await page.get_by_label("为什么时间不够").fill("投标文件篇幅大")
            await page.get_by_role("button", name="提出延长").click()
            await expect(page.locator("main")).to_contain_text("您已提出评标时间不够")
    async with windows.open(room.agency, "/evaluation") as page:
        await expect(page.locator("main")).to_contain_text("2/5")
        await page.get_by_label("延长（分钟）").fill("90")
        await page.get_by_role("button", name="延长评标时间").click()
        await expect(page.locator("main")).to_contain_text("0/5")


async def test_a_member_withdraws_in_the_page_and_is_told_what_follows(windows: Windows) -> None:
    room, leaver = windows.room, windows.room.representative_sitter
    other = await a_player(room.store, Role.OWNER_REPRESENTATIVE, party=room.representative.party)
    async with windows.open(leaver.player) as page:
        await page.get_by_text("回避或者退出评标").click()
        await expect(page.locator("main")).to_contain_text("您的评分和表决无效")
        await page.get_by_label("理由（记录在案").fill("与投标人有利害关系")
        await assert_holds_everywhere(page)
        await page.get_by_role("button", name="确认退出评标").click()
        await expect(page.locator("main")).to_contain_text("目前没有需要您参加的评标")
    async with windows.open(room.agency, "/evaluation") as page:
        await expect(page.locator("main")).to_contain_text("招标人代表 1 名")
        await assert_holds_everywhere(page)
        await page.get_by_label("招标人代表").select_option(str(other.person))
        await page.get_by_role("button", name="安排补抽成员入席").click()
        await expect(page.get_by_role("button", name="安排补抽成员入席")).to_have_count(0)
    (summons,) = await room.do(other, attending.summonses)
    assert summons.committee_id == room.committee_id


async def test_the_staff_have_a_member_replaced_in_the_page(windows: Windows) -> None:
    """Bidding Regulation 48: an absence counts after half an hour, a bar at once."""
    room = windows.room
    gone = next(one for one in room.drawn if one.site_id == room.sites[0])
    await room.lose_line(gone)
    async with windows.open(room.keepers[gone.site_id], "/sites", expected="409") as page:
        await expect(page.locator("main")).to_contain_text("已中断")
        await page.get_by_text("号工位的成员").click()
        await page.get_by_label("情况说明").fill("离席未归")
        await assert_holds_everywhere(page)
        await page.get_by_role("button", name="更换该成员").click()
        await expect(page.get_by_role("alert").first).to_contain_text("缺席满30分钟后方可更换")
        expert = next(one for one in room.draw.experts if one.player == gone.player)
        await bar_expert(room.draw, expert)
        await page.get_by_label("事由").select_option("barred")
        await page.get_by_role("button", name="更换该成员").click()
        await expect(page.locator("main")).not_to_contain_text(gone.player.name)
    async with windows.open(room.representative) as page:
        await expect(page.locator("#board")).to_contain_text("已退出，待更换")
