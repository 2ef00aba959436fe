"""An inquiry over HTTP, from its draft to the lowest price that meets the demand (询价).

Government Procurement Law 32, 36, 40; Government Procurement Regulation 36, 43. Nothing is scored:
the group of three rejects what does not meet the demand, the prices do the rest, and of two equal
ones the earlier goes first, as the notice said.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi import FastAPI

from kernel.access import Role
from kernel.crypto.digests import parse_instant
from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.purchases import BEGUN, STRATA, a_purchase
from tests.sealed_bids import ticking
from tests.tenders import a_player
from tests.walked_tenders import (
    ClockTo,
    Journey,
    Tick,
    a_draft,
    a_project,
    all_signed,
    bid,
    drawn,
    evaluated,
    opened,
    patient,
    published,
    walking,
)
from tests.web.tender_house import client_of
from trading import reminding
from web import opening_work
from web.client import Problem
from web.rehearsal.scheme import SCHEME
from web.seat_work import SeatWork
from web.verifying.evaluation_record import verify

PRICES = ("500000.00", "480000.00", "530000.00", "500000.00")
"""The second is the lowest, and does not meet the demand; the first and the last are equal."""

PROJECT: dict[str, Any] = {
    "name": "办公用计算机采购",
    "category": "goods",
    "funding_source": "财政资金",
    "method_ground": "standard_goods",
    "method_document": "采购需求论证意见（2026）3号",
}

LAW_NAME: Final = re.compile("《[^》]*》")
OWN_WORDS: Final = "投标人在本机加密投标文件后上传"
WORDS_OF_A_TENDER: Final = ("招标公告", "招标人", "投标截止", "投标人", "评标", "中标")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return patient(settings)


@pytest.fixture
async def journey(
    app: FastAPI, store: Store, tick: Tick, clock_to: ClockTo, tmp_path: Path
) -> AsyncIterator[Journey]:
    async with walking(app, store, tick, clock_to, tmp_path) as made:
        yield made


async def inquired(works: Sequence[SeatWork], committee: str) -> None:
    """The group rejects the lowest quotation, which does not meet the demand, and signs."""
    path = f"/api/v1/committees/{committee}"
    bids = (await works[0].client.get(f"{path}/bids"))["bids"]
    lowest = min(bids, key=lambda one: one["price"])
    told = await works[0].client.post(
        f"{path}/rejections",
        {
            "bid": lowest["bid_id"],
            "ground": "procurement_other",
            "page": "第3页",
            "words": "所投内存容量低于采购需求",
        },
    )
    for work in works[1:]:
        await work.client.post(f"{path}/rejections/{told['id']}/votes", {"in_favour": True})
    await all_signed(works, committee)


@pytest.mark.accepts("NB-04", "NB-05")
@pytest.mark.refuses("NB-04")
async def test_an_inquiry_goes_to_the_lowest_price_that_meets_the_demand(
    journey: Journey, sound: Callable[[], Awaitable[None]]
) -> None:
    terms = a_purchase("台式计算机100台")
    now, plan = BEGUN, terms["plan"]
    with pytest.raises(Problem) as refused:
        await a_project(journey, "request_for_quotations", **PROJECT | {"method_ground": None})
    assert refused.value.codes == {"no_case"}
    project = await a_project(journey, "request_for_quotations", **PROJECT)

    scored = await a_draft(journey, project, {**terms, "scheme": SCHEME})
    with pytest.raises(Problem) as refused:
        await published(journey, scored)
    assert refused.value.codes == {"scored_inquiry"}

    journey.lot = await a_draft(journey, project, terms)
    await published(journey, journey.lot)
    bidders = [await a_player(journey.store, Role.BIDDER) for _ in PRICES]
    async with ticking(journey.tick):
        keys = [
            await bid(journey, who, price, now) for who, price in zip(bidders, PRICES, strict=True)
        ]

    due_at = parse_instant(plan["bids_due_at"])
    await journey.at(due_at + timedelta(seconds=3))
    house = await drawn(journey, due_at, strata=STRATA, each=2)
    for who, key in zip(bidders, keys, strict=True):
        await opening_work.release(await journey.line(who), journey.lot, key)
    await opened(journey, due_at + timedelta(seconds=plan["release_window_s"]))
    record = await evaluated(journey, house, inquired, members=3)
    assert verify(record).ok
    assert await journey.state() == "evaluated"

    agency, tenderee = await journey.line(journey.cast.agency), journey.cast.tenderee
    path = f"/api/v1/lots/{journey.lot}"
    notice = await agency.get(f"{path}/candidates/draft")
    order = [str(bidders[place].party) for place in (0, 3, 2)]
    assert [one["bidder"] for one in notice["candidates"]] == order
    assert [one["bidder"] for one in notice["rejected"]] == [str(bidders[1].party)]
    done = await agency.post_statement(f"{path}/candidates", "candidates", notice)
    await journey.at(parse_instant(done["until"]) + timedelta(seconds=1))
    assert await journey.state() == "cleared_for_award"
    stranger = await client_of(journey.app)
    told = await stranger.get(f"{path}/award")
    assert told["committee"] == []
    assert told["undecided"]["silent"] is False
    decision_due_at = parse_instant(told["undecided"]["decision_due_at"])
    await journey.at(decision_due_at - timedelta(hours=1))
    assert await reminding.remind(journey.store) == 1
    await journey.at(decision_due_at)
    assert await reminding.remind(journey.store) == 1
    assert await reminding.remind(journey.store) == 0
    assert (await stranger.get(f"{path}/award"))["undecided"]["silent"] is True
    assert "视同确定" in (await stranger.read(f"/awards/{journey.lot}")).decode()
    award = {"lot": journey.lot, "winner": order[1], "report": notice["report"]}
    with pytest.raises(Problem) as refused:
        await journey.act(tenderee, f"{path}/award", "award", award)
    assert refused.value.codes == {"not_first"}
    await journey.act(tenderee, f"{path}/award", "award", award | {"winner": order[0]})

    told = await stranger.get(f"{path}/award")
    assert [one["code"] for one in told["award"]["cautions"]] == ["decided_late"]
    assert told["undecided"] is None
    assert sorted(one["expert"] for one in told["committee"]) == [False, True, True]
    assert (told["state"], told["award"]["winner_id"]) == ("awarded", order[0])
    assert told["award"]["price"] == PRICES[0]
    page = (await stranger.read(f"/awards/{journey.lot}")).decode()
    assert "成交供应商" in page
    assert all(one["name"] in page for one in told["committee"])
    assert "总分" not in page
    desk, bidder = await journey.line(tenderee), await journey.line(bidders[0])
    for place, said, line in (
        ("notices/", "采购公告", stranger),
        ("openings/", "响应截止", stranger),
        ("awards/", "成交结果", stranger),
        ("contracts/", "成交通知书", stranger),
        ("contracts/", "签名并送交成交供应商", desk),
        ("desk/lots/", "响应截止", desk),
        ("complaints/new?lot=", "其他采购活动", bidder),
    ):
        body = (await line.read(f"/{place}{journey.lot}")).decode().split("<main")[1]
        # What the purchaser wrote itself is its own.
        shown = LAW_NAME.sub("", body.split("</main>")[0]).replace(OWN_WORDS, "")
        assert said in shown
        assert said in shown
        assert {one for one in WORDS_OF_A_TENDER if one in shown} == set()
    await stranger.aclose()
    won = (await (await journey.line(bidders[0])).read(f"/awards/{journey.lot}/notice")).decode()
    assert "成交通知书" in won
    lost = (await (await journey.line(bidders[3])).read(f"/awards/{journey.lot}/notice")).decode()
    assert "报价由低到高排名第" in lost
    assert "中标" not in lost.split("<article")[1].split("</article>")[0]
    await (await journey.line(tenderee)).read(f"/contracts/{journey.lot}")
    await journey.tick()
    await sound()
