"""An online listing over HTTP: three bidders, and a price in the last millisecond.

Civil Code 509; and, from memory, Land Grant Provisions 10, 18, 19, 20, 22. Everybody acts by
programs of their own, and sends what it signs spoilt in every way before it sends it right, of
which nothing may come. The clock is held in the test's hand, so that the end is exact.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from kernel.access import Role
from kernel.crypto.digests import canonical, instant_text, sha256, unb64, unb64u
from kernel.crypto.signing import Envelope, verify
from kernel.crypto.statement_kinds import payload_type
from kernel.settings import Settings
from kernel.store.parties import relying_party
from kernel.store.transaction import Store
from tests.listings import (
    ENDS_AT,
    MINUTE,
    MS,
    PHASE,
    REGISTER_UNTIL,
    STARTS_AT,
    listing_terms,
    paid,
    reserve_terms,
)
from tests.tenders import NOW, Player, a_player
from tests.web.careless_senders import SIGNED_FOR_A_LISTING, CarelessSenders
from tests.web.tender_house import client_of
from trading import due_listings
from web.app import create_app
from web.client import Client, Problem

RESERVE = "10350000.00"


@dataclass(slots=True)
class Clock:
    """What everybody's clock shows."""

    now: datetime = NOW

    async def __call__(self, _: AsyncSession | AsyncConnection) -> datetime:
        return self.now


@dataclass(slots=True)
class Journey:
    """Everybody on the way, with a line each, and the clock."""

    house: Any
    careless: CarelessSenders
    store: Store
    clock: Clock
    path: str = ""
    lines: dict[UUID, Client] = field(default_factory=dict)

    async def line(self, who: Player) -> Client:
        self.careless.known(who)
        if who.person not in self.lines:
            self.lines[who.person] = await client_of(self.house, who)
        return self.lines[who.person]

    async def act(self, who: Player, place: str, kind: str, payload: dict[str, Any]) -> Any:
        """A signed act about the listing."""
        told = {"listing": self.path.rpartition("/")[2], **payload}
        return await (await self.line(who)).post_statement(f"{self.path}/{place}", kind, told)

    async def quote(self, who: Player, price: str, now: datetime) -> Any:
        self.clock.now = now
        return await self.act(who, "quotes", "listing-quote", {"price": price})

    async def refused(self, who: Player, price: str, now: datetime) -> Problem:
        with pytest.raises(Problem) as problem:
            await self.quote(who, price, now)
        return problem.value

    async def at(self, now: datetime) -> int:
        """Let it be that time, and what is due be done."""
        self.clock.now = now
        return await due_listings.wake(self.store)

    async def told(self, who: Player) -> dict[str, Any]:
        found: dict[str, Any] = await (await self.line(who)).get(self.path)
        return found


@pytest.fixture
async def journey(store: Store, settings: Settings) -> AsyncIterator[Journey]:
    clock = Clock()
    own = replace(store, clock=clock)
    app: FastAPI = create_app(own, settings)
    async with app.router.lifespan_context(app):
        careless = CarelessSenders(app, store)
        made = Journey(careless, careless, own, clock)
        try:
            yield made
        finally:
            for client in made.lines.values():
                await client.aclose()


