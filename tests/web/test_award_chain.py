"""A winner fails, the next in order is named, and the whole chain is checked without the platform.

Bidding Law 40, 45, 47; Bidding Regulation 55, 74; Government Procurement Regulation 49.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from kernel.access import Role
from kernel.crypto.digests import b64u, sha256
from kernel.errors import BrokenSeal
from kernel.settings import Settings
from kernel.store.database import OWNER
from kernel.store.transaction import Store
from tests import deposits
from tests.awards import (
    PRICES,
    Evaluated,
    an_evaluated_lot,
    awarded,
    candidates_published,
    standstill_ended,
)
from tests.conftest import Database
from tests.kept_stores import Lines, witnessed
from tests.tenders import Player, a_player
from tests.validity import extension_answered, extension_asked
from tests.web.award_house import award_folder, no_mutant_verifies
from tests.web.careless_senders import WHEN_A_WINNER_FAILS, CarelessSenders
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page
from trading.rules.split_award import DecisionMethod, SplitAward, Tie
from trading.sound_awards import award_faults
from web.app import create_app
from web.client import Client, Problem
from web.verifying import award_papers
from web.verifying.award_chain import Chain, Logged, Paper

VOTE = SplitAward(DecisionMethod.VOTE, 3, "信用、履约能力和报价", Tie.BETTER_RANK, "某市试点办法")
REASONS = "该候选人信用良好，履约能力强。"
LETTER = b"%PDF-1.7 a letter"
ClockTo = Callable[[datetime], Awaitable[None]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return witnessed(settings)


async def codes(sending: Awaitable[Any]) -> set[str]:
    """The codes with which something is refused."""
    with pytest.raises(Problem) as refused:
        await sending
    return {one["code"] for one in refused.value.refusals} or {str(refused.value.status)}


class Deciding:
    """A lot whose award a committee votes on, and everybody's line to the house."""

    def __init__(self, path: str, report: str, lines: Mapping[str, Client]) -> None:
        self.path, self.report, self.lines = path, report, lines
        self.lot = path.rsplit("/", 1)[-1]

    async def voted(self, who: str, whom: Player) -> None:
        said = {"lot": self.lot, "report": self.report, "member": who, "bidder": str(whom.party)}
        await self.lines[who].post_statement(f"{self.path}/award/votes", "award-vote", said)

    async def votes(self, who: str) -> Any:
        return (await self.lines[who].get(f"{self.path}/award/votes"))["vote"]

    async def awarded(self, winner: Player, *, signed: bool = True, **said: Any) -> Any:
        cast = (await self.votes(next(iter(self.lines))))["votes"]
        votes = [
            {"member": one["member"], "bidder": one["chosen"]}
            | ({"signed": one["digest"]} if signed else {})
            for one in cast
        ]
        members = [one["member"] for one in cast]
        minutes = {"members": members, "votes": votes, "reasons": REASONS, "left": []}
        told = {"lot": self.lot, "winner": str(winner.party), "minutes": minutes, **said}
        line = next(iter(self.lines.values()))
        return await line.post_statement(f"{self.path}/award", "award", told)

    async def told(self) -> Any:
        return await next(iter(self.lines.values())).get(f"{self.path}/award")


async def deciding(evaluated: Evaluated, house: Any) -> Deciding:
    """The tenderee and two of its people sit on the award committee."""
    tenderee = evaluated.tenderee
    members = [tenderee] + [
        await a_player(evaluated.store, Role.TENDEREE, party=tenderee.party, person=name)
        for name in ("孙二", "李三")
    ]
    if isinstance(house, CarelessSenders):
        house.known(*members, *(one.player for one in evaluated.ranked))
    lines = {one.name: await client_of(house, one) for one in members}
    report = b64u(evaluated.report.report_digest)
    return Deciding(f"/api/v1/lots/{evaluated.hall.lot_id}", report, lines)


