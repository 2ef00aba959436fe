"""Draws for tests: a closed lot, a pool with experts, parties with their own programs.

Everything is valid by default and changed by keyword, so that a test says only what it is about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from expert_pool import calling, contributing, draw_history, drawing, enrolling
from expert_pool.drawing import DrawRequest, Interested
from expert_pool.enrolling import Application, Tie
from expert_pool.rules.calling_order import CallOutcome
from expert_pool.rules.eligibility import Title
from expert_pool.rules.strata import Stratum
from expert_pool.tables import CallRow
from kernel.access import PLATFORM, Role
from kernel.consents import Purpose, text_digest
from kernel.crypto.digests import b64u
from kernel.identifiers import DrawId, ExpertId, LotId
from kernel.randomness import random_id
from kernel.store import consenting
from kernel.store.tables import PlatformRow
from kernel.store.transaction import Store, transaction
from kernel.store.transparency_log import proof_of
from tests.decisions import barred
from tests.tenders import Player, a_player, a_uscc, signed
from trading.events import LotClosed
from web.custodian_work import Trust
from web.draw_work import DrawParty, countersignature

WINDOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC), datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
CIVIL, COST = "A0801", "A0601"
HOST, EAST, SOUTH = "310100", "320500", "330400"
STRATA = (
    Stratum("临江施工", CIVIL, HOST, 2),
    Stratum("东湖施工", CIVIL, EAST, 1),
    Stratum("南溪造价", COST, SOUTH, 1),
)
"""Four experts from three regions; with the owner's representative a committee of five."""

Tick = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Expert:
    """An expert of the pool, and who he is."""

    player: Player
    expert_id: ExpertId
    region: str


def an_application(pool: Player, **changes: Any) -> Application:
    given: dict[str, Any] = {
        "pool_id": pool.party,
        "region_code": HOST,
        "employer": "临江大学",
        "employer_uscc": a_uscc(),
        "specialisms": (CIVIL,),
        "title": Title.SENIOR,
        "years": 12,
        "born_on": date(1975, 5, 17),
        "healthy": True,
        **changes,
    }
    return Application(**given)


async def an_expert(
    store: Store, pool: Player, *, verified: bool = True, person: str = "", **changes: Any
) -> Expert:
    """An expert who enrolled, and whom the pool's keeper verified."""
    player = await a_player(store, Role.EXPERT, party=pool.party, person=person)
    application = an_application(pool, **changes)
    async with transaction(store, actor=player.actor) as tx:
        await consenting.give_consent(tx, Purpose.EXPERT_HEALTH, text_digest(Purpose.EXPERT_HEALTH))
        told = await enrolling.enrol(tx, application)
    if verified:
        async with transaction(store, actor=pool.actor) as tx:
            await enrolling.verify_expert(tx, told.expert_id)
    return Expert(player, told.expert_id, application.region_code)


async def a_pool(
    store: Store, pool: Player, *, each: int = 4, ties: Sequence[Tie] = ()
) -> list[Expert]:
    """So many experts in each of the three regions, whose specialisms fit the strata."""
    return [
        await an_expert(
            store,
            pool,
            person=f"专家{region}{number}号",
            region_code=region,
            specialisms=(COST if region == SOUTH else CIVIL,),
            ties=tuple(ties) if number == 0 else (),
        )
        for region in (HOST, EAST, SOUTH)
        for number in range(each)
    ]


async def a_close_entry(store: Store, lot_id: LotId) -> UUID:
    """A lot closed, as the journal has it."""
    async with transaction(store, actor=PLATFORM) as tx:
        return tx.record(
            LotClosed(
                lot_id,
                bids=(),
                cut_digest=bytes(32),
                cut_salt=bytes(32),
                cut_commitments=(),
                policy_digest=bytes(32),
                timetable_version=1,
                timetable_digest=bytes(32),
            )
        )


