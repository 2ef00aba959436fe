"""The frame's clock is the database's, and a demonstration says how far it runs ahead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from fastapi import FastAPI

from kernel.store.clocks import platform_clock
from kernel.store.transaction import Store
from tests.conftest import START
from tests.tenders import a_player
from tests.web.gallery_house import DEMONSTRATION, visiting
from tests.web.markup import tree_of
from tests.web.route_matrix import PEOPLE
from tests.web.tender_house import page
from web import frame, visitor_choices
from web.frame import DESKS, Moment, look
from web.routes import component_gallery
from web.words import Language, say


async def test_the_time_is_the_platforms(store: Store) -> None:
    seen = await look(store)
    async with store.sessions() as session:
        later = await platform_clock(session)
    assert START <= seen.now <= later


async def test_the_start_of_a_demonstration_is_no_jump(store: Store) -> None:
    seen = await look(store)
    assert seen.demo
    assert seen.jump is None


async def test_a_jump_is_told_with_where_it_led_and_why(
    store: Store, clock_to: Callable[[datetime], Awaitable[None]]
) -> None:
    before = await look(store)
    await clock_to(START + timedelta(days=20))
    seen = await look(store)
    assert seen.jump is not None
    assert abs(seen.jump.to - (START + timedelta(days=20))) < timedelta(seconds=2)
    assert seen.jump.reason == "test"
    assert seen.offset > before.offset


async def test_the_database_is_asked_once_a_second_for_all_readers() -> None:
    asked, clock_s = 0, 100.0

    async def counted() -> Moment:
        nonlocal asked
        asked += 1
        return DEMONSTRATION

    app = FastAPI()
    app.include_router(component_gallery.router)
    frame.put_around(app, look=counted, seconds=lambda: clock_s)
    visitor_choices.offer(app)
    async with visiting(app) as reader:
        for _ in range(5):
            assert (await reader.get("/_ui")).status_code == 200
            clock_s += 0.19
        await reader.get("/_ui", headers={"Accept": "application/json"})
        assert asked == 1
        clock_s += 0.1
        await reader.get("/_ui")
        assert asked == 2


async def test_whoever_is_signed_in_is_led_to_a_desk_of_his_own_from_every_page(
    app: FastAPI, store: Store
) -> None:
    for role in sorted(PEOPLE):
        who = await a_player(store, role)
        path, key = DESKS[role]
        for shown in (await page(app, "/", who), await page(app, "/notices", who)):
            (nav,) = [one for one in tree_of(shown).all("nav") if one.get("class") == "nav"]
            links = [(one.get("href"), one.text) for one in nav.all("a")]
            assert links[0] == (path, say(key, Language.ZH)), role
            assert len({href for href, _ in links}) == len(links), role
        assert f'href="{path}"' in await page(app, "/account", who)
        here = [
            one.get("href")
            for one in tree_of(await page(app, path, who)).all("a")
            if one.get("aria-current") == "page"
        ]
        assert here == [path], role


async def test_the_public_is_led_to_no_desk(app: FastAPI, store: Store) -> None:
    hrefs = {one.get("href") for one in tree_of(await page(app, "/")).all("a")}
    assert hrefs & {path for path, _ in DESKS.values()} == {
        "/experts",
        "/evaluation",
        "/transparency",
    }
