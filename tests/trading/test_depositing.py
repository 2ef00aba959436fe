"""Bidders pay or are guaranteed for, and nobody else learns of it before the opening.

Bidding Law 22; Bidding Regulation 26, 35, 57; Trading Platform Measures 18.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from kernel.access import Actor
from kernel.errors import NotFound, Refused, TooMuch
from kernel.identifiers import LotId
from kernel.store.transaction import Store, transaction
from tests.archives import archived
from tests.awards import Evaluated, awarded, candidates_published, standstill_ended
from tests.deposits import (
    ASKED,
    PAID_AT,
    PAPER,
    a_lot_that_takes_money,
    an_account,
    given_back,
    guarantee_filed,
    guarantee_statement,
    line,
    reference_of,
    statement_taken,
)
from tests.sealed_bids import Tender, a_bidder, at
from tests.tenders import NOW, cancelled, signed
from trading import alarming, deposit_views, depositing, handover, returning
from trading.bank_statements import MalformedStatement
from trading.deposit_views import AccountDesk, LotSecurities
from trading.rules.security_course import ReturnCause, SecurityState
from trading.security_facts import Standing

DAY = timedelta(days=1)


async def desk_of(store: Store, staff: Actor) -> AccountDesk:
    async with transaction(store, actor=staff) as tx:
        return await deposit_views.account_desk(tx)


async def own(store: Store, who: Actor, lot_id: LotId) -> Standing:
    async with transaction(store, actor=who) as tx:
        return (await depositing.own_security(tx, lot_id))[1]


async def seen_by(store: Store, who: Actor, lot_id: LotId) -> LotSecurities:
    async with transaction(store, actor=who) as tx:
        return await deposit_views.lot_securities(tx, lot_id)


def codes(caught: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [one.code for one in caught.value.refusals]


async def test_who_paid_is_told_and_nobody_else_learns_even_how_many(
    store: Store, tender: Tender
) -> None:
    cast = tender.cast
    lot = await a_lot_that_takes_money(store, cast)
    first, second, onlooker = [await a_bidder(store) for _ in range(3)]
    one = await reference_of(store, first, lot.lot_id)
    assert one == await reference_of(store, first, lot.lot_id)
    other = await reference_of(store, second, lot.lot_id)
    assert one != other

    before = await desk_of(store, cast.staff.actor)
    lines = (
        line("S1", one),
        line("S2", other, ASKED / 2, lot.bids_due_at),
        line("S3", "0" * 17),
        line("S4", "货款"),
    )
    taken = await statement_taken(store, cast.staff, *lines)
    again = await statement_taken(store, cast.staff, *lines, now=PAID_AT + DAY)

    assert (taken.lines, again) == (4, taken)
    assert (await own(store, first.actor, lot.lot_id)).state is SecurityState.PAID
    assert (await own(store, second.actor, lot.lot_id)).state is SecurityState.SHORT
    assert (await own(store, onlooker.actor, lot.lot_id)).state is SecurityState.DUE
    desk = await desk_of(store, cast.staff.actor)
    assert [told.lines for told in desk.statements] == [4]
    assert (desk.outgoing, desk.strays) == (before.outgoing, ())
    for who in (cast.tenderee, cast.agency, cast.supervisor, cast.staff):
        with pytest.raises(Refused) as caught:
            await seen_by(store, who.actor, lot.lot_id)
        assert codes(caught) == ["still_sealed"]
    # Giving back is no way to find out which numbers somebody was given.
    for reference in (one, "0123456789ABCDEF0", "0" * 17):
        with pytest.raises(NotFound):
            await given_back(store, cast.staff, reference, now=PAID_AT)


async def test_a_statement_that_tells_a_payment_otherwise_is_not_taken_in_at_all(
    store: Store, tender: Tender
) -> None:
    staff = tender.cast.staff
    await statement_taken(store, staff, line("S1", "X"))
    overlapping = await statement_taken(store, staff, line("S1", "X"), line("S2", "Y"))
    assert overlapping.lines == 2
    with pytest.raises(MalformedStatement) as caught:
        await statement_taken(store, staff, line("S3", "Z"), line("S2", "Y", Decimal("1.00")))
    assert [(one.line, one.code) for one in caught.value.wrong] == [(3, "serial_differs")]
    third = await statement_taken(store, staff, line("S3", "Z", Decimal("2.00")))
    assert third.lines == 1


async def test_a_guarantee_is_pinned_by_its_digest_and_taken_once(
    store: Store, tender: Tender
) -> None:
    lot_id, bidder = LotId(tender.lot_id), await a_bidder(store)
    filed = await guarantee_filed(store, bidder, lot_id)
    raw = guarantee_statement(bidder, lot_id, now=PAID_AT)
    for now in (PAID_AT, PAID_AT + DAY):
        async with transaction(store, actor=bidder.actor, now=now) as tx:
            again = await depositing.file_guarantee(tx, lot_id, raw)
        assert again.filed_at == filed.filed_at == PAID_AT
    standing = await own(store, bidder.actor, lot_id)
    assert standing.state is SecurityState.GUARANTEED
    async with transaction(store, actor=bidder.actor) as tx:
        assert await depositing.own_guarantee(tx, lot_id) == PAPER
    with pytest.raises(Refused) as caught:
        await guarantee_filed(store, bidder, lot_id, amount="799999.99", valid_until="2026-06-20")
    assert codes(caught) == ["amount_short", "expires_early"]
    with pytest.raises(Refused) as caught:
        await reference_of(store, await a_bidder(store), lot_id)
    assert codes(caught) == ["form_not_allowed"]


async def test_a_tender_that_ended_before_its_close_gives_back_without_a_name(
    store: Store, tender: Tender
) -> None:
    cast = tender.cast
    lot = await a_lot_that_takes_money(store, cast)
    bidder = await a_bidder(store)
    reference = await reference_of(store, bidder, lot.lot_id)
    await statement_taken(store, cast.staff, line("S1", reference))
    await cancelled(store, cast, lot, now=NOW + 3 * DAY)

    (going,) = (await desk_of(store, cast.staff.actor)).outgoing
    assert (going.reference, going.lot_id, going.bidder) == (reference, None, "")
    assert (going.cause, going.held) == (ReturnCause.ENDED, ASKED)
    assert await alarming.ring(at(store, going.due_at)) == 0
    with pytest.raises(Refused) as caught:
        await given_back(store, cast.staff, reference, now=going.due_at, rate="0")
    assert codes(caught) == ["no_interest"]
    done = await given_back(store, cast.staff, reference, now=PAID_AT + 10 * DAY)
    assert (done.principal, done.interest) == (ASKED, Decimal("80.00"))
    assert [one.code for one in done.cautions] == ["returned_late"]
    assert (await own(store, bidder.actor, lot.lot_id)).state is SecurityState.RETURNED
    assert (await desk_of(store, cast.staff.actor)).outgoing == ()
    with pytest.raises(NotFound):
        await given_back(store, cast.staff, reference, now=PAID_AT + 10 * DAY)


async def test_after_the_opening_the_committee_and_the_tenderee_see_it_and_nobody_is_rejected(
    store: Store, evaluated: Evaluated, tick: Callable[[], Awaitable[None]]
) -> None:
    hall, lot_id = evaluated.hall, evaluated.hall.lot_id
    cast = hall.tender.cast
    winner, second, third, rejected = [one.player for one in evaluated.ranked]
    stranger = await a_bidder(store)
    await guarantee_filed(store, winner, lot_id)
    paid = await an_account(store, second, lot_id)
    late = await an_account(store, third, lot_id)
    no_bid = await an_account(store, stranger, lot_id)
    await statement_taken(
        store,
        cast.staff,
        line("S1", paid),
        line("S2", late, at=hall.tender.due_at),
        line("S3", no_bid),
    )
    seen = await seen_by(store, cast.tenderee.actor, lot_id)
    states = {one.bidder: one.state for one in seen.securities}
    assert states == {
        winner.organisation: SecurityState.HELD,
        second.organisation: SecurityState.HELD,
        third.organisation: SecurityState.LATE,
        rejected.organisation: SecurityState.MISSING,
    }
    async with transaction(store, actor=cast.supervisor.actor) as tx:
        told = await handover.bid_securities(tx, lot_id)
    assert sorted(caution.code for one in told for caution in one.cautions) == [
        "security_late",
        "security_missing",
    ]
    (going,) = (await desk_of(store, cast.staff.actor)).outgoing
    assert (going.reference, going.bidder) == (no_bid, "")
    with pytest.raises(Refused) as caught:
        await given_back(store, cast.staff, paid, now=evaluated.reported_at)
    assert codes(caught) == ["still_needed"]

    # What nobody bid with went unreturned: the alarm rings once, for supervisor and owners.
    assert await alarming.ring(at(store, going.due_at)) == 1
    assert await alarming.ring(at(store, going.due_at + DAY)) == 0

    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    await awarded(evaluated, evaluated.ranked[0], now=published.until)
    done = await given_back(store, cast.staff, paid, now=published.until + DAY)
    assert done.principal == ASKED
    seen = await seen_by(store, cast.tenderee.actor, lot_id)
    (kept,) = [one for one in seen.securities if one.may_be_kept]
    assert kept.bidder == winner.organisation
    said = {
        "v": "ebid-security-forfeiture/1",
        "lot": str(lot_id),
        "reference": kept.reference,
        "ground": "award_refused",
        "reason": "中标人书面拒绝签订合同。",
        "signed_at": "2026-04-20T01:00:00Z",
    }
    async with transaction(store, actor=cast.tenderee.actor) as tx:
        raw = signed(cast.tenderee, "security-forfeiture", said)
        decided = await returning.forfeit(tx, lot_id, kept.reference, raw)
    assert (decided.amount, decided.article) == (
        ASKED,
        "《中华人民共和国招标投标法实施条例》第74条",
    )
    assert (await own(store, winner.actor, lot_id)).state is SecurityState.FORFEITED
    other = {**said, "reference": paid, "ground": "revoked"}
    with pytest.raises(Refused) as caught:
        async with transaction(store, actor=cast.tenderee.actor) as tx:
            raw = signed(cast.tenderee, "security-forfeiture", other)
            await returning.forfeit(tx, lot_id, paid, raw)
    assert codes(caught) == ["nothing_held", "not_revoked"]
    await tick()
    assert "securities/forfeiture-1.dsse" in await archived(store, cast.supervisor, lot_id)
    assert "securities/forfeiture-1.dsse" not in await archived(store, cast.tenderee, lot_id)


async def test_papers_that_nobody_files_are_few_and_are_swept_and_one_that_was_filed_stays(
    store: Store, tender: Tender
) -> None:
    bidder, lot_id = await a_bidder(store), LotId(tender.lot_id)
    drawer = depositing.guarantee_drawer(store.documents)

    async def sent(content: bytes) -> bytes:
        async with transaction(store, actor=bidder.actor, now=NOW) as tx:
            return await depositing.keep_guarantee_file(tx, lot_id, content)

    await guarantee_filed(store, bidder, lot_id)
    unfiled = [await sent(b"%PDF-1.7 " + bytes([one])) for one in range(depositing.UNFILED_MAX)]
    assert await sent(b"%PDF-1.7 \0") == unfiled[0]
    with pytest.raises(TooMuch):
        await sent(b"%PDF-1.7 one more")

    async def aged(hours: int) -> int:
        async with store.sessions.begin() as session:
            await session.execute(
                text(
                    "UPDATE trading.guarantee_file SET sent_at = clock_timestamp()"
                    f" - interval '{hours} hours'"
                )
            )
        return await depositing.sweep_papers(store)

    assert await aged(47) == 0
    assert await drawer.has(unfiled[0])
    assert await aged(49) == len(unfiled)
    assert [await drawer.has(one) for one in unfiled] == [False] * len(unfiled)
    async with transaction(store, actor=bidder.actor) as tx:
        assert await depositing.own_guarantee(tx, lot_id) == PAPER