@dataclass(slots=True)
class DrawHouse:
    """A lot whose experts are to be drawn, and everybody who has a part in it."""

    store: Store
    tick: Tick
    pool: Player
    parties: dict[str, Player]
    experts: list[Expert]
    bidder_uscc: str
    lot_id: LotId
    close_entry: UUID
    draw_id: DrawId = field(default_factory=lambda: DrawId(random_id()))
    programs: dict[str, DrawParty] = field(default_factory=dict)
    late: timedelta | None = None
    """How far acts lie ahead of the store's clock, where a test lets time pass."""

    async def do(
        self, who: Player, activity: Callable[..., Awaitable[Any]], *given: Any, **more: Any
    ) -> Any:
        """One act of one person in a transaction of its own."""
        now = None
        if self.late is not None:
            async with self.store.sessions() as session:
                now = await self.store.clock(session) + self.late
        async with transaction(self.store, actor=who.actor, now=now) as tx:
            return await activity(tx, *given, **more)

    def request(self, **changes: Any) -> DrawRequest:
        given: dict[str, Any] = {
            "lot_id": self.lot_id,
            "strata": STRATA,
            "interested": (Interested(self.bidder_uscc, "bidder"),),
            "parties": tuple((name, one.party) for name, one in self.parties.items()),
            "supervisor": "supervisor",
            "close_entry": self.close_entry,
            "window_from": WINDOW[0],
            "window_until": WINDOW[1],
            "representatives": 1,
            "host_region": HOST,
            **changes,
        }
        return DrawRequest(**given)

    async def trust(self) -> Trust:
        async with self.store.sessions() as session:
            platform = await session.get_one(PlatformRow, True)
        settings = self.store.settings
        return Trust(
            platform.log_vkey,
            tuple(vkey for vkey, _ in settings.witness_list),
            settings.witness_quorum,
        )

    async def announce(self, **changes: Any) -> DrawId:
        """Announce, and let everybody's program read it."""
        request = self.request(**changes)
        self.draw_id = await self.do(self.parties["agency"], drawing.announce, request)
        view = await self.view()
        trust = await self.trust()
        self.programs = {
            name: DrawParty(name, view.announcement, trust) for name, _ in request.parties
        }
        await self.tick()
        return self.draw_id

    async def view(self, who: Player | None = None) -> draw_history.DrawView:
        view: draw_history.DrawView = await self.do(
            who or self.pool, draw_history.draw_view, self.draw_id
        )
        return view

    async def proofs(self) -> dict[str, str]:
        """The proofs that a party's program is shown."""
        entries = (await self.view()).entries
        quorum = self.store.settings.witness_quorum
        async with self.store.sessions() as session:
            found = {
                name: await proof_of(session, entry, quorum=quorum)
                for name, entry in entries.items()
            }
        return {name: proof for name, proof in found.items() if proof is not None}

    async def shares(self) -> list[dict[str, str]]:
        return [
            {
                "dealer": one.dealer,
                "holder": one.holder,
                "commitment": b64u(one.commitment),
                "ciphertext": b64u(one.ciphertext),
            }
            for one in (await self.view()).shares
        ]

    async def commit(self, *names: str) -> None:
        for name in names or self.programs:
            payload = self.programs[name].commit(await self.proofs())
            raw = signed(self.parties[name], "draw-commit", payload)
            await self.do(self.parties[name], contributing.commit, self.draw_id, raw)
        await self.tick()

    async def deal(self, *names: str) -> None:
        for name in names or self.programs:
            payload = self.programs[name].deal(await self.proofs())
            raw = signed(self.parties[name], "draw-shares", payload)
            await self.do(self.parties[name], contributing.deal, self.draw_id, raw)
        await self.tick()

    async def confirm(self, *holders: str) -> None:
        shares = await self.shares()
        for holder in holders or self.programs:
            for dealer in self.programs:
                if dealer != holder:
                    self.programs[holder].open_share(shares, dealer)
                    await self.do(self.parties[holder], contributing.confirm, self.draw_id, dealer)

    async def countersign(self) -> None:
        supervisor = self.parties["supervisor"]
        listed = await self.do(supervisor, contributing.exclusions, self.draw_id)
        view = await self.view()
        payload = countersignature(view.announcement, listed, party="supervisor")
        raw = signed(supervisor, "draw-eligibility", payload)
        await self.do(supervisor, contributing.countersign, self.draw_id, raw)
        await self.tick()

    async def reveal(self, *names: str) -> None:
        for name in names or self.programs:
            payload = self.programs[name].reveal(await self.proofs())
            raw = signed(self.parties[name], "draw-reveal", payload)
            await self.do(self.parties[name], contributing.reveal, self.draw_id, raw)
        await self.tick()

    async def ready(self, **changes: Any) -> None:
        """Everything up to the moment at which nonces may be revealed."""
        await self.announce(**changes)
        await self.commit()
        await self.deal()
        await self.confirm()
        await self.countersign()

    async def ranked(self, **changes: Any) -> None:
        """Everything up to the first calls."""
        await self.ready(**changes)
        await self.reveal()

    async def calls(self) -> list[CallRow]:
        async with self.store.sessions() as session:
            rows = await session.scalars(
                select(CallRow).where(CallRow.draw_id == self.draw_id).order_by(col(CallRow.number))
            )
            return list(rows)

    async def waiting(self) -> list[tuple[CallRow, Expert]]:
        """The calls that wait for an answer, and whom they went to."""
        by_id = {expert.expert_id: expert for expert in self.experts}
        return [
            (call, by_id[ExpertId(call.expert_id)])
            for call in await self.calls()
            if call.outcome == CallOutcome.CALLED
        ]

    async def answer(
        self, call: CallRow, expert: Expert, answer: str = "accepted", reason: str = ""
    ) -> CallOutcome:
        payload = {
            "v": "ebid-draw-answer/1",
            "call": str(call.id),
            "answer": answer,
            "reason": reason,
        }
        raw = signed(expert.player, "draw-answer", payload)
        outcome: CallOutcome = await self.do(expert.player, calling.answer, call.id, raw)
        return outcome

    async def seat_everybody(self) -> None:
        """Everybody who is called accepts, until every seat is taken."""
        while waiting := await self.waiting():
            for call, expert in waiting:
                await self.answer(call, expert)
        await self.tick()

    async def seated(self, **changes: Any) -> None:
        """The whole draw, from its announcement to the last seat."""
        await self.ranked(**changes)
        await self.seat_everybody()


