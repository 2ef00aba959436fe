"""The method of an award over HTTP and in a browser: Bidding Law 19, 40; Bidding Regulation 55."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.awards import (
    an_evaluated_lot,
    candidates_published,
    standstill_ended,
)
from tests.tenders import a_cast, a_draft
from tests.web.award_house import open_award_house
from tests.web.browser import assert_holds_everywhere, chromium
from tests.web.tender_house import client_of, page, signed_in
from trading.rules.split_award import DecisionMethod, SplitAward, Tie
from web.app import create_app
from web.client import Problem

__all__ = ["chromium"]

VOTE = SplitAward(DecisionMethod.VOTE, 3, "信用、履约能力和报价", Tie.BETTER_RANK, "某市试点办法")
PRICES = ("118600000.00", "121300000.00", "119950000.00")
MEMBERS = ("钱一", "孙二", "李三")
REASONS = "该候选人信用良好，履约能力强。"


async def test_owners_name_the_method_and_take_it_back(store: Store, settings: Settings) -> None:
    house: FastAPI = create_app(store, settings)
    cast = await a_cast(store)
    _, lot_id = await a_draft(store, cast)
    agency = await client_of(house, cast.agency)
    path = f"/api/v1/lots/{lot_id}/award-method"

    for body, code in (
        ({"method": "lots", "members": 3, "factors": "运气", "basis": "某办法"}, "lots_drawn"),
        ({"method": "vote", "members": 3, "basis": "某办法"}, "no_award_factors"),
    ):
        with pytest.raises(Problem) as refused:
            await agency.post(path, body)
        assert refused.value.codes == {code}
    await agency.post(path, VOTE.plain())
    told = await agency.get(path)
    assert told["award_method"] == VOTE.plain()
    assert [one["code"] for one in told["cautions"]] == ["split_on_pilot_rules"]
    desk = await page(house, f"/desk/lots/{lot_id}/award-method", cast.agency)
    assert "票决定标" in desk
    assert "抽签定标" not in desk
    checkup = await page(house, f"/desk/lots/{lot_id}", cast.agency)
    assert "某市试点办法" in checkup
    await agency.post(path, {"split": False})
    assert (await agency.get(path))["award_method"] is None


@pytest.mark.browser
async def test_the_committee_votes_in_the_browser_and_everybody_reads_its_minutes(
    store: Store,
    settings: Settings,
    chromium: Browser,
    clock_to: Callable[[Any], Awaitable[None]],
    sound: Callable[[], Awaitable[None]],
) -> None:
    evaluated = await an_evaluated_lot(store, PRICES, rejected=0, award_method=VOTE)
    lot_id = evaluated.hall.lot_id
    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    await clock_to(published.until)
    second = evaluated.ranked[1].player
    house = create_app(store, settings)
    tenderee = await client_of(house, evaluated.tenderee)
    with pytest.raises(Problem) as refused:
        said = {"lot": str(lot_id), "winner": str(second.party)}
        await tenderee.post_statement(f"/api/v1/lots/{lot_id}/award", "award", said)
    assert refused.value.codes == {"no_minutes"}

    async with (
        open_award_house(store, settings) as address,
        signed_in(store, chromium, address, evaluated.tenderee, expected="409 (Conflict)") as shown,
    ):
        await shown.goto(f"{address}/awards/{lot_id}")
        await shown.get_by_role("radio", name=second.organisation).check()
        for place, who in enumerate(MEMBERS, 1):
            await shown.get_by_label("姓名").nth(place - 1).fill(who)
            await shown.get_by_label("投给").nth(place - 1).select_option(str(second.party))
        await assert_holds_everywhere(shown)
        await shown.get_by_label("定标理由").fill("同意")
        await shown.get_by_role("button", name="签名并定标").click()
        await expect(shown.get_by_text("定标报告应当说明定标理由")).to_be_visible()
        await shown.get_by_label("定标理由").fill(REASONS)
        await shown.get_by_role("button", name="签名并定标").click()
        await expect(shown.get_by_text("每名成员的投票")).to_be_visible()

    stranger = await client_of(house)
    told = await stranger.get(f"/api/v1/lots/{lot_id}/award")
    assert (told["award"]["rank"], told["first_wins"]) == (2, False)
    assert told["award"]["minutes"] == {
        "members": list(MEMBERS),
        "votes": [[who, second.organisation] for who in MEMBERS],
        "reasons": REASONS,
        "signed": [],
    }
    assert json.dumps(VOTE.plain()["factors"]) in json.dumps(told["award_method"])
    read = (await stranger.read(f"/awards/{lot_id}")).decode()
    assert REASONS in read
    assert "候选人的排名不约束招标人" in read
    assert VOTE.basis in (await stranger.read(f"/notices/{lot_id}")).decode()
    await sound()
