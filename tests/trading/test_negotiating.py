"""A consultation's last prices, act by act: Government Procurement Law 3, 38.

Its own measures (财库〔2014〕214号) are known from memory, so what is refused rests on the law.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from kernel.access import PLATFORM, Role
from kernel.crypto.digests import b64u, instant_text, sha256
from kernel.errors import BrokenSeal, NotFound, Refused
from kernel.identifiers import BidId
from kernel.statute import PROCUREMENT_LAW
from kernel.store.transaction import Store, transaction
from tests.awards import a_sheet, a_zip, handed_over, record_signed
from tests.opened_lots import (
    Hall,
    a_hall,
    an_entry,
    everything_opened,
    released,
    window_ended,
)
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import Player, a_cast, a_player, a_project, a_published_lot, signed
from trading import handover, negotiating
from trading.cataloguing import CatalogueFacts
from trading.handover import RankedBid, SignedReport
from trading.rules.notice_contents import WorkKind
from trading.rules.price_talks import OPENING_WINDOW, price_commitment
from trading.rules.procedures import Procedure
from trading.rules.procurement_methods import MethodGround

FIRST = ("850000.00", "830000.00", "870000.00")
LAST = ("820000.00", "815000.00", "700000.00")
"""The third seals the lowest and does not open it."""

SALT = bytes(range(32))
KINDS: dict[Callable[..., Awaitable[Any]], str] = {
    negotiating.answer_talk: "talk-answer",
    negotiating.hand_in_last_price: "last-price",
    negotiating.open_last_price: "last-price-opening",
}


async def a_consultation(store: Store) -> Hall:
    """Three first responses to a consultation lie open before its group."""
    cast = await a_cast(store)
    facts = CatalogueFacts(
        method_ground=MethodGround.UNTENDERED_WORKS, method_document="采购方式说明（2026）2号"
    )
    project_id = await a_project(
        store,
        cast,
        procedure=Procedure.COMPETITIVE_CONSULTATION,
        category=WorkKind.WORKS,
        facts=facts,
    )
    lot = await a_published_lot(
        store,
        cast,
        project_id,
        estimate=Decimal("900000.00"),
        ceiling_price=Decimal("900000.00"),
        bid_security=Decimal(0),
    )
    tender = Tender(cast, lot)
    entries = [
        await an_entry(
            store,
            tender,
            price,
            sheet=a_sheet(price),
            bid=a_zip({"方案.txt": price.encode()}),
            player=await a_bidder(store),
        )
        for price in FIRST
    ]
    hall = await a_hall(store, tender, entries)
    for entry in entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    await record_signed(hall)
    await handed_over(hall)
    return hall


async def said(
    hall: Hall, who: Player, act: Callable[..., Awaitable[Any]], now: datetime, **told: Any
) -> None:
    """A supplier's signed act at that time."""
    kind = KINDS[act]
    about = {"v": f"ebid-{kind}/1", "lot": str(hall.lot_id), "signed_at": instant_text(now)}
    raw = signed(who, kind, {**about, **told})
    given = (UUID(told["talk"]), raw) if "talk" in told else (raw,)
    async with transaction(hall.store, actor=who.actor, now=now) as tx:
        await act(tx, hall.lot_id, *given)


async def test_a_consultation_is_decided_by_last_prices_and_who_opens_none_has_left(
    store: Store, sound: Callable[[], Awaitable[None]], tick: Callable[[], Awaitable[None]]
) -> None:
    hall = await a_consultation(store)
    expert = await a_player(store, Role.EXPERT)
    now = await hall.window_ends_at() + timedelta(hours=6)
    due_at = now + timedelta(minutes=30)
    suppliers = [one.player for one in hall.entries]
    nobody = frozenset[Any]()
    async with transaction(store, actor=expert.actor, now=now) as tx:
        told = await handover.talks_of(tx, hall.lot_id, nobody)
        for one in told.suppliers:
            await handover.talk_with(tx, hall.lot_id, one.bid_id, "请优化方案", nobody)
    with pytest.raises(Refused):
        async with transaction(store, actor=hall.tender.cast.agency.actor, now=now) as tx:
            await handover.opened_bids(tx, hall.lot_id)
    stranger = await a_bidder(store)
    with pytest.raises(NotFound):
        async with transaction(store, actor=stranger.actor, now=now) as tx:
            await negotiating.own_talks(tx, hall.lot_id)
    for who in suppliers:
        async with transaction(store, actor=who.actor, now=now) as tx:
            (talk,) = (await negotiating.own_talks(tx, hall.lot_id)).talks
        words = {"talk": str(talk.id), "words": "已优化"}
        await said(hall, who, negotiating.answer_talk, now, **words)
    async with transaction(store, actor=expert.actor, now=now) as tx:
        assert await handover.call_last_prices(tx, hall.lot_id, due_at, nobody) == ()
    for who, price in zip(suppliers, LAST, strict=True):
        sealed = b64u(price_commitment(hall.lot_id, who.party, SALT, Decimal(price)))
        facts = {"seq": 1, "changes": 0, "commitment": sealed}
        await said(hall, who, negotiating.hand_in_last_price, now, **facts)
    for who, price in zip(suppliers[:2], LAST, strict=False):
        facts = {"seq": 1, "price": price, "salt": b64u(SALT)}
        await said(hall, who, negotiating.open_last_price, due_at, **facts)

    late = due_at + OPENING_WINDOW
    async with transaction(store, actor=expert.actor, now=late - timedelta(seconds=1)) as tx:
        seen = {one.bidder_id: one for one in await handover.opened_bids(tx, hall.lot_id)}
        (waits,) = await handover.last_prices_due(tx, hall.lot_id)
    assert {one.price for one in seen.values()} == set(map(Decimal, FIRST))
    assert (waits.code, waits.article) == ("last_prices_due", PROCUREMENT_LAW[3])
    async with transaction(store, actor=expert.actor, now=late) as tx:
        seen = {one.bidder_id: one for one in await handover.opened_bids(tx, hall.lot_id)}
        assert await handover.last_prices_due(tx, hall.lot_id) == ()
    assert [seen[who.party].gone for who in suppliers] == [False, False, True]
    assert [seen[who.party].price for who in suppliers[:2]] == list(map(Decimal, LAST[:2]))

    content = b"the report"
    ranked = [seen[who.party] for who in (suppliers[1], suppliers[0])]
    report = SignedReport(
        hall.lot_id,
        sha256(content),
        content,
        tuple(
            RankedBid(
                BidId(one.bid_id), one.bidder_id, one.name, place, Decimal(91 - place), one.price
            )
            for place, one in enumerate(ranked, 1)
        ),
        (),
        tuple(one.bidder_id for one in ranked),
        all_rejected=False,
    )
    first = replace(report.ranking[0], price=Decimal(FIRST[1]))
    gone = seen[suppliers[2].party]
    third = RankedBid(gone.bid_id, gone.bidder_id, gone.name, 3, Decimal(1), Decimal(LAST[2]))
    for false in (
        replace(report, ranking=(first, report.ranking[1])),
        replace(report, ranking=(*report.ranking, third)),
        replace(report, ranking=report.ranking[:1], candidates=report.candidates[:1]),
    ):
        with pytest.raises(BrokenSeal):
            async with transaction(store, actor=PLATFORM, now=late) as tx:
                await handover.take_report(tx, false)
    async with transaction(store, actor=PLATFORM, now=late) as tx:
        await handover.take_report(tx, report)
    await tick()
    await sound()
