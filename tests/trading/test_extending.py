"""All who bid are asked to stay bound longer; refusers leave: Regulation 25; Civil Code 478."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from kernel.errors import NotFound, Refused
from kernel.settings import Settings
from kernel.store.database import OWNER
from kernel.store.transaction import Store, transaction
from tests.awards import Evaluated, awarded, candidates_published, standstill_ended
from tests.conftest import Database
from tests.deposits import an_account, given_back, line, statement_taken
from tests.kept_stores import Lines
from tests.sealed_bids import a_bidder
from tests.validity import ANSWER_BY, extension_answered, extension_asked
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page
from trading import depositing
from trading.rules.security_course import ReturnCause, SecurityState
from trading.rules.validity_extension import Reply
from trading.sound_validities import validity_faults
from web.app import create_app

DAY = timedelta(days=1)


async def test_who_refuses_leaves_with_its_security_and_the_next_wins(
    store: Store, evaluated: Evaluated, settings: Settings
) -> None:
    lot_id, cast = evaluated.hall.lot_id, evaluated.hall.tender.cast
    first, second, third, _ = [one.player for one in evaluated.ranked]
    reference = await an_account(store, first, lot_id)
    await statement_taken(store, cast.staff, line("S1", reference))
    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    now = published.until + DAY
    with pytest.raises(Refused) as caught:
        await extension_asked(store, cast.agency, lot_id, now=now, validity_days=90)
    assert [one.code for one in caught.value.refusals] == ["not_longer"]
    asked = await extension_asked(store, cast.agency, lot_id, now=now)
    assert (asked.number, asked.cautions) == (1, ())
    with pytest.raises(NotFound):
        await extension_answered(store, await a_bidder(store), lot_id, agreed=True, now=now)
    refused = await extension_answered(store, first, lot_id, agreed=False, now=now)
    agreed = await extension_answered(store, second, lot_id, agreed=True, now=now)
    assert (refused, agreed) == (Reply.REFUSED, Reply.AGREED)
    with pytest.raises(Refused) as caught:
        await extension_answered(store, second, lot_id, agreed=False, now=now)
    assert [one.code for one in caught.value.refusals] == ["answered_already"]

    async with transaction(store, actor=first.actor, now=now) as tx:
        _, standing = await depositing.own_security(tx, lot_id)
    assert standing.state is SecurityState.TO_RETURN
    assert standing.due is not None
    assert standing.due.cause is ReturnCause.EXTENSION_REFUSED
    await given_back(store, cast.staff, reference, now=now + DAY)

    house = create_app(store, settings)
    path = f"/lots/{lot_id}/validity"
    needles = [
        (cast.agency, "不同意"),
        (third, "签名，同意延长"),
        (second, "同意延长"),
        (None, "第 1 次"),
    ]
    for who, needle in needles:
        html = await page(house, path, who)
        assert needle in html
        assert faults_of(tree_of(html)) == []
        assert (first.organisation in html) == (who is cast.agency)
    await page(house, f"/en{path}", third)
    told = await (await client_of(house, cast.supervisor)).get(f"/api/v1/lots/{lot_id}/validity")
    results, lapsed = f"/api/v1/lots/{lot_id}/award", []
    for who in (cast.agency, first, second, None):
        ranking = (await (await client_of(house, who)).get(results))["ranking"]
        lapsed.append([one["lapsed_at"] is not None for one in ranking])
    # Before the award it is told to nobody but those concerned; after it the reason is public.
    assert lapsed == [[True, False, False]] * 2 + [[False, False, False]] * 2
    replies = {one["bidder"]: one["reply"] for one in told["requests"][0]["answers"]}
    assert replies[first.organisation] == "refused"
    assert sorted(replies.values()) == ["agreed", "refused", "waiting", "waiting"]

    with pytest.raises(Refused) as caught:
        await awarded(evaluated, evaluated.ranked[0], now=now + DAY)
    assert [one.code for one in caught.value.refusals] == ["bid_lapsed"]
    # Long after the first validity: who agreed is still bound, and nobody need be set aside.
    award = await awarded(evaluated, evaluated.ranked[1], now=ANSWER_BY + 40 * DAY)
    assert (award.winner, award.rank) == (second.organisation, 2)
    assert award.cautions == ()
    ranking = (await (await client_of(house)).get(results))["ranking"]
    assert [one["lapsed_at"] is not None for one in ranking] == [True, False, False]
    assert "投标失效" in await page(house, f"/awards/{lot_id}")


TAMPERINGS = {
    "UPDATE trading.validity_request SET validity_days = 121": "is not what was signed",
    "UPDATE trading.validity_request SET reason = ''": "is not what was signed",
    "UPDATE trading.validity_request SET digest = sha256(digest)": "the journal tells otherwise",
    "UPDATE trading.validity_request SET number = number + 2": "does not follow the one before",
    "DELETE FROM trading.validity_request WHERE number = 2": "answers nothing that was open",
    "UPDATE trading.validity_answer SET agreed = NOT agreed": "is not what was signed",
    "UPDATE trading.validity_answer SET answered_at = '2027-01-01'": "answers nothing",
    "UPDATE trading.validity_answer SET bidder_id = (SELECT id FROM kernel.organisation"
    " EXCEPT SELECT bidder_id FROM trading.bid LIMIT 1)": "who does not bid",
    "DELETE FROM trading.validity_answer": "the journal tells otherwise",
}


async def found_out(lines: Lines, database: str) -> None:
    """Whoever changes what is kept of requests and answers is found."""
    async with lines.lent(OWNER, database, pool_size=1) as owner, owner.connect() as connection:
        assert await validity_faults(connection) == []
        await connection.rollback()
        for tampering, fault in TAMPERINGS.items():
            table = "validity_request" if "validity_request" in tampering else "validity_answer"
            await connection.execute(text(f"ALTER TABLE trading.{table} DISABLE TRIGGER USER"))
            await connection.execute(text(tampering))
            found = await validity_faults(connection)
            assert any(fault in one for one in found), (tampering, found)
            await connection.rollback()


async def test_silence_binds_to_the_end_of_what_was_promised_and_no_longer(
    store: Store, evaluated: Evaluated, role_lines: Lines, database: Database
) -> None:
    lot_id = evaluated.hall.lot_id
    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    await extension_asked(store, evaluated.tenderee, lot_id, now=published.until)
    over = ANSWER_BY + 40 * DAY
    second = evaluated.ranked[1].player
    # Whoever was silent the first time is asked again, and its yes then binds it.
    await extension_asked(
        store,
        evaluated.tenderee,
        lot_id,
        now=ANSWER_BY,
        number=2,
        validity_days=150,
        answer_by="2026-06-10T01:00:00Z",
    )
    await extension_answered(store, second, lot_id, agreed=True, now=ANSWER_BY + DAY, number=2)
    with pytest.raises(Refused) as caught:
        await extension_answered(
            store, evaluated.ranked[0].player, lot_id, agreed=True, now=ANSWER_BY
        )
    assert [one.code for one in caught.value.refusals] == ["answered_late"]
    with pytest.raises(Refused) as caught:
        await awarded(evaluated, evaluated.ranked[0], now=over)
    assert [one.code for one in caught.value.refusals] == ["bid_lapsed"]
    award = await awarded(evaluated, evaluated.ranked[1], now=over)
    assert (award.rank, award.cautions) == (2, ())
    await found_out(role_lines, database.name)
