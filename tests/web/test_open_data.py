"""What is collected for the public: 招标投标法 22、政府信息公开; OCDS 1.1; what ended and why.

招标投标法实施条例 31; 电子招标投标办法 21: nothing collected tells of who takes part.
"""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from kernel.access import PUBLIC, Role
from kernel.settings import Settings
from kernel.store.parties import organisation
from kernel.store.transaction import Store, transaction
from tests.tenders import (
    NOW,
    Cast,
    PublishedLot,
    a_cast,
    a_draft,
    a_player,
    a_published_lot,
    cancelled,
)
from tests.web.browser import assert_holds_everywhere, chromium, open_page
from tests.web.ocds_shape import release_faults
from tests.web.tender_house import client_of, open_tender_house, page
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure
from web.app import create_app
from web.client import Problem
from web.ocds import CATEGORIES, METHODS

__all__ = ["chromium"]


@pytest.fixture
async def cast(store: Store) -> Cast:
    return await a_cast(store)


@pytest.fixture
async def lot(store: Store, cast: Cast) -> PublishedLot:
    return await a_published_lot(store, cast)


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


def test_the_standard_has_a_word_for_every_procedure_and_every_kind_of_work() -> None:
    assert METHODS.keys() == set(Procedure)
    assert CATEGORIES.keys() == set(WorkKind)


async def test_what_ended_is_listed_with_its_reason_and_article(
    store: Store, house: FastAPI, cast: Cast, lot: PublishedLot
) -> None:
    await a_draft(store, cast)
    public = await client_of(house)
    assert (await public.get("/api/v1/terminations"))["terminations"] == []
    (before,) = (await public.get("/api/v1/ocds"))["releases"]
    await cancelled(store, cast, lot, now=NOW + timedelta(days=2))

    (one,) = (await public.get("/api/v1/terminations"))["terminations"]
    assert (one["reason"], one["noticed"]) == ("项目用地规划调整", True)
    assert "第三十一条" in one["article"] or "第31条" in one["article"]
    assert one["ended_in"] == "open"
    assert "项目用地规划调整" in await page(house, "/terminations?region=42")
    assert "There is no such lot" in await page(house, "/en/terminations?region=31")
    figures = await public.get("/api/v1/statistics")
    assert (figures["total"]["published"], figures["total"]["failed"]) == (1, 1)
    assert figures["total"]["share"] is None
    assert [row["key"] for row in figures["by_month"]] == ["2026-03"]

    package = await public.get("/api/v1/ocds")
    assert release_faults(package) == []
    (release,) = package["releases"]
    assert release["ocid"] == before["ocid"] == f"ocds-sunbid-{lot.lot_id}"
    assert release["id"] != before["id"]
    assert (before["tender"]["status"], release["tender"]["status"]) == ("active", "cancelled")
    transport = httpx.ASGITransport(app=house)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
        for path, length in (
            ("/data/terminations.csv", 3),
            ("/data/awards.csv", 2),
            ("/stats/month.csv", 3),
        ):
            rows = list(csv.reader(io.StringIO((await visitor.get(path)).text)))
            assert {len(row) for row in rows} == {len(rows[0])}
            assert len(rows) == length


async def test_who_is_verified_is_in_the_directory_and_nobody_else(
    store: Store, house: FastAPI, cast: Cast
) -> None:
    async with transaction(store, actor=PUBLIC) as tx:
        uscc = (await organisation(tx, cast.tenderee.party)).uscc
    public = await client_of(house)
    told = await public.get(f"/api/v1/orgs/{uscc}")
    assert (told["name"], told["won"], told["awarded"]) == (cast.tenderee.organisation, [], [])
    assert cast.tenderee.organisation in await page(house, f"/orgs/{uscc}")
    waiting = await a_player(store, Role.BIDDER, verified=False)
    async with transaction(store, actor=PUBLIC) as tx:
        other = (await organisation(tx, waiting.party)).uscc
    for code in (other, f"{uscc[:-1]}{'A' if uscc[-1] != 'A' else 'B'}"):
        with pytest.raises(Problem) as problem:
            await public.get(f"/api/v1/orgs/{code}")
        assert problem.value.status == 404


@pytest.mark.browser
async def test_what_is_collected_holds_at_every_width(
    store: Store, settings: Settings, cast: Cast, lot: PublishedLot, chromium: Browser
) -> None:
    await cancelled(store, cast, lot, now=NOW + timedelta(days=2))
    async with (
        open_tender_house(store, settings) as address,
        open_page(chromium, f"{address}/terminations") as shown,
    ):
        await assert_holds_everywhere(shown)
        for path in ("/stats", "/data", "/status"):
            await shown.goto(address + path)
            await assert_holds_everywhere(shown)
