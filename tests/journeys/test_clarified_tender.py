"""A mandatory open tender is asked about, clarified late, and asked about too late, over HTTP.

Bidding Law 22, 23; Bidding Regulation 21, 22. Whoever bid before the clarification is told that its
bid follows an old version, and replaces it; who asked stays hidden until the close, and then the
tenderee alone is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from kernel.crypto.digests import instant_text, unb64u
from kernel.store.transaction import Store
from tests.questions import WORDS, ask, clarify
from tests.sealed_bids import (
    IN_TIME,
    Tender,
    a_bidder,
    a_sealed_bid,
    a_submission,
    submitted,
    uploaded,
)
from tests.tenders import NOW, Player
from tests.web.tender_house import client_of, page
from trading import due_lots
from trading.reception import Reception
from web.client import Problem

ANSWER = {"question": "业绩年限从何时起算？", "answer": "自2023年3月1日起算，以合同签订日为准。"}
CHANGE = {"place": "schedule", "text": "总工期600日历天"}


async def test_questions_are_answered_a_late_change_moves_the_deadline_and_a_late_one_is_refused(
    app: FastAPI,
    store: Store,
    tender: Tender,
    tick: Callable[[], Awaitable[None]],
    clock_to: Callable[[datetime], Awaitable[None]],
    sound: Callable[[], Awaitable[None]],
) -> None:
    cast, lot = tender.cast, f"/api/v1/lots/{tender.lot_id}"
    early, other = await a_bidder(store), await a_bidder(store)
    agency, tenderee = await client_of(app, cast.agency), await client_of(app, cast.tenderee)
    bidder, public = await client_of(app, early), await client_of(app)

    # Three days in: one bids, both ask the same, and one asks something else.
    await clock_to(IN_TIME)
    first = await bid(app, store, tender, early, at=IN_TIME)
    same = [await ask(bidder, tender.lot_id), await ask(await client_of(app, other), tender.lot_id)]
    open_one = await ask(await client_of(app, other), tender.lot_id, "是否组织现场踏勘？")

    # Fourteen days before the deadline a change that affects bids must move it, or is refused.
    await clock_to(NOW + timedelta(days=7, hours=2))
    said: dict[str, Any] = {"changes": [CHANGE], "answers": [ANSWER], "questions": [same]}
    with pytest.raises(Problem) as refused:
        await clarify(agency, tender.lot_id, **said)
    assert refused.value.codes == {"deadline_must_move"}
    assert "实施条例》第21条" in refused.value.refusals[0]["article"]
    assert [one["notice"] for one in (await agency.get(f"{lot}/questions"))["desk"]] == [None] * 3
    due_at = tender.due_at + timedelta(days=3)
    number = await clarify(agency, tender.lot_id, due_at=instant_text(due_at), **said)

    told = await public.get(f"{lot}/versions/1..2")
    assert told["words"][0]["new"] == CHANGE["text"]
    assert [(one["what"], one["days"]) for one in told["times"]] == [("bids_due_at", 3)]
    assert told["answers"] == [ANSWER]
    desk = (await agency.get(f"{lot}/questions"))["desk"]
    assert {one["id"]: one["notice"] for one in desk} == {
        **dict.fromkeys(same, number),
        open_one: None,
    }
    assert {one["asker"] for one in desk} == {None}

    # The bid stands on an old version, which its bidder alone is told, until it is replaced.
    mine = (await bidder.get(f"{lot}/bids/mine"))["bound"]
    assert mine == {"made_under": 1, "current": 2, "is_old": True}
    assert "按第 1 版编制" in await page(app, f"/lots/{tender.lot_id}/bid", early)
    now = NOW + timedelta(days=8)
    await clock_to(now)
    await bid(app, store, tender, early, at=now, seq=2, replaces=first)
    assert (await bidder.get(f"{lot}/bids/mine"))["bound"]["is_old"] is False

    # The end of the questions moved with the deadline; a minute past it, nobody asks any more.
    last = due_at - timedelta(days=10)
    assert (await public.get(f"{lot}/questions"))["until"] == instant_text(last)
    await clock_to(last + timedelta(minutes=1))
    with pytest.raises(Problem) as refused:
        await ask(bidder, tender.lot_id, "工期能否再延长？")
    assert refused.value.codes == {"question_late"}
    assert "实施条例》第22条" in refused.value.refusals[0]["article"]

    # After the close the tenderee alone reads who asked.
    await clock_to(due_at + timedelta(seconds=3))
    while await due_lots.wake(store):
        pass
    await tick()
    names = {one["asker"] for one in (await tenderee.get(f"{lot}/questions"))["desk"]}
    assert names == {early.organisation, other.organisation}
    assert {one["asker"] for one in (await agency.get(f"{lot}/questions"))["desk"]} == {None}
    for reader in (None, cast.supervisor, cast.agency):
        shown = await page(app, f"/notices/{tender.lot_id}/questions", reader)
        assert early.organisation not in shown
        assert (WORDS in shown) is False or reader is cast.agency
    await sound()


async def bid(
    app: FastAPI,
    store: Store,
    tender: Tender,
    who: Player,
    *,
    at: datetime,
    seq: int = 1,
    replaces: str = "",
) -> str:
    """A sealed bid whose last byte came at an instant; the digest of its submission."""
    files = a_sealed_bid(tender, who)
    await uploaded(store, who, tender.lot_id, files)
    counter: Reception = replace(app.state.reception, patience_s=0)
    earlier = unb64u(replaces, 32) if replaces else None
    raw = a_submission(tender, who, files, seq=seq, replaces=earlier)
    await submitted(store, counter, who, tender, raw, at=at)
    line = await client_of(app, who)
    bids = (await line.get(f"/api/v1/lots/{tender.lot_id}/bids/mine"))["bids"]
    return str(bids[-1]["submission"])
