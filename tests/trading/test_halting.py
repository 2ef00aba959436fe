"""Electronic Bidding Measures 52: what a supervisor orders is carried out; and from Ningbo
Regulation 25: what a fault of the system stops is halted, and goes on when it is mended.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from kernel.access import PUBLIC, Role
from kernel.crypto.digests import instant_text
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.identifiers import LotId
from kernel.store.transaction import Store, transaction
from tests.newcomers import codes
from tests.prequalifications import (
    APPLIED,
    DUE,
    RELEASED,
    Called,
    amended,
    an_addendum,
)
from tests.sealed_bids import Tender
from tests.tenders import NOW, Player, a_cast, a_draft, a_player, signed
from tests.trading.test_objecting import lot_of, recorded
from trading import halting
from trading.halting import HaltGround, Halts
from trading.sound_qualifications import qualification_faults

HOUR = timedelta(hours=1)
ORDER: dict[str, Any] = {
    "authority": "江城市公共资源交易监督管理局",
    "document": "江公监〔2026〕7号",
    "words": "收到线索，核查期间暂停。",
}


def statement(kind: str, lot_id: object, **said: Any) -> dict[str, Any]:
    return {"v": f"ebid-{kind}/1", "lot": str(lot_id), "signed_at": instant_text(NOW), **said}


async def ordered(
    store: Store, tender: Tender, who: Player, suspended: bool, *, times: int = 1, **said: Any
) -> None:
    told = statement("lot-order", tender.lot_id, suspended=suspended, **{**ORDER, **said})
    raw = signed(who, "lot-order", told)
    for _ in range(times):
        async with transaction(store, actor=who.actor, now=NOW + HOUR) as tx:
            await halting.order_lot(tx, LotId(tender.lot_id), raw)


async def failed(
    store: Store, tender: Tender, who: Player, *, cured: bool = False, fallback: bool = False
) -> None:
    said = {"cured": cured, "fallback": fallback, "words": "解密服务中断。"}
    raw = signed(who, "lot-fault", statement("lot-fault", tender.lot_id, **said))
    async with transaction(store, actor=who.actor, now=NOW + HOUR) as tx:
        await halting.halt_for_fault(tx, LotId(tender.lot_id), raw)


async def told(store: Store, tender: Tender, who: Player | None = None) -> Halts:
    async with transaction(store, actor=PUBLIC if who is None else who.actor) as tx:
        return await halting.halts_of(tx, LotId(tender.lot_id))


@pytest.mark.accepts("PL-15", "PL-16")
@pytest.mark.refuses("PL-15", "PL-16")
async def test_an_order_and_a_fault_each_hold_the_lot_until_their_own_side_lets_it_go(
    store: Store, tender: Tender
) -> None:
    supervisor = await a_player(store, Role.SUPERVISOR)
    centre = await a_player(store, Role.CENTRE_STAFF)
    for blank in ("authority", "document", "words"):
        lacking: dict[str, Any] = {blank: " "}
        with pytest.raises(Refused) as refused:
            await ordered(store, tender, supervisor, True, **lacking)
        assert codes(refused) == {"order_incomplete"}
    with pytest.raises(NotPermitted):
        await ordered(store, tender, centre, True)
    with pytest.raises(Refused) as refused:
        await ordered(store, tender, supervisor, False)
    assert codes(refused) == {"not_suspended"}

    await ordered(store, tender, supervisor, True, times=2)
    assert (await lot_of(store, LotId(tender.lot_id))).suspended
    with pytest.raises(Refused) as refused:
        await ordered(store, tender, supervisor, True, document="江公监〔2026〕8号")
    assert codes(refused) == {"already_suspended"}

    with pytest.raises(Refused) as refused:
        await failed(store, tender, centre, fallback=True)
    assert codes(refused) == {"fallback_stands"}
    with pytest.raises(NotPermitted):
        await failed(store, tender, supervisor)
    await failed(store, tender, centre)
    assert (await told(store, tender, centre)).standing

    await ordered(store, tender, supervisor, False)
    held = await lot_of(store, LotId(tender.lot_id))
    assert held.suspended
    assert list(held.brakes.values()) == ["系统故障，暂停交易"]
    await failed(store, tender, centre, cured=True)
    assert not (await lot_of(store, LotId(tender.lot_id))).suspended

    seen = await told(store, tender)
    assert seen.may_say is None
    assert (await told(store, tender, supervisor)).may_say is HaltGround.ORDER
    assert [(one.ground, one.suspended) for one in seen.halts] == [
        (HaltGround.ORDER, True),
        (HaltGround.FAULT, True),
        (HaltGround.ORDER, False),
        (HaltGround.FAULT, False),
    ]
    assert seen.halts[0].document == ORDER["document"]
    assert len(await recorded(store, "LotHalted")) == 4


async def test_nobody_learns_of_a_draft_by_an_order(store: Store) -> None:
    cast, supervisor = await a_cast(store), await a_player(store, Role.SUPERVISOR)
    _, lot_id = await a_draft(store, cast)
    for who, act, kind, said in (
        (supervisor, halting.order_lot, "lot-order", {"suspended": True, **ORDER}),
        (
            await a_player(store, Role.CENTRE_STAFF),
            halting.halt_for_fault,
            "lot-fault",
            {"cured": False, "fallback": False, "words": "中断"},
        ),
    ):
        raw = signed(who, kind, statement(kind, lot_id, **said))
        with pytest.raises(NotFound):
            async with transaction(store, actor=who.actor, now=NOW) as tx:
                await act(tx, lot_id, raw)
    with pytest.raises(NotFound):
        async with transaction(store, actor=supervisor.actor, now=NOW) as tx:
            await halting.halts_of(tx, lot_id)


async def test_an_order_stops_a_prequalification_but_not_while_applicants_open_theirs(
    store: Store, called_lot: Called
) -> None:
    supervisor, lot_id = called_lot.cast.supervisor, called_lot.lot_id

    async def order(suspended: bool, *, now: datetime) -> None:
        raw = signed(
            supervisor, "lot-order", statement("lot-order", lot_id, suspended=suspended, **ORDER)
        )
        async with transaction(store, actor=supervisor.actor, now=now) as tx:
            await halting.order_lot(tx, lot_id, raw)

    with pytest.raises(Refused) as refused:
        await order(True, now=RELEASED)
    assert codes(refused) == {"releasing"}
    await order(True, now=APPLIED)
    after = DUE + HOUR
    with pytest.raises(Refused) as refused:
        await order(False, now=after)
    assert codes(refused) == {"deadline_passed_meanwhile"}
    moved = an_addendum(
        called_lot, now=after, applications_due_at=instant_text(DUE + timedelta(days=5))
    )
    await amended(store, called_lot, moved, now=after)
    await order(False, now=after)
    assert not (await lot_of(store, lot_id)).suspended
    async with store.sessions() as session:
        assert await qualification_faults(await session.connection()) == []
