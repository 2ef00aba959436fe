"""A tender is ended before its deadline, over HTTP: Bidding Regulation 31; Procurement Tender
Measures 29.

What is to be given back is promised in the signed notice and nobody learns to how many; whoever had
asked or bid stays secret. In procurement it goes back within five working days, and the finance
department is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from kernel.crypto.digests import parse_instant, sha256
from kernel.crypto.signing import Envelope
from kernel.store.transaction import Store
from kernel.working_days import BEIJING
from tests.questions import ask
from tests.sealed_bids import (
    IN_TIME,
    Tender,
    a_bidder,
    a_sealed_bid,
    a_submission,
    submitted,
    uploaded,
)
from tests.tenders import Player, a_project, a_published_lot
from tests.web.tender_house import client_of, page
from trading.reception import Reception
from trading.rules.procedures import Procedure
from web.client import Problem

REASON = "项目用地规划调整，原招标范围不再实施。"


async def ended(app: FastAPI, who: Player, project: UUID, lot: UUID, **said: Any) -> None:
    """The signed notice that ends a tender."""
    payload = {"kind": "cancellation", "project": str(project), "lot": str(lot), **said}
    client = await client_of(app, who)
    await client.post_statement(f"/api/v1/lots/{lot}/cancellation", "notice", payload)


async def test_a_tender_is_ended_with_reasons_and_promises_and_nobody_learns_who_was_there(
    app: FastAPI,
    store: Store,
    tender: Tender,
    tick: Callable[[], Awaitable[None]],
    clock_to: Callable[[datetime], Awaitable[None]],
    sound: Callable[[], Awaitable[None]],
) -> None:
    cast, lot = tender.cast, f"/api/v1/lots/{tender.lot_id}"
    bidder = await a_bidder(store)
    line, public = await client_of(app, bidder), await client_of(app)
    await clock_to(IN_TIME)
    await line.get(f"{lot}/documents")
    await ask(line, tender.lot_id)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    counter: Reception = replace(app.state.reception, patience_s=0)
    await submitted(store, counter, bidder, tender, a_submission(tender, bidder, files))

    # Without a reason, or without giving back what was paid, it goes on.
    project = tender.lot.project_id
    for said, codes in (
        ({"reason": " "}, {"no_reason", "no_return", "no_interest"}),
        ({"reason": REASON, "promises": ["return"]}, {"no_interest"}),
    ):
        with pytest.raises(Problem) as refused:
            await ended(app, cast.tenderee, project, tender.lot_id, **said)
        assert refused.value.codes == codes
        assert {"实施条例》第31条" in one["article"] for one in refused.value.refusals} == {True}
    with pytest.raises(Problem) as missing:
        await public.get(f"{lot}/termination")
    assert missing.value.status == 404
    assert (await public.get(lot))["state"] == "open"

    promises = ["interest", "return"]
    await ended(app, cast.tenderee, project, tender.lot_id, reason=REASON, promises=promises)
    await tick()

    told = await public.get(f"{lot}/termination")
    assert (told["reason"], told["ended_in"]) == (REASON, "open")
    assert told["returns"]["promises"] == promises
    assert told["returns"]["bid_security"] == "800000.00"
    assert told["returns"]["due_at"] is None
    assert "第31条" in told["returns"]["article"]
    statement = await public.read(told["statement"])
    assert REASON in sha256_checked(statement, told["hash"])
    notice = await page(app, f"/notices/{tender.lot_id}/termination")
    for words in (REASON, "银行同期存款利息", "密文保持封存", "第31条", "第22条"):
        assert words in notice
    assert "招标已终止" in await page(app, f"/notices/{tender.lot_id}")
    assert "已终止，不签订合同" in await page(app, f"/contracts/{tender.lot_id}")
    assert "您的投标文件不再开启" in await page(app, f"/lots/{tender.lot_id}/bid", bidder)

    # It does not come back, and takes nothing in any more.
    with pytest.raises(Problem) as refused:
        await ended(app, cast.tenderee, project, tender.lot_id, reason=REASON, promises=promises)
    assert refused.value.codes == {"no_such_move"}
    with pytest.raises(Problem) as refused:
        await ask(line, tender.lot_id, "还会重新招标吗？")
    assert refused.value.codes == {"not_open"}

    # Who asked and who bid stays secret, though the tenderee goes on reading what was asked.
    desk = (await (await client_of(app, cast.tenderee)).get(f"{lot}/questions"))["desk"]
    assert [one["asker"] for one in desk] == [None]
    for reader in (None, cast.tenderee, cast.agency, cast.supervisor):
        for path in (f"/notices/{tender.lot_id}", f"/notices/{tender.lot_id}/questions"):
            assert bidder.organisation not in await page(app, path, reader)
    await sound()


async def test_a_procurement_gives_back_in_five_working_days_and_tells_the_finance_department(
    app: FastAPI, store: Store, tender: Tender, clock_to: Callable[[datetime], Awaitable[None]]
) -> None:
    cast = tender.cast
    project = await a_project(store, cast, procedure=Procedure.PROCUREMENT_OPEN_TENDER)
    lot = (await a_published_lot(store, cast, project)).lot_id
    await clock_to(IN_TIME)
    promises = ["interest", "return"]
    with pytest.raises(Problem) as refused:
        await ended(app, cast.agency, project, lot, reason=REASON, promises=promises)
    assert refused.value.codes == {"finance_not_told"}
    assert "第29条" in refused.value.refusals[0]["article"]

    everything = ["finance", *promises]
    await ended(app, cast.agency, project, lot, reason=REASON, promises=everything)

    told = await (await client_of(app)).get(f"/api/v1/lots/{lot}/termination")
    due_at = parse_instant(told["returns"]["due_at"]).astimezone(BEIJING)
    # Thursday 2026-03-05; the five working days are Friday and the next four.
    assert due_at - timedelta(microseconds=1) < datetime(2026, 3, 13, tzinfo=BEIJING)
    assert due_at.date().isoformat() == "2026-03-13"
    shown = await page(app, f"/notices/{lot}/termination")
    assert "书面报告本级财政部门" in shown


def sha256_checked(statement: bytes, digest: str) -> str:
    """The words of a signed notice whose payload has this digest."""
    payload = Envelope.from_bytes(statement).payload
    assert sha256(payload).hex() == digest
    return payload.decode()
