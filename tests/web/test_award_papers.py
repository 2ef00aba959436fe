"""An award's papers verify without the platform, and no mutant of them does.

Bidding Law 40, 45; Bidding Regulation 54, 55.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kernel.access import PUBLIC
from kernel.crypto import merkle
from kernel.crypto.digests import b64u, canonical, sha256
from kernel.crypto.notes import Checkpoint, LogSigner
from kernel.crypto.receipts import leaf_data, verify_proof, write_proof
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal
from kernel.settings import Settings
from kernel.store.transaction import Store, transaction
from tests.archives import archived
from tests.awards import (
    PRICES,
    Evaluated,
    an_evaluated_lot,
    awarded,
    candidates_published,
    standstill_ended,
)
from tests.kept_stores import WITNESSES, witnessed
from tests.sealed_bids import a_bidder
from tests.tampering import tampered
from tests.web.award_house import award_folder
from tests.web.tender_house import page
from trading import award_views, opening_views
from web.app import create_app
from web.verifying.award_papers import check_decision, verify
from web.verifying.draw_transcript import TrustedLog

FAR = 3000
"""A leaf behind all that the true log holds."""

KEYS = tuple(one.vkey for one in WITNESSES)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return witnessed(settings)


@dataclass(frozen=True, slots=True)
class Papers:
    """An award's papers in a folder, whose they are, and the key with which the log signs."""

    folder: Path
    evaluated: Evaluated
    signer: LogSigner


@pytest.fixture
async def papers(
    store: Store,
    evaluated: Evaluated,
    settings: Settings,
    tick: Callable[[], Awaitable[None]],
    tmp_path: Path,
) -> Papers:
    return await papers_of(store, evaluated, settings, tick, tmp_path / "award")


async def papers_of(
    store: Store,
    evaluated: Evaluated,
    settings: Settings,
    tick: Callable[[], Awaitable[None]],
    folder: Path,
) -> Papers:
    # What stands in one batch of leaves stands there in any order; between these steps lie days.
    await tick()
    done = await candidates_published(evaluated)
    await tick()
    await standstill_ended(evaluated, done.until)
    await awarded(evaluated, evaluated.ranked[0], now=done.until + timedelta(hours=1))
    await tick()
    lot = evaluated.hall.lot_id
    signer = await award_folder(store, settings, lot, folder)
    return Papers(folder, evaluated, signer)


def failed(folder: Path) -> list[str]:
    return [check.what for check in verify(folder).checks if not check.passed]


def changed(folder: Path, name: str, **facts: Any) -> dict[str, Any]:
    """What the log would have to say of a step, with these facts."""
    proven = verify_proof(
        (folder / f"{name}.tlog-proof").read_text(), log_vkey=log_of(folder), witness_vkeys=()
    )
    told: dict[str, Any] = json.loads(proven.record)
    return {**told, "facts": {**told["facts"], **facts}}


def log_of(folder: Path) -> str:
    return str(json.loads((folder / "keys.json").read_text())["log"])


