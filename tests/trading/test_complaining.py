"""Complaints: Bidding Regulation 60, 61, 62; Bidding Law 22; Procurement Law 55, 57."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from kernel.access import PUBLIC, Role
from kernel.crypto.digests import Malformed, b64u
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.identifiers import ComplaintId, LotId
from kernel.store.transaction import Store, transaction
from kernel.working_days import beijing_day
from tests.archives import archived
from tests.awards import (
    Evaluated,
    answered,
    awarded,
    candidates_published,
    objected,
    standstill_ended,
)
from tests.complaints import (
    a_complaint,
    braked,
    complained,
    decided,
    taken_back,
    taken_up,
)
from tests.deposits import an_account, line, statement_taken
from tests.newcomers import codes
from tests.prequalifications import (
    RELEASED,
    REVIEWED,
    Called,
    an_applicant,
    released,
    reviewed,
)
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import NOW, Player, a_plan, a_player, a_project, a_published_lot, signed
from tests.trading.test_objecting import lot_of, recorded, rows, withdrawn
from trading import (
    annulling,
    award_views,
    complaining,
    complaint_views,
    depositing,
    due_lots,
    retendering,
)
from trading.annulling import Annulled
from trading.complaining import Checked
from trading.rules.procedures import Procedure, SecurityForm
from trading.rules.security_course import SecurityState

DAY = timedelta(days=1)


async def checked(
    store: Store, who: Player, lot_id: LotId, about: str, *, now: datetime, **said: Any
) -> Checked:
    told = a_complaint(lot_id, about, now=now, **said)
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await complaining.check_complaint(tx, lot_id, told)


# ── filing ────────────────────────────────────────────────────────────────────────────────────


async def test_a_complaint_of_the_result_needs_an_objection_that_was_answered_or_is_overdue(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id, loser = evaluated.hall.lot_id, evaluated.ranked[1].player
    published = await candidates_published(evaluated)
    then = published.until - timedelta(hours=2)
    with pytest.raises(Refused) as refused:
        await complained(store, loser, lot_id, "result", now=then)
    assert codes(refused) == {"objection_first"}
    raised = await objected(store, loser, lot_id, "result", now=then)
    with pytest.raises(Refused) as refused:
        await complained(store, loser, lot_id, "result", now=then + timedelta(hours=1))
    assert codes(refused) == {"answer_awaited"}

    filed = await complained(store, loser, lot_id, "result", now=raised.answer_due_at)

    assert filed.cautions == ()
    [kept] = await rows(store, "SELECT * FROM trading.complaint")
    assert (kept["objection_id"], kept["about"]) == (raised.id, "result")
    [told] = await recorded(store, "ComplaintFiled")
    assert str(loser.party) not in str(told)


async def test_the_check_before_sending_lists_every_refusal_that_would_come(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id = evaluated.hall.lot_id
    await candidates_published(evaluated)
    now = evaluated.reported_at + timedelta(hours=2)
    stranger = await a_player(store, Role.BIDDER, verified=False)
    told = {"request": " ", "grounds": "", "evidence": [], "contact": "", "elsewhere": True}
    found = await checked(store, stranger, lot_id, "result", now=now, **told)
    assert {one.code for one in found.refusals} == {
        *("organisation_unverified", "no_interest", "objection_first"),
        *("no_request", "no_facts", "no_evidence"),
    }
    assert {one.code for one in found.cautions} == {"names_incomplete", "elsewhere"}

    long_ago = (beijing_day(now) - 20 * DAY).isoformat()
    late = await checked(store, stranger, lot_id, "conduct", now=now, known_on=long_ago)
    assert "complaint_late" in {one.code for one in late.refusals}
    bidder = evaluated.ranked[1].player
    fine = await checked(store, bidder, lot_id, "conduct", now=now)
    assert fine.refusals == ()
    assert fine.until is not None
    assert fine.until > now
    assert await rows(store, "SELECT * FROM trading.complaint") == []


async def test_an_objection_that_was_taken_back_opens_no_way_to_the_supervisor(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id, loser = evaluated.hall.lot_id, evaluated.ranked[1].player
    published = await candidates_published(evaluated)
    raised = await objected(store, loser, lot_id, "result", now=published.until - DAY)
    await withdrawn(store, loser, lot_id, raised, now=published.until - DAY)
    with pytest.raises(Refused) as refused:
        await complained(store, loser, lot_id, "result", now=published.until)
    assert codes(refused) == {"objection_first"}


async def test_who_complains_before_the_close_is_told_to_nobody(
    store: Store, tender: Tender
) -> None:
    bidder, lot_id = await a_bidder(store), LotId(tender.lot_id)
    filed = await complained(store, bidder, lot_id, "conduct", now=NOW + DAY)
    cast = tender.cast
    for who in (cast.supervisor.actor, cast.agency.actor, PUBLIC, bidder.actor):
        async with transaction(store, actor=who) as tx:
            seen = await complaint_views.complaints_about(tx, lot_id)
        if who in (cast.agency.actor, PUBLIC):
            assert seen == ()
            continue
        [one] = seen
        own = who is bidder.actor
        assert (one.complainant is None, one.contact is None) == (not own, not own)
        assert one.request is not None
    await taken_up(store, cast.supervisor, lot_id, filed, now=NOW + DAY)
    async with transaction(store, actor=PUBLIC) as tx:
        [one] = await complaint_views.complaints_about(tx, lot_id)
    assert (one.complainant, one.request, one.grounds, one.contact) == (None,) * 4
    for row in await rows(
        store,
        "SELECT convert_from(record, 'UTF8') AS record FROM kernel.journal"
        " WHERE kind LIKE 'Complaint%' OR kind LIKE 'Lot%'",
    ):
        assert str(bidder.party) not in row["record"]


async def test_malformed_and_strange_complaints_are_turned_away(
    store: Store, tender: Tender
) -> None:
    bidder, lot_id = await a_bidder(store), LotId(tender.lot_id)
    wrong: list[dict[str, Any]] = [
        {"known_on": "tomorrow"},
        {"known_on": "2027-01-01"},
        {"evidence": [{"title": ""}]},
        {"evidence": "none"},
        {"about": "weather"},
        {"objection": "x"},
        {"elsewhere": "no"},
    ]
    for changes in wrong:
        said = a_complaint(lot_id, "conduct", now=NOW + DAY) | changes
        with pytest.raises(Malformed):
            async with transaction(store, actor=bidder.actor, now=NOW + DAY) as tx:
                await complaining.file_complaint(tx, lot_id, signed(bidder, "complaint", said))
    with pytest.raises(NotPermitted):
        await complained(store, tender.cast.agency, lot_id, "conduct", now=NOW)


# ── answering and braking ─────────────────────────────────────────────────────────────────────


async def test_a_complaint_is_taken_up_or_refused_with_reasons_by_one_body(
    store: Store, tender: Tender
) -> None:
    bidder, lot_id = await a_bidder(store), LotId(tender.lot_id)
    supervisor, then = tender.cast.supervisor, NOW + DAY
    first = await complained(store, bidder, lot_id, "conduct", now=then)
    with pytest.raises(Refused) as refused:
        await taken_up(store, supervisor, lot_id, first, now=then, taken_up=False)
    assert codes(refused) == {"no_reason"}
    reason = "投诉事项不具体，且未提供有效线索"
    told = await taken_up(store, supervisor, lot_id, first, now=then, taken_up=False, reason=reason)
    assert (told.decision_due_at, told.cautions) == (None, ())
    with pytest.raises(Refused) as refused:
        await decided(store, supervisor, lot_id, first, "dismissed", now=then)
    assert codes(refused) == {"complaint_elsewhere"}

    second = await complained(
        store, bidder, lot_id, "conduct", now=then, grounds="补充线索后重新投诉"
    )
    late = await taken_up(store, supervisor, lot_id, second, now=second.acceptance_due_at)
    assert [one.code for one in late.cautions] == ["supervisor_late"]
    other = await a_player(store, Role.SUPERVISOR)
    with pytest.raises(Refused) as refused:
        await decided(store, other, lot_id, second, "dismissed", now=then)
    assert codes(refused) == {"other_handler"}


async def test_the_supervisor_stops_the_lot_and_lets_it_go_on(store: Store, tender: Tender) -> None:
    bidder, lot_id = await a_bidder(store), LotId(tender.lot_id)
    supervisor, then = tender.cast.supervisor, NOW + DAY
    filed = await complained(store, bidder, lot_id, "conduct", now=then)
    with pytest.raises(Refused) as refused:
        await braked(store, supervisor, lot_id, filed, now=then)
    assert codes(refused) == {"complaint_elsewhere"}
    await taken_up(store, supervisor, lot_id, filed, now=then)
    await braked(store, supervisor, lot_id, filed, now=then)
    assert list((await lot_of(store, lot_id)).brakes) == [str(filed.id)]
    with pytest.raises(Refused) as refused:
        await braked(store, supervisor, lot_id, filed, now=then)
    assert codes(refused) == {"already_suspended"}
    with pytest.raises(Refused) as refused:
        await braked(store, supervisor, lot_id, filed, now=then, suspended=False, reason="")
    assert codes(refused) == {"no_reason"}
    await braked(store, supervisor, lot_id, filed, now=then, suspended=False, reason="已核查")
    assert not (await lot_of(store, lot_id)).suspended


async def test_a_prequalification_is_complained_of_stopped_and_declared_void(
    store: Store, called_lot: Called
) -> None:
    """Bidding Regulation 60 to 62: of its documents after an objection, of its result at once."""
    called, lot_id, supervisor = called_lot, called_lot.lot_id, called_lot.cast.supervisor
    applied = [await an_applicant(store, called, await a_bidder(store)) for _ in range(2)]
    first, second = (one.who for one in applied)
    with pytest.raises(Refused) as refused:
        await complained(store, first, lot_id, "prequalification", now=RELEASED)
    assert codes(refused) == {"objection_first"}
    filed = await complained(store, first, lot_id, "conduct", now=RELEASED)
    await taken_up(store, supervisor, lot_id, filed, now=RELEASED)
    with pytest.raises(Refused) as refused:
        await braked(store, supervisor, lot_id, filed, now=RELEASED)
    assert codes(refused) == {"releasing"}
    for one in applied:
        await released(store, called, one)
    await braked(store, supervisor, lot_id, filed, now=REVIEWED)
    with pytest.raises(Refused) as refused:
        await reviewed(store, called, [first.party], [second.party])
    assert codes(refused) == {"lot_suspended"}
    await braked(store, supervisor, lot_id, filed, now=REVIEWED, suspended=False, reason="已核查")
    await reviewed(store, called, [first.party], [second.party])

    with pytest.raises(Refused) as refused:
        await complained(store, await a_bidder(store), lot_id, "qualification", now=REVIEWED)
    assert codes(refused) == {"no_interest"}
    result = await complained(store, second, lot_id, "qualification", now=REVIEWED)
    await taken_up(store, supervisor, lot_id, result, now=REVIEWED)
    done = await decided(store, supervisor, lot_id, result, "upheld_void", now=REVIEWED + DAY)
    assert done.consequence == "cancelled"
    assert (await lot_of(store, lot_id)).state == "cancelled"


async def test_a_decision_after_the_deadline_passed_leaves_the_brake_to_the_supervisor(
    store: Store, tender: Tender
) -> None:
    bidder, lot_id = await a_bidder(store), LotId(tender.lot_id)
    supervisor = tender.cast.supervisor
    filed = await complained(store, bidder, lot_id, "conduct", now=NOW + DAY)
    await taken_up(store, supervisor, lot_id, filed, now=NOW + DAY)
    await braked(store, supervisor, lot_id, filed, now=NOW + DAY)
    after = tender.due_at + DAY
    await decided(store, supervisor, lot_id, filed, "dismissed", now=after)
    assert (await lot_of(store, lot_id)).suspended
    with pytest.raises(Refused) as refused:
        await braked(store, supervisor, lot_id, filed, now=after, suspended=False, reason="结案")
    assert codes(refused) == {"deadline_passed_meanwhile"}


async def test_in_procurement_a_suspension_ends_by_itself_after_thirty_days(
    store: Store, tender: Tender, clock_to: Callable[..., Awaitable[None]]
) -> None:
    cast = tender.cast
    project = await a_project(store, cast, procedure=Procedure.PROCUREMENT_OPEN_TENDER)
    plan = a_plan(bids_due_at="2026-06-30T01:00:00Z", documents_until="2026-03-16T01:00:00Z")
    lot = await a_published_lot(
        store, cast, project, security_forms=(SecurityForm.BANK_GUARANTEE,), plan=plan
    )
    lot_id, bidder = LotId(lot.lot_id), await a_bidder(store)
    raised = await objected(store, bidder, lot_id, "documents", now=NOW + DAY)
    assert not raised.waits
    await answered(store, cast.agency, lot_id, raised, now=NOW + 2 * DAY)
    filed = await complained(store, bidder, lot_id, "documents", now=NOW + 3 * DAY)
    done = await taken_up(store, cast.supervisor, lot_id, filed, now=NOW + 3 * DAY)
    assert done.decision_due_at is not None
    await braked(store, cast.supervisor, lot_id, filed, now=NOW + 3 * DAY)
    await clock_to(NOW + 33 * DAY)
    await due_lots.wake(store)
    assert (await lot_of(store, lot_id)).suspended
    await clock_to(NOW + 34 * DAY)
    await due_lots.wake(store)
    assert not (await lot_of(store, lot_id)).suspended
    beyond = await checked(
        store, bidder, lot_id, "conduct", now=NOW + 4 * DAY, objection=str(raised.id)
    )
    assert {one.code for one in beyond.refusals} == {"beyond_challenge"}


# ── deciding ──────────────────────────────────────────────────────────────────────────────────


async def test_a_complaint_that_voids_ends_the_lot_and_it_is_tendered_again(
    store: Store, evaluated: Evaluated, tick: Callable[[], Awaitable[None]]
) -> None:
    lot_id, loser = evaluated.hall.lot_id, evaluated.ranked[1].player
    supervisor, agency = evaluated.hall.tender.cast.supervisor, evaluated.agency
    published = await candidates_published(evaluated)
    raised = await objected(store, loser, lot_id, "result", now=published.until - DAY)
    await answered(store, agency, lot_id, raised, now=published.until - DAY)
    filed = await complained(store, loser, lot_id, "result", now=published.until)
    await taken_up(store, supervisor, lot_id, filed, now=published.until)
    await braked(store, supervisor, lot_id, filed, now=published.until)
    with pytest.raises(Refused) as refused:
        await decided(
            store, supervisor, lot_id, filed, "upheld_void", now=published.until, facts="", basis=""
        )
    assert codes(refused) == {"no_facts", "no_basis"}

    done = await decided(store, supervisor, lot_id, filed, "upheld_void", now=published.until)

    assert (done.consequence, done.notice_number, done.cautions) == ("cancelled", 2, ())
    lot = await lot_of(store, lot_id)
    assert (lot.state, lot.suspended, lot.brakes) == ("cancelled", False, {})
    [notice] = await rows(store, "SELECT * FROM trading.notice WHERE number = 2")
    assert (notice["kind"], notice["body"]["verdict"]) == ("complaint_decision", "upheld_void")
    assert [one["facts"]["consequence"] for one in await recorded(store, "ComplaintDecided")] == [
        "cancelled"
    ]

    async with transaction(store, actor=agency.actor, now=published.until) as tx:
        draft_id = await retendering.tender_again(tx, lot_id)
    async with transaction(store, actor=agency.actor, now=published.until) as tx:
        found = await retendering.lineage(tx, draft_id)
        assert found.replaces is not None
        assert found.replaces[0] == lot_id
        assert (await retendering.lineage(tx, lot_id)).replaced_by is None  # a draft is secret
        with pytest.raises(Refused) as refused:
            await retendering.tender_again(tx, lot_id)
    assert codes(refused) == {"tendered_again"}

    await tick()
    kept = await archived(store, supervisor, lot_id)
    complaint = {
        f"complaints/{filed.id}/{one}.dsse"
        for one in ("complaint", "answer", "order-1", "decision")
    }
    objection = {f"objections/{raised.id}/{one}.dsse" for one in ("objection", "answer")}
    bids = {
        f"bids/submission-{number}.dsse" for number in range(1, len(evaluated.hall.entries) + 1)
    }
    assert complaint | objection | bids <= kept
    owned = await archived(store, agency, lot_id)
    assert objection <= owned
    assert not (complaint | bids) & owned


async def test_a_correction_sends_the_lot_back_to_its_committee(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id, loser = evaluated.hall.lot_id, evaluated.ranked[1].player
    supervisor = evaluated.hall.tender.cast.supervisor
    published = await candidates_published(evaluated)
    now = published.until - DAY
    filed = await complained(store, loser, lot_id, "conduct", now=now)
    await taken_up(store, supervisor, lot_id, filed, now=now)
    raised = await objected(store, loser, lot_id, "result", now=now)
    with pytest.raises(Refused) as refused:
        await decided(store, supervisor, lot_id, filed, "upheld_correct", now=now)
    assert codes(refused) == {"lot_suspended"}
    await answered(store, evaluated.agency, lot_id, raised, now=now)
    done = await decided(store, supervisor, lot_id, filed, "upheld_correct", now=now)
    assert done.consequence == "returned"
    assert (await lot_of(store, lot_id)).state == "in_evaluation"
    with pytest.raises(Refused) as refused:  # no candidates are published any more
        await objected(store, loser, lot_id, "result", now=now + timedelta(hours=1))
    assert codes(refused) == {"objection_early"}


async def test_a_complaint_that_holds_a_lot_holds_its_award_and_one_that_is_upheld_voids_it(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id, loser = evaluated.hall.lot_id, evaluated.ranked[1].player
    supervisor = evaluated.hall.tender.cast.supervisor
    published = await candidates_published(evaluated)
    filed = await complained(store, loser, lot_id, "conduct", now=published.until - DAY)
    await taken_up(store, supervisor, lot_id, filed, now=published.until - DAY)
    await braked(store, supervisor, lot_id, filed, now=published.until - DAY)
    with pytest.raises(Refused) as refused:
        await awarded(evaluated, evaluated.ranked[0], now=published.until)
    assert {"complaint_open", "lot_suspended"} <= codes(refused)
    then = published.until - DAY
    await braked(store, supervisor, lot_id, filed, now=then, suspended=False, reason="初步核查完毕")
    await standstill_ended(evaluated, published.until)
    await awarded(evaluated, evaluated.ranked[0], now=published.until)
    done = await decided(store, supervisor, lot_id, filed, "upheld_void", now=published.until)
    assert done.consequence == "award_void"
    async with transaction(store, actor=PUBLIC) as tx:
        assert await complaint_views.void_award(tx, lot_id)
    async with transaction(store, actor=evaluated.agency.actor) as tx:
        assert await retendering.may_tender_again(tx, lot_id)

    # Bidding Law 64: or the tenderee annuls it over the decision, and names the next in order.
    account = await an_account(store, loser, lot_id)
    await statement_taken(store, evaluated.hall.tender.cast.staff, line("S1", account))
    later = published.until + DAY
    fallen = await annulled_for_an_illegal_act(evaluated, now=later)
    await awarded(evaluated, evaluated.ranked[1], now=later, after=b64u(fallen.digest))
    async with transaction(store, actor=PUBLIC) as tx:
        assert not await complaint_views.void_award(tx, lot_id)
    async with transaction(store, actor=evaluated.agency.actor) as tx:
        assert not await retendering.may_tender_again(tx, lot_id)
    async with transaction(store, actor=loser.actor, now=later) as tx:
        _, standing = await depositing.own_security(tx, lot_id)
    assert standing.state is SecurityState.HELD, "the void award ended nothing"


async def annulled_for_an_illegal_act(evaluated: Evaluated, *, now: datetime) -> Annulled:
    """The tenderee annuls the award over what a supervisor decided."""
    tenderee, lot_id = evaluated.tenderee, evaluated.hall.lot_id
    async with transaction(evaluated.store, actor=tenderee.actor, now=now) as tx:
        seen = await award_views.result(tx, lot_id)
        assert seen.award is not None
        said = {
            "v": "ebid-award-annulment/1",
            "lot": str(lot_id),
            "award": b64u(seen.award.digest),
            "ground": "illegal_act_found",
            "words": "投诉处理决定认定中标无效。",
            "evidence": [{"title": "投诉处理决定", "text": ""}],
            "found_by": "江城市发展和改革委员会",
            "signed_at": "2026-03-28T01:00:00Z",
        }
        return await annulling.annul_award(tx, lot_id, signed(tenderee, "award-annulment", said))


async def test_a_complaint_is_taken_back_by_whoever_filed_it_and_releases_its_brake(
    store: Store, tender: Tender
) -> None:
    bidder, lot_id = await a_bidder(store), LotId(tender.lot_id)
    supervisor = tender.cast.supervisor
    filed = await complained(store, bidder, lot_id, "conduct", now=NOW + DAY)
    await taken_up(store, supervisor, lot_id, filed, now=NOW + DAY)
    await braked(store, supervisor, lot_id, filed, now=NOW + DAY)
    with pytest.raises(NotFound):
        await taken_back(store, await a_bidder(store), lot_id, filed, now=NOW + DAY)
    await taken_back(store, bidder, lot_id, filed, now=NOW + DAY)
    assert not (await lot_of(store, lot_id)).suspended
    with pytest.raises(Refused) as refused:
        await taken_back(store, bidder, lot_id, filed, now=NOW + DAY)
    assert codes(refused) == {"complaint_elsewhere"}


async def test_what_a_supervisor_leaves_undone_is_shown_as_overdue(
    store: Store, tender: Tender
) -> None:
    bidder, lot_id = await a_bidder(store), LotId(tender.lot_id)
    supervisor = tender.cast.supervisor
    filed = await complained(store, bidder, lot_id, "conduct", now=NOW)

    async def overdue(now: datetime) -> list[ComplaintId]:
        async with transaction(store, actor=supervisor.actor, now=now) as tx:
            return [one.id for one in await complaint_views.overdue_complaints(tx)]

    due = filed.acceptance_due_at
    assert await overdue(due - timedelta(microseconds=1)) == []
    assert await overdue(due) == [filed.id]
    done = await taken_up(store, supervisor, lot_id, filed, now=due)
    assert await overdue(due) == []
    assert done.decision_due_at is not None
    assert await overdue(done.decision_due_at) == [filed.id]
