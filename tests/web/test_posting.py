"""Who hears of what happens, and who must not yet: Bidding Law 22, 45; UX 12.2, N-02."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from kernel.access import Role
from kernel.identifiers import PartyId
from kernel.store import outbox
from kernel.store.outbox import Notification
from kernel.store.transaction import Store, transaction
from tests.awards import Evaluated, awarded, candidates_published, objected, standstill_ended
from tests.log_story import Tick
from tests.opened_lots import an_entry
from tests.post_office import told
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import NOW, Player, cancelled
from trading import tendering
from web.delivery_board import Board, delivery_board, visible

Tell = Callable[[], Awaitable[None]]


@pytest.fixture
def tell(store: Store, tick: Tick) -> Tell:
    """Give everything its position, and tell it."""

    async def tell() -> None:
        await tick()
        await told(store)

    return tell


async def inbox_of(store: Store, who: Player) -> list[Notification]:
    async with transaction(store, actor=who.actor) as tx:
        return list((await outbox.inbox(tx)).notifications)


async def topics_of(store: Store, who: Player) -> list[str]:
    return sorted(one.topic for one in await inbox_of(store, who))


async def documents_taken(store: Store, who: Player, lot_id: UUID) -> None:
    async with transaction(store, actor=who.actor, now=NOW) as tx:
        await tendering.take_documents(tx, lot_id)


async def board_of(store: Store, who: Player, lot_id: UUID) -> Board:
    async with transaction(store, actor=who.actor) as tx:
        return await delivery_board(tx, lot_id)


def bidders_on(board: Board) -> set[str]:
    return {one.organisation for one in board.told if one.role is Role.BIDDER}


async def test_who_took_the_documents_hears_of_a_standstill_and_nobody_hears_who_that_is(
    store: Store, tender: Tender, tell: Tell
) -> None:
    taker, objector, outsider = [await a_bidder(store) for _ in range(3)]
    await documents_taken(store, taker, tender.lot_id)
    await objected(store, objector, tender.lot_id, "documents", now=NOW + timedelta(days=1))
    await tell()
    assert await topics_of(store, taker) == ["objection", "suspension"]
    assert await topics_of(store, objector) == ["objection", "suspension"]
    assert await topics_of(store, outsider) == []
    cast = tender.cast
    for who in (cast.tenderee, cast.agency, cast.staff, cast.supervisor):
        assert {"objection", "suspension"} <= set(await topics_of(store, who))
        board = await board_of(store, who, tender.lot_id)
        assert (board.bidders_shown, bidders_on(board)) == (False, set())


async def test_what_everybody_is_told_names_nobody(
    store: Store, tender: Tender, tell: Tell
) -> None:
    objector = await a_bidder(store)
    await objected(store, objector, tender.lot_id, "documents", now=NOW + timedelta(days=1))
    await tell()
    for one in await inbox_of(store, tender.cast.supervisor):
        assert set(one.facts) == {"kind", "project", "number", "lot"}
        assert objector.organisation not in str(one)


async def test_a_submission_is_answered_to_its_bidder_alone(
    store: Store, tender: Tender, tell: Tell
) -> None:
    entry = await an_entry(store, tender, "118600000.00")
    await tell()
    assert await topics_of(store, entry.player) == ["receipt"]
    cast = tender.cast
    for who in (cast.tenderee, cast.agency, cast.staff, cast.supervisor):
        assert "receipt" not in await topics_of(store, who)
        assert bidders_on(await board_of(store, who, tender.lot_id)) == set()


async def test_everything_is_told_once_however_often_it_is_gone_through(
    store: Store, tender: Tender, tell: Tell
) -> None:
    taker = await a_bidder(store)
    await documents_taken(store, taker, tender.lot_id)
    await objected(store, taker, tender.lot_id, "documents", now=NOW + timedelta(days=1))
    await tell()
    before = [one.id for one in await inbox_of(store, taker)]
    async with store.sessions() as session, session.begin():
        await session.execute(text("UPDATE kernel.follower SET position = 0"))
    await tell()
    assert [one.id for one in await inbox_of(store, taker)] == before


async def test_a_tender_that_ends_early_keeps_its_bidders_from_all_but_supervisors(
    store: Store, tender: Tender, tell: Tell
) -> None:
    """They may well bid when it is tendered again."""
    taker = await a_bidder(store)
    await documents_taken(store, taker, tender.lot_id)
    cast = tender.cast
    await cancelled(store, cast, tender.lot, now=NOW + timedelta(days=1))
    await tell()
    assert await topics_of(store, taker) == ["suspension"]
    for who in (cast.tenderee, cast.agency, cast.staff):
        assert bidders_on(await board_of(store, who, tender.lot_id)) == set()
    board = await board_of(store, cast.supervisor, tender.lot_id)
    assert (board.bidders_shown, bidders_on(board)) == (True, {taker.organisation})


async def test_from_the_close_on_those_whose_bids_count_hear_and_their_senders_see_it(
    store: Store, evaluated: Evaluated, tell: Tell
) -> None:
    """Bidding Law 45: the winner and the others are told at the same moment."""
    publication = await candidates_published(evaluated)
    await standstill_ended(evaluated, publication.until)
    winner, *others = evaluated.ranked
    now = publication.until + timedelta(hours=1)
    await awarded(evaluated, winner, now=now)
    await tell()
    for entry in evaluated.ranked:
        topics = set(await topics_of(store, entry.player))
        assert {"opening", "result", "notice"} <= topics, entry.player.name
    moments = {
        one.facts["kind"]: one.facts
        for entry in (winner, others[0])
        for one in await inbox_of(store, entry.player)
        if one.topic == "notice"
    }
    assert set(moments) == {"AwardNoticed", "ResultNoticed"}
    lot_id = evaluated.hall.lot_id
    names = {entry.player.organisation for entry in evaluated.ranked}
    cast = evaluated.hall.tender.cast
    for who in (cast.tenderee, cast.agency, cast.staff, cast.supervisor):
        board = await board_of(store, who, lot_id)
        assert (board.bidders_shown, bidders_on(board)) == (True, names)
        receipts = [one for one in board.told if one.topic == "receipt"]
        assert bool(receipts) is (who is cast.supervisor)


def a_notification(role: Role, party: UUID, topic: str = "result") -> Notification:
    to, about = PartyId(party), UUID(int=2)
    return Notification(UUID(int=1), topic, about, {}, True, to, role, NOW, False, ())


@pytest.mark.parametrize(
    ("reader", "bidders", "unsealed", "seen"),
    [
        (Role.AGENCY, None, False, {"owner"}),
        (Role.SUPERVISOR, None, False, {"owner"}),
        (Role.AGENCY, None, True, {"owner"}),
        (Role.SUPERVISOR, None, True, {"owner", "bidder", "taker", "receipt"}),
        (Role.AGENCY, {UUID(int=10)}, True, {"owner", "bidder"}),
        (Role.CENTRE_STAFF, {UUID(int=10)}, True, {"owner", "bidder"}),
        (Role.SUPERVISOR, {UUID(int=10)}, True, {"owner", "bidder", "taker", "receipt"}),
    ],
)
def test_who_sees_which_bidder_told(
    reader: Role, bidders: Collection[UUID] | None, unsealed: bool, seen: set[str]
) -> None:
    told_of = {
        "owner": a_notification(Role.TENDEREE, UUID(int=9)),
        "bidder": a_notification(Role.BIDDER, UUID(int=10)),
        "taker": a_notification(Role.BIDDER, UUID(int=11)),
        "receipt": a_notification(Role.BIDDER, UUID(int=10), "receipt"),
    }
    found = visible(tuple(told_of.values()), reader=reader, bidders=bidders, unsealed=unsealed)
    assert {name for name, one in told_of.items() if one in found} == seen
