"""Bidding Law 26, 40, 45, 46, 47, 57; Regulation 53, 54, 55; E-Bidding Measures 36; Notices 6."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kernel.access import PLATFORM, Role
from kernel.crypto.digests import Malformed, b64u
from kernel.errors import BrokenSeal, NoCalendar, NotPermitted, Refused
from kernel.randomness import random_bytes, random_id
from kernel.store.transaction import Store, transaction
from kernel.working_days import BEIJING, Calendar, YearNotice
from tests.awards import (
    PRICES,
    Evaluated,
    a_recorded_lot,
    an_evaluated_lot,
    award_statement,
    awarded,
    candidates_published,
    candidates_statement,
    handed_over,
    objected,
    standstill_ended,
)
from tests.decisions import barred, lifted
from tests.newcomers import codes
from tests.opened_lots import Entry
from tests.tenders import a_player
from trading import award_views, awarding, due_lots, lots
from trading.rules.lot_lifecycle import LotState
from trading.tables import LotRow

COLLUSION = {
    "ground": "illegal_act_found",
    "document": "江发改函〔2026〕12号",
    "found_by": "江城市发展和改革委员会",
}


async def rows(store: Store, query: str, **values: Any) -> list[Any]:
    async with store.sessions() as session:
        return list((await session.execute(text(query), values)).mappings())


async def recorded(store: Store, kind: str) -> list[dict[str, Any]]:
    query = "SELECT record FROM kernel.journal WHERE kind = :kind ORDER BY recorded_at"
    return [json.loads(row["record"]) for row in await rows(store, query, kind=kind)]


async def lot_of(evaluated: Evaluated) -> LotRow:
    async with transaction(evaluated.store, actor=PLATFORM) as tx:
        return await lots.hold(tx, evaluated.hall.lot_id)


async def a_cleared_lot(store: Store, **terms: Any) -> tuple[Evaluated, datetime]:
    """A lot that waits for its award, and the moment at which it does."""
    evaluated = await an_evaluated_lot(store, **terms)
    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    return evaluated, published.until


def the_company(entry: Entry) -> dict[str, str]:
    return {"organisation": str(entry.player.party)}


# ── candidates ────────────────────────────────────────────────────────────────────────────────


async def test_the_notice_tells_what_a_bid_refers_to_in_its_library_and_nobody_rewrites_it(
    store: Store, evaluated: Evaluated
) -> None:
    """Notices 6: certificates, those of the people promised, and performances, entered once."""
    async with transaction(store, actor=evaluated.agency.actor) as tx:
        proposed = await awarding.candidates_notice(tx, evaluated.hall.lot_id)
    [referring] = [one for one in proposed["candidates"] if one["certificates"]]
    [licence] = referring["certificates"]
    assert (licence["kind"], licence["verified"]) == ("qualification", True)
    assert {"title", "number", "issuer", "valid_to"} < licence.keys()
    assert referring["manager_certificates"] == referring["performances"] == []
    forged = [
        {**one, "certificates": [{**licence, "title": "特级资质"}]} if one is referring else one
        for one in proposed["candidates"]
    ]
    with pytest.raises(BrokenSeal):
        raw = await candidates_statement(evaluated, candidates=forged)
        await candidates_published(evaluated, raw=raw)

    await candidates_published(evaluated)

    async with transaction(store, actor=evaluated.agency.actor) as tx:
        told = await award_views.result(tx, evaluated.hall.lot_id)
    [shown] = [one.certificates for one in told.candidates if one.certificates]
    assert shown == (licence,)


async def test_candidates_are_published_with_ranks_prices_and_rejections(
    store: Store, evaluated: Evaluated
) -> None:
    published = await candidates_published(evaluated)
    assert published.cautions == ()
    # Counted are the 24th, 25th and 26th.
    assert published.until.astimezone(BEIJING).isoformat() == "2026-03-27T00:00:00+08:00"
    lot = await lot_of(evaluated)
    assert (lot.state, lot.candidates_until, lot.due_at) == (
        "candidates_published",
        published.until,
        published.until,
    )
    [told] = await recorded(store, "CandidatesPublished")
    facts = told["facts"]
    assert [(one["bidder"], one["rank"], one["price"]) for one in facts["candidates"]] == [
        (str(entry.player.party), place, entry.sheet["price"])
        for place, entry in enumerate(evaluated.ranked[:3], 1)
    ]
    assert facts["candidates"][0]["total"] == "94.50"
    assert [one["bidder"] for one in facts["rejected"]] == [str(evaluated.ranked[3].player.party)]
    assert facts["report_digest"] == b64u(evaluated.report.report_digest)
    [row] = await rows(store, "SELECT * FROM trading.candidates")
    assert (row["round"], row["digest"], row["until"]) == (1, published.digest, published.until)


async def test_publicity_ends_on_a_working_day(evaluated: Evaluated) -> None:
    wednesday = datetime(2026, 3, 25, 2, 0, tzinfo=UTC)  # the third day is a Saturday
    published = await candidates_published(evaluated, now=wednesday)
    assert published.until.astimezone(BEIJING).isoformat() == "2026-03-31T00:00:00+08:00"


async def test_publishing_later_than_three_days_after_the_report_is_warned_of(
    store: Store,
    evaluated: Evaluated,
) -> None:
    last = datetime(2026, 3, 26, 15, 59, 59, tzinfo=UTC)  # 23:59:59 of the third day in Beijing
    raw = await candidates_statement(evaluated)
    published = await candidates_published(evaluated, now=last + timedelta(seconds=1), raw=raw)
    assert [one.code for one in published.cautions] == ["published_late"]
    [row] = await rows(store, "SELECT cautions FROM trading.candidates")
    assert row["cautions"][0]["code"] == "published_late"


async def test_the_notice_says_what_the_report_says(store: Store, evaluated: Evaluated) -> None:
    good = await _proposed(evaluated)
    first, second, third = good["candidates"]
    wrong: list[dict[str, Any]] = [
        {"candidates": [second, first, third]},
        {"candidates": [first, second]},
        {"candidates": [{**first, "price": "1.00"}, second, third]},
        {"candidates": [{**first, "total": "99.99"}, second, third]},
        {"ranking": good["ranking"][:2]},
        {"rejected": []},
        {"report": b64u(random_bytes(32))},
        {"days": 1},
        {"lot": str(random_id())},
        {"more": "x"},
    ]
    for changes in wrong:
        raw = await candidates_statement(evaluated, **changes)
        with pytest.raises(BrokenSeal):
            await candidates_published(evaluated, raw=raw)
    for changes in (
        {"candidates": [{**first, "quality": 1}, second, third]},
        {"candidates": "none"},
        {"objections": None},
        {"signed_at": "today"},
    ):
        raw = await candidates_statement(evaluated, **changes)
        with pytest.raises(Malformed):
            await candidates_published(evaluated, raw=raw)
    assert await rows(store, "SELECT * FROM trading.candidates") == []
    assert (await lot_of(evaluated)).state == "evaluated"


async def _proposed(evaluated: Evaluated) -> dict[str, Any]:
    async with transaction(evaluated.store, actor=evaluated.agency.actor) as tx:
        return await awarding.candidates_notice(tx, evaluated.hall.lot_id)


async def test_a_notice_that_leaves_something_unsaid_is_refused(evaluated: Evaluated) -> None:
    good = await _proposed(evaluated)
    bare = {**good["candidates"][0], "manager": " ", "quality": ""}
    raw = await candidates_statement(
        evaluated, candidates=[bare, *good["candidates"][1:]], objections=" "
    )
    with pytest.raises(Refused) as refused:
        await candidates_published(evaluated, raw=raw)
    lacking = [one.facts.get("item", "") for one in refused.value.refusals]
    assert codes(refused) == {"publicity_lacks", "no_objection_channel"}
    assert [item.rpartition("的")[2] for item in lacking if item] == ["项目负责人及其证书", "质量"]
    assert all("第6条" in str(one.article) for one in refused.value.refusals)


async def test_candidates_are_published_once_by_the_lots_owner_after_the_report(
    store: Store,
    evaluated: Evaluated,
) -> None:
    hall = await a_recorded_lot(store, PRICES[:3])
    agency = hall.tender.cast.agency
    await handed_over(hall)
    with pytest.raises(Refused) as refused:
        async with transaction(store, actor=agency.actor) as tx:
            await awarding.candidates_notice(tx, hall.lot_id)
    assert codes(refused) == {"no_such_move"}
    stranger = await a_player(store, Role.AGENCY)
    with pytest.raises(NotPermitted):
        await candidates_statement(evaluated, stranger)
    raw = await candidates_statement(evaluated)
    await candidates_published(evaluated, raw=raw)
    with pytest.raises(Refused) as refused:
        await candidates_published(evaluated, raw=raw)
    assert codes(refused) == {"no_such_move"}


async def test_the_standstill_ends_by_itself_at_its_very_end(
    store: Store, evaluated: Evaluated
) -> None:
    published = await candidates_published(evaluated)
    assert due_lots.ACTS[LotState.CANDIDATES_PUBLISHED] is awarding.end_standstill
    await standstill_ended(evaluated, published.until - timedelta(microseconds=1))
    assert (await lot_of(evaluated)).state == "candidates_published"
    await standstill_ended(evaluated, published.until)
    assert (await lot_of(evaluated)).state == "cleared_for_award"
    await standstill_ended(evaluated, published.until)
    assert (await recorded(store, "LotMoved"))[-1]["facts"]["move"] == "end_standstill"


# ── the award ─────────────────────────────────────────────────────────────────────────────────


async def test_an_award_in_december_waits_for_the_calendar_that_its_periods_run_into(
    store: Store,
) -> None:
    """Civil Code 203: thirty days from 2 December 2026 end on a New Year's holiday."""
    evaluated, _ = await a_cleared_lot(store)
    winner, now = evaluated.ranked[0], datetime(2026, 12, 2, 2, tzinfo=UTC)
    with pytest.raises(NoCalendar, match=r"2027.*SUNBID_CALENDAR"):
        await awarded(evaluated, winner, now=now)

    off = frozenset({date(2027, 1, 1)})
    known = Calendar({2027: YearNotice(2027, off, frozenset({date(2027, 1, 3)}))})
    evaluated.hall.store = replace(
        store, settings=store.settings.model_copy(update={"calendar": known})
    )
    done = await awarded(evaluated, winner, now=now)
    assert done.contract_due_on == date(2027, 1, 3)


