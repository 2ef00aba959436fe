"""What a published lot asks of its owners, and that they can do it there.

Bidding Law 37, 45; Bidding Regulation 22, 31, 54, 55; Remote Evaluation Notice 4.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from evaluation import attending, site_keeping
from evaluation.committee_views import CommitteeOutline
from evaluation.rules.session_protocol import Phase
from expert_pool.draw_history import DrawLine
from expert_pool.rules.draw_protocol import DrawState
from kernel.access import Role
from kernel.crypto.signing import PrivateKey
from kernel.identifiers import CommitteeId, DrawId, LotId, SiteId
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store.transaction import Store, transaction
from tests.awards import Evaluated, candidates_published, objected, standstill_ended
from tests.committees_at_work import KeptCommittees, WorkRoom, seat_statement
from tests.draw_cast import CIVIL, EAST, HOST, SOUTH, DrawHouse, Tick, a_pool
from tests.opened_lots import Hall
from tests.sealed_bids import Tender
from tests.tenders import a_player, a_uscc
from tests.web.browser import assert_holds_everywhere, chromium, open_page
from tests.web.evaluation_house import evaluation_house
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page, token_of
from tests.web.whole_house import chosen, fixed, forms_of, names_in, open_whole_house
from trading import handover
from trading.award_views import LastAward
from trading.rules.lot_lifecycle import LAWFUL_MOVES, LotMove, LotState
from trading.tables import LotRow
from web.client import Problem
from web.lot_course import Course, Step
from web.pages import environment
from web.words import Language

__all__ = ["chromium"]

NOW = datetime(2026, 3, 23, 2, 0, tzinfo=UTC)
ClockTo = Callable[[datetime], Awaitable[None]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No witnesses, so that a checkpoint alone makes an entry witnessed."""
    return settings.model_copy(update={"witness_quorum": 0})


# ── which step is next ────────────────────────────────────────────────────────────────────────


def a_line(state: DrawState) -> DrawLine:
    return DrawLine(DrawId(random_id()), LotId(random_id()), 1, state, NOW)


def an_outline(*, experts: int = 0, representatives: int = 0) -> CommitteeOutline:
    return CommitteeOutline(
        CommitteeId(random_id()), Phase.WORKING, NOW, NOW, 5, experts, representatives
    )


@pytest.mark.parametrize(
    ("state", "draw", "committee", "steps"),
    [
        (LotState.OPEN, None, None, [Step.AWAIT_DEADLINE]),
        (LotState.CLOSING, None, None, [Step.AWAIT_CLOSING]),
        (LotState.CLOSED, None, None, [Step.ANNOUNCE_DRAW, Step.FOLLOW_OPENING]),
        (LotState.OPENING, DrawState.VOID, None, [Step.ANNOUNCE_DRAW, Step.FOLLOW_OPENING]),
        (LotState.OPENING, DrawState.CALLING, None, [Step.FOLLOW_DRAW, Step.FOLLOW_OPENING]),
        (LotState.OPENED, DrawState.SEATED, None, [Step.SIGN_RECORD, Step.CONVENE]),
        (LotState.IN_EVALUATION, DrawState.SEATED, an_outline(), [Step.AWAIT_REPORT]),
        (
            LotState.IN_EVALUATION,
            DrawState.SEATED,
            an_outline(representatives=1),
            [Step.SEAT_SUCCESSORS, Step.AWAIT_REPORT],
        ),
        (
            LotState.IN_EVALUATION,
            DrawState.CALLING,
            an_outline(experts=1),
            [Step.AWAIT_SUCCESSORS, Step.AWAIT_REPORT],
        ),
        (LotState.EVALUATED, DrawState.SEATED, an_outline(), [Step.PUBLISH_CANDIDATES]),
        (LotState.CANDIDATES_PUBLISHED, None, None, [Step.AWAIT_STANDSTILL]),
        (LotState.CLEARED_FOR_AWARD, None, None, [Step.AWARD]),
        (LotState.AWARDED, None, None, [Step.SEE_AWARD]),
        (LotState.FAILED, None, None, [Step.ENDED]),
        (LotState.CANCELLED, None, None, [Step.ENDED]),
    ],
)
def test_each_state_has_its_next_step(
    state: LotState,
    draw: DrawState | None,
    committee: CommitteeOutline | None,
    steps: list[Step],
) -> None:
    draws = () if draw is None else (a_line(draw),)
    assert list(Course(state, None, draws, committee, ()).steps) == steps


def test_an_award_that_is_given_up_or_annulled_asks_for_what_comes_then() -> None:
    """Regulation 55: the next in order, or another tender."""
    for state, last, step in (
        (LotState.AWARDED, LastAward.IN_FORCE, Step.SEE_AWARD),
        (LotState.AWARDED, LastAward.RENOUNCED, Step.ANNUL_AWARD),
        (LotState.CLEARED_FOR_AWARD, LastAward.ANNULLED, Step.AWARD_NEXT),
    ):
        assert Course(state, None, (), None, (), last).steps == (step,)


