"""A voluntary tender over HTTP, from its draft to an award the law leaves to the tenderee.

No bid period and no publicity are prescribed for it, and the winner may be any candidate.
Bidding Law 24, 40; Bidding Regulation 16, 54, 55. Everybody acts by programs of their own, and
sends what it signs spoilt in every way before it sends it right, of which nothing may come.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from kernel.access import Role
from kernel.crypto.digests import parse_instant
from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.sealed_bids import ticking
from tests.tenders import Player, a_player
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
    keys_kept,
    opened,
    patient,
    published,
    replanned,
    walking,
)
from tests.web.careless_senders import SIGNED_ON_THE_WAY, CarelessSenders
from tests.web.tender_house import client_of, page
from web import opening_work
from web.client import Problem
from web.rehearsal.act_publication import a_lot, a_plan
from web.seat_work import SeatWork
from web.verifying.evaluation_record import verify

PRICES = ("121000000.00", "118000000.00", "124500000.00")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return patient(settings)


@pytest.fixture
def careless(app: FastAPI, store: Store) -> CarelessSenders:
    return CarelessSenders(app, store)


@pytest.fixture
async def journey(
    careless: CarelessSenders, store: Store, tick: Tick, clock_to: ClockTo, tmp_path: Path
) -> AsyncIterator[Journey]:
    async with walking(careless, store, tick, clock_to, tmp_path, careless.known) as made:
        yield made


async def worked(works: Sequence[SeatWork], committee: str) -> None:
    # Whoever is quick has reported before any line renews itself.
    await works[0].renew()
    for number, work in enumerate(works):
        bids = (await work.client.get(f"/api/v1/committees/{committee}/bids"))["bids"]
        for place, one in enumerate(sorted(bids, key=lambda bid: bid["price"])):
            work.mark(one["bid_id"], "construction", f"{13 + place * 0.5 + number * 0.1:.1f}")
            work.mark(one["bid_id"], "safety", f"{8.5 + number * 0.1:.1f}")
            work.mark(one["bid_id"], "records", "12")
    await all_signed(works, committee)


async def test_a_voluntary_tender_is_published_opened_evaluated_and_awarded_to_the_second(
    journey: Journey, careless: CarelessSenders, sound: Callable[[], Awaitable[None]]
) -> None:
    now = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    plan = a_plan(now, bidding_days=9, documents_days=7)
    terms = a_lot("厂房改造施工", plan)
    bound = await a_draft(journey, await a_project(journey, "open_tender_mandatory"), terms)
    with pytest.raises(Problem) as refused:
        await published(journey, bound)
    assert any("第24条" in one["article"] for one in refused.value.refusals)

    journey.lot = await a_draft(journey, await a_project(journey, "open_tender_voluntary"), terms)
    await published(journey, journey.lot)
    bidders = [await a_player(journey.store, Role.BIDDER) for _ in PRICES]
    async with ticking(journey.tick):
        keys = [
            await bid(journey, who, price, now) for who, price in zip(bidders, PRICES, strict=True)
        ]

    due_at = parse_instant(plan["bids_due_at"])
    await journey.at(due_at + timedelta(seconds=3))
    house = await drawn(journey, due_at)
    for who, key in zip(bidders, keys, strict=True):
        await opening_work.release(await journey.line(who), journey.lot, key)
    await opened(journey, due_at + timedelta(seconds=plan["release_window_s"]))
    record = await evaluated(journey, house, worked)
    assert verify(record).ok
    assert await journey.state() == "evaluated"

    agency, tenderee = await journey.line(journey.cast.agency), journey.cast.tenderee
    path = f"/api/v1/lots/{journey.lot}"
    notice = await agency.get(f"{path}/candidates/draft")
    done = await agency.post_statement(f"{path}/candidates", "candidates", notice)
    await journey.at(parse_instant(done["until"]) + timedelta(seconds=1))
    assert await journey.state() == "cleared_for_award"
    second = notice["candidates"][1]
    await journey.act(
        tenderee,
        f"{path}/award",
        "award",
        {"lot": journey.lot, "winner": second["bidder"], "report": notice["report"]},
    )
    stranger = await client_of(journey.app)
    told = await stranger.get(f"{path}/award")
    assert (told["state"], told["award"]["winner_id"]) == ("awarded", second["bidder"])
    page = (await stranger.read(f"/awards/{journey.lot}")).decode()
    for one in notice["ranking"]:
        assert one["name"] in page
        assert one["total"] in page
    await stranger.aclose()
    await journey.tick()
    await sound()
    assert set(careless.spoilt) == SIGNED_ON_THE_WAY
    winner = next(one for one in bidders if str(one.party) == second["bidder"])
    await given_up_and_tendered_again(journey, winner)
    await sound()


async def given_up_and_tendered_again(journey: Journey, winner: Player) -> None:
    """Bidding Regulation 55: whose winner gave up may tender again instead of naming the next."""
    lot, tenderee = journey.lot, journey.cast.tenderee
    path, owner = f"/api/v1/lots/{lot}", await journey.line(journey.cast.tenderee)
    told = await owner.get(f"{path}/award")
    award, project = told["award"], told["project_id"]
    said = {"lot": lot, "award": award["digest"], "words": "资金困难，无力履约。"}
    await journey.act(winner, f"{path}/award/renunciation", "award-renunciation", said)
    given_up = (await owner.get(f"{path}/award"))["award"]["renunciation"]["digest"]
    why = {"ground": "gave_up", "evidence": [], "renunciation": given_up}
    done = await journey.act(
        tenderee, f"{path}/award/annulment", "award-annulment", {**said, **why}
    )
    assert await journey.state() == "cleared_for_award"
    with pytest.raises(Problem) as refused:
        await owner.post(f"{path}/retender", {})
    assert refused.value.codes == {"not_ended"}

    ending = {"reason": "中标人放弃中标，决定重新招标。", "promises": ["interest", "return"]}
    about = {"kind": "cancellation", "project": project, "lot": lot}
    await journey.act(tenderee, f"{path}/cancellation", "notice", {**about, **ending})
    assert await journey.state() == "cancelled"
    again = str((await owner.post(f"{path}/retender", {}))["id"])
    draft = await owner.get(f"/api/v1/lots/{again}/draft")
    plan = a_plan(parse_instant(done["annulled_at"]), bidding_days=9, documents_days=7)
    await owner.put(f"/api/v1/lots/{again}/draft", replanned(draft, plan))
    await keys_kept(journey, project, again)
    await published(journey, again)

    number = award["notice_number"]
    for place, words in (
        (f"/notices/{lot}", f"/notices/{again}"),
        (f"/notices/{again}", f"/notices/{lot}"),
        (f"/awards/{lot}", "已取消的中标资格"),
        (f"/awards/{lot}", "本标段已终止招标"),
        (f"/contracts/{lot}", "已终止，不签订合同"),
        (f"/verify?number={number}", "这份文书已经失效"),
        (f"/desk/lots/{lot}", "重新招标"),
    ):
        assert words in await page(journey.app, place, tenderee), place
    with pytest.raises(Problem) as refused:
        await journey.act(winner, f"{path}/award/renunciation", "award-renunciation", said)
    assert refused.value.codes == {"renounced_already", "award_annulled"}