async def a_draw_house(
    store: Store, tick: Tick, *, each: int = 4, more_parties: Sequence[str] = ()
) -> DrawHouse:
    """A closed lot, whose closing is witnessed, and everybody who has a part in its draw."""
    pool = await a_player(store, Role.CENTRE_STAFF, organisation="江城市公共资源交易中心")
    parties = {
        "tenderee": await a_player(store, Role.TENDEREE),
        "agency": await a_player(store, Role.AGENCY),
        "supervisor": await a_player(store, Role.SUPERVISOR),
    }
    for name in more_parties:
        parties[name] = await a_player(store, Role.BIDDER)
    lot_id = LotId(random_id())
    close_entry = await a_close_entry(store, lot_id)
    await tick()
    return DrawHouse(
        store,
        tick,
        pool,
        parties,
        await a_pool(store, pool, each=each),
        a_uscc(),
        lot_id,
        close_entry,
    )


async def bar_expert(house: DrawHouse, expert: Expert) -> None:
    """A decision that forbids that this expert is drawn."""
    await barred(
        house.store,
        house.parties["supervisor"],
        {"person": str(expert.player.person)},
        misconduct="expert_misconduct",
        article="《中华人民共和国招标投标法实施条例》第七十一条",
        acts=["draw", "sign_in"],
    )


async def kinds_on_record(house: DrawHouse) -> list[str]:
    """What is on record of the lot, in its order."""
    await house.tick()
    async with house.store.sessions() as session:
        rows = await session.execute(
            text(
                "SELECT j.kind FROM kernel.journal j JOIN kernel.sequence s ON s.entry_id = j.id"
                " WHERE j.subject_id = :lot ORDER BY s.position"
            ),
            {"lot": house.lot_id},
        )
        return [row[0] for row in rows]
