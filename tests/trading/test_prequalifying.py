"""Prequalification as it is held: Bidding Law 22; Bidding Regulation 15, 18, 19, 31, 36, 37, 43;
Government Procurement Regulation 21.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlmodel import col

from kernel.access import PUBLIC
from kernel.crypto.digests import Malformed, b64u, instant_text
from kernel.errors import NotFound, Outrun, Refused
from kernel.settings import Settings
from kernel.statute import BIDDING_REGULATION
from kernel.store.tables import JournalRow
from kernel.store.transaction import Store, transaction
from tests.prequalifications import (
    APPLIED,
    DUE,
    RELEASED,
    REVIEWED,
    WORDS,
    Applied,
    Called,
    a_call,
    amended,
    an_addendum,
    an_agreement,
    an_applicant,
    an_application,
    application_statement,
    released,
    reviewed,
    sent,
    submitted,
    with_agreement,
)
from tests.sealed_bids import a_bidder
from tests.tenders import NOW, signed, signed_papers
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import page
from trading import drafting, prequalification_views, prequalifying, tendering, uploading
from trading.prequalification_rounds import qualified_members
from trading.prequalifying import Amended
from trading.rules.prequalification import Phase
from trading.tables import LotRow
from web.app import create_app


@pytest.fixture
def called(called_lot: Called) -> Called:
    return called_lot


async def grounds(act: Any) -> list[tuple[str, object]]:
    with pytest.raises(Refused) as refused:
        await act
    return [(one.code, one.article) for one in refused.value.refusals]


async def public_kinds(store: Store) -> list[str]:
    async with store.sessions() as session:
        rows = await session.scalars(
            text("SELECT kind FROM kernel.journal WHERE audience <> 'party' ORDER BY recorded_at")
        )
        return list(rows)


async def seen(store: Store, called: Called, actor: Any, *, at: Any) -> Any:
    async with transaction(store, actor=actor, now=at) as tx:
        return await prequalification_views.prequalification(tx, called.lot_id)


async def test_an_application_is_taken_in_replaced_and_taken_back_and_nobody_learns_of_it(
    store: Store, called: Called
) -> None:
    who = await a_bidder(store)
    applied = an_application(called, who, {"申请文件.pdf": b"good"})
    await sent(store, called, applied)
    raw = application_statement(called, who, applied.file)
    first = await submitted(store, called, who, raw)
    assert await submitted(store, called, who, raw) == first

    again = an_application(called, who, {"申请文件.pdf": b"better"})
    raw = application_statement(called, who, again.file, seq=2)
    assert await grounds(submitted(store, called, who, raw)) == [
        ("incomplete", BIDDING_REGULATION[43])
    ]
    await sent(store, called, again)
    assert (await submitted(store, called, who, raw)).seq == 2
    back = application_statement(called, who, None, seq=3)
    assert (await submitted(store, called, who, back)).withdrawn
    raw = application_statement(called, who, None, seq=4)
    assert [code for code, _ in await grounds(submitted(store, called, who, raw))] == [
        "nothing_to_withdraw"
    ]

    own = await seen(store, called, who.actor, at=APPLIED)
    assert [one.seq for one in own.own] == [1, 2, 3]
    for other in (PUBLIC, called.cast.agency.actor, called.cast.supervisor.actor):
        found = await seen(store, called, other, at=APPLIED)
        assert (found.own, found.result, found.qualified) == ((), None, ())
    assert not {"ApplicationSubmitted", "ApplicationWithdrawn", "ApplicationRefused"} & set(
        await public_kinds(store)
    )


async def test_at_the_very_deadline_it_is_late_and_nothing_more_is_uploaded(
    store: Store, called: Called
) -> None:
    who = await a_bidder(store)
    applied = an_application(called, who, {"申请文件.pdf": b"late"})
    await sent(store, called, applied)
    raw = application_statement(called, who, applied.file)
    assert await grounds(submitted(store, called, who, raw, now=DUE)) == [
        ("late", BIDDING_REGULATION[43])
    ]
    async with transaction(store, actor=who.actor, now=DUE) as tx:
        with pytest.raises(Refused):
            await uploading.open_upload(tx, called.lot_id, applied.file.announcement)
    moment = timedelta(microseconds=1)
    assert (await submitted(store, called, who, raw, now=DUE - moment)).seq == 1


async def test_an_addendum_moves_the_deadline_and_takes_nothing_from_who_applied_before(
    store: Store, called: Called, settings: Settings
) -> None:
    agency, early, late = called.cast.agency, await a_bidder(store), await a_bidder(store)
    await an_applicant(store, called, early)
    moved, then = DUE + timedelta(days=3), DUE - timedelta(days=1)
    async with transaction(store, actor=agency.actor, now=then) as tx:
        file = await prequalifying.keep_file(tx, called.lot_id, b"%PDF-1.7 forms")
    added = {"name": "申请文件格式.pdf", "sha256": b64u(file), "size": 14}

    def told(*, now: datetime = then, **changes: Any) -> bytes:
        given = {"documents": [added], "applications_due_at": instant_text(moved), **changes}
        return an_addendum(called, now=now, **given)

    assert await grounds(amended(store, called, told(applications_due_at=None), now=then)) == [
        ("deadline_must_move", BIDDING_REGULATION[21])
    ]
    with pytest.raises(Malformed, match="published already"):
        again = told(documents=[{**added, "name": "资格预审文件.pdf"}])
        await amended(store, called, again, now=then)
    raw = told()
    for _ in range(2):
        assert await amended(store, called, raw, now=then) == Amended(1, moved)
    with pytest.raises(Outrun):
        await amended(store, called, told(title="又一次"), now=then)

    found = await seen(store, called, PUBLIC, at=DUE)
    assert (found.phase, found.applications_due_at) == (Phase.APPLYING, moved)
    assert found.window_until - moved == timedelta(minutes=30)
    assert [(one.title, one.moved) for one in found.addenda] == [("补充申请文件格式", True)]
    async with transaction(store, actor=PUBLIC) as tx:
        _, content = await prequalification_views.document(tx, called.lot_id, "申请文件格式.pdf")
    assert content == b"%PDF-1.7 forms"
    # Whoever came before need not come again, and others may come until the new deadline.
    own = await seen(store, called, early.actor, at=DUE)
    assert own.standing is not None
    applied = an_application(called, late, {"申请文件.pdf": b"%PDF"})
    await sent(store, called, applied)
    raw = application_statement(called, late, applied.file)
    assert await grounds(submitted(store, called, late, raw, now=moved)) == [
        ("late", BIDDING_REGULATION[43])
    ]
    assert (await submitted(store, called, late, raw, now=DUE)).seq == 1
    second = told(number=2, documents=[], may_affect=False, now=moved)
    assert await grounds(amended(store, called, second, now=moved)) == [
        ("wrong_stage", BIDDING_REGULATION[18])
    ]
    house = create_app(store, settings)
    html = await page(house, f"/prequalifications/{called.lot_id}")
    assert "申请截止顺延至" in html
    assert faults_of(tree_of(html)) == []
    async with store.sessions() as session:
        entry = await session.scalar(
            select(JournalRow).where(col(JournalRow.kind) == "PrequalificationAmended")
        )
        assert entry is not None
        assert str(early.party) not in entry.record.decode()


async def test_one_sealed_under_another_notice_is_turned_away(store: Store, called: Called) -> None:
    who = await a_bidder(store)
    other = Called(called.cast, called.project_id, called.lot_id, b"{}")
    applied = an_application(other, who, {"申请文件.pdf": b"x"})
    await sent(store, called, applied)
    raw = application_statement(called, who, applied.file)
    assert await grounds(submitted(store, called, who, raw)) == [
        ("not_sealed", BIDDING_REGULATION[43])
    ]


async def test_who_applied_is_shown_to_the_tenderee_once_the_window_is_over_and_not_before(
    store: Store, called: Called
) -> None:
    """Bidding Law 22: neither the names nor the number."""
    bidders = [await a_bidder(store) for _ in range(2)]
    first, second = [await an_applicant(store, called, one) for one in bidders]
    agency = called.cast.agency.actor
    assert await grounds(released(store, called, first, now=APPLIED)) != []
    for moment in (APPLIED, DUE, RELEASED):
        async with transaction(store, actor=agency, now=moment) as tx:
            with pytest.raises(Refused) as refused:
                await prequalification_views.applicants(tx, called.lot_id)
        assert "2" not in str(refused.value.refusals[0].facts)
    wrong = bytes(32)
    assert [code for code, _ in await grounds(released(store, called, first, secret=wrong))] == [
        "wrong_secret"
    ]
    await released(store, called, first)
    await released(store, called, first)
    assert [code for code, _ in await grounds(released(store, called, second, now=REVIEWED))] == [
        "window_closed"
    ]

    async with transaction(store, actor=agency, now=REVIEWED) as tx:
        (one,) = await prequalification_views.applicants(tx, called.lot_id)
        content = await prequalification_views.application_file(
            tx, called.lot_id, one.application_id, "申请文件.pdf"
        )
    assert (one.party_id, one.files) == (bidders[0].party, (("申请文件.pdf", len(content)),))
    async with transaction(store, actor=agency, now=REVIEWED) as tx:
        with pytest.raises(NotFound):
            await prequalification_views.application_file(
                tx, called.lot_id, one.application_id, "没有.pdf"
            )


async def three_and_one(store: Store, called: Called) -> list[Applied]:
    applied = [await an_applicant(store, called, await a_bidder(store)) for _ in range(4)]
    for one in applied:
        await released(store, called, one)
    return applied


@pytest.mark.accepts("NO-08")
async def test_each_is_told_its_own_result_and_the_lot_goes_out_once_three_have_passed(
    store: Store, called: Called
) -> None:
    applied = await three_and_one(store, called)
    *through, failed = [one.who.party for one in applied]
    agency = called.cast.agency
    async with transaction(store, actor=agency.actor, now=REVIEWED) as tx:
        papers = await tendering.publication_papers(tx, called.lot_id)
    assert ("prequalification_unfinished", BIDDING_REGULATION[19]) in [
        (one.code, one.article) for one in papers.refusals
    ]

    done = await reviewed(store, called, through, [failed])
    assert (done.passed, done.enough) == (3, True)
    for one in applied:
        own = await seen(store, called, one.who.actor, at=REVIEWED)
        assert own.result is not None
        assert own.result.passed is (one.who.party in through)
        assert bool(own.result.reasons) is (one.who.party == failed)
        assert own.qualified == ()
    assert "未附合同" in own.result.reasons[0]["reason"]
    kinds = await public_kinds(store)
    assert "PrequalificationEnded" in kinds
    assert "PrequalificationDecided" not in kinds

    signed_now = await signed_papers(store, agency, called.lot_id, now=REVIEWED)
    async with transaction(store, actor=agency.actor, now=REVIEWED) as tx:
        await tendering.publish_lot(tx, called.lot_id, signed_now)
        lot = await tx.session.get_one(LotRow, called.lot_id)
        assert await qualified_members(tx, lot) == {party: (party,) for party in through}
    later = REVIEWED + timedelta(hours=1)
    async with transaction(store, actor=applied[0].who.actor, now=later) as tx:
        assert (await tendering.take_documents(tx, called.lot_id)).files
    async with transaction(store, actor=applied[3].who.actor, now=later) as tx:
        with pytest.raises(Refused) as refused:
            await tendering.take_documents(tx, called.lot_id)
    assert [(one.code, one.article) for one in refused.value.refusals] == [
        ("not_prequalified", BIDDING_REGULATION[19])
    ]


@pytest.mark.refuses("NO-08")
async def test_fewer_than_three_and_applications_are_called_for_again(
    store: Store, called: Called
) -> None:
    applied = await three_and_one(store, called)
    through = [one.who.party for one in applied[:2]]
    failed = [one.who.party for one in applied[2:]]
    done = await reviewed(store, called, through, failed)
    assert (done.passed, done.enough) == (2, False)
    assert (await seen(store, called, PUBLIC, at=REVIEWED)).phase is Phase.FAILED

    agency = called.cast.agency
    shift = REVIEWED + timedelta(hours=1)
    said = await a_call(
        store,
        called.cast,
        called.lot_id,
        documents_until=instant_text(shift + timedelta(days=7)),
        applications_due_at=instant_text(shift + timedelta(days=14)),
    )
    async with transaction(store, actor=agency.actor, now=shift) as tx:
        raw = signed(agency, "prequalification", said)
        assert (await prequalifying.announce(tx, called.lot_id, raw)).round == 2
    found = await seen(store, called, applied[0].who.actor, at=shift)
    assert (found.phase, found.own, found.result) == (Phase.APPLYING, (), None)


async def test_a_review_judges_every_opened_application_by_what_was_published(
    store: Store, called: Called
) -> None:
    applied = await three_and_one(store, called)
    parties = [one.who.party for one in applied]
    for moment in (APPLIED, RELEASED):
        found = await grounds(reviewed(store, called, parties, now=moment))
        assert ("wrong_stage", BIDDING_REGULATION[18]) in found
    assert ("condition_left_out", BIDDING_REGULATION[18]) in await grounds(
        reviewed(store, called, parties[:3])
    )
    stranger = (await a_bidder(store)).party
    with pytest.raises(NotFound):
        await reviewed(store, called, [*parties, stranger])
    assert [code for code, _ in await grounds(reviewed(store, called, parties, reviewers=[]))] == [
        "no_reviewers"
    ]
    with pytest.raises(Outrun):
        await reviewed(store, called, parties, round=2)


async def test_a_call_that_says_too_little_or_leaves_too_little_time_is_refused(
    store: Store, called: Called
) -> None:
    agency = called.cast.agency
    said = await a_call(
        store,
        called.cast,
        called.lot_id,
        round=2,
        words={**WORDS, "consortium": " "},
        documents=[],
        conditions=[],
        documents_until=instant_text(NOW + timedelta(days=2)),
        applications_due_at=instant_text(NOW + timedelta(days=3)),
        release_window_s=0,
    )
    async with transaction(store, actor=agency.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await prequalifying.announce(
                tx, called.lot_id, signed(agency, "prequalification", said)
            )
    assert {one.code for one in refused.value.refusals} == {
        *("prequalification_stands", "notice_incomplete", "no_documents", "no_conditions"),
        *("no_release_window", "documents_too_short", "applications_too_short"),
    }
    async with transaction(store, actor=agency.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await drafting.drop_draft(tx, called.lot_id)
    assert [one.article for one in refused.value.refusals] == [BIDDING_REGULATION[31]]


async def test_a_tender_may_end_while_its_bidders_are_qualified(
    store: Store, called: Called
) -> None:
    applied = await an_applicant(store, called, await a_bidder(store))
    agency = called.cast.agency
    said = {
        "v": "ebid-notice/1",
        "kind": "cancellation",
        "project": str(called.project_id),
        "lot": str(called.lot_id),
        "reason": "项目用地规划调整",
        "promises": [],
        "signed_at": instant_text(RELEASED),
    }
    async with transaction(store, actor=agency.actor, now=RELEASED) as tx:
        await tendering.cancel_lot(tx, called.lot_id, signed(agency, "notice", said))
    assert (await seen(store, called, PUBLIC, at=RELEASED)).ended == "项目用地规划调整"
    assert await grounds(released(store, called, applied)) == [
        ("lot_cancelled", BIDDING_REGULATION[31])
    ]


@pytest.mark.accepts("BI-09")
async def test_a_consortium_passes_with_the_members_it_applied_with(
    store: Store, called: Called
) -> None:
    lead, second = pair = [await a_bidder(store) for _ in range(2)]
    agreement = an_agreement(called.project_id, called.lot_id, pair)
    applied = [
        await an_applicant(store, called, lead, with_agreement(agreement)),
        await an_applicant(store, called, second),
        await an_applicant(store, called, await a_bidder(store)),
    ]
    for one in applied:
        await released(store, called, one)
    async with transaction(store, actor=called.cast.agency.actor, now=REVIEWED) as tx:
        found = await prequalification_views.applicants(tx, called.lot_id)
    first, alone = (next(one for one in found if one.party_id == who.party) for who in pair)
    assert [one["name"] for one in first.members] == [lead.organisation, second.organisation]
    assert all(one["signed"] for one in first.members)
    assert [one.code for one in first.findings] == ["second_part"]
    assert [one.code for one in alone.findings] == ["second_part"]

    await reviewed(store, called, [one.who.party for one in applied])
    async with transaction(store, actor=called.cast.agency.actor, now=REVIEWED) as tx:
        lot = await tx.session.get_one(LotRow, called.lot_id)
        through = await qualified_members(tx, lot)
    assert through is not None
    assert set(through[lead.party]) == {lead.party, second.party}
