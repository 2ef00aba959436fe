"""A procurement by open tender over HTTP whose documents and whose award are challenged (质疑).

Procurement Law 27, 52, 53, 55, 57; Procurement Regulation 53 to 58. A challenge to the documents is
answered while bids come in; the award is challenged, answered late, complained of and declared
void, and the lot is tendered again. The committee's report comes by the door it is brought to, for
the inquiry walks its way there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from fastapi import FastAPI

from kernel.access import Role
from kernel.crypto.digests import instant_text, parse_instant
from kernel.identifiers import LotId
from kernel.settings import Settings
from kernel.store.transaction import Store
from kernel.working_days import beijing_day
from tests.awards import report_on, report_taken
from tests.committees_at_work import PROCUREMENT_SCHEME
from tests.complaints import a_case, a_decision
from tests.kept_stores import witnessed
from tests.sealed_bids import ticking
from tests.tenders import NOW, Player, a_cast, a_player
from tests.walked_tenders import (
    ClockTo,
    Journey,
    Tick,
    a_draft,
    a_project,
    bid,
    opened,
    published,
)
from tests.web.tender_house import page
from web import opening_work
from web.client import Problem
from web.rehearsal.act_publication import a_lot, a_plan

DAY: Final = timedelta(days=1)
PRICES: Final = ("118600000.00", "119950000.00", "121300000.00")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Witnesses sign every checkpoint, and leases are patient."""
    return witnessed(settings).model_copy(update={"lease_s": 600.0})


@pytest.fixture
async def journey(
    app: FastAPI, store: Store, tick: Tick, clock_to: ClockTo, tmp_path: Path
) -> AsyncIterator[Journey]:
    made = Journey(app, store, tick, clock_to, await a_cast(store), tmp_path)
    try:
        yield made
    finally:
        await made.close()


async def test_documents_and_award_of_a_procurement_are_challenged_and_a_complaint_voids_it(
    journey: Journey, sound: Callable[[], Awaitable[None]]
) -> None:
    plan = a_plan(NOW, bidding_days=28, documents_days=14)
    terms = a_lot(
        "厂房改造施工", plan, security_forms=["bank_guarantee"], scheme=PROCUREMENT_SCHEME
    )
    project = await a_project(journey, "procurement_open_tender", funding_source="财政资金")
    journey.lot = await a_draft(journey, project, terms)
    await published(journey, journey.lot)
    suppliers = [await a_player(journey.store, Role.BIDDER) for _ in PRICES]

    await documents_challenged(journey, suppliers[-1])
    await awarded_to_the_first(journey, suppliers, plan)
    await award_voided(journey, suppliers[-1])
    await sound()


async def documents_challenged(journey: Journey, supplier: Player) -> None:
    """A challenge to the documents is answered, and nothing stands still meanwhile."""
    path = f"/api/v1/lots/{journey.lot}/objections"
    await journey.clock_to(NOW + 2 * DAY)
    said = a_case(journey.lot, "documents")
    raised = await journey.act(supplier, path, "objection", said)
    assert raised["waits"] is False
    assert parse_instant(raised["answer_due_at"]) > NOW + 9 * DAY, "seven working days"
    assert await journey.standing() == ("open", False)
    answer = {
        "lot": journey.lot,
        "objection": raised["id"],
        "outcome": "rejected",
        "remedy": "nothing",
        "words": "采购需求不限定品牌。",
    }
    done = await journey.act(journey.cast.agency, f"{path}/{raised['id']}/answer", "answer", answer)
    assert done["cautions"] == []


