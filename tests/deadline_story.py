"""One story of a deadline on a real Postgres, stepped from a seed.

Submitters, closers and the clock are actors. Every actor stops at every failpoint it passes, so
that between two stops lies one group of statements of one real transaction; the seed decides who
goes on next, how far the clock moves, and who dies on the spot. An actor whose statement waits for
another's lock is left waiting, and goes on when Postgres lets it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from kernel.crypto.digests import sha256
from kernel.errors import Outrun, PlatformError, Refused
from kernel.failpoints import FailpointHit, watched
from kernel.identifiers import LotId
from kernel.store.database import connect, session_factory
from kernel.store.transaction import NotDurable, Store
from tests.sealed_bids import (
    SealedFile,
    Tender,
    a_sealed_bid,
    a_submission,
    clocked,
    uploaded,
)
from tests.tenders import Player
from trading import closing, reception
from trading.bidding import Answer, submit
from trading.counted_bids import counted_bids
from trading.judging import Outcome
from trading.reception import Reception
from trading.rules.closing_cut import intent_commitment
from trading.rules.lot_lifecycle import LotState
from trading.sound_bids import bid_faults
from trading.tables import LotRow

PATIENCE_S = 40.0
LOOK_S = 0.001
BEFORE = (4, 12, 40, 120)
"""How many microseconds before the deadline a story begins; a step takes one or two of them."""

_acting: ContextVar[str] = ContextVar("acting", default="")

_BLOCKED = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@dataclass(slots=True)
class _Gate:
    actor: str
    name: str
    opened: asyncio.Future[None]


@dataclass(slots=True)
class Scheduler:
    """Lets one actor at a time go from one failpoint to the next."""

    engine: AsyncEngine
    dice: random.Random
    deaths: float
    gates: list[_Gate] = field(default_factory=list)
    actors: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    trace: list[str] = field(default_factory=list)

    def start(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        """Bring an actor on; it stops before its first line."""

        async def play() -> None:
            _acting.set(name)
            await self.hold("begin")
            await act()

        self.actors[name] = asyncio.create_task(play())

    async def hold(self, name: str) -> None:
        """Stop whoever passes here until it is its turn; it may be its end."""
        actor = _acting.get()
        if not actor:
            return
        gate = _Gate(actor, name, asyncio.get_running_loop().create_future())
        self.gates.append(gate)
        try:
            await gate.opened
        finally:
            # Whoever is cancelled here, because its time was up, waits no longer.
            if gate in self.gates:
                self.gates.remove(gate)

    async def run(self, tick: Callable[[], None]) -> None:
        """Step the actors until all are done."""
        while True:
            await self._quiet()
            if not self.gates:
                return
            tick()
            gate = self.gates.pop(self.dice.randrange(len(self.gates)))
            self.trace.append(f"{gate.actor}@{gate.name}")
            if gate.name != "begin" and self.dice.random() < self.deaths:
                self.trace[-1] += " dies"
                gate.opened.set_exception(FailpointHit(gate.name))
            else:
                gate.opened.set_result(None)

    async def _quiet(self) -> None:
        """Return when every actor stands at a failpoint, waits for a lock, or is done."""
        looks = 0
        async with asyncio.timeout(PATIENCE_S):
            while moving := self._moving():
                await asyncio.sleep(LOOK_S)
                looks += 1
                if self.gates and looks % 5 == 0 and await self._blocked() >= len(moving):
                    return

    def _moving(self) -> list[str]:
        standing = {gate.actor for gate in self.gates}
        return [
            name for name, task in self.actors.items() if not task.done() and name not in standing
        ]

    async def _blocked(self) -> int:
        async with self.engine.connect() as line:
            return int((await line.execute(_BLOCKED)).scalar_one())


@dataclass(slots=True)
class Told:
    """What one submitter was told in the end."""

    who: Player
    raw: bytes
    received_at: datetime | None = None
    answer: Answer | None = None
    refused: Refused | None = None


class Story:
    """One deadline, with everyone who acts around it."""

    def __init__(self, store: Store, engine: AsyncEngine, tender: Tender, seed: int) -> None:
        self.dice = random.Random(seed)
        self.tender = tender
        self.now = tender.due_at - timedelta(microseconds=self.dice.choice(BEFORE))
        self.store = clocked(store, self._clock)
        self.scheduler = Scheduler(engine, self.dice, deaths=self.dice.choice((0.0, 0.03, 0.1)))
        self.told: list[Told] = []

    async def _clock(self, _: Any) -> datetime:
        return self.now

    def _tick(self) -> None:
        self.now += timedelta(microseconds=self.dice.choice((0, 0, 1, 1, 3)))

    async def play(self, bidders: list[Player]) -> None:
        """Play it to its end and prove that nothing was lost and nothing made up."""
        plans = [(who, await self._sealed(who), self.dice.randint(1, 2)) for who in bidders]
        async with reception.opened(self.store, patience_s=0) as counter:
            with watched(self.scheduler.hold):
                for who, files, count in plans:
                    self.scheduler.start(
                        f"bidder {who.name}", self._submits(counter, who, files, count)
                    )
                for number in (1, 2):
                    self.scheduler.start(f"closer {number}", self._closes())
                await self.scheduler.run(self._tick)
            await asyncio.gather(*self.scheduler.actors.values())
        await self._check()

    async def _sealed(self, who: Player) -> tuple[SealedFile, SealedFile]:
        files = a_sealed_bid(self.tender, who)
        await uploaded(self.store, who, self.tender.lot_id, files)
        return files

    def _submits(
        self, counter: Reception, who: Player, files: tuple[SealedFile, SealedFile], count: int
    ) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            previous: bytes | None = None
            for seq in range(1, count + 1):
                withdraws = seq > 1 and self.dice.random() < 0.3
                raw = a_submission(
                    self.tender, who, () if withdraws else files, seq=seq, replaces=previous
                )
                told = Told(who, raw)
                self.told.append(told)
                await self._submit_until_told(counter, told)
                previous = sha256(raw)

        return act

    async def _submit_until_told(self, counter: Reception, told: Told) -> None:
        """Submit, and after a death again with the same key, as a client does."""
        while True:
            received_at = self.now
            told.received_at = told.received_at or received_at
            try:
                told.answer = await submit(
                    self.store,
                    counter,
                    told.who.actor,
                    self.tender.lot_id,
                    told.raw,
                    key=sha256(told.raw).hex(),
                    received_at=received_at,
                )
                if told.answer.judgement is not None:
                    return
            except Refused as refused:
                told.refused = refused
                return
            except (FailpointHit, NotDurable):
                continue

    def _closes(self) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            while await self._state() in (LotState.OPEN, LotState.CLOSING):
                try:
                    await closing.close_lot(self.store, LotId(self.tender.lot_id))
                except (FailpointHit, Outrun):
                    continue

        return act

    async def _state(self) -> LotState:
        async with self.store.sessions() as session:
            lot = await session.get_one(LotRow, self.tender.lot_id)
            return LotState(lot.state)

    async def _check(self) -> None:
        """What must hold however the actors met."""
        async with self.store.sessions() as session:
            counted = await counted_bids(session, self.tender.lot_id)
            bids = await _rows(session, "trading.bid", self.tender.lot_id)
            intents = await _rows(session, "trading.intent", self.tender.lot_id)
            [cut] = await _rows(session, "trading.closing", self.tender.lot_id)
            open_intents = await closing.unjudged(session, self.tender.lot_id)
            kinds = await session.scalars(
                text("SELECT kind FROM kernel.journal WHERE subject_id = :lot"),
                {"lot": self.tender.lot_id},
            )
            recorded = list(kinds)
            faults = await bid_faults(await session.connection())
        assert not faults, faults
        assert not open_intents, "a closed lot has submissions nobody judged"
        assert recorded.count("LotClosing") == recorded.count("LotClosed") == 1
        for row in intents:
            commitment = intent_commitment(
                row["nonce"], row["statement_digest"], row["received_at"]
            )
            assert commitment in cut["commitments"], "received, and yet not in the cut"
        taken = {row["statement_digest"]: row for row in bids}
        for told in self.told:
            digest = sha256(told.raw)
            if told.refused is not None:
                assert digest not in taken, "refused, and yet taken in"
                codes = {one.code for one in told.refused.refusals}
                in_time = told.received_at is not None and told.received_at < self.tender.due_at
                assert "late" not in codes or not in_time or self.scheduler.deaths, codes
                continue
            assert told.answer is not None
            assert told.answer.judgement is not None
            assert told.answer.judgement.outcome in (Outcome.ACCEPTED, Outcome.WITHDRAWN)
            assert digest in taken, "promised a receipt, and then lost"
            assert taken[digest]["received_at"] < self.tender.due_at
            assert taken[digest]["received_at"] == told.answer.received_at
        last: dict[UUID, Any] = {}
        for row in bids:
            if row["bidder_id"] not in last or row["seq"] > last[row["bidder_id"]]["seq"]:
                last[row["bidder_id"]] = row
        assert {bid.id for bid in counted} == {
            row["id"] for row in last.values() if not row["withdrawn"]
        }


async def _rows(session: AsyncSession, table: str, lot_id: UUID) -> list[Any]:
    found = await session.execute(
        text(f"SELECT * FROM {table} WHERE lot_id = :lot"), {"lot": lot_id}
    )
    return list(found.mappings())


@asynccontextmanager
async def crowded(store: Store, url: str) -> AsyncIterator[Store]:
    """The same store with lines enough for everybody whom a story stops in the middle of an act."""
    engine = connect(url, pool_size=24)
    try:
        yield replace(store, sessions=session_factory(engine))
    finally:
        await engine.dispose()


async def play_story(
    store: Store, engine: AsyncEngine, tender: Tender, bidders: list[Player], seed: int
) -> None:
    """Play the story of a seed; what fails names the seed and everything that happened."""
    hasty = replace(store, settings=store.settings.model_copy(update={"closer_settle_s": 0.0}))
    story = Story(hasty, engine, tender, seed)
    try:
        await story.play(bidders)
    except (AssertionError, PlatformError, TimeoutError) as fault:
        steps = "\n  ".join(story.scheduler.trace)
        raise AssertionError(f"seed {seed}: {fault!r} after\n  {steps}") from fault