@pytest.mark.parametrize("state", list(LotState))
@pytest.mark.parametrize("language", list(Language))
def test_wherever_a_lot_may_be_cancelled_the_page_can_say_what_is_lost(
    state: LotState, language: Language
) -> None:
    words = environment(language).get_template("tender_desk/step_words.html").module
    if (state, LotMove.CANCEL) in LAWFUL_MOVES and state is not LotState.DRAFT:
        assert str(words.loss(state)).strip()  # type: ignore[attr-defined]  # a macro
    for step in Step:
        assert str(words.title(str(step))).strip()  # type: ignore[attr-defined]  # a macro


# ── what stands on the page, and works ────────────────────────────────────────────────────────


def desk(lot_id: object) -> str:
    return f"/desk/lots/{lot_id}"


async def state_of(store: Store, lot_id: UUID) -> str:
    async with store.sessions() as session:
        return (await session.get_one(LotRow, lot_id)).state


async def test_a_closed_lot_offers_its_draw_with_what_the_lot_fixes(
    app: FastAPI, hall: Hall
) -> None:
    cast = hall.tender.cast
    for who in (cast.tenderee, cast.agency):
        shown = await page(app, desk(hall.lot_id), who)
        assert faults_of(tree_of(shown)) == []
        form = forms_of(shown)[f"/api/v1/lots/{hall.lot_id}/draws"]
        assert [(one["name"], one.get("organisation")) for one in fixed(form)["parties"]] == [
            ("tenderee", str(cast.tenderee.party)),
            ("agency", str(cast.agency.party)),
            ("supervisor", None),
            ("centre", None),
        ]
        assert chosen(form, "parties.2.organisation") == str(cast.supervisor.party)
        assert {"strata.0.specialism", "window.from", "representatives"} <= names_in(form)
    other = await a_player(hall.store, Role.AGENCY)
    for stranger in (other, cast.supervisor, cast.staff):
        await page(app, desk(hall.lot_id), stranger, status=403)


async def test_an_open_lot_offers_no_draw_and_tells_nothing_of_its_bidders(
    app: FastAPI, tender: Tender
) -> None:
    shown = await page(app, desk(tender.lot_id), tender.cast.agency)
    assert f"/api/v1/lots/{tender.lot_id}/draws" not in shown
    assert "等待投标截止" in shown


async def a_seated_draw(hall: Hall, tick: Tick) -> DrawHouse:
    """The lot's experts drawn, and every seat accepted."""
    cast, store = hall.tender.cast, hall.store
    await tick()
    parties = {"tenderee": cast.tenderee, "agency": cast.agency, "supervisor": cast.supervisor}
    async with transaction(store, actor=cast.agency.actor) as tx:
        brief = await handover.own_lot_brief(tx, hall.lot_id)
    house = DrawHouse(
        store,
        tick,
        cast.staff,
        parties,
        await a_pool(store, cast.staff, each=2),
        a_uscc(),
        hall.lot_id,
        brief.close_entry,
    )
    await house.seated()
    return house


async def a_site(store: Store, name: str, region: str) -> SiteId:
    """A site with four seats."""
    keeper = await a_player(store, Role.SITE_ADMINISTRATOR)
    async with transaction(store, actor=keeper.actor) as tx:
        site = await site_keeping.register_site(tx, name=name, region_code=region)
        for number in range(1, 5):
            raw = seat_statement(site, number, PrivateKey.generate())
            await site_keeping.register_seat(tx, site, raw)
    return site


async def test_once_every_seat_is_accepted_the_committee_is_formed_from_the_page(
    app: FastAPI, hall: Hall, tick: Tick
) -> None:
    cast = hall.tender.cast
    house = await a_seated_draw(hall, tick)
    here, there = await a_site(hall.store, "主场", HOST), await a_site(hall.store, "副场", EAST)
    person = await a_player(hall.store, Role.OWNER_REPRESENTATIVE, party=cast.tenderee.party)
    shown = await page(app, desk(hall.lot_id), cast.agency)
    action = f"/api/v1/lots/{hall.lot_id}/committee"
    form = forms_of(shown)[action]
    regions = (HOST, EAST, SOUTH)
    placement = {region: chosen(form, f"placement.{region}") for region in regions}
    assert (placement[HOST], placement[EAST]) == (str(here), str(there))
    for expert in house.experts:
        assert expert.player.name not in shown
    body = {**fixed(form), "host_site": str(here), "placement": placement}
    client = await client_of(app, cast.agency)
    await client.post(action, {**body, "representatives": [str(person.person)]})
    assert action not in await page(app, desk(hall.lot_id), cast.agency)


async def test_a_recorded_opening_is_handed_over_from_the_page(
    app: FastAPI, recorded_hall: Hall
) -> None:
    agency, lot_id = recorded_hall.tender.cast.agency, recorded_hall.lot_id
    shown = await page(app, desk(lot_id), agency)
    action = f"/api/v1/lots/{lot_id}/handover"
    assert fixed(forms_of(shown)[action]) == {}
    await (await client_of(app, agency)).post(action, {})
    assert await state_of(recorded_hall.store, lot_id) == "in_evaluation"
    assert action not in await page(app, desk(lot_id), agency)