async def test_the_first_in_rank_wins_and_all_are_told_at_the_same_moment(store: Store) -> None:
    evaluated, now = await a_cleared_lot(store)
    winner = evaluated.ranked[0]

    done = await awarded(evaluated, winner, now=now)

    assert (done.winner_id, done.rank, done.price) == (
        winner.player.party,
        1,
        Decimal("118600000.00"),
    )
    assert (await lot_of(evaluated)).state == "awarded"
    [row] = await rows(store, "SELECT * FROM trading.award")
    assert (row["winner_id"], row["awarded_at"]) == (winner.player.party, now)
    # Awarded on 2026-03-27: thirty days end on a Sunday, fifteen on a Saturday.
    assert (row["contract_due_on"], row["report_due_on"]) == (date(2026, 4, 27), date(2026, 4, 13))
    entries = await rows(
        store,
        "SELECT id, kind, audience, party_id, recorded_at FROM kernel.journal"
        " WHERE kind IN ('AwardNoticed', 'ResultNoticed', 'AwardPublished')",
    )
    assert {row["recorded_at"] for row in entries} == {now}
    assert {(row["kind"], row["audience"], row["party_id"]) for row in entries} == {
        ("AwardNoticed", "party", winner.player.party),
        *(("ResultNoticed", "party", entry.player.party) for entry in evaluated.ranked[1:]),
        ("AwardPublished", "public", evaluated.tenderee.party),
    }
    notices = await rows(store, "SELECT * FROM trading.award_notice")
    assert {(row["bidder_id"], row["won"]) for row in notices} == {
        (entry.player.party, entry is winner) for entry in evaluated.ranked
    }
    by_party = {row["party_id"]: row["id"] for row in entries if row["audience"] == "party"}
    assert {row["bidder_id"]: row["entry_id"] for row in notices} == by_party


