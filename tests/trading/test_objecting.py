"""Bidding Regulation 22, 44, 54, 62; Bidding Law 22; Procurement Law 52, 53."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from kernel.access import PLATFORM, Role
from kernel.crypto.digests import Malformed, instant_text
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Refused
from kernel.identifiers import LotId, ObjectionId
from kernel.randomness import random_id
from kernel.store.transaction import Store, transaction
from kernel.working_days import BEIJING, beijing_day
from tests.awards import (
    Evaluated,
    answered,
    candidates_published,
    handed_over,
    objected,
    objection_statement,
    standstill_ended,
)
from tests.newcomers import codes
from tests.opened_lots import Hall, an_opened_lot
from tests.prequalifications import (
    DUE,
    RELEASED,
    REVIEWED,
    Called,
    a_called_lot,
    amended,
    an_addendum,
    an_applicant,
    an_application,
    application_statement,
    released,
    reviewed,
    sent,
    submitted,
)
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import (
    NOW,
    Player,
    a_cast,
    a_plan,
    a_player,
    a_project,
    a_published_lot,
    signed,
)
from trading import award_views, lots, objecting
from trading.objecting import Raised
from trading.rules.procedures import Procedure, SecurityForm
from trading.sound_awards import award_faults
from trading.sound_qualifications import qualification_faults
from trading.tables import LotRow

PRICES = ("118600000.00", "121300000.00", "119950000.00")


async def rows(store: Store, query: str, **values: Any) -> list[Any]:
    async with store.sessions() as session:
        return list((await session.execute(text(query), values)).mappings())


async def recorded(store: Store, kind: str) -> list[dict[str, Any]]:
    query = "SELECT record FROM kernel.journal WHERE kind = :kind ORDER BY recorded_at"
    return [json.loads(row["record"]) for row in await rows(store, query, kind=kind)]


async def lot_of(store: Store, lot_id: LotId) -> LotRow:
    async with transaction(store, actor=PLATFORM) as tx:
        return await lots.hold(tx, lot_id)


# ── to a prequalification ─────────────────────────────────────────────────────────────────────


async def test_an_objection_stops_a_prequalification_until_it_is_answered(
    store: Store, called_lot: Called
) -> None:
    called, lot_id, objector = called_lot, called_lot.lot_id, await a_bidder(store)
    last, other = DUE - timedelta(days=2), await a_bidder(store)
    with pytest.raises(Refused) as refused:
        then = last + timedelta(microseconds=1)
        await objected(store, objector, lot_id, "prequalification", now=then)
    assert codes(refused) == {"objection_late"}
    for about in ("documents", "result"):
        with pytest.raises(NotFound):
            await objected(store, objector, lot_id, about, now=last)
    early = await an_applicant(store, called, other)
    late = an_application(called, await a_bidder(store), {"申请文件.pdf": b"%PDF"})
    await sent(store, called, late)

    raised = await objected(store, objector, lot_id, "prequalification", now=last)

    assert raised.waits
    assert (await lot_of(store, lot_id)).suspended_at == last
    raw = application_statement(called, late.who, late.file)
    with pytest.raises(Refused) as refused:
        await submitted(store, called, late.who, raw, now=last)
    assert codes(refused) == {"lot_suspended"}
    # Nobody learns who objects, the tenderee's side included, and nothing is opened meanwhile.
    for reader in (called.cast.agency, called.cast.supervisor, other):
        async with transaction(store, actor=reader.actor, now=last) as tx:
            [told] = await award_views.objections_to(tx, lot_id)
        assert (told.objector, told.request is None) == (None, reader is other)
    with pytest.raises(Refused) as refused:
        await released(store, called, early, now=RELEASED)
    assert codes(refused) == {"too_early"}

    after = DUE + timedelta(days=1)
    agency = called.cast.agency
    with pytest.raises(Refused) as refused:
        await answered(store, agency, lot_id, raised, now=after)
    assert codes(refused) == {"deadline_passed_meanwhile"}
    plain = {"may_affect": False, "documents": []}
    with pytest.raises(Refused) as refused:
        await amended(store, called, an_addendum(called, now=after, **plain), now=after)
    assert codes(refused) == {"deadline_in_the_past"}
    moved = DUE + timedelta(days=5)
    raw_addendum = an_addendum(called, now=after, applications_due_at=instant_text(moved))
    await amended(store, called, raw_addendum, now=after)
    done = await answered(store, agency, lot_id, raised, now=after)
    assert done.cautions == ()
    lot = await lot_of(store, lot_id)
    assert (lot.suspended, lot.suspended_at, lot.applications_due_at) == (False, None, moved)
    assert (await submitted(store, called, late.who, raw, now=after)).seq == 1
    async with store.sessions() as session:
        connection = await session.connection()
        assert await qualification_faults(connection) == []
        assert await award_faults(connection) == []


async def test_in_procurement_an_applicant_challenges_the_result_and_nothing_waits(
    store: Store,
) -> None:
    called = await a_called_lot(store, project={"procedure": Procedure.PROCUREMENT_OPEN_TENDER})
    applied = [await an_applicant(store, called, await a_bidder(store)) for _ in range(2)]
    failed, passed, stranger = applied[0].who, applied[1].who, await a_bidder(store)
    for one in applied:
        await released(store, called, one)
    with pytest.raises(Refused) as refused:
        await objected(store, failed, called.lot_id, "qualification", now=RELEASED)
    assert codes(refused) == {"no_interest", "objection_early"}
    await reviewed(store, called, [passed.party], [failed.party])
    with pytest.raises(Refused) as refused:
        await objected(store, stranger, called.lot_id, "qualification", now=REVIEWED)
    assert codes(refused) == {"no_interest"}
    async with transaction(store, actor=failed.actor, now=REVIEWED) as tx:
        found = await award_views.objectable_lots(tx)
    assert [one.window.about for one in found] == ["prequalification", "qualification"]

    raised = await objected(store, failed, called.lot_id, "qualification", now=REVIEWED)

    assert not raised.waits
    assert not (await lot_of(store, called.lot_id)).suspended
    async with transaction(store, actor=passed.actor, now=REVIEWED) as tx:
        [told] = await award_views.objections_to(tx, called.lot_id)
    assert (told.objector, told.request, told.challenge) == (None, None, True)


# ── to the documents ──────────────────────────────────────────────────────────────────────────


async def test_the_documents_are_objected_to_until_ten_days_before_the_deadline(
    store: Store,
    tender: Tender,
) -> None:
    last = tender.due_at - timedelta(days=10)
    late, in_time = await a_bidder(store), await a_bidder(store)
    with pytest.raises(Refused) as refused:
        await objected(
            store, late, tender.lot_id, "documents", now=last + timedelta(microseconds=1)
        )
    assert codes(refused) == {"objection_late"}
    assert await rows(store, "SELECT * FROM trading.objection") == []

    raised = await objected(store, in_time, tender.lot_id, "documents", now=last)

    assert raised.waits
    lot = await lot_of(store, LotId(tender.lot_id))
    assert (lot.suspended, list(lot.brakes), lot.due_at) == (True, [str(raised.id)], None)


async def test_who_objects_to_the_documents_stands_in_no_event(
    store: Store, tender: Tender
) -> None:
    bidder = await a_bidder(store)
    await objected(store, bidder, tender.lot_id, "documents", now=NOW + timedelta(days=2))
    seen = await rows(
        store,
        "SELECT kind, audience, convert_from(record, 'UTF8') AS record FROM kernel.journal"
        " WHERE kind IN ('ObjectionRaised', 'LotSuspended')",
    )
    assert {(row["kind"], row["audience"]) for row in seen} == {
        ("ObjectionRaised", "public"),
        ("LotSuspended", "public"),
    }
    for row in seen:
        assert str(bidder.party) not in row["record"]
        assert bidder.organisation not in row["record"]


async def test_an_answer_lets_the_lot_go_on_with_its_deadline(store: Store, tender: Tender) -> None:
    bidder, agency = await a_bidder(store), tender.cast.agency
    then = NOW + timedelta(days=2)
    due_before = (await lot_of(store, LotId(tender.lot_id))).due_at
    raised = await objected(store, bidder, tender.lot_id, "documents", now=then)

    done = await answered(store, agency, tender.lot_id, raised, now=then + timedelta(days=1))

    assert done.cautions == ()
    lot = await lot_of(store, LotId(tender.lot_id))
    assert (lot.suspended, lot.brakes, lot.due_at) == (False, {}, due_before)
    [kept] = await rows(store, "SELECT * FROM trading.objection_answer")
    assert (kept["objection_id"], kept["late"], kept["answered_by"]) == (
        raised.id,
        False,
        agency.person,
    )
    [told] = await recorded(store, "ObjectionAnswered")
    assert told["facts"]["objection_id"] == str(raised.id)
    assert (await recorded(store, "LotResumed"))[0]["facts"]["cause"] == str(raised.id)


async def test_two_objections_hold_a_lot_until_both_are_answered(
    store: Store, tender: Tender
) -> None:
    then = NOW + timedelta(days=2)
    first = await objected(store, await a_bidder(store), tender.lot_id, "documents", now=then)
    second = await objected(store, await a_bidder(store), tender.lot_id, "documents", now=then)
    await answered(store, tender.cast.agency, tender.lot_id, first, now=then)
    assert (await lot_of(store, LotId(tender.lot_id))).suspended
    await answered(store, tender.cast.tenderee, tender.lot_id, second, now=then)
    assert not (await lot_of(store, LotId(tender.lot_id))).suspended
    assert len(await recorded(store, "LotSuspended")) == 1


async def test_a_late_answer_is_taken_with_a_caution(store: Store, tender: Tender) -> None:
    then = NOW + timedelta(days=1)  # Tuesday: due at the end of Friday
    raised = await objected(store, await a_bidder(store), tender.lot_id, "documents", now=then)
    assert raised.answer_due_at.astimezone(BEIJING).isoformat() == "2026-03-07T00:00:00+08:00"
    done = await answered(
        store, tender.cast.agency, tender.lot_id, raised, now=raised.answer_due_at
    )
    assert [one.code for one in done.cautions] == ["answered_late"]
    [told] = await recorded(store, "ObjectionAnswered")
    assert told["facts"]["late"] is True


# ── to the opening ────────────────────────────────────────────────────────────────────────────


async def test_an_objection_to_the_opening_finds_its_way_into_the_hall(
    store: Store, tender: Tender
) -> None:
    bidder = await a_bidder(store)
    with pytest.raises(Refused) as refused:
        await objected(store, bidder, tender.lot_id, "opening", now=NOW + timedelta(days=1))
    assert codes(refused) == {"no_interest", "objection_early"}

    hall = await an_opened_lot(store, tender, PRICES)
    now = await hall.window_ends_at() + timedelta(minutes=1)
    raised = await objected(store, hall.entries[0].player, hall.lot_id, "opening", now=now)

    assert not raised.waits
    [row] = await rows(store, "SELECT * FROM trading.opening_objection")
    assert (row["id"], row["bidder_id"]) == (raised.id, hall.entries[0].player.party)
    assert not (await lot_of(store, hall.lot_id)).suspended


async def test_after_the_record_is_signed_the_opening_is_objected_to_no_more(
    store: Store, recorded_hall: Hall
) -> None:
    now = await recorded_hall.window_ends_at() + timedelta(hours=1)
    with pytest.raises(Refused) as refused:
        await objected(
            store, recorded_hall.entries[0].player, recorded_hall.lot_id, "opening", now=now
        )
    assert codes(refused) == {"objection_late"}


# ── to the result ─────────────────────────────────────────────────────────────────────────────


async def test_the_result_is_objected_to_only_while_candidates_are_published(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id, loser = evaluated.hall.lot_id, evaluated.ranked[1].player
    with pytest.raises(Refused) as refused:
        await objected(store, loser, lot_id, "result", now=evaluated.reported_at)
    assert codes(refused) == {"objection_early"}

    published = await candidates_published(evaluated)

    with pytest.raises(Refused) as refused:
        await objected(store, loser, lot_id, "result", now=published.until)
    assert codes(refused) == {"objection_late"}
    last = published.until - timedelta(microseconds=1)
    raised = await objected(store, loser, lot_id, "result", now=last)
    assert raised.waits


async def test_an_objection_to_the_result_brakes_the_lot_until_it_is_answered(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id = evaluated.hall.lot_id
    published = await candidates_published(evaluated)
    then = published.until - timedelta(hours=2)
    raised = await objected(store, evaluated.ranked[1].player, lot_id, "result", now=then)

    await standstill_ended(evaluated, published.until)

    lot = await lot_of(store, lot_id)
    assert (lot.state, lot.suspended, lot.due_at) == ("candidates_published", True, None)
    await answered(store, evaluated.agency, lot_id, raised, now=published.until + timedelta(days=1))
    lot = await lot_of(store, lot_id)
    assert (lot.suspended, lot.due_at) == (False, published.until)
    await standstill_ended(evaluated, published.until + timedelta(days=1))
    assert (await lot_of(store, lot_id)).state == "cleared_for_award"


async def test_only_those_concerned_object_to_the_result(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id = evaluated.hall.lot_id
    published = await candidates_published(evaluated)
    then = published.until - timedelta(days=1)
    stranger = await a_bidder(store)
    with pytest.raises(Refused) as refused:
        await objected(store, stranger, lot_id, "result", now=then)
    assert codes(refused) == {"no_interest"}
    unknown = await a_player(store, Role.BIDDER, verified=False)
    with pytest.raises(Refused) as refused:
        await objected(store, unknown, lot_id, "result", now=then, interest="供应商")
    assert codes(refused) == {"organisation_unverified"}
    supplier = await a_bidder(store)
    raised = await objected(
        store, supplier, lot_id, "result", now=then, interest="第一中标候选人拟用设备的供应商"
    )
    assert raised.waits


async def test_the_result_of_a_procurement_is_challenged_after_its_publication(
    store: Store,
) -> None:
    cast = await a_cast(store)
    project_id = await a_project(store, cast, procedure=Procedure.PROCUREMENT_OPEN_TENDER)
    due = NOW + timedelta(days=28)
    published = await a_published_lot(
        store,
        cast,
        project_id,
        security_forms=(SecurityForm.BANK_GUARANTEE,),
        plan=a_plan(
            bids_due_at=due.isoformat().replace("+00:00", "Z"),
            documents_until=(NOW + timedelta(days=14)).isoformat().replace("+00:00", "Z"),
        ),
    )
    tender = Tender(cast, published)
    hall = await an_opened_lot(store, tender, PRICES)
    bidder = hall.entries[0].player
    with pytest.raises(Refused) as refused:
        await objected(store, bidder, hall.lot_id, "result", now=due + timedelta(days=1))
    assert codes(refused) == {"objection_early"}


# ── taking it back ────────────────────────────────────────────────────────────────────────────


async def withdrawn(
    store: Store, who: Player, lot_id: Any, raised: Raised, *, now: datetime
) -> None:
    said = {
        "v": "ebid-objection-withdrawal/1",
        "lot": str(lot_id),
        "objection": str(raised.id),
        "reason": "",
        "signed_at": instant_text(now),
    }
    async with transaction(store, actor=who.actor, now=now) as tx:
        await objecting.withdraw_objection(
            tx, lot_id, raised.id, signed(who, "objection-withdrawal", said)
        )


async def test_an_objection_is_taken_back_by_whoever_raised_it_and_the_lot_goes_on(
    store: Store, tender: Tender
) -> None:
    bidder, other, then = await a_bidder(store), await a_bidder(store), NOW + timedelta(days=2)
    raised = await objected(store, bidder, tender.lot_id, "documents", now=then)
    for stranger in (other, tender.cast.agency):
        with pytest.raises((NotFound, NotPermitted)):
            await withdrawn(store, stranger, tender.lot_id, raised, now=then)

    await withdrawn(store, bidder, tender.lot_id, raised, now=then)

    assert not (await lot_of(store, LotId(tender.lot_id))).suspended
    [told] = await recorded(store, "ObjectionWithdrawn")
    assert str(bidder.party) not in str(told["facts"])
    with pytest.raises(Refused) as refused:
        await withdrawn(store, bidder, tender.lot_id, raised, now=then)
    assert codes(refused) == {"withdrawn"}
    with pytest.raises(Refused) as refused:
        await answered(store, tender.cast.agency, tender.lot_id, raised, now=then)
    assert codes(refused) == {"withdrawn"}


async def test_what_was_answered_is_taken_back_no_more(store: Store, tender: Tender) -> None:
    bidder, then = await a_bidder(store), NOW + timedelta(days=2)
    raised = await objected(store, bidder, tender.lot_id, "documents", now=then)
    await answered(store, tender.cast.agency, tender.lot_id, raised, now=then)
    with pytest.raises(Refused) as refused:
        await withdrawn(store, bidder, tender.lot_id, raised, now=then)
    assert codes(refused) == {"answered"}


async def test_an_objection_that_nobody_answered_in_time_is_an_alarm_for_owner_and_supervisor(
    store: Store, tender: Tender
) -> None:
    then = NOW + timedelta(days=1)
    raised = await objected(store, await a_bidder(store), tender.lot_id, "documents", now=then)
    stranger = await a_player(store, Role.TENDEREE)
    for who, seen in (
        (tender.cast.agency, [raised.id]),
        (tender.cast.supervisor, [raised.id]),
        (stranger, []),
    ):
        for now, alarms in (
            (raised.answer_due_at - timedelta(microseconds=1), []),
            (raised.answer_due_at, seen),
        ):
            async with transaction(store, actor=who.actor, now=now) as tx:
                assert [one.id for one in await award_views.overdue_answers(tx)] == alarms


# ── how it is said ────────────────────────────────────────────────────────────────────────────


async def test_the_same_statement_twice_is_one_objection(store: Store, tender: Tender) -> None:
    bidder, then = await a_bidder(store), NOW + timedelta(days=2)
    raw = objection_statement(bidder, tender.lot_id, "documents", now=then)
    ids = []
    for _ in range(2):
        async with transaction(store, actor=bidder.actor, now=then) as tx:
            ids.append((await objecting.raise_objection(tx, LotId(tender.lot_id), raw)).id)
    assert ids[0] == ids[1]
    assert len(await rows(store, "SELECT * FROM trading.objection")) == 1
    assert len(await recorded(store, "ObjectionRaised")) == 1


async def test_what_is_malformed_or_signed_by_another_is_turned_away(
    store: Store, tender: Tender
) -> None:
    bidder, other, then = await a_bidder(store), await a_bidder(store), NOW + timedelta(days=2)
    wrong: list[tuple[bytes, type[Exception]]] = [
        (objection_statement(bidder, random_id(), "documents", now=then), BrokenSeal),
        (objection_statement(bidder, tender.lot_id, "weather", now=then), Malformed),
        (objection_statement(bidder, tender.lot_id, "documents", now=then, request=" "), Malformed),
        (
            objection_statement(bidder, tender.lot_id, "documents", now=then, grounds="异" * 5001),
            Malformed,
        ),
        (objection_statement(bidder, tender.lot_id, "documents", now=then, more=1), Malformed),
        (
            objection_statement(bidder, tender.lot_id, "documents", now=then, signed_at="now"),
            Malformed,
        ),
        (objection_statement(other, tender.lot_id, "documents", now=then), BrokenSeal),
    ]
    for raw, error in wrong:
        with pytest.raises(error):
            async with transaction(store, actor=bidder.actor, now=then) as tx:
                await objecting.raise_objection(tx, LotId(tender.lot_id), raw)
    with pytest.raises(NotFound):
        await objected(store, bidder, LotId(random_id()), "documents", now=then)
    assert await rows(store, "SELECT * FROM trading.objection") == []


async def test_only_the_lots_owner_answers_and_only_once(store: Store, tender: Tender) -> None:
    bidder, then = await a_bidder(store), NOW + timedelta(days=2)
    raised = await objected(store, bidder, tender.lot_id, "documents", now=then)
    stranger = await a_player(store, Role.AGENCY)
    with pytest.raises(NotPermitted):
        await answered(store, stranger, tender.lot_id, raised, now=then)
    with pytest.raises(NotPermitted):
        await answered(store, bidder, tender.lot_id, raised, now=then)
    with pytest.raises(Refused) as refused:
        await answered(store, tender.cast.agency, tender.lot_id, raised, now=then, words="  ")
    assert codes(refused) == {"answer_empty"}
    with pytest.raises(BrokenSeal):
        await answered(
            store, tender.cast.agency, tender.lot_id, raised, now=then, objection=str(random_id())
        )
    await answered(store, tender.cast.agency, tender.lot_id, raised, now=then)
    with pytest.raises(Refused) as refused:
        await answered(store, tender.cast.agency, tender.lot_id, raised, now=then)
    assert codes(refused) == {"answered"}
    with pytest.raises(NotFound):
        async with transaction(store, actor=tender.cast.agency.actor) as tx:
            await objecting.answer_objection(
                tx, LotId(tender.lot_id), ObjectionId(random_id()), b"{}"
            )


async def test_whoever_bids_for_a_lot_objects_for_one_organisation_only(
    store: Store, tender: Tender
) -> None:
    then = NOW + timedelta(days=2)
    custodian = tender.cast.custodians[0]
    colleague = await a_player(store, Role.BIDDER, party=custodian.party)
    # The tenderee's organisation already has a part in this lot, and so cannot stand against it.
    with pytest.raises(Refused) as refused:
        await objected(store, colleague, tender.lot_id, "documents", now=then)
    assert codes(refused) == {"conflicting_capacity"}


async def test_a_lot_under_evaluation_is_not_braked_by_what_comes_too_early(
    store: Store, recorded_hall: Hall
) -> None:
    await handed_over(recorded_hall)
    now = await recorded_hall.window_ends_at() + timedelta(hours=2)
    with pytest.raises(Refused):
        await objected(
            store, recorded_hall.entries[0].player, recorded_hall.lot_id, "result", now=now
        )
    assert not (await lot_of(store, recorded_hall.lot_id)).suspended
    assert beijing_day(now) == beijing_day(recorded_hall.tender.due_at)