async def test_the_tenderee_names_another_for_its_own_who_left_from_the_page(
    room: WorkRoom, kept_committees: KeptCommittees
) -> None:
    async with evaluation_house(room, kept_committees, room.database) as house:
        await room.sit()
        other = await a_player(
            room.store, Role.OWNER_REPRESENTATIVE, party=room.representative.party, person="郑代表"
        )
        action = house.path("successors")
        assert action not in await page(house.app, desk(room.lot_id), room.agency)
        await room.do(room.representative, attending.withdraw, room.committee_id, "突发疾病")
        shown = await page(house.app, desk(room.lot_id), room.agency)
        assert "缺 0 名专家、1 名招标人代表" in shown
        form = forms_of(shown)[action]
        assert str(other.person) in {one.get("value") for one in form.all("input")}
        agency = await house.as_(room.agency)
        told = await agency.post(action, {"representatives": [str(other.person)]})
        assert told == {"seated": 1}
        assert action not in await page(house.app, desk(room.lot_id), room.agency)


async def test_an_unanswered_objection_comes_first_and_is_counted_on_the_desk(
    app: FastAPI, evaluated: Evaluated, clock_to: ClockTo
) -> None:
    published = await candidates_published(evaluated)
    lot_id, now = evaluated.hall.lot_id, published.until - timedelta(hours=1)
    raised = await objected(evaluated.store, evaluated.ranked[1].player, lot_id, "result", now=now)
    await clock_to(now + timedelta(minutes=1))
    shown = await page(app, desk(lot_id), evaluated.agency)
    assert shown.index("答复异议") < shown.index("等待公示期满")
    assert f"/objections#objection-{raised.id}" in shown
    assert "标段已暂停" in shown
    assert f"/api/v1/lots/{lot_id}/cancellation" not in shown
    overview = await page(app, "/desk", evaluated.agency)
    assert "1 件异议等待答复" in overview
    assert "最早应答复的时限" in overview
    await clock_to(raised.answer_due_at + timedelta(minutes=1))
    assert "其中 1 件已逾期" in await page(app, "/desk", evaluated.agency)


async def cancelled(app: FastAPI, hall: Hall, article: str, loss: str) -> None:
    """The tender is ended from the page, which says on which article and what is lost."""
    agency, lot_id = hall.tender.cast.agency, hall.lot_id
    shown = await page(app, desk(lot_id), agency)
    action = f"/api/v1/lots/{lot_id}/cancellation"
    form = forms_of(shown)[action]
    assert article in form.text
    assert loss in form.text
    said = {"kind": "cancellation", "project": str(hall.tender.lot.project_id), "lot": str(lot_id)}
    client = await client_of(app, agency)
    with pytest.raises(Problem) as refused:
        await client.post_statement(action, "notice", {**said, "reason": "项目取消"})
    assert refused.value.codes == {"no_return", "no_interest"}
    promises = [one.get("value") for one in form.all("input") if one.get("name") == "promises"]
    told = {**said, "reason": "项目取消", "promises": sorted(promises)}
    await client.post_statement(action, "notice", told)
    assert await state_of(hall.store, lot_id) == "cancelled"
    shown = await page(app, desk(lot_id), agency)
    assert action not in shown
    assert "招标已结束" in shown


async def test_a_lot_is_cancelled_while_its_bids_are_sealed(app: FastAPI, hall: Hall) -> None:
    await cancelled(app, hall, "实施条例》第31条", "尚未开启的投标不再开启")


async def test_a_lot_is_cancelled_after_its_prices_were_read(
    app: FastAPI, recorded_hall: Hall
) -> None:
    await cancelled(app, recorded_hall, "实施条例》第31条", "报价已经公开")


async def test_with_candidates_published_the_end_is_another_articles(
    app: FastAPI, evaluated: Evaluated
) -> None:
    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    await cancelled(app, evaluated.hall, "实施条例》第55条", "都不能中标")


# ── in a browser ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.browser
async def test_a_draw_is_announced_in_the_browser(
    store: Store, settings: Settings, hall: Hall, tick: Tick, chromium: Browser
) -> None:
    cast = hall.tender.cast
    await tick()
    await a_pool(store, cast.staff, each=3)
    async with (
        open_whole_house(store, settings) as address,
        open_page(
            chromium,
            address + desk(hall.lot_id),
            token=await token_of(store, cast.agency),
            expected="409",
        ) as shown,
    ):
        await assert_holds_everywhere(shown)
        form = shown.locator(f"form[action$='/{hall.lot_id}/draws']")
        await form.get_by_label("专业代码 1").fill("A99")
        await form.get_by_role("button").click()
        await expect(form.get_by_role("alert")).to_contain_text("招标投标法》第37条")
        await form.get_by_label("专业代码 1").fill(CIVIL)
        await form.get_by_label("地区代码 1").fill(HOST)
        await form.get_by_label("专业代码 2").fill("A08")
        await form.get_by_role("button").click()
        await shown.wait_for_url(f"{address}/draws/*")
        await expect(shown.locator("#board")).to_contain_text("异地专家")
        await expect(shown.locator("#board")).to_contain_text("sunbid draw contribute")
