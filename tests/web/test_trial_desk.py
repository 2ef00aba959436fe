"""The trial desk over HTTP: Bidding Law 40; Bidding Regulation 49 (UX T-02)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect
from sqlalchemy import text

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.tenders import a_cast, a_draft
from tests.web.browser import assert_holds_everywhere, chromium, open_page
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, open_tender_house, page, submitted, token_of
from web.app import create_app
from web.client import Problem

__all__ = ["chromium"]

MARKS = {"construction": "22", "records": "12"}
BIDS: list[dict[str, Any]] = [
    {"name": "甲", "price": "100000000.00", "marks": MARKS},
    {"name": "乙", "price": "110000000.00", "marks": MARKS},
    {"name": "丙", "price": "120000000.00", "marks": MARKS, "rejected": True},
]


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def entries(store: Store, lot_id: UUID) -> int:
    """How often the lot is spoken of in the journal."""
    async with store.sessions() as session:
        told = "SELECT count(*) FROM kernel.journal WHERE subject_id = :lot"
        rows = await session.execute(text(told), {"lot": lot_id})
        found: int = rows.scalar_one()
    return found


async def test_an_owner_tries_a_scheme_and_nothing_of_it_is_kept(
    store: Store, house: FastAPI
) -> None:
    cast = await a_cast(store)
    _, lot_id = await a_draft(store, cast)
    before = await entries(store, lot_id)
    owner, path = await client_of(house, cast.agency), f"/api/v1/lots/{lot_id}/scheme-trials"

    told = await owner.post(path, {"bids": BIDS})
    assert (told["benchmark"], told["candidates"]) == ("105000000.0000", ["甲", "乙"])
    with pytest.raises(Problem) as problem:
        await owner.post(path, {"bids": [{**BIDS[0], "marks": {**MARKS, "records": "10"}}]})
    assert problem.value.codes == {"off_step"}
    for who in (cast.supervisor, None):
        stranger = await client_of(house, who)
        with pytest.raises(Problem):
            await stranger.post(path, {"bids": BIDS})

    begun = await page(house, f"/desk/lots/{lot_id}/trial", cast.agency)
    assert faults_of(tree_of(begun)) == []
    assert "评标基准价" in begun
    form = {
        f"{name}-{row}": value
        for row, bid in enumerate(BIDS)
        for name, value in (("name", bid["name"]), ("price", "1,000.50"))
    } | {f"mark-{row}-{place}": mark for row in range(3) for place, mark in enumerate(("22", "12"))}
    tied = await submitted(house, f"/desk/lots/{lot_id}/trial", cast.agency, form)
    assert "须现场抽签" in tied.text
    wrong = {**form, "mark-0-1": "10", "price-1": "-3"}
    answer = await submitted(house, f"/desk/lots/{lot_id}/trial", cast.agency, wrong)
    for words in ("分值的最小单位为 3", "没有报价"):
        assert words in answer.text
    assert await entries(store, lot_id) == before


@pytest.mark.browser
async def test_the_trial_holds_at_every_width(
    store: Store, settings: Settings, chromium: Browser
) -> None:
    cast = await a_cast(store)
    _, lot_id = await a_draft(store, cast)
    token = await token_of(store, cast.agency)
    async with open_tender_house(store, settings) as address:
        place = f"{address}/desk/lots/{lot_id}/trial"
        async with open_page(chromium, place, token=token) as shown:
            await expect(shown.locator("#result + dl, #result ~ dl").first).to_be_visible()
            await assert_holds_everywhere(shown)