async def test_a_winner_gives_up_and_the_next_is_chosen_however_careless_the_senders(
    store: Store,
    settings: Settings,
    clock_to: ClockTo,
    tick: Callable[[], Awaitable[None]],
    sound: Callable[[], Awaitable[None]],
    role_lines: Lines,
    database: Database,
    tmp_path: Path,
) -> None:
    evaluated = await an_evaluated_lot(store, PRICES[:3], rejected=0, award_method=VOTE)
    house = create_app(store, settings)
    careless: Any = CarelessSenders(house, store)
    first, second, _ = [one.player for one in evaluated.ranked]
    lot_id, cast = evaluated.hall.lot_id, evaluated.hall.tender.cast
    security = await deposits.an_account(store, first, lot_id)
    await deposits.statement_taken(store, cast.staff, deposits.line("S1", security))
    await tick()
    published = await candidates_published(evaluated)
    await tick()
    await standstill_ended(evaluated, published.until)
    await clock_to(published.until)
    lot = await deciding(evaluated, careless)
    one, two, three = lot.lines

    # Nobody who has not voted knows for whom the others did.
    await lot.voted(one, first)
    assert (await lot.votes(two))["voted"] == [one]
    assert (await lot.votes(two))["votes"] is None
    assert len((await lot.votes(one))["votes"]) == 1
    assert await codes(lot.voted(one, second)) == {"voted_already"}
    await lot.voted(two, second)
    await lot.voted(three, first)
    assert await codes(lot.awarded(first, signed=False)) == {"not_as_signed"}
    assert (await lot.awarded(first))["cautions"] == []

    award = f"{lot.path}/award"
    winner, loser = await client_of(careless, first), await client_of(house, second)
    digest = (await lot.told())["award"]["digest"]
    said = {"lot": lot.lot, "award": digest, "words": "资金困难，无力履约。"}
    assert await codes(
        loser.post_statement(f"{award}/renunciation", "award-renunciation", said)
    ) == {"404"}
    tenderee = lot.lines[one]
    annulment = {**said, "ground": "gave_up", "evidence": []}

    async def annulled(**changes: Any) -> Any:
        return await tenderee.post_statement(
            f"{award}/annulment", "award-annulment", {**annulment, **changes}
        )

    assert await codes(annulled()) == {"not_renounced"}
    assert await codes(annulled(ground="refused_contract")) == {
        *("no_document", "not_offered", "contract_days_running")
    }
    await winner.post_statement(f"{award}/renunciation", "award-renunciation", said)
    assert await codes(annulled()) == {"422"}, "what was given up is named"
    told = await lot.told()
    renunciation = told["award"]["renunciation"]["digest"]
    assert (await (await client_of(house)).get(award))["award"]["renunciation"] is None
    done = await annulled(
        renunciation=renunciation,
        evidence=[{"title": "往来函件", "text": "", "name": "函.pdf", "file": await kept(lot)}],
    )
    assert "第55条" in done["article"]
    told = await lot.told()
    assert (told["state"], told["award"]) == ("cleared_for_award", None)
    assert [one["winner"] for one in told["fallen"]] == [first.organisation]

    assert await codes(lot.voted(one, first)) == {"vote_for_other"}
    for who in lot.lines:
        await lot.voted(who, second)
    assert await codes(lot.awarded(second)) == {"400"}, "it follows what became of the last"
    await tick()
    await lot.awarded(second, after=done["digest"])
    await looked_over(evaluated, house, lot)
    keep = {"lot": lot.lot, "reference": security, "ground": "award_refused", "reason": "放弃"}
    path = f"{lot.path}/securities/{security}/forfeiture"
    assert (await tenderee.post_statement(path, "security-forfeiture", keep))["amount"]
    assert set(careless.spoilt) >= WHEN_A_WINNER_FAILS
    await tick()
    await sound()
    await found_out(role_lines, database.name)
    await award_folder(store, settings, lot_id, tmp_path / "award")
    no_mutant_verifies(tmp_path / "award", awards=2, votes=6)


async def kept(lot: Deciding) -> str:
    """A letter that the tenderee has kept as evidence."""
    line = next(iter(lot.lines.values()))
    name = quote("函.pdf")
    await line.put_file(f"{lot.path}/evidence/{name}", LETTER, media_type="application/pdf")
    return b64u(sha256(LETTER))