async def test_the_second_in_rank_is_not_named_while_the_first_stands(store: Store) -> None:
    evaluated, now = await a_cleared_lot(store)
    with pytest.raises(Refused) as refused:
        await awarded(evaluated, evaluated.ranked[1], now=now)
    [ground] = refused.value.refusals
    assert (ground.code, str(ground.article)) == (
        "not_first",
        "《中华人民共和国招标投标法实施条例》第55条",
    )
    for outsider in (evaluated.ranked[3], evaluated.hall.entries[0]):
        if outsider in evaluated.ranked[:3]:
            continue
        with pytest.raises(Refused) as refused:
            await awarded(evaluated, outsider, now=now)
        assert codes(refused) == {"not_a_candidate"}
    assert await rows(store, "SELECT * FROM trading.award") == []
    assert await recorded(store, "AwardNoticed") == []


async def test_the_second_steps_up_where_the_first_is_set_aside_by_a_document(
    store: Store,
) -> None:
    evaluated, now = await a_cleared_lot(store)
    first, second = evaluated.ranked[:2]
    passed_over = {"bidder": str(first.player.party), **COLLUSION}
    with pytest.raises(Refused) as refused:
        await awarded(
            evaluated, second, now=now, set_aside=[{**passed_over, "document": " ", "found_by": ""}]
        )
    assert codes(refused) == {"no_document", "not_found_by_authority"}
    with pytest.raises(Malformed):
        await awarded(evaluated, second, now=now, set_aside=[{**passed_over, "ground": "disliked"}])

    done = await awarded(evaluated, second, now=now, set_aside=[passed_over])

    assert done.rank == 2
    [row] = await rows(store, "SELECT set_aside FROM trading.award")
    assert row["set_aside"] == [{**passed_over}]