def logged(papers: Papers, name: str, record: dict[str, Any], *, index: int) -> None:
    """The platform and its witnesses together grow a log in which a step says something else."""
    size, salt = index + 1, bytes(32)
    nodes: dict[tuple[int, int], bytes] = {}

    leaves = [bytes(32)] * index + [leaf_data(salt, canonical(record))]
    nodes |= {(0, place): merkle.leaf_hash(leaf) for place, leaf in enumerate(leaves)}
    level = 0
    while row := [place for at, place in nodes if at == level]:
        for place in range(len(row) // 2):
            both = nodes[level, 2 * place], nodes[level, 2 * place + 1]
            nodes[level + 1, place] = merkle.node_hash(*both)
        level += 1

    def get(level: int, place: int) -> bytes:
        return nodes[level, place]

    checkpoint = Checkpoint(papers.signer.name, size, merkle.root_of(size, get))
    note = papers.signer.sign(checkpoint) + "".join(one.cosign(checkpoint, 1) for one in WITNESSES)
    proof = write_proof(
        record=canonical(record),
        salt=salt,
        index=index,
        path=merkle.inclusion_proof(get, index, size),
        note=note,
    )
    (papers.folder / f"{name}.tlog-proof").write_text(proof)


# ── a true one ────────────────────────────────────────────────────────────────────────────────


async def test_a_true_award_verifies_and_no_weaker_keys_lie_beside_it(
    papers: Papers,
) -> None:
    verdict = verify(papers.folder)
    assert [check for check in verdict.checks if not check.passed] == []
    winner = papers.evaluated.ranked[0].player
    assert (verdict.found["winner"], verdict.found["rank"]) == (winner.organisation, 1)
    assert verdict.found["report"] == b64u(papers.evaluated.report.report_digest)
    known = TrustedLog(papers.signer.vkey, KEYS, 2)
    assert verify(papers.folder, trusted=known).ok
    for stranger in (
        replace(known, log=papers.signer.vkey[:-4] + "AAAA"),
        replace(known, witnesses=KEYS[:1]),
        replace(known, quorum=3),
    ):
        assert not verify(papers.folder, trusted=stranger).ok
    # Without knowing them from elsewhere, too: they are the policy's, and those that signed.
    path = papers.folder / "keys.json"
    told = json.loads(path.read_text())
    weakened = [
        *(("weakened", ("quorum", number), {**told, "quorum": number}) for number in (0, 1, 3)),
        ("weakened", ("witnesses",), {**told, "witnesses": [], "quorum": 0}),
        ("weakened", ("witnesses",), {**told, "witnesses": KEYS[:1], "quorum": 1}),
    ]
    for what, place, mutant in [*tampered(told), *weakened]:
        path.write_text(json.dumps(mutant))
        assert mutant == told or failed(papers.folder), (what, place)


async def test_a_consortium_is_named_from_the_opening_to_the_award_and_its_papers(
    store: Store, settings: Settings, tick: Callable[[], Awaitable[None]], tmp_path: Path
) -> None:
    """Bidding Law 31, Notice Measures 6: whoever bids together is named, with who leads."""
    member = await a_bidder(store)
    evaluated = await an_evaluated_lot(store, PRICES[:3], rejected=0, member=member)
    papers = await papers_of(store, evaluated, settings, tick, tmp_path / "award")
    lead = evaluated.ranked[0].player
    together = [
        (lead.organisation, True, True),
        (member.organisation, False, False),
    ]

    def named(members: Any) -> list[tuple[str, bool, bool]]:
        return [(one["name"], one["lead"], one["signed"]) for one in members]

    lot = evaluated.hall.lot_id
    async with transaction(store, actor=PUBLIC) as tx:
        hall = await opening_views.hall(tx, lot)
        result = await award_views.result(tx, lot)
    assert sorted(len(one.members) for one in hall.bids) == [0, 0, 2]
    assert [len(one.members) for one in result.ranking] == [2, 0, 0]
    assert result.award is not None
    told_of = [one.members for one in hall.bids if one.members]
    cast = evaluated.hall.tender.cast
    for keeper, count in ((cast.agency, 1), (cast.supervisor, 1), (cast.staff, 0)):
        kept = await archived(store, keeper, lot)
        assert len([one for one in kept if one.endswith("/agreement.json")]) == count
    for members in (result.ranking[0].members, result.award.members, *told_of):
        assert named(members) == together
    house = create_app(store, settings)
    loser = evaluated.ranked[1].player
    for path, who in (("openings/{}", None), ("awards/{}", None), ("awards/{}/notice", loser)):
        told = await page(house, f"/{path.format(lot)}", who)
        assert lead.organisation in told
        assert member.organisation in told
    record = changed(papers.folder, "award")
    assert named(record["facts"]["members"]) == together
    assert failed(papers.folder) == []
    logged(papers, "award", changed(papers.folder, "award", members=[]), index=FAR)
    assert failed(papers.folder) == ["the award names one of the candidates, as published"]


A, B = "00000000-0000-7000-8000-00000000000a", "00000000-0000-7000-8000-00000000000b"
RANKED = [
    {"bidder": A, "name": "甲公司", "rank": 1, "price": "300.00"},
    {"bidder": B, "name": "乙公司", "rank": 2, "price": "200.00"},
]
SPLIT = {"method": "vote", "members": 3, "factors": "信用", "tie": "better_rank", "basis": ""}


def an_award(*votes: str, **changes: Any) -> dict[str, Any]:
    minutes = {
        "members": ["钱一", "孙二", "李三"],
        "votes": [
            {"member": who, "bidder": whom}
            for who, whom in zip(("钱一", "孙二", "李三"), votes, strict=False)
        ],
        "reasons": "该候选人信用良好，履约能力强。",
        "left": [],
    }
    return {"winner": B, "minutes": minutes, **changes}


def test_a_split_award_is_counted_again_without_the_platform() -> None:
    check_decision({"award_method": SPLIT}, an_award(B, A, B), RANKED)
    check_decision({}, {"winner": A}, RANKED)
    talked = [{**one, "price": None} for one in RANKED]
    check_decision({}, {"winner": A}, talked)


@pytest.mark.parametrize(
    ("notice", "award", "code"),
    [
        ({"award_method": SPLIT}, an_award(A, A, B), "not_as_decided"),
        ({"award_method": SPLIT}, an_award(B, B), "votes_missing"),
        ({"award_method": SPLIT}, {"winner": B}, "no_minutes"),
        ({}, an_award(B, A, B), "no_split_announced"),
    ],
)
def test_a_split_award_that_was_not_decided_so_is_found(
    notice: dict[str, Any], award: dict[str, Any], code: str
) -> None:
    with pytest.raises(BrokenSeal, match=code):
        check_decision(notice, award, RANKED)


# ── tampering ─────────────────────────────────────────────────────────────────────────────────


async def test_a_flipped_byte_and_another_file_step_or_paper_are_found(
    papers: Papers,
) -> None:
    dice = random.Random(40)
    files = sorted(papers.folder.iterdir())
    assert len(files) == 2 + 2 + 3
    for path in files:
        content = path.read_bytes()
        for place in {0, len(content) // 2, *(dice.randrange(len(content)) for _ in range(20))}:
            mutant = bytearray(content)
            mutant[place] ^= 1
            path.write_bytes(bytes(mutant))
            assert failed(papers.folder), f"{path.name} at {place}"
        path.unlink()
        assert failed(papers.folder), path.name
        path.write_bytes(content)
    shutil.copy(papers.folder / "award.dsse", papers.folder / "another.dsse")
    assert failed(papers.folder)
    (papers.folder / "another.dsse").unlink()
    # Each step shown in place of another, and each paper signed again by whoever may sign it.
    proofs = {path: path.read_text() for path in papers.folder.glob("*.tlog-proof")}
    for path, proof in proofs.items():
        for other in proofs.values():
            if other != proof:
                path.write_text(other)
                assert failed(papers.folder), path.name
        path.write_text(proof)
    cast = papers.evaluated.hall.tender.cast
    for name, who in (("candidates", cast.agency), ("award", cast.tenderee)):
        path = papers.folder / f"{name}.dsse"
        raw = path.read_bytes()
        envelope = Envelope.from_bytes(raw)
        for _, _, mutant in tampered(json.loads(envelope.payload)):
            path.write_bytes(who.key.sign(envelope.payload_type, canonical(mutant)).to_bytes())
            assert failed(papers.folder)
        path.write_bytes(raw)


Facts = Callable[[dict[str, Any]], dict[str, Any]]


def later_winner(facts: dict[str, Any]) -> dict[str, Any]:
    return {"rank": facts["rank"] + 1}


def dearer(facts: dict[str, Any]) -> dict[str, Any]:
    return {"price": "999999999.00"}


def another_name(facts: dict[str, Any]) -> dict[str, Any]:
    return {"winner": "别的公司"}


def another_report(facts: dict[str, Any]) -> dict[str, Any]:
    return {"report_digest": b64u(sha256(b"another report"))}


async def test_what_the_platform_and_its_witnesses_say_together_is_still_checked(
    papers: Papers,
) -> None:
    """Regulation 54, 55: three days at least; whom a document sets aside, and nobody else."""
    record = changed(papers.folder, "award")
    for story in (later_winner, dearer, another_name, another_report):
        facts = {**record["facts"], **story(record["facts"])}
        logged(papers, "award", {**record, "facts": facts}, index=FAR)
        assert failed(papers.folder), story.__name__
    candidates = changed(papers.folder, "candidates")
    logged(papers, "award", record, index=FAR)
    assert failed(papers.folder) == []
    logged(papers, "award", {**record, "at": candidates["at"]}, index=FAR)
    assert failed(papers.folder) == ["the candidates were published until their days were over"]
    logged(papers, "award", record, index=1)
    assert failed(papers.folder) == ["the steps are one lot's, one after another"]
    told = json.loads(Envelope.from_bytes((papers.folder / "award.dsse").read_bytes()).payload)
    first, second = candidates["facts"]["candidates"][:2]
    for set_aside, passes in (
        ([], False),
        ([{"bidder": first["bidder"], "ground": "gave_up", "document": " "}], False),
        ([{"bidder": first["bidder"], "ground": "gave_up", "document": "放弃中标声明"}], True),
    ):
        said = {**told, "winner": second["bidder"], "set_aside": set_aside}
        kind = "application/vnd.ebid.award.v1+json"
        raw = papers.evaluated.tenderee.key.sign(kind, canonical(said)).to_bytes()
        (papers.folder / "award.dsse").write_bytes(raw)
        record = changed(
            papers.folder,
            "award",
            winner_id=second["bidder"],
            winner=second["name"],
            rank=2,
            price=second["price"],
            statement_digest=b64u(sha256(raw)),
        )
        logged(papers, "award", record, index=FAR)
        assert (failed(papers.folder) == []) is passes


async def test_an_empty_folder_verifies_nothing(tmp_path: Path) -> None:
    assert not verify(tmp_path).ok
