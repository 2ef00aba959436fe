"""A challenge is answered, the award is complained of and declared void (政府采购), over HTTP.

Procurement Law 52, 53, 55.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from kernel.crypto.digests import instant_text, parse_instant
from kernel.identifiers import PersonId
from kernel.store.transaction import Store
from kernel.working_days import beijing_day
from tests.awards import (
    an_evaluated_lot,
    awarded,
    candidates_published,
    standstill_ended,
)
from tests.complaints import a_decision
from tests.tenders import Player, a_plan
from tests.web.tender_house import client_of, page
from trading.rules.procedures import Procedure, SecurityForm
from web.client import Client, Problem

ClockTo = Callable[[datetime], Awaitable[None]]
DAY = timedelta(days=1)
EVIDENCE = [{"title": "业绩业主单位的回函", "text": "载明该项目由他人承建"}]


@dataclass(slots=True)
class Parties:
    """Everybody's line to the house."""

    house: FastAPI
    store: Store
    clock_to: ClockTo
    lines: dict[PersonId, Client] = field(default_factory=dict)

    async def line(self, who: Player) -> Client:
        if who.person not in self.lines:
            self.lines[who.person] = await client_of(self.house, who)
        return self.lines[who.person]

    async def act(self, who: Player, path: str, kind: str, **said: Any) -> Any:
        """A signed act."""
        return await (await self.line(who)).post_statement(path, kind, said)

    async def state(self, lot: str) -> tuple[str, bool]:
        """Where the lot stands for everybody, and whether it stands still."""
        told = await (await client_of(self.house)).get(f"/api/v1/lots/{lot}")
        return told["state"], told["suspended"]


@pytest.fixture
async def parties(app: FastAPI, store: Store, clock_to: ClockTo) -> AsyncIterator[Parties]:
    made = Parties(app, store, clock_to)
    yield made
    for client in made.lines.values():
        await client.aclose()


def an_objection(lot: str, about: str) -> dict[str, Any]:
    return {
        "lot": lot,
        "about": about,
        "request": "请核实第一中标候选人的业绩。",
        "grounds": "业绩证明材料与公示内容不一致。",
        "evidence": EVIDENCE,
    }


def a_complaint(lot: str, about: str, objection: str, known_on: str) -> dict[str, Any]:
    return {
        **an_objection(lot, about),
        "known_on": known_on,
        "request": "请认定中标无效。",
        "contact": "江城市解放路3号 027-00000009",
        "objection": objection,
    }


async def test_in_procurement_a_challenge_is_answered_and_a_complaint_declares_the_award_void(
    store: Store,
    parties: Parties,
    clock_to: ClockTo,
    sound: Callable[[], Awaitable[None]],
) -> None:
    evaluated = await an_evaluated_lot(
        store,
        procedure=Procedure.PROCUREMENT_OPEN_TENDER,
        security_forms=(SecurityForm.BANK_GUARANTEE,),
        plan=a_plan(bids_due_at="2026-03-30T01:00:00Z", documents_until="2026-03-16T01:00:00Z"),
    )
    lot = str(evaluated.hall.lot_id)
    path = f"/api/v1/lots/{lot}"
    loser, agency = evaluated.ranked[1].player, evaluated.agency
    supervisor = evaluated.hall.tender.cast.supervisor
    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    await awarded(evaluated, evaluated.ranked[0], now=published.until)
    await clock_to(published.until + DAY)

    raised = await parties.act(
        loser, f"{path}/objections", "objection", **an_objection(lot, "result")
    )
    assert raised["waits"] is False
    today = beijing_day(published.until + DAY).isoformat()
    said = a_complaint(lot, "result", raised["id"], today)
    with pytest.raises(Problem) as refused:
        await parties.act(loser, f"{path}/complaints", "complaint", **said)
    assert [one["code"] for one in refused.value.refusals] == ["answer_awaited"]
    await clock_to(parse_instant(raised["answer_due_at"]))
    for who in (agency, supervisor):
        [late] = (await (await parties.line(who)).get("/api/v1/overdue-answers"))["objections"]
        assert late["id"] == raised["id"]
    answered = await parties.act(
        agency,
        f"{path}/objections/{raised['id']}/answer",
        "answer",
        lot=lot,
        objection=raised["id"],
        words="经复核，评审结果无误。",
    )
    assert [one["code"] for one in answered["cautions"]] == ["answered_late"]

    filed = await parties.act(loser, f"{path}/complaints", "complaint", **said)
    case, told = f"{path}/complaints/{filed['id']}", {"lot": lot, "complaint": filed["id"]}
    taken_up = await parties.act(
        supervisor, f"{case}/answer", "complaint-answer", **told, taken_up=True, reason=""
    )
    assert taken_up["decision_due_at"] > instant_text(published.until + 30 * DAY)
    with pytest.raises(Problem) as refused:  # there is nothing left to stand still
        await parties.act(
            supervisor,
            f"{case}/brake",
            "complaint-brake",
            **told,
            suspended=True,
            reason="需要核查",
        )
    assert [one["code"] for one in refused.value.refusals] == ["not_suspendable"]
    done = await parties.act(
        supervisor,
        f"{case}/decision",
        "complaint-decision",
        **told,
        **a_decision("upheld_void", basis="《中华人民共和国政府采购法》第七十七条"),
    )
    assert done["consequence"] == "award_void"
    assert "中标无效" in await page(parties.house, f"/awards/{lot}")
    assert "id" in await (await parties.line(agency)).post(f"{path}/retender", {})
    await sound()
