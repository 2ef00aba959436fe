"""Bidding Law 15, 16, 19, 23, 24, 36; Bidding Regulation 16, 21, 26, 27; E-Bidding Measures 14,
21, 22, 27, 40.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col

from kernel.access import PUBLIC, Role
from kernel.crypto.digests import Malformed, b64u, canonical, instant_text, parse_instant, sha256
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Outrun, Refused
from kernel.events import Audience
from kernel.refusals import Caution, Refusal
from kernel.statute import BIDDING_LAW
from kernel.store.database import OWNER, connect
from kernel.store.journal import Entry, read_view
from kernel.store.sequencer import sequence_once
from kernel.store.tables import JournalRow
from kernel.store.transaction import Store, transaction
from kernel.store.transparency_log import disclose_fillers, integrate_once
from kernel.store.views import PUBLIC_FEED, SUPERVISORS_FEED, own_acts, room
from tests.conftest import Database
from tests.decisions import barred, lifted
from tests.tenders import (
    NOW,
    SCHEME,
    SHEET_FIELDS,
    Cast,
    Player,
    PublishedLot,
    a_cast,
    a_draft,
    a_plan,
    a_player,
    a_project,
    a_published_lot,
    cancelled,
    key_statement,
    lot_terms,
    project_terms,
    signed,
    signed_papers,
)
from trading import drafting, notice_board, tendering
from trading.named_documents import documents_named
from trading.notice_board import Search
from trading.rules.opening_policy import policy_keys
from trading.sound_terms import term_faults
from trading.tables import LotRow, NoticeRow, OpeningPolicyRow, TimetableRow

Tick = Callable[[], Awaitable[None]]


@pytest.fixture
async def cast(store: Store) -> Cast:
    return await a_cast(store)


@pytest.fixture
async def lot(store: Store, cast: Cast) -> PublishedLot:
    return await a_published_lot(store, cast)


def codes(refused: pytest.ExceptionInfo[Refused]) -> set[str]:
    return {refusal.code for refusal in refused.value.refusals}


async def kinds_about(store: Store, subject: UUID) -> list[str]:
    async with store.sessions() as session:
        rows = await session.execute(
            select(col(JournalRow.kind))
            .where(col(JournalRow.subject_id) == subject)
            # What happens at one moment of the clock in hand is told apart by its transaction.
            .order_by(col(JournalRow.recorded_at), text("age(kernel.journal.xmin) DESC"))
        )
    return [kind for (kind,) in rows if kind != "CapacityTaken"]


async def view(store: Store, name: str) -> list[Entry]:
    async with store.sessions() as session:
        return await read_view(session, name, after=0)


async def lot_row(store: Store, lot_id: UUID) -> LotRow:
    async with store.sessions() as session:
        return await session.get_one(LotRow, lot_id)


async def publish(
    store: Store, who: Player, lot_id: UUID, *, now: datetime = NOW, **timetable: Any
) -> None:
    papers = await signed_papers(store, who, lot_id, now=now, **timetable)
    async with transaction(store, actor=who.actor, now=now) as tx:
        await tendering.publish_lot(tx, lot_id, papers)


# ── publication ───────────────────────────────────────────────────────────────────────────────


async def test_a_published_lot_is_open_and_everyone_learns_of_it(
    store: Store, cast: Cast, lot: PublishedLot, tick: Tick
) -> None:
    await tick()

    row = await lot_row(store, lot.lot_id)
    assert (row.state, row.published_at, row.due_at) == ("open", NOW, row.bids_due_at)
    async with store.sessions() as session:
        policy = await session.get_one(OpeningPolicyRow, (lot.lot_id, 1))
        times = await session.get_one(TimetableRow, (lot.lot_id, 1))
        notice = await session.get_one(NoticeRow, (lot.lot_id, 1))
    assert policy.digest == sha256(policy.document) == lot.policy_hash
    assert times.digest == sha256(lot.timetable)
    assert times.previous is None
    assert (notice.kind, notice.statement) == ("tender", lot.papers.notice)
    seen = await view(store, room(lot.lot_id, Audience.PUBLIC))
    assert [entry.kind for entry in seen] == ["LotPublished", "LotMoved"]
    assert seen[0].facts["policy_digest"] == b64u(lot.policy_hash)


async def test_the_policy_seals_to_the_registered_keys_and_gives_the_regulator_two_shares(
    cast: Cast, lot: PublishedLot
) -> None:
    keys = policy_keys(lot.policy)

    mine = [custodian.lot_keys[lot.lot_id].public_bytes for custodian in cast.custodians]
    assert keys.officials == (3, tuple(mine))
    assert keys.escrow == (4, (*mine, mine[-1]))


async def test_nineteen_days_for_bidding_are_refused_and_twenty_are_not(
    store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)

    with pytest.raises(Refused) as refused:
        await publish(store, cast.agency, lot_id, bids_due_at="2026-03-21T08:00:00Z")
    assert codes(refused) == {"bidding_too_short"}
    assert "第24条" in str(refused.value.refusals[0].article)
    assert (await lot_row(store, lot_id)).state == "draft"

    # The twentieth day, 22 March, is a Sunday, so the period ends on Monday the 23rd.
    await publish(store, cast.agency, lot_id, bids_due_at="2026-03-23T01:30:00Z")
    assert (await lot_row(store, lot_id)).state == "open"


async def test_documents_on_offer_for_less_than_five_days_are_refused(
    store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)

    with pytest.raises(Refused) as refused:
        await publish(store, cast.agency, lot_id, documents_until="2026-03-06T08:00:00Z")

    assert codes(refused) == {"documents_too_short"}


async def test_a_bid_security_above_two_percent_is_refused(store: Store, cast: Cast) -> None:
    _, lot_id = await a_draft(store, cast, bid_security=Decimal("2600000.01"))

    with pytest.raises(Refused) as refused:
        await publish(store, cast.agency, lot_id)

    assert codes(refused) == {"security_too_high"}
    assert "第26条" in str(refused.value.refusals[0].article)


async def test_an_unverified_organisation_cannot_publish(store: Store, cast: Cast) -> None:
    owner = await a_player(store, Role.TENDEREE, verified=False)
    own_cast = replace(cast, tenderee=owner)
    with pytest.raises(Refused) as refused:
        await a_project(store, own_cast, agency_id=None)
    assert codes(refused) == {"organisation_unverified"}
    assert "第14条" in str(refused.value.refusals[0].article)

    # Nor does an agency publish for it.
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        project_id = await drafting.create_project(tx, project_terms(own_cast))
    _, lot_id = await a_draft(store, own_cast, project_id)
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        papers = await tendering.publication_papers(tx, lot_id)
    assert "organisation_unverified" in {refusal.code for refusal in papers.refusals}
    with pytest.raises(Refused) as refused:
        await publish(store, cast.agency, lot_id)
    assert "organisation_unverified" in codes(refused)


async def test_every_ground_is_given_at_once(store: Store, cast: Cast) -> None:
    project_id = await a_project(store, cast)
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        terms = lot_terms(notice={}, sheet_fields=(), scheme={}, plan={})
        lot_id = await drafting.draft_lot(tx, project_id, terms)

    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        papers = await tendering.publication_papers(tx, lot_id)

    assert {refusal.code for refusal in papers.refusals} >= {
        "notice_lacks",
        "sheet_lacks_price",
        "no_scheme",
        "bill_empty",
        "gap_left",
        "times_out_of_order",
        "officials_threshold",
    }


async def test_a_notice_that_says_something_else_than_the_draft_is_refused(
    store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)
    papers = await signed_papers(store, cast.agency, lot_id)
    said = _payload(papers.notice) | {"ceiling_price": "1.00"}

    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await tendering.publish_lot(
                tx, lot_id, replace(papers, notice=signed(cast.agency, "notice", said))
            )

    assert codes(refused) == {"notice_differs"}
    assert refused.value.refusals[0].facts == {"member": "ceiling_price"}


async def test_a_policy_with_a_key_nobody_registered_is_refused(store: Store, cast: Cast) -> None:
    _, lot_id = await a_draft(store, cast)
    papers = await signed_papers(store, cast.agency, lot_id)
    policy = _payload(papers.opening_policy)
    stranger = PrivateKey.generate()
    policy["officials"]["keys"][0] |= {"kid": stranger.kid, "key": b64u(stranger.public_bytes)}

    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await tendering.publish_lot(
                tx,
                lot_id,
                replace(papers, opening_policy=signed(cast.agency, "opening-policy", policy)),
            )

    assert codes(refused) == {"policy_keys_differ", "notice_differs"}


async def test_a_policy_that_names_another_log_is_refused(store: Store, cast: Cast) -> None:
    _, lot_id = await a_draft(store, cast)
    papers = await signed_papers(store, cast.agency, lot_id)
    policy = _payload(papers.opening_policy) | {"log": "other.example/log+0000+AAAA"}

    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await tendering.publish_lot(
                tx,
                lot_id,
                replace(papers, opening_policy=signed(cast.agency, "opening-policy", policy)),
            )

    assert "policy_log_differs" in codes(refused)


async def test_papers_signed_by_somebody_else_publish_nothing(store: Store, cast: Cast) -> None:
    _, lot_id = await a_draft(store, cast)
    papers = await signed_papers(store, cast.agency, lot_id)
    forged = signed(cast.tenderee, "notice", _payload(papers.notice))

    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        with pytest.raises(BrokenSeal):
            await tendering.publish_lot(tx, lot_id, replace(papers, notice=forged))


async def test_a_lot_is_not_published_twice(store: Store, cast: Cast, lot: PublishedLot) -> None:
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await tendering.publish_lot(tx, lot.lot_id, lot.papers)

    assert codes(refused) == {"wrong_state"}


async def test_an_agency_publishes_only_what_its_tenderee_signed_for(
    store: Store, cast: Cast
) -> None:
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        project_id = await drafting.create_project(tx, project_terms(cast))
    _, lot_id = await a_draft(store, cast, project_id)
    with pytest.raises(Refused) as refused:
        await publish(store, cast.agency, lot_id)
    assert codes(refused) == {"agency_not_authorised"}

    said = {
        "v": "ebid-authorisation/1",
        "project": str(project_id),
        "agency": str(cast.agency.party),
        "signed_at": instant_text(NOW),
    }
    async with transaction(store, actor=cast.tenderee.actor, now=NOW) as tx:
        await drafting.authorise_agency(
            tx, project_id, signed(cast.tenderee, "authorisation", said)
        )
    await publish(store, cast.agency, lot_id)

    assert (await lot_row(store, lot_id)).state == "open"


AGENCY_LEAK = {
    "misconduct": "agency_leak",
    "article": "《中华人民共和国招标投标法》第五十条",
    "reason": "泄露应当保密的招标投标资料，情节严重",
    "acts": ["agency", "registration"],
    "ends_on": "2027-03-01",
}
"""What Bidding Law 50 costs an agency: one year to two."""


async def test_a_barred_agency_is_charged_with_no_project_and_publishes_none(
    store: Store, cast: Cast
) -> None:
    """Bidding Law 50: asked when it is named, when it is authorised, and when it publishes."""
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        waiting = await drafting.create_project(tx, project_terms(cast))
    _, lot_id = await a_draft(store, cast)
    papers = await signed_papers(store, cast.agency, lot_id)
    agency = {"organisation": str(cast.agency.party)}
    decision = await barred(store, cast.supervisor, agency, **AGENCY_LEAK)

    said = {
        "v": "ebid-authorisation/1",
        "project": str(waiting),
        "agency": str(cast.agency.party),
        "signed_at": instant_text(NOW),
    }
    authorisation = signed(cast.tenderee, "authorisation", said)
    terms = replace(project_terms(cast), code="E4201000001999999")
    for actor, act, *told in (
        (cast.tenderee, drafting.create_project, terms),
        (cast.agency, drafting.create_project, terms),
        (cast.tenderee, drafting.authorise_agency, waiting, authorisation),
        (cast.agency, tendering.publish_lot, lot_id, papers),
    ):
        with pytest.raises(Refused) as refused:
            async with transaction(store, actor=actor.actor, now=NOW) as tx:
                await act(tx, *told)
        (refusal,) = refused.value.refusals
        assert (refusal.code, refusal.article) == ("barred", BIDDING_LAW[50])
        assert refusal.facts["decision"] == str(decision)

    await lifted(store, cast.supervisor, decision)
    async with transaction(store, actor=cast.tenderee.actor, now=NOW) as tx:
        await drafting.authorise_agency(tx, waiting, authorisation)
    await publish(store, cast.agency, lot_id)


async def test_a_bar_from_procurement_or_from_bidding_does_not_stop_an_agencys_tender(
    store: Store, cast: Cast
) -> None:
    """Procurement Law 78 forbids an agency procurement, and a bidder's bar forbids bidding."""
    agency = {"organisation": str(cast.agency.party)}
    await barred(store, cast.supervisor, agency)
    await barred(
        store,
        cast.supervisor,
        agency,
        **AGENCY_LEAK
        | {"misconduct": "procurement_agency", "document_number": "江财罚〔2026〕1号"},
    )
    _, lot_id = await a_draft(store, cast)
    await publish(store, cast.agency, lot_id)


