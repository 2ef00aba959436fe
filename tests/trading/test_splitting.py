"""An award split from its evaluation, from the draft into the notice: Bidding Law 40; Bidding
Regulation 55.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.access import PUBLIC
from kernel.errors import NotFound, Refused
from kernel.store.transaction import Store, transaction
from tests.awards import Evaluated, awarded, candidates_published, standstill_ended
from tests.newcomers import codes
from tests.sealed_bids import a_bidder
from tests.tenders import NOW, a_cast, a_draft, a_project, signed_papers
from trading import notice_board, splitting, tendering
from trading.rules.procedures import Procedure
from trading.rules.split_award import DecisionMethod, SplitAward, Tie
from trading.sound_awards import award_faults

VOTE = SplitAward(DecisionMethod.VOTE, 3, "信用、履约能力和报价", Tie.BETTER_RANK, "某市试点办法")


async def faults(store: Store) -> list[str]:
    engine = store.sessions.kw["bind"]
    assert isinstance(engine, AsyncEngine)
    async with engine.connect() as connection:
        return await award_faults(connection)


async def test_a_draft_names_its_method_for_its_owners_and_its_notice_for_everybody(
    store: Store,
) -> None:
    cast = await a_cast(store)
    _, lot_id = await a_draft(store, cast)
    owner = cast.agency.actor
    async with transaction(store, actor=owner, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await splitting.name_award_method(tx, lot_id, replace(VOTE, basis=" "))
    assert codes(refused) == {"no_split_basis"}
    async with transaction(store, actor=owner, now=NOW) as tx:
        await splitting.name_award_method(tx, lot_id, VOTE)
    async with transaction(store, actor=owner, now=NOW) as tx:
        told = await splitting.award_method(tx, lot_id)
        papers = await tendering.publication_papers(tx, lot_id)
    assert told.split == VOTE
    assert [one.code for one in told.cautions] == ["split_on_pilot_rules"]
    assert "split_on_pilot_rules" in {one.code for one in papers.cautions}
    stranger = await a_bidder(store)
    with pytest.raises(NotFound):
        async with transaction(store, actor=stranger.actor, now=NOW) as tx:
            await notice_board.notice(tx, lot_id)

    signed = await signed_papers(store, cast.agency, lot_id)
    async with transaction(store, actor=owner, now=NOW) as tx:
        await tendering.publish_lot(tx, lot_id, signed)
    async with transaction(store, actor=PUBLIC, now=NOW) as tx:
        notice = await notice_board.notice(tx, lot_id)
    assert notice.award_method == VOTE.plain() == notice.papers[0].body["award_method"]
    with pytest.raises(Refused) as refused:
        async with transaction(store, actor=owner, now=NOW) as tx:
            await splitting.name_award_method(tx, lot_id, None)
    assert codes(refused) == {"already_published"}


async def test_procurement_has_no_method_but_the_ranking(store: Store) -> None:
    cast = await a_cast(store)
    project = await a_project(store, cast, procedure=Procedure.PROCUREMENT_OPEN_TENDER)
    _, lot_id = await a_draft(store, cast, project)
    with pytest.raises(Refused) as refused:
        async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
            await splitting.name_award_method(tx, lot_id, VOTE)
    assert codes(refused) == {"may_not_split"}


async def test_an_award_beside_its_method_is_found(store: Store, evaluated: Evaluated) -> None:
    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    await awarded(evaluated, evaluated.ranked[0], now=published.until)
    assert await faults(store) == []
    async with store.sessions() as session, session.begin():
        await session.execute(
            text("UPDATE trading.lot SET award_method = CAST(:method AS jsonb)"),
            {"method": json.dumps(VOTE.plain())},
        )
    found = " ".join(await faults(store))
    assert "another method than its notice names" in found
    assert "not as decided: no_minutes" in found
