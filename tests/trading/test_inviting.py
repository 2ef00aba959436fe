"""Lots by invitation, from the list to the award: Bidding Law 17, 22; Procurement Tender Measures
14; Government Procurement Law 40.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from kernel.crypto.digests import b64u, sha256
from kernel.crypto.signing import Envelope
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.identifiers import PartyId
from kernel.store.tables import JournalRow, ViewEntryRow
from kernel.store.transaction import Store, transaction
from tests.awards import (
    Evaluated,
    a_report,
    a_sheet,
    a_zip,
    awarded,
    candidates_published,
    handed_over,
    record_signed,
    report_taken,
    standstill_ended,
)
from tests.opened_lots import (
    a_hall,
    an_entry,
    everything_opened,
    released,
    window_ended,
)
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import (
    NOW,
    Player,
    a_cast,
    a_draft,
    a_project,
    a_published_lot,
    signed_papers,
)
from trading import document_versions, inviting, lots, notice_board, tendering
from trading.cataloguing import CatalogueFacts
from trading.inviting import InvitationList
from trading.rules.invited_bidders import Source, drawn_first, invited_commitment
from trading.rules.lot_lifecycle import LotState
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure
from trading.rules.procurement_methods import MethodGround
from trading.rules.trading_catalogue import InvitationGround
from trading.sound_invitations import invitation_faults
from trading.tables import InviteeRow

PRICES = ("118600000.00", "121300000.00", "119950000.00")
WITNESSES = ("周处", "吴科")

PROJECTS: dict[Procedure, dict[str, Any]] = {
    Procedure.INVITED_TENDER_MANDATORY: {
        "facts": CatalogueFacts(
            invitation_ground=InvitationGround.FEW_BIDDERS,
            invitation_document="江发改批〔2026〕8号",
        )
    },
    Procedure.INVITED_TENDER_VOLUNTARY: {"state_funded": False},
    Procedure.PROCUREMENT_INVITED_TENDER: {},
}
BOOKED = pytest.mark.parametrize("procedure", PROJECTS)


def an_invitation(procedure: Procedure, guests: list[Player], **changes: Any) -> InvitationList:
    """All of them where they may be chosen; three drawn of them in procurement."""
    listed = tuple(one.party for one in guests)
    told = InvitationList(Source.CHOSEN, listed)
    if procedure is Procedure.PROCUREMENT_INVITED_TENDER:
        told = InvitationList(Source.LIST, listed, 3, WITNESSES, "抽取记录")
    return replace(told, **changes)


@dataclass(frozen=True, slots=True)
class InvitedLot:
    """A lot by invitation that is open for bids, who is invited, and who was only listed."""

    tender: Tender
    invited: list[Player]
    others: list[Player]


async def an_invited_lot(store: Store, procedure: Procedure) -> InvitedLot:
    cast = await a_cast(store)
    drawn = procedure is Procedure.PROCUREMENT_INVITED_TENDER
    guests = [await a_bidder(store) for _ in range(6 if drawn else 3)]
    project_id = await a_project(store, cast, procedure=procedure, **PROJECTS[procedure])
    lot = await a_published_lot(
        store, cast, project_id, invitation=an_invitation(procedure, guests)
    )
    async with transaction(store, actor=cast.agency.actor) as tx:
        told = await inviting.invitation(tx, lot.lot_id)
    assert told is not None
    invited = {one.party_id for one in told.invited}
    return InvitedLot(
        Tender(cast, lot),
        [one for one in guests if one.party in invited],
        [one for one in guests if one.party not in invited] or [await a_bidder(store)],
    )


async def evaluated(store: Store, lot: InvitedLot) -> Evaluated:
    """Everybody invited bids, the bids are opened, and the committee ranks them by price."""
    entries = [
        await an_entry(
            store,
            lot.tender,
            price,
            sheet=a_sheet(price),
            bid=a_zip({"报价.csv": price.encode()}),
            player=player,
        )
        for price, player in zip(PRICES, lot.invited, strict=True)
    ]
    hall = await a_hall(store, lot.tender, entries)
    for entry in entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    await record_signed(hall)
    await handed_over(hall)
    report = await a_report(hall, rejected=0)
    now = await hall.window_ends_at() + timedelta(hours=6)
    await report_taken(store, report, now=now)
    by_party = {entry.player.party: entry for entry in entries}
    return Evaluated(hall, report, tuple(by_party[one.bidder_id] for one in report.ranking), now)


@pytest.mark.accepts("SC-07", "SC-08")
@BOOKED
async def test_an_invited_tender_is_walked_to_its_award(
    store: Store,
    procedure: Procedure,
    sound: Callable[[], Awaitable[None]],
    tick: Callable[[], Awaitable[None]],
) -> None:
    lot = await an_invited_lot(store, procedure)
    walked = await evaluated(store, lot)
    done = await candidates_published(walked)
    await standstill_ended(walked, done.until + timedelta(seconds=1))
    award = await awarded(walked, walked.ranked[0], now=done.until + timedelta(minutes=1))
    assert award.price == min(map(Decimal, PRICES))
    async with transaction(store, actor=lot.tender.cast.agency.actor) as tx:
        assert (await lots.hold(tx, lot.tender.lot_id)).state == LotState.AWARDED
    await tick()
    await sound()


async def invited_to(store: Store, who: Player) -> list[str]:
    """The names of the lots to which this bidder finds itself invited."""
    async with transaction(store, actor=who.actor) as tx:
        return [one.lot_name for one in await inviting.own_invitations(tx)]


async def refused(
    store: Store, who: Player, act: Callable[..., Awaitable[Any]], *given: Any
) -> Any:
    """The one ground on which this act is refused."""
    with pytest.raises(Refused) as caught:
        async with transaction(store, actor=who.actor, now=NOW) as tx:
            await act(tx, *given)
    (ground,) = caught.value.refusals
    return ground


@pytest.mark.refuses("SC-07", "SC-08")
async def test_only_the_invited_see_the_documents_and_may_bid(store: Store) -> None:
    lot = await an_invited_lot(store, Procedure.PROCUREMENT_INVITED_TENDER)
    lot_id, stranger = lot.tender.lot_id, lot.others[0]
    ground = await refused(store, stranger, tendering.take_documents, lot_id)
    assert (ground.code, "第14条" in str(ground.article)) == ("not_invited", True)
    await refused(store, stranger, tendering.read_document, lot_id, "招标文件.pdf")
    with pytest.raises(Refused) as caught:
        await an_entry(store, lot.tender, PRICES[0], player=stranger)
    assert [one.code for one in caught.value.refusals] == ["not_invited"]

    for who, kept_from in ((stranger, True), (lot.invited[0], False)):
        async with transaction(store, actor=who.actor, now=NOW) as tx:
            seen = await notice_board.notice(tx, lot_id)
            versions = await document_versions.versions(tx, lot_id)
        assert (seen.by_invitation, seen.kept_from) == (True, kept_from)
        assert (seen.document is None, seen.files == (), dict(seen.scheme) == {}) == (
            *(kept_from,) * 3,
        )
        assert (dict(versions[0].files) == {}) is kept_from
    async with transaction(store, actor=lot.invited[0].actor, now=NOW) as tx:
        assert (await tendering.take_documents(tx, lot_id)).files
    assert await invited_to(store, stranger) == []
    assert await invited_to(store, lot.invited[0]) == ["施工总承包一标段"]


async def test_nobody_else_learns_who_is_invited_or_how_many_before_the_opening(
    store: Store, tick: Callable[[], Awaitable[None]]
) -> None:
    lot = await an_invited_lot(store, Procedure.INVITED_TENDER_MANDATORY)
    lot_id, cast = lot.tender.lot_id, lot.tender.cast
    with pytest.raises(NotFound):
        async with transaction(store, actor=cast.supervisor.actor, now=NOW) as tx:
            await inviting.invitation(tx, lot_id)
    for who in (lot.invited[0], cast.staff):
        with pytest.raises(NotPermitted):
            async with transaction(store, actor=who.actor, now=NOW) as tx:
                await inviting.invitation(tx, lot_id)
    await tick()
    async with store.sessions() as session:
        rows = await session.execute(
            select(ViewEntryRow.view, JournalRow.kind)
            .join(JournalRow, JournalRow.id == ViewEntryRow.entry_id)  # type: ignore[arg-type]  # a column
            .where(JournalRow.kind.in_(["BidderInvited", "InviteesNamed"]))  # type: ignore[attr-defined]  # a column
        )
        seen = {(view, kind) for view, kind in rows}
    owners = {str(cast.tenderee.party), str(cast.agency.party)}
    guests = {str(one.party) for one in lot.invited}
    for view, kind in seen:
        may_know = guests if kind == "BidderInvited" else owners
        assert any(party in view for party in may_know), (view, kind)
    assert len([kind for _, kind in seen if kind == "BidderInvited"]) == len(guests)


@pytest.mark.refuses("SC-07", "SC-08")
async def test_a_list_is_judged_when_it_is_made_and_drawn_once(store: Store) -> None:
    cast = await a_cast(store)
    owner = cast.agency
    guests = [await a_bidder(store) for _ in range(6)]
    booked = Procedure.PROCUREMENT_INVITED_TENDER
    _, lot_id = await a_draft(store, cast, await a_project(store, cast, procedure=booked))
    told = an_invitation(booked, guests)
    own = replace(told, listed=(*told.listed[:5], owner.party))
    for spoilt, code in (
        (replace(told, witnesses=("周处", "周处")), "too_few_witnesses"),
        (replace(told, listed=told.listed[:5]), "choice_too_small"),
        (replace(told, source=Source.CHOSEN), "not_drawn"),
        (replace(told, record=" "), "no_record"),
        (replace(told, count=2), "too_few_invited"),
        (replace(told, listed=(*told.listed[:5], told.listed[0])), "guest_twice"),
        (own, "not_a_bidder"),
    ):
        ground = await refused(store, owner, inviting.name_invited, lot_id, spoilt)
        assert (ground.code, "第14条" in str(ground.article)) == (code, True)

    async with transaction(store, actor=owner.actor, now=NOW) as tx:
        drawn = await inviting.name_invited(tx, lot_id, told)
    again = await refused(store, owner, inviting.name_invited, lot_id, told)
    assert again.code == "already_drawn"
    async with transaction(store, actor=owner.actor, now=NOW) as tx:
        kept = await inviting.invitation(tx, lot_id)
    assert kept is not None
    assert kept.seed is not None
    assert drawn == tuple(map(PartyId, drawn_first(told.listed, kept.seed, count=3)))
    papers = await signed_papers(store, owner, lot_id)
    notice = json.loads(Envelope.from_bytes(papers.notice).payload)
    assert notice["invited"] == b64u(invited_commitment(kept.salt, drawn))


async def test_a_list_may_be_replaced_until_the_lot_is_published_where_nobody_was_drawn(
    store: Store,
) -> None:
    cast = await a_cast(store)
    guests = [await a_bidder(store) for _ in range(4)]
    booked = Procedure.INVITED_TENDER_VOLUNTARY
    project = await a_project(store, cast, procedure=booked, **PROJECTS[booked])
    _, lot_id = await a_draft(store, cast, project)
    papers = await signed_papers(store, cast.agency, lot_id)
    ground = await refused(store, cast.agency, tendering.publish_lot, lot_id, papers)
    assert (ground.code, "第17条" in str(ground.article)) == ("too_few_invited", True)
    for listed in (guests[:3], guests[1:]):
        async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
            told = an_invitation(booked, listed)
            assert await inviting.name_invited(tx, lot_id, told) == told.listed
    assert await invited_to(store, guests[3]) == []
    papers = await signed_papers(store, cast.agency, lot_id)
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        await tendering.publish_lot(tx, lot_id, papers)
    assert await invited_to(store, guests[0]) == []
    assert await invited_to(store, guests[3]) == ["施工总承包一标段"]
    ground = await refused(store, cast.agency, inviting.name_invited, lot_id, told)
    assert ground.code == "already_published"


async def test_an_inquiry_may_invite_everybody_by_its_notice_or_some_by_name(store: Store) -> None:
    cast = await a_cast(store)
    guests = [await a_bidder(store) for _ in range(3)]
    facts = CatalogueFacts(method_ground=MethodGround.STANDARD_GOODS, method_document="论证意见")
    project = await a_project(
        store,
        cast,
        procedure=Procedure.REQUEST_FOR_QUOTATIONS,
        category=WorkKind.GOODS,
        facts=facts,
    )
    terms: dict[str, Any] = {
        "estimate": Decimal(600_000),
        "ceiling_price": None,
        "bid_security": Decimal(0),
    }
    by_notice = await a_published_lot(store, cast, project, **terms)
    by_name = await a_published_lot(
        store,
        cast,
        project,
        invitation=an_invitation(Procedure.REQUEST_FOR_QUOTATIONS, guests),
        **terms,
    )
    stranger = await a_bidder(store)
    async with transaction(store, actor=stranger.actor, now=NOW) as tx:
        assert (await tendering.take_documents(tx, by_notice.lot_id)).files
    ground = await refused(store, stranger, tendering.take_documents, by_name.lot_id)
    assert (ground.code, "第40条" in str(ground.article)) == ("not_invited", True)
    two = an_invitation(Procedure.REQUEST_FOR_QUOTATIONS, guests[:2])
    _, lot_id = await a_draft(store, cast, project, **terms)
    ground = await refused(store, cast.agency, inviting.name_invited, lot_id, two)
    assert ground.code == "too_few_invited"


TAMPERINGS = {
    "UPDATE trading.invitee SET invited = NOT invited": "are not those of its notice",
    "UPDATE trading.invitation SET salt = sha256('x')": "are not those of its notice",
    "UPDATE trading.invitation SET seed = :other": "whom its seed draws",
    "DELETE FROM trading.invitee; DELETE FROM trading.invitation": "of nobody is it kept",
}


async def test_whoever_exchanges_the_invited_afterwards_is_found_out(store: Store) -> None:
    await an_invited_lot(store, Procedure.PROCUREMENT_INVITED_TENDER)
    async with store.sessions() as session:
        assert await invitation_faults(await session.connection()) == []
        listed = list(await session.scalars(select(InviteeRow)))
        guests = {one.party_id for one in listed if one.invited}
        parties = [one.party_id for one in listed]
        # Some seeds draw the same ones by chance.
        other = next(
            seed
            for seed in (sha256(bytes([number])) for number in range(256))
            if set(drawn_first(parties, seed, count=len(guests))) != guests
        )
        for tampering, fault in TAMPERINGS.items():
            connection = await session.connection()
            for statement in tampering.split(";"):
                told = {"other": other} if ":other" in statement else {}
                await connection.execute(text(statement), told)
            found = await invitation_faults(connection)
            assert any(fault in one for one in found), tampering
            await session.rollback()
