"""The wall of rules: as data, as a page, and at the terminal."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect
from typer.testing import CliRunner

from kernel.settings import Settings
from kernel.statute import Article, Provenance, Severity
from kernel.store.transaction import Store
from tests.tenders import a_cast
from tests.trading.test_trading_catalogue import LOCAL
from tests.web.browser import assert_holds_everywhere, chromium, open_page, served
from tests.web.tender_house import client_of, page
from trading.rules.procedures import PROCEDURE_NAMES, Procedure, Switches, switches_of
from trading.rules.rule_book import RULE_BOOK
from web.app import create_app
from web.client import Problem
from web.command_line import main
from web.routes.statute_wall import CHAPTERS, rules_told, value_told

__all__ = ["chromium"]

MEMBERS = {"id", "article", "regime", "severity", "provenance", "from", "to", "test"}


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    app = create_app(store, settings)
    return app


def test_the_table_has_every_article_of_every_rule_and_says_how_it_is_known() -> None:
    told = rules_told()
    found = {(line["id"], line["article"]) for line in told}
    for entry in RULE_BOOK.values():
        assert {(entry.id, str(article)) for article in entry.articles} <= found
    for line in told:
        assert line["severity"] in set(Severity)
        assert line["provenance"] in {one.name.lower() for one in Provenance}
    in_book = [line for line in told if line["id"] in RULE_BOOK]
    unread = [line for line in in_book if line["provenance"] == "memory"]
    assert {line["severity"] for line in unread} == {Severity.WARN}


def test_every_chapter_of_the_book_has_its_place_on_the_wall() -> None:
    assert {one[:2] for one in RULE_BOOK} == set(CHAPTERS)


@pytest.mark.parametrize("procedure", Procedure)
def test_every_switch_of_every_procedure_can_be_told(procedure: Procedure) -> None:
    switches = switches_of(procedure, on=date(2026, 3, 2))
    for field in fields(Switches):
        value = getattr(switches, field.name)
        if not isinstance(value, Article):
            assert all(value_told(value)), field.name


def test_the_terminal_prints_one_rule_as_json() -> None:
    answer = CliRunner().invoke(main, ["rules", "NO-09", "--json"])
    assert answer.exit_code == 0
    told = json.loads(answer.stdout)
    assert {line["id"] for line in told} == {"NO-09"}
    assert all(set(line) == MEMBERS for line in told)
    assert {line["test"] for line in told} == {"tests/trading/test_timetable.py"}


def test_the_terminal_knows_no_rule_that_is_not_there() -> None:
    assert CliRunner().invoke(main, ["rules", "NO-99"]).exit_code == 3


async def test_the_wall_shows_each_rule_with_its_article_and_its_text(house: FastAPI) -> None:
    shown = await page(house, "/rules")
    assert 'id="NO-09"' in shown
    assert "最短不得少于二十日" in shown
    assert "《中华人民共和国招标投标法》第24条" in shown
    for name in PROCEDURE_NAMES.values():
        assert name in shown
    client = await client_of(house)
    assert len((await client.get("/api/v1/rules"))["rules"]) == len(rules_told())


VOLUNTARY = {
    "code": "HB-TEST-1",
    "name": "厂房改造",
    "procedure": "open_tender_voluntary",
    "category": "works",
    "region": "420100",
    "funding_source": "自有资金",
    "state_funded": True,
    "estimate": "1000000.00",
}


async def test_the_catalogue_is_shown_and_a_regions_own_lines_judge_its_projects(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    own = tmp_path / "catalogue.json"
    own.write_text(json.dumps(LOCAL))
    cast = await a_cast(store)
    codes = []
    for told in (settings, settings.model_copy(update={"catalogue": own})):
        house = create_app(replace(store, settings=told), told)
        client = await client_of(house)
        lines = (await client.get("/api/v1/catalogue"))["lines"]
        codes.append([one["code"] for one in lines])
        shown = await page(house, "/catalogue")
        for one in lines:
            assert f'id="line-{one["code"]}"' in shown
        asked = {**VOLUNTARY, "tenderee": str(cast.tenderee.party)}
        owner = await client_of(house, cast.tenderee)
        if told.catalogue is None:
            await owner.post("/api/v1/projects", asked)
        else:
            assert "《湖北省公共资源交易目录》" in shown
            with pytest.raises(Problem) as refused:
                await owner.post("/api/v1/projects", {**asked, "code": "HB-TEST-2"})
            assert "湖北省公共资源交易目录" in refused.value.refusals[0]["article"]
    assert codes == [["A-W", "A-G", "A-S"], ["A-W", "A-G", "A-S", "HB-1"]]


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_a_catalogue_that_cannot_be_read_stops_the_start(
    content: str | None, tmp_path: Path
) -> None:
    own = tmp_path / "catalogue.json"
    if content is not None:
        own.write_text(content)
    told = {"SUNBID_CATALOGUE": str(own), "SUNBID_DATA": str(tmp_path / "data")}
    answer = CliRunner().invoke(main, ["doctor"], env=told)
    assert answer.exit_code == 2
    assert "SUNBID_CATALOGUE" in answer.output


@pytest.mark.browser
async def test_the_catalogue_holds_in_every_width_and_scheme(
    house: FastAPI, chromium: Browser
) -> None:
    async with (
        served(house, lifespan="on") as address,
        open_page(chromium, f"{address}/catalogue") as shown,
    ):
        await expect(shown.locator("h1")).to_be_visible()
        await assert_holds_everywhere(shown)


@pytest.mark.browser
async def test_the_wall_holds_in_every_width_and_scheme(house: FastAPI, chromium: Browser) -> None:
    async with (
        served(house, lifespan="on") as address,
        open_page(chromium, f"{address}/rules") as shown,
    ):
        await expect(shown.locator("h1")).to_be_visible()
        await assert_holds_everywhere(shown)