async def looked_over(evaluated: Evaluated, house: Any, lot: Deciding) -> None:
    """The papers of the award that fell say so, and those of the new one are its own."""
    first, second, third = [one.player for one in evaluated.ranked]
    told = await lot.told()
    old, new = told["fallen"][0]["notice_number"], told["award"]["notice_number"]
    assert new == f"{old}2"
    stranger = await client_of(house)
    verdicts = [await stranger.get("/api/v1/verification", number=one) for one in (old, new)]
    assert [(one["in_force"], one["holds"]) for one in verdicts] == [(False, True), (True, True)]
    assert [one["winner"] for one in verdicts] == [first.organisation, second.organisation]
    assert "这份文书已经失效" in await page(house, f"/verify?number={old}")
    board = await page(house, f"/awards/{lot.lot}")
    assert "已取消的中标资格" in board
    assert "往来函件" not in board
    letter = f"{lot.path}/evidence/{b64u(sha256(LETTER))}"
    for reader in (None, third):
        assert await codes((await client_of(house, reader)).read(letter)) == {"404"}
    for reader in (first, evaluated.hall.tender.cast.supervisor):
        assert await (await client_of(house, reader)).read(letter) == LETTER
    for who in (first, evaluated.tenderee):
        assert "往来函件" in await page(house, f"/awards/{lot.lot}", who)
    for who, words in ((first, "结果通知书"), (second, new), (third, second.organisation)):
        shown = await page(house, f"/awards/{lot.lot}/notice", who)
        assert words in shown
        assert faults_of(tree_of(shown)) == []
    assert faults_of(tree_of(board)) == []
    line = next(iter(lot.lines.values()))
    draft = await line.get(f"{lot.path}/contract/draft")
    assert draft["winner"]["id"] == str(second.party)
    report = await line.get(f"{lot.path}/award-report/draft")
    assert [one["award_notice"] for one in report["content"]["annulled"]] == [old]
    assert report["content"]["award_notice"] == new


async def test_an_award_over_a_bid_that_lapsed_verifies_by_its_signed_refusal_and_by_it_alone(
    store: Store,
    evaluated: Evaluated,
    settings: Settings,
    tick: Callable[[], Awaitable[None]],
    tmp_path: Path,
) -> None:
    """Civil Code 478: who refuses to be bound longer is passed over without a document."""
    lot_id = evaluated.hall.lot_id
    await tick()
    published = await candidates_published(evaluated)
    await tick()
    await standstill_ended(evaluated, published.until)
    now = published.until + timedelta(hours=1)
    await extension_asked(store, evaluated.agency, lot_id, now=now)
    refuser = evaluated.ranked[0].player
    await extension_answered(store, refuser, lot_id, agreed=False, now=now)
    await awarded(evaluated, evaluated.ranked[1], now=now + timedelta(hours=1))
    await tick()
    folder = tmp_path / "award"
    await award_folder(store, settings, lot_id, folder)
    assert (folder / "refusal-1.dsse").exists()
    verdict = award_papers.verify(folder)
    assert [(one.what, one.detail) for one in verdict.checks if not one.passed] == []
    refusal = (folder / "refusal-1.dsse").read_bytes()
    (folder / "refusal-1.dsse").unlink()
    assert not award_papers.verify(folder).ok
    for name in ("refusal-2.dsse", "refusal-1.dsse"):
        (folder / name).write_bytes(refusal)
        assert award_papers.verify(folder).ok is (name == "refusal-1.dsse")
        (folder / name).unlink()


# ── what is stored ────────────────────────────────────────────────────────────────────────────

TAMPERINGS = {
    "UPDATE trading.award_annulment SET ground = 'force_majeure'": "is not what was signed",
    "UPDATE trading.award_annulment SET digest = sha256(digest)": "is not what was signed",
    "UPDATE trading.award_annulment SET entry_id = gen_random_uuid()": "otherwise",
    "DELETE FROM trading.award_renunciation": "a renunciation that nobody signed",
    "DELETE FROM trading.award_annulment": "do not follow one another",
    "UPDATE trading.award_vote SET member = member || '甲'": "is not what was signed",
    "UPDATE trading.award_vote SET digest = sha256(digest)": "is not in the minutes",
    "UPDATE trading.lot SET state = 'cleared_for_award'": "stands elsewhere",
}


async def found_out(lines: Lines, database: str) -> None:
    """Whoever changes what is kept of awards that fell away, and of votes, is found."""
    async with lines.lent(OWNER, database, pool_size=1) as owner, owner.connect() as connection:
        for tampering, fault in TAMPERINGS.items():
            table = tampering.split()[2 if tampering.startswith("DELETE") else 1]
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            await connection.execute(text(tampering))
            found = await award_faults(connection)
            assert any(fault in one for one in found), (tampering, found)
            await connection.rollback()


# ── the chain by itself ───────────────────────────────────────────────────────────────────────

CANDIDATES = [{"bidder": name, "name": name, "rank": rank} for rank, name in enumerate("ABC", 1)]
LAPSE = {"bidder": "A", "request": 1, "at": "2026-05-20T01:00:00Z", "refusal": "no"}
AWARD = Paper("award", {"lot": "L", "winner": "B"}, frozenset({"tenderee"}))
TOLD = Logged(9, "AwardPublished", "L", "2026-05-21T01:00:00Z", {"lapsed": [LAPSE]})
REFUSAL = Paper("no", {"lot": "L", "number": 1, "agreed": False}, frozenset({"bidder"}))
ASKED = Logged(
    3,
    "ValidityExtensionAsked",
    "L",
    "2026-05-01T01:00:00Z",
    {"number": 1, "answer_by": "2026-05-20T01:00:00Z"},
)
SILENT = {**LAPSE, "refusal": None}