async def test_published_papers_and_terms_cannot_be_rewritten(
    store: Store, lot: PublishedLot
) -> None:
    for statement in (
        "UPDATE trading.timetable SET bids_due_at = bids_due_at + interval '1 day'",
        "DELETE FROM trading.opening_policy",
        "UPDATE trading.notice SET title = 'x'",
        "UPDATE trading.lot SET ceiling_price = 1",
    ):
        async with store.sessions() as session:
            with pytest.raises(DBAPIError, match=r"permission denied|append-only|terms of a"):
                await session.execute(text(statement))


# ── drafts ────────────────────────────────────────────────────────────────────────────────────


async def test_a_draft_does_not_exist_for_anyone_but_its_owners(
    store: Store, cast: Cast, tick: Tick
) -> None:
    project_id, lot_id = await a_draft(store, cast)
    await tick()
    other = await a_player(store, Role.TENDEREE)

    for actor in (PUBLIC, cast.supervisor.actor, cast.staff.actor, other.actor):
        async with transaction(store, actor=actor, now=NOW) as tx:
            with pytest.raises(NotFound):
                await notice_board.notice(tx, lot_id)
            with pytest.raises(NotFound):
                await notice_board.project(tx, project_id)
            assert (await notice_board.search(tx, Search())).total == 0
    async with transaction(store, actor=other.actor, now=NOW) as tx:
        with pytest.raises(NotFound):
            await drafting.redraft_lot(tx, lot_id, lot_terms())
        with pytest.raises(NotFound):
            await notice_board.draft(tx, lot_id)
    for name in (PUBLIC_FEED, SUPERVISORS_FEED):
        told = [entry.kind for entry in await view(store, name)]
        assert not {"LotDrafted", "ProjectCreated", "CustodianNamed"} & set(told)
    mine = [entry.kind for entry in await view(store, own_acts(cast.agency.party))]
    assert {"ProjectCreated", "LotDrafted", "CustodianKeyRegistered"} <= set(mine)