async def test_three_bid_for_land_and_a_price_in_the_last_millisecond_wins(
    journey: Journey,
    store: Store,
    settings: Settings,
    tick: Callable[[], Awaitable[None]],
    sound: Callable[[], Awaitable[None]],
) -> None:
    seller = await a_player(store, Role.TENDEREE, organisation="江城市自然资源和规划局")
    staff = await a_player(store, Role.CENTRE_STAFF, organisation="江城市公共资源交易中心")
    bidders = [
        await a_player(store, Role.BIDDER, organisation=f"江城置业{n}有限公司") for n in (1, 2, 3)
    ]
    one, two, three = bidders
    agency = await a_player(store, Role.AGENCY, organisation="江城产权经纪有限公司")
    supervisor = await a_player(store, Role.SUPERVISOR, organisation="江城市监察局")

    # 2 March: announced, with a reserve that only its commitment tells of.
    terms = listing_terms(reserve=RESERVE)
    made = await (await journey.line(seller)).post(
        "/api/v1/listings",
        {
            "listing": _signed(seller, "listing", terms),
            "reserve": _signed(seller, "listing-reserve", reserve_terms(terms, RESERVE)),
        },
    )
    assert made["cautions"] == []
    journey.path = f"/api/v1/listings/{made['id']}"

    # An agency is entrusted with its orders, stops it and lets it go on, until that is ended.
    letter = {"agency": str(agency.party), "code": terms["code"], "acts": ["order"]}
    principal = await journey.line(seller)
    given = await principal.post_statement(
        "/api/v1/listing-letters", "listing-authorisation", letter
    )
    stop = {"ground": "claim", "reason": "第三方主张权利，需要核实。"}
    await journey.act(agency, "suspension", "listing-suspension", stop)
    assert (await journey.told(three))["suspended_at"] == instant_text(NOW)
    await journey.act(agency, "resumption", "listing-resumption", {"reason": "已经核实。"})
    over = {"letter": given["id"], "reason": "改由本单位办理。"}
    path = f"/api/v1/listing-letters/{given['id']}/end"
    await principal.post_statement(path, "listing-authorisation-end", over)
    (kept,) = (await (await journey.line(agency)).get("/api/v1/listing-letters"))["letters"]
    assert (kept["seller"]["name"], kept["reason"]) == (seller.organisation, over["reason"])

    # All register; two pay in time, the third too late.
    numbers, pay_under = {}, {}
    for who in bidders:
        told = await journey.act(who, "registrations", "listing-registration", {})
        numbers[who.party] = told["bidder_number"]
        pay_under[who.party] = told["payment_reference"]
    centre = await journey.line(staff)
    with pytest.raises(Problem) as sealed:
        await centre.get(f"{journey.path}/securities")
    assert sealed.value.codes == {"still_sealed"}
    journey.clock.now = NOW + 2 * MINUTE
    await paid(journey.store, staff, *(pay_under[who.party] for who in (one, two)))

    # The listing: prices rise in the open, and nobody is named.
    assert (await journey.refused(one, "10000000.00", STARTS_AT - MS)).codes == {"not_listed"}
    assert await journey.at(STARTS_AT) == 1
    await journey.quote(one, "10000000.00", STARTS_AT + MINUTE)
    low = await journey.refused(two, "10050000.00", STARTS_AT + 2 * MINUTE)
    assert (low.status, set(low.codes)) == (409, {"too_low"})
    assert low.refusals[0]["facts"]["least"] == "10100000.00"
    odd = await journey.refused(two, "10150000.00", STARTS_AT + 2 * MINUTE)
    assert odd.codes == {"off_step"}
    journey.clock.now = REGISTER_UNTIL + MINUTE
    at, now = REGISTER_UNTIL, journey.clock.now
    await paid(journey.store, staff, pay_under[three.party], at=at, now=now)
    own = (await journey.told(three))["own"]
    assert (own["admitted"], own["security"]["state"]) == (False, "late")
    poor = await journey.refused(three, "10100000.00", REGISTER_UNTIL + MINUTE)
    assert poor.codes == {"not_admitted"}
    last = await journey.quote(two, "10100000.00", ENDS_AT - MS)
    assert last["received_at"] == instant_text(ENDS_AT - MS)
    assert (await journey.refused(one, "10200000.00", ENDS_AT)).codes == {"late"}
    told = await journey.told(three)
    assert [quote["bidder_number"] for quote in told["quotes"]] == [
        numbers[two.party],
        numbers[one.party],
    ]
    for who in bidders:
        for reader in (seller, three):
            assert reader is who or who.organisation not in json.dumps(
                await journey.told(reader), ensure_ascii=False
            )

    # Who was overbid goes on; the timed bidding begins, and each price begins the countdown anew.
    assert await journey.at(ENDS_AT) == 1
    await journey.act(one, "going-on", "listing-going-on", {})
    assert await journey.at(ENDS_AT + PHASE) == 1
    began = ENDS_AT + PHASE
    await journey.quote(one, "10200000.00", began + MINUTE)
    await journey.quote(two, "10300000.00", began + MINUTE + PHASE - MS)
    end = began + MINUTE + 2 * PHASE - MS
    assert (await journey.told(one))["phase_ends_at"] == instant_text(end)
    await journey.quote(one, "10400000.00", end - MS)
    assert await journey.at(end) == 0
    end = end - MS + PHASE
    assert (await journey.refused(two, "10500000.00", end)).codes == {"late"}
    assert await journey.at(end) == 1
    assert (await journey.refused(two, "10500000.00", end + MINUTE)).codes == {"not_listed"}

    # The result is there at once, and opens the reserve's commitment.
    result = (await journey.told(three))["result"]
    assert (result["winner"], result["price"]) == (one.organisation, "10400000.00")
    opened = {
        "code": terms["code"],
        "nonce": result["reserve_nonce"],
        "reserve": result["reserve"],
    }
    assert sha256(canonical(opened)) == unb64u(told["reserve_commitment"])
    assert result["securities_back_by"] == "2026-04-09T16:00:00Z"

    # What others paid goes back; it is too late to end it, and too early to keep the winner's.
    held = (await (await journey.line(staff)).get(f"{journey.path}/securities"))["securities"]
    assert {(one["bidder_number"], one["state"]) for one in held} == {
        (numbers[one.party], "held"),
        (numbers[two.party], "to_return"),
        (numbers[three.party], "to_return"),
    }
    court = {"ground": "court", "reason": "协助执行。", "authority": "法院", "document": "1号"}
    with pytest.raises(Problem) as ended:
        await journey.act(supervisor, "termination", "listing-termination", court)
    assert ended.value.codes == {"listing_over"}
    with pytest.raises(Problem) as early:
        await journey.act(seller, "forfeiture", "listing-forfeiture", {"reason": "未签。"})
    assert early.value.codes == {"seller_has_not_signed", "signing_open"}

    # Both sides sign the confirmation, which anybody can check.
    deal = {
        "code": terms["code"],
        "seller": str(seller.party),
        "winner": str(one.party),
        "number": numbers[one.party],
        "price": "10400000.00",
    }
    assert not (await journey.act(seller, "deal", "listing-deal", deal))["complete"]
    assert (await journey.act(one, "deal", "listing-deal", deal))["complete"]
    paper = await (await client_of(journey.house)).get(f"{journey.path}/deal")
    keys = {keyid: unb64u(key) for keyid, key in paper["signers"].items()}
    for statement in paper["statements"].values():
        envelope = Envelope.from_bytes(unb64(statement))
        assert verify(envelope, keys=keys, relying_party=relying_party(settings))
        said = json.loads(envelope.payload)
        assert {name: said[name] for name in paper["deal"]} == paper["deal"]

    # A court finds later that its winner had bribed.
    await journey.act(supervisor, "voiding", "listing-voiding", court)
    assert (await journey.told(three))["result"]["undone"] == "void"
    await tick()
    await sound()
    assert set(journey.careless.spoilt) == SIGNED_FOR_A_LISTING


def _signed(who: Player, kind: str, payload: dict[str, Any]) -> Any:
    said = {"v": f"ebid-{kind}/1", "signed_at": instant_text(NOW), **payload}
    return json.loads(who.key.sign(payload_type(kind), canonical(said)).to_bytes())