def lapses(
    lapse: dict[str, Any], *, refusal: Paper = REFUSAL, asked: Logged = ASKED, at: str = TOLD.at
) -> Chain:
    logged = {"award": replace(TOLD, facts={"lapsed": [lapse]}, at=at), "asked-1": asked}
    return Chain({"award": AWARD, "refusal-1": refusal}, logged)


def test_a_bid_lapses_by_a_refusal_or_by_silence_to_the_end_of_what_was_asked() -> None:
    lapses(LAPSE).check_lapses(CANDIDATES)
    lapses(SILENT, at=str(SILENT["at"])).check_lapses(CANDIDATES)
    assert "A never answered" in " ".join(lapses(SILENT).warnings(CANDIDATES)).replace("that ", "")


@pytest.mark.parametrize(
    "chain",
    [
        lapses({**LAPSE, "bidder": "C"}),
        lapses({**LAPSE, "refusal": "another"}),
        lapses(LAPSE, refusal=replace(REFUSAL, told={**REFUSAL.told, "agreed": True})),
        lapses(LAPSE, refusal=replace(REFUSAL, told={**REFUSAL.told, "number": 2})),
        lapses(LAPSE, at="2026-05-20T00:59:59Z"),
        lapses({**SILENT, "at": "2026-05-20T00:59:59Z"}),
        lapses({**SILENT, "request": 2}),
        lapses(SILENT, asked=replace(ASKED, index=10)),
        lapses(SILENT, asked=replace(ASKED, facts={**ASKED.facts, "number": 2})),
    ],
)
def test_whoever_is_bound_still_has_not_lapsed(chain: Chain) -> None:
    with pytest.raises((BrokenSeal, KeyError)):
        chain.check_lapses(CANDIDATES)


GAVE_UP = Paper(
    "gave up",
    {
        **{"lot": "L", "award": "award", "ground": "gave_up", "words": "放弃", "evidence": []},
        "renunciation": "words",
    },
    frozenset({"tenderee"}),
)
WORDS = Paper("words", {"lot": "L", "award": "award"}, frozenset({"bidder"}))
FELL = Logged(
    12,
    "AwardAnnulled",
    "L",
    "2026-05-25T01:00:00Z",
    {
        **{"number": 1, "winner_id": "B", "ground": "gave_up", "award_digest": "award"},
        **{"statement_digest": "gave up", "renunciation_digest": "words"},
    },
)
NEXT = Paper("next", {"lot": "L", "winner": "C", "after": "gave up"}, frozenset({"tenderee"}))
NAMED = Logged(15, "AwardPublished", "L", "2026-05-26T01:00:00Z", {"number": 2})
PAPERS = {"award-1": AWARD, "annulment-1": GAVE_UP, "renunciation-1": WORDS, "award": NEXT}
STEPS = {"award-1": replace(TOLD, facts={"number": 1}), "annulment-1": FELL, "award": NAMED}


def said(paper: Paper, **changes: Any) -> Paper:
    return replace(paper, told={**paper.told, **changes})


def test_each_award_follows_from_what_made_the_last_one_fall() -> None:
    Chain(PAPERS, STEPS).check("L")
    found = {
        **{"ground": "illegal_act_found", "evidence": [{"title": "决定书"}]},
        "found_by": "江城市发展和改革委员会",
    }
    shown = said(GAVE_UP, **found)
    del shown.told["renunciation"]
    told = {**FELL.facts, "ground": "illegal_act_found", "renunciation_digest": None}
    fell = {"annulment": replace(FELL, facts=told), "award": STEPS["award-1"]}
    alone = Chain({"award": AWARD, "annulment": shown}, fell)
    alone.check("L")
    assert not alone.in_force
    assert alone.warnings(CANDIDATES) == ["the award was annulled and is not in force"]


@pytest.mark.parametrize(
    "changes",
    [
        {"award": said(NEXT, after="another")},
        {"award": said(NEXT, lot="another")},
        {"award-1": said(AWARD, after="gave up")},
        {"annulment-1": said(GAVE_UP, award="another")},
        {"annulment-1": said(GAVE_UP, ground="force_majeure")},
        {"annulment-1": said(GAVE_UP, words=" ")},
        {"annulment-1": said(GAVE_UP, renunciation="another")},
        {"annulment-1": replace(GAVE_UP, digest="another")},
        {"renunciation-1": said(WORDS, award="another")},
        {"renunciation-1": replace(WORDS, digest="another")},
        {"renunciation-1": replace(WORDS, signed_by=AWARD.signed_by)},
    ],
)
def test_a_chain_with_another_paper_in_it_is_broken(changes: dict[str, Paper]) -> None:
    with pytest.raises(BrokenSeal):
        Chain({**PAPERS, **changes}, STEPS).check("L")


