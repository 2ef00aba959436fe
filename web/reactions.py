"""The wiring of the house, in one table: when this happens, do that.

What happens on one floor and matters to a neighbour that it must not know is carried over here.
Each reaction keeps its own place in the journal; the place and the effect move in one transaction,
so a reaction happens once however often the process dies. One that fails stops there and says so;
it never skips.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy import text

from blacklist.events import PersonBarred
from evaluation import examining, reopening, replacing
from expert_pool import drawing, enrolling
from kernel.access import PLATFORM
from kernel.consents import Purpose
from kernel.events import Event
from kernel.identifiers import LotId, PersonId
from kernel.store.events import ConsentWithdrawn
from kernel.store.journal import Entry, last_place, read_after
from kernel.store.transaction import Store, Transaction, transaction
from trading import talking
from trading.events import LotMoved, LotResumed, RecheckAsked
from trading.rules.lot_lifecycle import LotMove, LotState
from web.notifications import TOLD_OF
from web.posting import post_notifications

log = structlog.get_logger()

Reaction = Callable[[Transaction, Entry], Awaitable[None]]

ENDED: Final = frozenset({LotState.CANCELLED, LotState.FAILED})


async def end_draws(tx: Transaction, entry: Entry) -> None:
    """A lot that was cancelled or failed needs no committee any more."""
    if entry.facts["went_to"] in ENDED:
        await drawing.end_draws(tx, LotId(entry.subject_id))


async def reopen_evaluation(tx: Transaction, entry: Entry) -> None:
    """A lot that is sent back is evaluated anew by its committee (条例 61)."""
    if entry.facts["move"] == LotMove.RETURN_TO_EVALUATION:
        await reopening.reopen(tx, entry.subject_id)


async def call_committee(tx: Transaction, entry: Entry) -> None:
    """Who recommended a candidate is told that it is to be examined again (条例 56)."""
    await examining.call_members(tx, entry.id, LotId(entry.subject_id))


async def replace_barred_members(tx: Transaction, entry: Entry) -> None:
    """Whoever is barred while sitting in an evaluation is replaced at once (条例 48)."""
    await replacing.remove_barred(tx, PersonId(entry.subject_id))


async def forget_health(tx: Transaction, entry: Entry) -> None:
    """What was declared for a pool goes with its consent (个人信息保护法 47)."""
    if entry.facts["purpose"] == Purpose.EXPERT_HEALTH:
        await enrolling.forget_health(tx, PersonId(entry.subject_id))


async def tell_moved_deadline(tx: Transaction, entry: Entry) -> None:
    """Whoever is to name a last price hears by when, once its lot goes on after a suspension."""
    await talking.tell_moved_deadline(tx, LotId(entry.subject_id))


REACTIONS: Final[Mapping[type[Event], Sequence[Reaction]]] = {
    **dict.fromkeys(TOLD_OF, (post_notifications,)),
    LotMoved: (end_draws, reopen_evaluation, post_notifications),
    LotResumed: (tell_moved_deadline, post_notifications),
    RecheckAsked: (call_committee,),
    PersonBarred: (replace_barred_members,),
    ConsentWithdrawn: (forget_health,),
}
"""Whom each event is told to is a table of its own, `notifications.py`."""

PATIENCE_S: Final = 0.25
FAILED_PATIENCE_S: Final = 5.0
PAGE: Final = 100

_FIRST: Final = text(
    "INSERT INTO kernel.follower (name, position) VALUES (:name, 0) ON CONFLICT DO NOTHING"
)
_READ_TO: Final = text("SELECT position FROM kernel.follower WHERE name = :name FOR UPDATE")


async def follow(store: Store) -> None:
    """React to every entry in order, for ever; no reaction waits for another."""
    news = News()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_look_out(store, news))
        for reaction in {one for several in REACTIONS.values() for one in several}:
            kinds = {event.__name__ for event, several in REACTIONS.items() if reaction in several}
            tasks.create_task(_follow(store, reaction, kinds, news))


class News:
    """How far the journal has come: one looks, and all reactions wait for it."""

    def __init__(self) -> None:
        self.place = 0
        self._grown = asyncio.Event()

    def came(self, place: int) -> None:
        """Wake everyone who waits, where the journal has grown."""
        if place > self.place:
            self.place = place
            grown, self._grown = self._grown, asyncio.Event()
            grown.set()

    async def after(self, place: int) -> None:
        """Return once the journal is longer than that."""
        while self.place <= place:
            await self._grown.wait()


async def _look_out(store: Store, news: News) -> None:
    while True:
        try:
            async with store.sessions() as session:
                news.came(await last_place(session))
        except Exception:
            log.exception("the journal could not be read")
            await asyncio.sleep(FAILED_PATIENCE_S)
        await asyncio.sleep(PATIENCE_S)


async def _follow(store: Store, reaction: Reaction, kinds: Collection[str], news: News) -> None:
    while True:
        seen = news.place
        try:
            while await react_once(store, reaction, kinds):
                pass
        except Exception:
            log.exception("a reaction failed and waits", reaction=reaction.__name__)
            await asyncio.sleep(FAILED_PATIENCE_S)
        else:
            await news.after(seen)


async def react_once(store: Store, reaction: Reaction, kinds: Collection[str]) -> bool:
    """Read on for one reaction, to the next entry of its kinds; whether there was any entry."""
    name = reaction.__name__
    async with transaction(store, actor=PLATFORM) as tx:
        read_to = await tx.session.scalar(_READ_TO, {"name": name})
        if read_to is None:
            await tx.session.execute(_FIRST, {"name": name})
            read_to = await tx.session.scalar(_READ_TO, {"name": name})
        page = await read_after(tx.session, read_to, limit=PAGE)
        place = 0
        for entry in page:
            place = entry.number
            if entry.kind in kinds:
                await reaction(tx, entry)
                break
        if page:
            await tx.session.execute(
                text("UPDATE kernel.follower SET position = :place WHERE name = :name"),
                {"name": name, "place": place},
            )
    return bool(page)