async def awarded_to_the_first(
    journey: Journey, suppliers: list[Player], plan: dict[str, Any]
) -> None:
    """Bids are sealed, opened and reported on; candidates are published and the first wins."""
    path, agency = f"/api/v1/lots/{journey.lot}", await journey.line(journey.cast.agency)
    now = NOW + 3 * DAY
    await journey.clock_to(now)
    async with ticking(journey.tick):
        keys = [
            await bid(journey, who, price, now)
            for who, price in zip(suppliers, PRICES, strict=True)
        ]
    due_at = parse_instant(plan["bids_due_at"])
    await journey.at(due_at + timedelta(seconds=3))
    for who, key in zip(suppliers, keys, strict=True):
        await opening_work.release(await journey.line(who), journey.lot, key)
    await opened(journey, due_at + timedelta(seconds=plan["release_window_s"]))
    assert "视同认可开标结果" in await page(journey.app, f"/openings/{journey.lot}")
    reported_at = due_at + timedelta(hours=6)
    lot_id = LotId(UUID(journey.lot))
    report = await report_on(journey.store, lot_id, rejected=0)
    await report_taken(journey.store, report, now=reported_at)
    await journey.at(reported_at)

    notice = await agency.get(f"{path}/candidates/draft")
    assert [one["bidder"] for one in notice["candidates"]] == [str(one.party) for one in suppliers]
    done = await agency.post_statement(f"{path}/candidates", "candidates", notice)
    await journey.at(parse_instant(done["until"]) + timedelta(seconds=1))
    award = {
        "lot": journey.lot,
        "winner": notice["candidates"][0]["bidder"],
        "report": notice["report"],
    }
    await journey.act(journey.cast.tenderee, f"{path}/award", "award", award)
    assert await journey.state() == "awarded"


async def award_voided(journey: Journey, loser: Player) -> None:
    """The award is challenged, upheld late and not put right, complained of, and declared void."""
    path, cast = f"/api/v1/lots/{journey.lot}", journey.cast
    told = await (await journey.line(cast.staff)).get(f"{path}/award")
    challenged_at = parse_instant(told["award"]["awarded_at"]) + DAY
    await journey.at(challenged_at)
    said = a_case(journey.lot, "result")
    raised = await journey.act(loser, f"{path}/objections", "objection", said)
    assert raised["waits"] is False
    today = beijing_day(challenged_at).isoformat()
    complaint = a_case(journey.lot, "result", objection=raised["id"], known_on=today)
    with pytest.raises(Problem) as refused:
        await journey.act(loser, f"{path}/complaints", "complaint", complaint)
    assert [one["code"] for one in refused.value.refusals] == ["answer_awaited"]
    await journey.at(parse_instant(raised["answer_due_at"]))
    for who in (cast.agency, cast.supervisor):
        [late] = (await (await journey.line(who)).get("/api/v1/overdue-answers"))["objections"]
        assert late["id"] == raised["id"]
    answer = {
        "lot": journey.lot,
        "objection": raised["id"],
        "outcome": "partly",
        "remedy": "annul",
        "words": "经复核，得分汇总有误，将另行确定。",
    }
    answered = await journey.act(
        cast.agency, f"{path}/objections/{raised['id']}/answer", "answer", answer
    )
    assert [one["code"] for one in answered["cautions"]] == ["answered_late"]
    with pytest.raises(Problem) as refused:
        await (await journey.line(cast.tenderee)).get(f"{path}/contract/draft")
    assert [one["code"] for one in refused.value.refusals] == ["remedy_awaited"]

    filed = await journey.act(loser, f"{path}/complaints", "complaint", complaint)
    case, about = f"{path}/complaints/{filed['id']}", {"lot": journey.lot, "complaint": filed["id"]}
    taken_up = await journey.act(
        cast.supervisor,
        f"{case}/answer",
        "complaint-answer",
        {**about, "taken_up": True, "reason": ""},
    )
    assert taken_up["decision_due_at"] > instant_text(challenged_at + 29 * DAY)
    with pytest.raises(Problem) as refused:  # there is nothing left to stand still
        await journey.act(
            cast.supervisor,
            f"{case}/brake",
            "complaint-brake",
            {**about, "suspended": True, "reason": "需要核查"},
        )
    assert [one["code"] for one in refused.value.refusals] == ["not_suspendable"]
    decision = a_decision("upheld_void", basis="《中华人民共和国政府采购法》第七十七条")
    done = await journey.act(
        cast.supervisor, f"{case}/decision", "complaint-decision", {**about, **decision}
    )
    assert done["consequence"] == "award_void"
    assert "中标无效" in await page(journey.app, f"/awards/{journey.lot}")
    assert "id" in await (await journey.line(cast.agency)).post(f"{path}/retender", {})