@pytest.mark.parametrize("name", ["annulment-1", "renunciation-1"])
def test_a_chain_with_a_gap_is_broken(name: str) -> None:
    with pytest.raises(BrokenSeal):
        Chain({key: one for key, one in PAPERS.items() if key != name}, STEPS).check("L")


DOUBT = Paper(
    "doubt",
    {"lot": "L", "report": "R", "candidate": "A", "ground": "illegal_act"},
    frozenset({"tenderee"}),
)


def opinion(member: int, *, fit: bool = False, **changes: Any) -> Paper:
    told = {"recheck": "doubt", "fit": fit, **changes}
    return Paper(f"opinion {member}", told, frozenset({f"member {member}"}))


OPINIONS = {f"opinion-1-{member}": opinion(member) for member in (1, 2, 4)}
FOUND = Logged(
    7,
    "RecheckConcluded",
    "L",
    "2026-05-20T01:00:00Z",
    {
        **{"number": 1, "candidate_id": "A", "ground": "illegal_act", "confirmed": False},
        **{"members": 5, "unfit": 3, "report_digest": "R", "request_digest": "doubt"},
        "opinions": [
            {"member": member, "fit": False, "signed": f"opinion {member}"} for member in (1, 2, 4)
        ],
    },
)
UNFIT = {"report_digest": "R", "unfit": [{"bidder": "A", "recheck": 1}]}


def examined(
    papers: dict[str, Paper] | None = None, *, at: int = 7, after: int = 5, **facts: Any
) -> None:
    """Check that A was found unfit, with these papers and facts instead of the true ones."""
    told = {"award": AWARD, "recheck-1": DOUBT, **OPINIONS, **(papers or {})}
    concluded = replace(FOUND, index=at, facts={**FOUND.facts, **facts})
    logged = {"award": replace(TOLD, facts=UNFIT), "recheck-1": concluded}
    Chain(told, logged).check_findings(CANDIDATES, after=after)


def test_a_candidate_is_unfit_where_more_than_half_of_the_committee_signed_so() -> None:
    examined()


@pytest.mark.parametrize(
    ("papers", "changes"),
    [
        ({"recheck-1": said(DOUBT, candidate="C")}, {}),
        ({"recheck-1": said(DOUBT, report="another")}, {}),
        ({"recheck-1": replace(DOUBT, digest="another")}, {}),
        ({"opinion-1-2": opinion(2, fit=True)}, {}),
        ({"opinion-1-2": opinion(2, recheck="another")}, {}),
        ({"opinion-1-2": replace(opinion(2), digest="another")}, {}),
        ({"opinion-1-2": replace(opinion(2), signed_by=frozenset({"member 1"}))}, {}),
        ({"opinion-1-2": replace(opinion(2), signed_by=DOUBT.signed_by)}, {}),
        ({}, {"confirmed": True}),
        ({}, {"candidate_id": "B"}),
        ({}, {"members": 6}),
        ({}, {"unfit": 4}),
        ({}, {"opinions": FOUND.facts["opinions"][:2], "unfit": 2}),
        ({}, {"report_digest": "another"}),
        ({}, {"at": 9}),
        ({}, {"after": 7}),
    ],
)
def test_whom_no_majority_found_unfit_was_not_out(
    papers: dict[str, Paper], changes: dict[str, Any]
) -> None:
    with pytest.raises(BrokenSeal):
        examined(papers, **changes)


def test_a_finding_is_not_forgotten_by_the_next_award_over_the_same_report() -> None:
    first = replace(TOLD, facts={**UNFIT, "number": 1})
    again = replace(NAMED, facts={**UNFIT, "number": 2})
    forgotten = replace(NAMED, facts={**UNFIT, "unfit": []})
    papers = {**PAPERS, "recheck-1": DOUBT, **OPINIONS}
    logged = {**STEPS, "award-1": first, "recheck-1": FOUND}
    Chain(papers, {**logged, "award": again}).check_findings(CANDIDATES, after=5)
    with pytest.raises(BrokenSeal):
        Chain(papers, {**logged, "award": forgotten}).check_findings(CANDIDATES, after=5)