async def test_where_no_state_money_rules_any_candidate_may_be_named(store: Store) -> None:
    evaluated, now = await a_cleared_lot(store, state_funded=False)
    assert (await awarded(evaluated, evaluated.ranked[1], now=now)).rank == 2


async def test_a_winner_barred_after_the_deadline_waits_and_nobody_steps_up(store: Store) -> None:
    evaluated, now = await a_cleared_lot(store)
    first, second = evaluated.ranked[:2]
    supervisor = evaluated.hall.tender.cast.supervisor
    decision = await barred(store, supervisor, the_company(first))

    with pytest.raises(Refused) as refused:
        await awarded(evaluated, first, now=now)
    [ground] = refused.value.refusals
    assert (ground.code, ground.facts["document_number"]) == (
        "winner_barred",
        "江发改罚〔2026〕7号",
    )
    assert "江城市发展和改革委员会" in ground.reason
    with pytest.raises(Refused) as refused:
        await awarded(evaluated, second, now=now)
    assert codes(refused) == {"not_first"}
    assert await rows(store, "SELECT * FROM trading.award") == []

    await lifted(store, supervisor, decision, now=now)
    assert (await awarded(evaluated, first, now=now + timedelta(days=1))).rank == 1


async def test_each_decision_that_bars_the_winner_is_cited(store: Store) -> None:
    evaluated, now = await a_cleared_lot(store)
    supervisor = evaluated.hall.tender.cast.supervisor
    for number in ("江发改罚〔2026〕7号", "江发改罚〔2026〕8号"):
        await barred(store, supervisor, the_company(evaluated.ranked[0]), document_number=number)
    with pytest.raises(Refused) as refused:
        await awarded(evaluated, evaluated.ranked[0], now=now)
    assert {one.facts["document_number"] for one in refused.value.refusals} == {
        "江发改罚〔2026〕7号",
        "江发改罚〔2026〕8号",
    }


async def test_no_award_while_candidates_are_published_or_an_objection_is_open(
    store: Store,
    evaluated: Evaluated,
) -> None:
    winner = evaluated.ranked[0]
    with pytest.raises(Refused) as refused:
        await awarded(evaluated, winner, now=evaluated.reported_at)
    assert codes(refused) == {"no_such_move", "not_published"}
    published = await candidates_published(evaluated)
    before = published.until - timedelta(microseconds=1)
    with pytest.raises(Refused) as refused:
        await awarded(evaluated, winner, now=before)
    assert codes(refused) == {"no_such_move", "publicity_running"}
    await objected(store, evaluated.ranked[1].player, evaluated.hall.lot_id, "result", now=before)
    with pytest.raises(Refused) as refused:
        await awarded(evaluated, winner, now=published.until)
    assert codes(refused) == {"no_such_move", "lot_suspended", "objection_open"}


async def test_the_award_is_the_tenderees_own_and_is_made_once(store: Store) -> None:
    evaluated, now = await a_cleared_lot(store)
    winner = evaluated.ranked[0]
    raw = award_statement(evaluated, winner, now=now)
    with pytest.raises(NotPermitted):
        async with transaction(store, actor=evaluated.agency.actor, now=now) as tx:
            await awarding.award(tx, evaluated.hall.lot_id, raw)
    stranger = await a_player(store, Role.TENDEREE)
    with pytest.raises(NotPermitted):
        async with transaction(store, actor=stranger.actor, now=now) as tx:
            await awarding.award(tx, evaluated.hall.lot_id, raw)
    for changes in (
        {"lot": str(random_id())},
        {"report": b64u(random_bytes(32))},
    ):
        with pytest.raises(BrokenSeal):
            await awarded(evaluated, winner, now=now, **changes)
    for malformed in ({"winner": "nobody"}, {"winner": None}, {"more": 1}, {"set_aside": "all"}):
        with pytest.raises(Malformed):
            await awarded(evaluated, winner, now=now, **malformed)
    await awarded(evaluated, winner, now=now, report=b64u(evaluated.report.report_digest))
    with pytest.raises(Refused) as refused:
        await awarded(evaluated, winner, now=now)
    assert codes(refused) == {"no_such_move"}
    for query in ("UPDATE trading.award SET rank = 2", "DELETE FROM trading.award_notice"):
        with pytest.raises(DBAPIError):
            async with store.sessions() as session, session.begin():
                await session.execute(text(query))


async def test_an_award_after_the_bids_validity_is_warned_of(store: Store) -> None:
    evaluated, _ = await a_cleared_lot(store)
    last = datetime(2026, 6, 21, 15, 59, 59, tzinfo=UTC)  # ninety days after the deadline, 23:59:59
    done = await awarded(evaluated, evaluated.ranked[0], now=last + timedelta(seconds=1))
    assert [one.code for one in done.cautions] == ["validity_expired"]