async def test_a_dropped_draft_leaves_no_public_trace(store: Store, cast: Cast, tick: Tick) -> None:
    _, lot_id = await a_draft(store, cast)

    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        await drafting.drop_draft(tx, lot_id)
    await tick()

    assert (await lot_row(store, lot_id)).state == "cancelled"
    assert await view(store, room(lot_id, Audience.PUBLIC)) == []
    async with transaction(store, actor=PUBLIC, now=NOW) as tx:
        with pytest.raises(NotFound):
            await notice_board.notice(tx, lot_id)


async def test_a_published_lot_is_not_redrafted(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await drafting.redraft_lot(tx, lot.lot_id, lot_terms(name="另一标段"))

    assert codes(refused) == {"already_published"}


async def test_another_tenderee_is_told_that_a_published_lot_is_not_its_own(
    store: Store, lot: PublishedLot
) -> None:
    other = await a_player(store, Role.TENDEREE)
    async with transaction(store, actor=other.actor, now=NOW) as tx:
        with pytest.raises(NotPermitted):
            await drafting.redraft_lot(tx, lot.lot_id, lot_terms())


@pytest.mark.parametrize(
    "name", ["", ".hidden", "../../etc/passwd", "a\\b.pdf", "a\x00b", "x" * 121, "a\u202eb.pdf"]
)
async def test_a_file_with_a_tricky_name_is_turned_away(
    store: Store, cast: Cast, name: str
) -> None:
    project_id = await a_project(store, cast)
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        lot_id = await drafting.draft_lot(tx, project_id, lot_terms())
        with pytest.raises(Malformed):
            await drafting.add_document(tx, lot_id, name, b"x", media_type="text/plain")


async def test_two_lots_of_a_project_are_numbered_in_order(store: Store, cast: Cast) -> None:
    project_id = await a_project(store, cast)
    for expected in (1, 2):
        async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
            lot_id = await drafting.draft_lot(tx, project_id, lot_terms())
        assert (await lot_row(store, lot_id)).number == expected


async def test_a_project_code_is_used_once(store: Store, cast: Cast) -> None:
    await a_project(store, cast, code="JC-1")
    with pytest.raises(Outrun):
        await a_project(store, cast, code="JC-1")


# ── custodians ────────────────────────────────────────────────────────────────────────────────


async def test_a_named_custodian_sees_the_assignment_and_nothing_else(
    store: Store, cast: Cast
) -> None:
    _, lot_id = await a_draft(store, cast)
    custodian = cast.custodians[-1]

    async with transaction(store, actor=custodian.actor, now=NOW) as tx:
        (mine,) = await drafting.own_assignments(tx)
        with pytest.raises(NotFound):
            await notice_board.notice(tx, lot_id)

    assert (mine.lot_id, mine.published, mine.escrow_shares) == (lot_id, False, 2)
    assert mine.kid == custodian.lot_keys[lot_id].kid


async def test_only_a_named_custodian_registers_a_key(store: Store, cast: Cast) -> None:
    project_id, lot_id = await a_draft(store, cast)
    stranger = await a_player(store, Role.CUSTODIAN)
    raw = _key(stranger, project_id, lot_id, PrivateKey.generate())

    async with transaction(store, actor=stranger.actor, now=NOW) as tx:
        with pytest.raises(NotFound):
            await drafting.register_custodian_key(tx, lot_id, raw)


async def test_two_custodians_cannot_share_a_key(store: Store, cast: Cast) -> None:
    project_id, lot_id = await a_draft(store, cast)
    first, second = cast.custodians[:2]
    raw = _key(second, project_id, lot_id, first.lot_keys[lot_id])

    async with transaction(store, actor=second.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await drafting.register_custodian_key(tx, lot_id, raw)

    assert codes(refused) == {"custodian_key_shared"}


async def test_registering_the_same_key_again_changes_nothing(store: Store, cast: Cast) -> None:
    project_id, lot_id = await a_draft(store, cast)
    custodian = cast.custodians[0]
    raw = _key(custodian, project_id, lot_id, custodian.lot_keys[lot_id])

    async with transaction(store, actor=custodian.actor, now=NOW) as tx:
        kid = await drafting.register_custodian_key(tx, lot_id, raw)

    assert kid == custodian.lot_keys[lot_id].kid
    assert (await kinds_about(store, lot_id)).count("CustodianKeyRegistered") == 8


async def test_a_custody_without_a_regulator_is_refused(store: Store, cast: Cast) -> None:
    project_id = await a_project(store, cast)
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        lot_id = await drafting.draft_lot(tx, project_id, lot_terms())
        named = [drafting.Nomination(one.person, one.party, 2) for one in cast.custodians[:3]]
        with pytest.raises(Refused) as refused:
            await drafting.name_custodians(tx, lot_id, named)

    assert "regulator_dispensable" in codes(refused)


async def test_a_person_who_is_no_custodian_of_the_organisation_cannot_be_named(
    store: Store, cast: Cast
) -> None:
    project_id = await a_project(store, cast)
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        lot_id = await drafting.draft_lot(tx, project_id, lot_terms())
        named = drafting.Nomination(cast.staff.person, cast.staff.party)
        with pytest.raises(Refused) as refused:
            await drafting.name_custodians(tx, lot_id, [named])

    assert codes(refused) == {"not_a_custodian"}


# ── clarifications and amendments ─────────────────────────────────────────────────────────────

DEADLINE = parse_instant("2026-03-23T01:30:00Z")


def a_clarification(lot: PublishedLot, who: Player, **changes: Any) -> bytes:
    said = {
        "v": "ebid-clarification/1",
        "project": str(lot.project_id),
        "lot": str(lot.lot_id),
        "number": 2,
        "title": "第1号澄清",
        "text": "工程量清单第12项数量更正为3,200立方米。",
        "may_affect_bids": True,
        "signed_at": instant_text(NOW),
    }
    return signed(who, "clarification", {**said, **changes})


def an_amendment(lot: PublishedLot, who: Player, **changes: Any) -> bytes:
    times = _payload(lot.papers.timetable) | {
        "version": 2,
        "previous": b64u(sha256(lot.timetable)),
        **changes,
    }
    return signed(who, "timetable", times)


async def test_a_clarification_fifteen_days_ahead_leaves_the_deadline(
    store: Store, cast: Cast, lot: PublishedLot, tick: Tick
) -> None:
    at = parse_instant("2026-03-06T08:00:00Z")
    async with transaction(store, actor=cast.agency.actor, now=at) as tx:
        done = await tendering.clarify(tx, lot.lot_id, a_clarification(lot, cast.agency))
    assert (done.number, done.cautions) == (2, ())
    await tick()

    row = await lot_row(store, lot.lot_id)
    assert (row.timetable_version, row.bids_due_at) == (1, DEADLINE)
    seen = await view(store, room(lot.lot_id, Audience.PUBLIC))
    assert seen[-1].kind == "ClarificationPublished"


async def test_a_clarification_fourteen_days_ahead_must_move_the_deadline_and_bids_stay_valid(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    at = parse_instant("2026-03-09T03:00:00Z")
    async with transaction(store, actor=cast.agency.actor, now=at) as tx:
        with pytest.raises(Refused) as refused:
            await tendering.clarify(tx, lot.lot_id, a_clarification(lot, cast.agency))
    assert codes(refused) == {"deadline_must_move"}
    assert "第21条" in str(refused.value.refusals[0].article)

    moved = an_amendment(lot, cast.agency, bids_due_at="2026-03-25T01:30:00Z")
    async with transaction(store, actor=cast.agency.actor, now=at) as tx:
        await tendering.clarify(tx, lot.lot_id, a_clarification(lot, cast.agency), timetable=moved)

    row = await lot_row(store, lot.lot_id)
    assert row.bids_due_at == row.due_at == parse_instant("2026-03-25T01:30:00Z")
    assert (row.timetable_version, row.policy_version) == (2, 1)
    async with store.sessions() as session:
        second = await session.get_one(TimetableRow, (lot.lot_id, 2))
        first = await session.get_one(TimetableRow, (lot.lot_id, 1))
        policy = await session.get_one(OpeningPolicyRow, (lot.lot_id, 1))
    assert second.previous == first.digest
    assert policy.digest == lot.policy_hash
    kinds = await kinds_about(store, lot.lot_id)
    assert set(kinds[-2:]) == {"TimetableAmended", "ClarificationPublished"}


async def test_a_clarification_that_affects_no_bid_may_come_late(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    raw = a_clarification(lot, cast.agency, may_affect_bids=False)
    async with transaction(
        store, actor=cast.agency.actor, now=DEADLINE - timedelta(seconds=1)
    ) as tx:
        assert (await tendering.clarify(tx, lot.lot_id, raw)).number == 2


async def test_a_clarification_brings_files_that_were_uploaded(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    content = b"corrected quantities"
    file = {"name": "更正清单.xml", "sha256": b64u(sha256(content)), "size": len(content)}
    raw = a_clarification(lot, cast.agency, may_affect_bids=False, documents=[file])
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        with pytest.raises(NotFound, match="not uploaded"):
            await tendering.clarify(tx, lot.lot_id, raw)

    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        await drafting.keep_clarification_file(tx, lot.lot_id, content)
        await tendering.clarify(tx, lot.lot_id, raw)

    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        file_found, found = await tendering.read_document(
            tx, lot.lot_id, "更正清单.xml", clarification=2
        )
    assert (found, file_found.clarification) == (content, 2)

    unreadable = a_clarification(
        lot, cast.agency, number=3, documents=[{**file, "name": "tender-file.json"}]
    )
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        with pytest.raises(Malformed):
            await tendering.clarify(tx, lot.lot_id, unreadable)


async def test_a_clarification_changes_terms_and_the_lot_follows_its_very_words(
    store: Store, cast: Cast, lot: PublishedLot, database: Database
) -> None:
    scheme = canonical({**SCHEME, "note": "第二版"})
    terms = {
        "ceiling_price": "127000000.00",
        "bid_security": "700000.00",
        "security_forms": ["insurance", "surety_bond"],
        "sheet_fields": [*SHEET_FIELDS, {"key": "days2", "label": "保修期", "kind": "count"}],
        "scheme": b64u(sha256(scheme)),
    }

    async def said(scheme: bytes | None, *, judge: Any = tendering.unjudged, **changes: Any) -> int:
        raw = a_clarification(lot, cast.agency, **changes)
        async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
            done = await tendering.clarify(tx, lot.lot_id, raw, scheme=scheme, judge=judge)
            return done.number

    def against(_: object) -> tuple[list[Refusal], list[Caution]]:
        return [Refusal("scheme_malformed", BIDDING_LAW[19], "评标办法不能识别")], []

    with pytest.raises(Refused) as refused:
        await said(scheme, terms=terms, may_affect_bids=False)
    assert [one.code for one in refused.value.refusals] == ["effect_denied"] * 5
    with pytest.raises(Refused) as refused:
        await said(scheme, terms={**terms, "bid_security": "2600000.01"}, judge=against)
    assert codes(refused) == {"security_too_high", "scheme_malformed"}
    for wrong in (None, canonical(SCHEME)):
        with pytest.raises(Malformed) as fault:
            await said(wrong, terms=terms)
        assert fault.value.code == "scheme"

    assert await said(scheme, terms=terms) == 2
    row = await lot_row(store, lot.lot_id)
    assert (row.ceiling_price, row.bid_security) == (Decimal(127000000), Decimal(700000))
    assert row.sheet_fields == terms["sheet_fields"]
    assert row.scheme_digest == sha256(scheme)
    engine = connect(database.url(OWNER), pool_size=1)
    try:
        async with engine.connect() as connection:
            assert ("", sha256(canonical(SCHEME))) in await documents_named(connection)
            assert await term_faults(connection) == []
            await connection.execute(text("ALTER TABLE trading.lot DISABLE TRIGGER USER"))
            await connection.execute(text("UPDATE trading.lot SET bid_security = 1"))
            assert await term_faults(connection) == [
                f"lot {lot.lot_id} follows other terms than its notices state"
            ]
    finally:
        await engine.dispose()


async def test_two_clarifications_with_one_number_cannot_both_be_published(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    raw = a_clarification(lot, cast.agency, may_affect_bids=False)
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        await tendering.clarify(tx, lot.lot_id, raw)
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        with pytest.raises(Outrun):
            await tendering.clarify(tx, lot.lot_id, raw)


async def test_a_deadline_moves_only_later(store: Store, cast: Cast, lot: PublishedLot) -> None:
    earlier = an_amendment(lot, cast.agency, bids_due_at="2026-03-22T01:30:00Z")
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await tendering.amend_timetable(tx, lot.lot_id, earlier)

    assert codes(refused) == {"deadline_brought_forward"}


async def test_a_deadline_that_is_reached_cannot_be_moved(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    later = an_amendment(lot, cast.agency, bids_due_at="2026-03-30T01:30:00Z")
    async with transaction(store, actor=cast.agency.actor, now=DEADLINE) as tx:
        with pytest.raises(Refused) as refused:
            await tendering.amend_timetable(tx, lot.lot_id, later)
    assert codes(refused) == {"deadline_reached"}

    before = DEADLINE - timedelta(microseconds=1)
    async with transaction(store, actor=cast.agency.actor, now=before) as tx:
        assert await tendering.amend_timetable(tx, lot.lot_id, later) == 2


async def test_an_amendment_must_follow_the_version_in_force(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    times = {"bids_due_at": "2026-03-30T01:30:00Z"}
    for wrong in ({"version": 3}, {"previous": b64u(bytes(32))}):
        async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
            with pytest.raises(Outrun):
                await tendering.amend_timetable(
                    tx, lot.lot_id, an_amendment(lot, cast.agency, **times, **wrong)
                )


# ── cancelling, and who took the documents ────────────────────────────────────────────────────


async def test_a_cancelled_lot_says_why_and_moves_no_further(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    await cancelled(store, cast, lot, now=NOW)

    row = await lot_row(store, lot.lot_id)
    assert (row.state, row.due_at) == ("cancelled", None)
    assert set((await kinds_about(store, lot.lot_id))[-2:]) == {"LotMoved", "LotCancelled"}


async def test_a_cancelled_lot_keeps_no_fillers_of_the_log_undisclosed(
    store: Store, cast: Cast, lot: PublishedLot, log_line: AsyncEngine
) -> None:
    async def disclosed() -> int:
        async with log_line.connect() as connection:
            while await sequence_once(connection):
                pass
            for _ in range(2):
                await integrate_once(connection, epoch_length=timedelta(0))
            return await disclose_fillers(connection)

    assert await disclosed() == 0
    assert await disclosed() == 0
    await cancelled(store, cast, lot, now=NOW)
    assert await disclosed() > 0


async def test_nobody_learns_who_took_the_documents_before_the_close(
    store: Store, cast: Cast, lot: PublishedLot, tick: Tick
) -> None:
    bidder = await a_player(store, Role.BIDDER)
    async with transaction(store, actor=bidder.actor, now=NOW) as tx:
        taken = await tendering.take_documents(tx, lot.lot_id)
        _, content = await tendering.read_document(tx, lot.lot_id, taken.files[-1].name)
    await tick()

    assert content.startswith(b"%PDF")
    for name in (
        PUBLIC_FEED,
        SUPERVISORS_FEED,
        room(lot.lot_id, Audience.PUBLIC),
        room(lot.lot_id, Audience.SUPERVISORS),
        own_acts(cast.agency.party),
        own_acts(cast.tenderee.party),
    ):
        assert "DocumentsTaken" not in [entry.kind for entry in await view(store, name)]
    mine = [entry.kind for entry in await view(store, own_acts(bidder.party))]
    assert mine.count("DocumentsTaken") == 2


async def test_an_unverified_bidder_gets_no_documents(store: Store, lot: PublishedLot) -> None:
    bidder = await a_player(store, Role.BIDDER, verified=False)
    async with transaction(store, actor=bidder.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await tendering.take_documents(tx, lot.lot_id)

    assert codes(refused) == {"organisation_unverified"}


async def test_documents_are_offered_to_newcomers_until_the_last_moment_promised(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    early, late = [await a_player(store, Role.BIDDER) for _ in range(2)]
    until = parse_instant(a_plan()["documents_until"])
    async with transaction(store, actor=early.actor, now=until) as tx:
        await tendering.take_documents(tx, lot.lot_id)

    after = until + timedelta(seconds=1)
    async with transaction(store, actor=late.actor, now=after) as tx:
        with pytest.raises(Refused) as refused:
            await tendering.take_documents(tx, lot.lot_id)
    assert codes(refused) == {"documents_no_longer"}
    async with transaction(store, actor=early.actor, now=after) as tx:
        assert (await tendering.take_documents(tx, lot.lot_id)).files


async def test_the_agency_of_a_lot_cannot_take_part_as_a_bidder(
    store: Store, cast: Cast, lot: PublishedLot
) -> None:
    bidder = await a_player(store, Role.BIDDER, party=cast.agency.party)
    async with transaction(store, actor=bidder.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await tendering.take_documents(tx, lot.lot_id)

    assert codes(refused) == {"conflicting_capacity"}


def _payload(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Envelope.from_bytes(raw).payload)
    return found


def _key(who: Player, project_id: UUID, lot_id: UUID, key: PrivateKey) -> bytes:
    return key_statement(who, project_id, lot_id, key)
