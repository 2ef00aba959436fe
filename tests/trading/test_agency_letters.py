"""Letters of authorisation: Bidding Law 15; Civil Code 165."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from kernel.crypto.digests import instant_text
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.store.transaction import Store, transaction
from tests.newcomers import codes
from tests.sealed_bids import Tender
from tests.tenders import NOW, Player, lot_terms, signed
from trading import agency_letters, drafting, tendering

DAY = timedelta(days=1)


def letter(tender: Tender, **changes: Any) -> dict[str, Any]:
    return {
        "v": "ebid-authorisation/1",
        "project": str(tender.lot.project_id),
        "agency": str(tender.cast.agency.party),
        "signed_at": instant_text(NOW),
        **changes,
    }


async def authorised(store: Store, tender: Tender, **changes: Any) -> None:
    tenderee = tender.cast.tenderee
    raw = signed(tenderee, "authorisation", letter(tender, **changes))
    async with transaction(store, actor=tenderee.actor, now=NOW) as tx:
        await drafting.authorise_agency(tx, tender.lot.project_id, raw)


async def ended(store: Store, tender: Tender, who: Player | None = None) -> None:
    who = who or tender.cast.tenderee
    said = letter(tender, v="ebid-authorisation-end/1", reason="委托合同解除")
    raw = signed(who, "authorisation-end", said)
    async with transaction(store, actor=who.actor, now=NOW) as tx:
        await agency_letters.end_authority(tx, tender.lot.project_id, raw)


async def drafted(store: Store, tender: Tender, who: Player, now: datetime = NOW) -> UUID:
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await drafting.draft_lot(tx, tender.lot.project_id, lot_terms())


async def kept(store: Store, tender: Tender, who: Player, now: datetime = NOW) -> None:
    """An act of a published lot's owner."""
    async with transaction(store, actor=who.actor, now=now) as tx:
        await drafting.keep_clarification_file(tx, tender.lot_id, b"%PDF-1.7 a plan")


async def refused_to(act: Any, *told: Any) -> set[str]:
    with pytest.raises(Refused) as refused:
        await act(*told)
    return codes(refused)


async def test_the_newest_letter_says_what_the_agency_may_do_until_when(
    store: Store, tender: Tender
) -> None:
    agency, tenderee = tender.cast.agency, tender.cast.tenderee
    await kept(store, tender, agency)  # named with the project, for all of it

    until = (NOW + 9 * DAY).date().isoformat()
    await authorised(store, tender, lots=[str(tender.lot_id)], until=until)
    await kept(store, tender, agency, NOW + 9 * DAY)
    assert await refused_to(drafted, store, tender, agency) == {"authorisation_other_lot"}
    assert await refused_to(kept, store, tender, agency, NOW + 10 * DAY) == {
        "authorisation_expired"
    }
    await kept(store, tender, tenderee, NOW + 10 * DAY)

    await authorised(store, tender, acts=["publish", "answer"])
    assert await refused_to(kept, store, tender, agency) == {"authorisation_other_act"}
    async with transaction(store, actor=agency.actor, now=NOW) as tx:
        found = await agency_letters.letter_of(tx, tender.lot.project_id)
    assert found is not None
    assert (found.number, found.plain()["acts"]) == (2, ["answer", "publish"])


async def test_an_agency_whose_letter_was_ended_does_nothing_until_the_next(
    store: Store, tender: Tender
) -> None:
    agency = tender.cast.agency
    with pytest.raises(Refused) as refused:
        await ended(store, tender)
    assert codes(refused) == {"no_letter"}
    await authorised(store, tender)
    with pytest.raises(NotPermitted):
        await ended(store, tender, agency)
    await ended(store, tender)
    for act in (kept, drafted):
        assert await refused_to(act, store, tender, agency) == {"authorisation_ended"}
    draft = await drafted(store, tender, tender.cast.tenderee)
    async with transaction(store, actor=tender.cast.tenderee.actor, now=NOW) as tx:
        papers = await tendering.publication_papers(tx, draft)
    assert "agency_not_authorised" in {one.code for one in papers.refusals}

    await authorised(store, tender, signed_at=instant_text(NOW + DAY))
    await kept(store, tender, agency)


async def test_a_letter_that_says_nothing_usable_is_refused(store: Store, tender: Tender) -> None:
    said = {"lots": [str(UUID(int=7))], "acts": [], "until": "2026-03-01"}
    with pytest.raises(Refused) as refused:
        await authorised(store, tender, **said)
    assert codes(refused) == {"letter_without_acts", "letter_outdated", "letter_other_lots"}
    stranger = tender.cast.supervisor
    with pytest.raises((NotFound, NotPermitted)):
        async with transaction(store, actor=stranger.actor, now=NOW) as tx:
            await agency_letters.letter_of(tx, tender.lot.project_id)
