"""Submission: bids are sealed on the bidders' side, sent in parts, receipted; nobody else knows.

Nine bidders aim at lot 1: one is barred, one is late, seven are there at the closing. Two of them
also bid for lot 2, which fails for want of a third.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kernel.crypto import sealing
from kernel.crypto.digests import b64u, canonical, parse_instant, sha256, strict_json, unb64u
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.randomness import random_bytes
from web.client import Client, Problem
from web.rehearsal.act_opening import refuse_too_early
from web.rehearsal.cast import BARRED, ESCROWED, LATE
from web.rehearsal.checking import verified
from web.rehearsal.onlookers import (
    WATCHERS,
    Ear,
    ears,
    everything_seen,
    tells_of_something,
    told_in,
)
from web.rehearsal.searching import logs_are_read, said
from web.rehearsal.stage import OwnBid, Stage, cites, same_article
from web.sealing_bids import Bidder, LotPackage, SealedBid, deliver, read_package, seal_bid

PRICES = (
    "121880000.00",
    "120350500.00",
    "122900000.00",
    "119766000.00",
    "123450000.00",
    "118990000.00",
    "121000000.00",
    "120000000.00",
    "122000000.00",
)
CAME = 7
FIRST, WATCHING = "bidder3", f"bidder{LATE + 1}"
"""Whose bid is the first of all, and who looks on meanwhile, having none of his own."""

PATIENCE_S = 30.0
SHORTLY, ONE_SECOND = timedelta(seconds=5), timedelta(seconds=1)
SAID_TO_ALL = "ClarificationPublished"
DECISION = "临建罚〔2026〕7号"
UNSEEN = "nobody could see a count, a name or a presence before the closing"
MIB = 1 << 20

LAW_22 = "《招标投标法》第22条"
LAW_28 = "《招标投标法》第28条"
LAW_53 = "《招标投标法》第53条"
MEASURES_26 = "《电子招标投标办法》第26条"
MEASURES_27 = "《电子招标投标办法》第27条"
REGULATION_21 = "《招标投标法实施条例》第21条"
REGULATION_36 = "《招标投标法实施条例》第36条"
REGULATION_44 = "《招标投标法实施条例》第44条"


async def play(stage: Stage) -> None:
    """Nine bidders, seven bids, one of them twice; and everything that is turned away."""
    lot = stage.facts.lot1
    async with Client(stage.url) as stranger:
        await stage[WATCHING].get(f"/api/v1/lots/{lot}/documents")
        await _bar(stage)
        async with ears(stage, lot, stranger) as listening:
            await _secrecy(stage, lot, stranger, listening)
            early = await _sealed(stage, 1, lot)
            await _clarification(stage, lot, early, listening)
    await _malformed(stage, lot)
    await _parts(stage, lot)
    for number in range(4, CAME + 1):
        await deliver(stage[f"bidder{number}"], (await _sealed(stage, number, lot)).folder)
    await _withdraw_and_resubmit(stage, lot)
    for number in (1, 2):
        await deliver(
            stage[f"bidder{number}"], (await _sealed(stage, number, stage.facts.lot2)).folder
        )
    await _receipts(stage, lot)
    await _deadline(stage, lot)


def _bidder(stage: Stage, number: int) -> Bidder:
    player = stage.players[f"bidder{number}"]
    return Bidder(player.organisation_id, player.key)


def _sheet(number: int) -> dict[str, Any]:
    return {
        "price": PRICES[number - 1],
        "duration_days": 520 + number,
        "quality": "合格",
        "manager": f"项目经理{number}",
    }


async def _package(stage: Stage, lot: str) -> LotPackage:
    return read_package(await stage["bidder1"].read(f"/api/v1/lots/{lot}/sealing-package"))


async def _sealed(
    stage: Stage,
    number: int,
    lot: str,
    *,
    name: str = "bid",
    package: LotPackage | None = None,
    size: int = 300_000,
    **changes: Any,
) -> SealedBid:
    """A bid sealed on the bidder's own machine: a folder of its own, asking nobody."""
    home = stage.settings.data / "bidders" / f"bidder{number}" / lot[:8]
    work = home / f"{name}-files"
    work.mkdir(parents=True, exist_ok=True)
    (work / "技术方案.pdf").write_bytes(b"%PDF-1.7\n" + random_bytes(size))
    (work / "商务文件.pdf").write_bytes(b"%PDF-1.7\n" + random_bytes(5_000))
    key = PrivateKey.generate()
    sealed = await asyncio.to_thread(
        seal_bid,
        package or await _package(stage, lot),
        _bidder(stage, number),
        sheet=_sheet(number),
        files=[work],
        folder=home / name,
        now=await stage.now(),
        escrow=number == ESCROWED + 1,
        opening_key=key.public_bytes,
        **changes,
    )
    if lot == stage.facts.lot1:
        sheet = {"v": "ebid-sheet/1", "currency": "CNY", **_sheet(number)}
        stage.facts.bids[f"bidder{number}"] = OwnBid(sheet, key, number == ESCROWED + 1, lot)
    return sealed


async def _clarification(
    stage: Stage, lot: str, early: SealedBid, listening: Sequence[Ear]
) -> None:
    """A clarification fourteen days before the deadline moves it; sealed bids stay valid.

    One bid was taken in before it, one was sealed before it and comes in only now. Whoever listened
    while the first came in hears of the clarification, so that none of them was deaf.
    """
    assert stage.facts.bids_due_at is not None
    await stage.clock_to(stage.facts.bids_due_at - timedelta(days=14))
    agency = stage.players["agency"]
    client = agency.client
    said = json.loads(
        client.statement(
            "clarification",
            {
                "project": stage.facts.project_id,
                "lot": lot,
                "number": 2,
                "title": "关于进水水质的澄清",
                "text": "进水水质按招标文件附件三修改后的指标执行。",
                "may_affect_bids": True,
            },
        )
    )
    path = f"/api/v1/lots/{lot}/clarifications"
    unmoved = await stage.refused(
        lambda: client.post(path, {"clarification": said}), code="deadline_must_move"
    )
    current = Envelope.from_bytes(await client.read(f"/api/v1/lots/{lot}/timetable"))
    told = strict_json(current.payload)
    assert isinstance(told, dict)
    moved_to = stage.facts.bids_due_at + timedelta(days=3)
    amended = {
        **told,
        "version": told["version"] + 1,
        "previous": b64u(sha256(current.payload)),
        "bids_due_at": moved_to.isoformat().replace("+00:00", "Z"),
    }
    signed = json.loads(agency.key.sign(payload_type("timetable"), canonical(amended)).to_bytes())
    await client.post(path, {"clarification": said, "timetable": signed})
    stage.facts.bids_due_at = moved_to
    answer = await deliver(stage["bidder1"], early.folder)
    stage.facts.receipts["bidder1"] = str(answer.get("entry_id", ""))
    now_read = Envelope.from_bytes(await client.read(f"/api/v1/lots/{lot}/timetable"))
    read_back: Any = strict_json(now_read.payload)
    listed = await client.get(f"/api/v1/lots/{lot}")
    first = (await stage[FIRST].get(f"/api/v1/lots/{lot}/bids/mine"))["bids"]
    stage.expect(
        7,
        "a clarification 14 days before the deadline moves it, and sealed bids stay valid",
        REGULATION_21,
        cites(unmoved, REGULATION_21)
        and answer.get("outcome") == "accepted"
        and [bid["withdrawn"] for bid in first] == [False]
        and parse_instant(read_back["bids_due_at"]) == moved_to
        and read_back["version"] == told["version"] + 1
        and parse_instant(listed["bids_due_at"]) == moved_to,
        "" if unmoved is None else str(unmoved),
    )
    deaf = [f"{ear.who} {ear.view}" for ear in listening if not await ear.hears(SAID_TO_ALL)]
    stage.expect(
        19,
        UNSEEN,
        f"{LAW_22}、《电子招标投标办法》第21条",
        not deaf,
        f"deaf: {deaf}" if deaf else f"{stage.shown[19].detail}; {len(listening)} live sockets",
    )


async def _bar(stage: Stage) -> None:
    """A supervisor's decision bars one of the nine; everybody may know of it."""
    who = f"bidder{BARRED + 1}"
    today = (await stage.now()).date()
    await stage["supervisor"].post_statement(
        "/api/v1/decisions",
        "bar",
        {
            "subject": {"organisation": stage.players[who].organisation_id},
            "authority": "临江市住房和城乡建设局",
            "document_number": DECISION,
            "article": "《中华人民共和国招标投标法》第五十三条",
            "misconduct": "collusion",
            "reason": "在另一项目中与其他投标人串通投标",
            "acts": ["submission", "award"],
            "decided_on": today.isoformat(),
            "starts_on": today.isoformat(),
            "ends_on": today.replace(year=today.year + 1).isoformat(),
        },
    )


async def _barred(stage: Stage, lot: str) -> None:
    sealed = await _sealed(stage, BARRED + 1, lot)
    barred = stage[f"bidder{BARRED + 1}"]
    problem = await stage.refused(lambda: deliver(barred, sealed.folder), code="barred")
    cited = [] if problem is None else [r for r in problem.refusals if DECISION in str(r)]
    stage.expect(
        8,
        "a barred bidder is refused with the decision cited",
        LAW_53,
        bool(cited) and cites(problem, LAW_53),
        cited[0]["reason"] if cited else str(problem),
    )


async def _malformed(stage: Stage, lot: str) -> None:
    """An unsealed file, the wrong custodians, somebody else's envelope."""
    client = stage["bidder2"]
    upload = await client.upload(lot, "sheet", random_bytes(sealing.payload_size_of(65_536)))
    problem = await stage.refused(
        lambda: client.put_header(upload, b"%PDF-1.7 not sealed at all"), code="not_sealed"
    )
    stage.expect(
        9,
        "an unsealed file is refused with a prompt",
        MEASURES_26,
        cites(problem, MEASURES_26) and "请先用投标加密工具加密" in str(problem),
        "" if problem is None else _words(problem),
    )
    package = await _package(stage, lot)
    strangers = tuple(PrivateKey.generate().public_bytes for _ in range(4))
    wrong = replace(
        package,
        policy=sealing.PolicyKeys(
            package.policy.policy_hash, sealing.ShareHolders(3, strangers), package.policy.escrow
        ),
    )
    sealed = await _sealed(stage, 2, lot, name="wrong", package=wrong)
    problem = await stage.refused(lambda: deliver(client, sealed.folder), code="not_sealed")
    stage.expect(
        10,
        "an envelope sealed to the wrong custodians is refused",
        MEASURES_26,
        cites(problem, MEASURES_26) and "以外的密钥保管人" in str(problem),
        "" if problem is None else _words(problem),
    )
    theirs = await _sealed(stage, 2, lot, name="theirs")
    copied = await _copied(stage, theirs, number=4, lot=lot)
    problem = await stage.refused(lambda: deliver(stage["bidder4"], copied), code="wrong_bidder")
    stage.expect(
        11,
        "an envelope copied under another bidder's name is refused",
        MEASURES_26,
        cites(problem, MEASURES_26),
        "" if problem is None else _words(problem),
    )


async def _copied(stage: Stage, theirs: SealedBid, *, number: int, lot: str) -> Path:
    """Another bidder's sealed files, submitted under one's own name and signature."""
    home = theirs.folder.parent / "copied"
    home.mkdir(exist_ok=True)
    for one in theirs.envelopes:
        (home / one.file).write_bytes((theirs.folder / one.file).read_bytes())
    described = json.loads((theirs.folder / "sealed.json").read_text())
    described["bidder"] = stage.players[f"bidder{number}"].organisation_id
    (home / "sealed.json").write_text(json.dumps(described))
    package = await _package(stage, lot)
    payload = {
        "project": package.project_id,
        "lot": lot,
        "bidder": described["bidder"],
        "seq": 1,
        "policy": b64u(package.policy.policy_hash),
        "envelopes": [one.named() for one in theirs.envelopes],
        "replaces": None,
    }
    (home / "submission.dsse").write_bytes(
        stage[f"bidder{number}"].statement("submission", payload)
    )
    return home


async def _parts(stage: Stage, lot: str) -> None:
    """Parts in any order and twice, a wrong digest, a missing part, the same submit twice."""
    client = stage["bidder2"]
    sealed = await _sealed(stage, 2, lot, name="large", size=20 * MIB)
    bid = next(one for one in sealed.envelopes if one.kind == "bid")
    content = (sealed.folder / bid.file).read_bytes()
    header, payload = content[: bid.header_size], content[bid.header_size :]
    parts = [payload[at : at + 8 * MIB] for at in range(0, len(payload), 8 * MIB)]
    told = await client.post(
        f"/api/v1/lots/{lot}/uploads",
        {
            "envelope": "bid",
            "size": len(payload),
            "parts": [sha256(part).hex() for part in parts],
        },
    )
    upload = told["upload_id"]
    await client.put_header(upload, header)
    problem = await stage.refused(
        lambda: client.put_part(upload, 0, parts[0][:-1] + bytes([parts[0][-1] ^ 1])),
        code="wrong_digest",
    )
    stage.expect(
        13,
        "a part with a wrong digest is refused",
        # No article speaks of single parts, so the platform cites none.
        "",
        problem is not None,
        "" if problem is None else _words(problem),
    )
    for number in reversed(range(1, len(parts))):
        await client.put_part(upload, number, parts[number])
        await client.put_part(upload, number, parts[number])
    problem = await _submit_as_it_is(stage, client, sealed, lot)
    missing = "" if problem is None else problem.refusals[0]["facts"]["missing"]
    stage.expect(
        14,
        "a submit with a missing part is refused, naming it",
        MEASURES_27,
        cites(problem, MEASURES_27) and missing == "bid 第0块",
        "" if problem is None else _words(problem),
    )
    await client.put_part(upload, 0, parts[0])
    await client.put_part(upload, 0, parts[0])
    first = await deliver(client, sealed.folder)
    again = await deliver(client, sealed.folder)
    state = await client.get(f"/api/v1/uploads/{upload}")
    stage.expect(
        12,
        "parts may arrive in any order and twice",
        MEASURES_27,
        state["complete"] and first.get("outcome") == "accepted",
        f"{len(parts)} parts",
    )
    stage.expect(
        15,
        "the same submit sent twice gives the same receipt, byte for byte",
        MEASURES_27,
        "receipt" in first and first["receipt"] == again.get("receipt"),
    )


async def _submit_as_it_is(
    stage: Stage, client: Client, sealed: SealedBid, lot: str
) -> Problem | None:
    """Submit with the sheet complete and the bid as far as it is."""
    sheet = next(one for one in sealed.envelopes if one.kind == "sheet")
    path = sealed.folder / sheet.file
    upload = await client.upload(lot, "sheet", path, offset=sheet.header_size)
    await client.put_header(upload, path.read_bytes()[: sheet.header_size])
    raw = (sealed.folder / "submission.dsse").read_bytes()
    return await stage.refused(
        lambda: client.post_signed(f"/api/v1/lots/{lot}/bids", raw, idempotency_key="incomplete"),
        code="incomplete",
    )


async def _secrecy(stage: Stage, lot: str, stranger: Client, listening: Sequence[Ear]) -> None:
    """Everything everybody can ask for is the same before the first bid exists and afterwards.

    Between the readings eight bidders take the documents, one of them is turned away, and one's bid
    is taken in.
    """
    before = await everything_seen(stage, lot, stranger)
    for ear in listening:
        await ear.caught_up()
    others = [f"bidder{number}" for number in range(1, len(PRICES) + 1)]
    others.remove(WATCHING)
    await asyncio.gather(*(stage[name].get(f"/api/v1/lots/{lot}/documents") for name in others))
    await _barred(stage, lot)
    taken = await deliver(stage[FIRST], (await _sealed(stage, 3, lot)).folder)
    after = await everything_seen(stage, lot, stranger)
    differing = [path for path in before if tells_of_something(before[path], after[path])]
    # Whom a decision bars is named with it, to everybody.
    came = [stage.players[name] for name in others if name != f"bidder{BARRED + 1}"]
    secrets = [word for one in came for word in (one.organisation, one.organisation_id)]
    named = told_in(after, secrets, stage.players[WATCHING].organisation) + said(stage, secrets)
    leaked = [f"{ear.who} heard {ear.leaked[0]}" for ear in listening if ear.leaked]
    found = [*differing[:3], *named[:3], *leaked[:3]]
    stage.expect(
        19,
        UNSEEN,
        f"{LAW_22}、《电子招标投标办法》第21条",
        not found and taken.get("outcome") == "accepted" and logs_are_read(stage),
        ", ".join(found)
        or f"{len(after)} answers to {len(WATCHERS) + 1} sorts of people, and the platform's logs",
    )


async def _withdraw_and_resubmit(stage: Stage, lot: str) -> None:
    client = stage["bidder4"]
    state = (await client.get(f"/api/v1/lots/{lot}/bids/mine"))["next"]
    package = await _package(stage, lot)
    await client.post_statement(
        f"/api/v1/lots/{lot}/bids",
        "submission",
        {
            "project": package.project_id,
            "lot": lot,
            "bidder": stage.players["bidder4"].organisation_id,
            "seq": state["seq"],
            "policy": b64u(package.policy.policy_hash),
            "envelopes": [],
            "replaces": state["replaces"],
        },
        idempotency_key="withdrawal",
    )
    state = (await client.get(f"/api/v1/lots/{lot}/bids/mine"))["next"]
    sealed = await _sealed(
        stage, 4, lot, name="again", seq=state["seq"], replaces=unb64u(state["replaces"])
    )
    answer = await deliver(client, sealed.folder)
    bids = (await client.get(f"/api/v1/lots/{lot}/bids/mine"))["bids"]
    stage.expect(
        16,
        "withdraw and resubmit: the last one counts",
        "《招标投标法》第29条",
        answer.get("outcome") == "accepted"
        and [bid["withdrawn"] for bid in bids] == [False, True, False],
        f"{len(bids)} submissions",
    )


async def _receipts(stage: Stage, lot: str) -> None:
    """Every receipt verifies offline by the companion that two witnesses cosigned."""
    verdicts = []
    entered = [(lot, n, "") for n in range(1, CAME + 1)]
    entered += [(stage.facts.lot2, n, "lot2-") for n in (1, 2)]
    for entered_lot, number, prefix in entered:
        name = f"bidder{number}"
        bids = (await stage[name].get(f"/api/v1/lots/{entered_lot}/bids/mine"))["bids"]
        for bid in bids:
            proof = await _witnessed(stage[name], bid["entry_id"])
            path = stage.write(f"receipts/{prefix}{name}-{bid['seq']}.tlog-proof", proof)
            verdicts.append(await verified("receipt", path, *stage.pins))
    stage.expect(
        17,
        "every receipt verifies offline with two witnesses, before the deadline",
        MEASURES_27,
        len(verdicts) == CAME + 4 and all(verdicts),
        f"{len(verdicts)} receipts",
    )


async def _witnessed(client: Client, entry: str) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            proof = await client.read(f"/api/v1/receipts/{entry}", witnessed=True)
            if proof.startswith(b"c2sp.org/tlog-proof@v1"):
                return proof
            await asyncio.sleep(0.3)


async def _deadline(stage: Stage, lot: str) -> None:
    assert stage.facts.bids_due_at is not None
    late = await _sealed(stage, LATE + 1, lot)
    client = stage[f"bidder{LATE + 1}"]
    for one in late.envelopes:
        path = late.folder / one.file
        upload = await client.upload(lot, one.kind, path, offset=one.header_size)
        await client.put_header(upload, path.read_bytes()[: one.header_size])
    raw = (late.folder / "submission.dsse").read_bytes()
    for other in (stage.facts.lot2, lot):
        told = Envelope.from_bytes(await client.read(f"/api/v1/lots/{other}/timetable"))
        times = strict_json(told.payload)
        assert isinstance(times, dict)
        if other != lot:
            await stage.clock_to(parse_instant(times["bids_due_at"]) + timedelta(seconds=5))
            await stage.settled()
            await _fails(stage, other)
    await refuse_too_early(stage, lot, code="not_found")
    # The clock stops at the deadline and goes on as the world's does: the lot takes in for some
    # time yet what had been received before, and is not closing when the late one comes.
    due_at = stage.facts.bids_due_at
    await stage.clock_to(due_at - SHORTLY)
    await stage.jump(due_at)
    await stage.live_until(due_at + ONE_SECOND)
    problem = await stage.refused(
        lambda: client.post_signed(f"/api/v1/lots/{lot}/bids", raw), code="late"
    )
    closing_at = await _closing_at(stage, lot)
    settle = timedelta(seconds=stage.settings.closer_settle_s)
    stage.expect(
        18,
        "a submit one second after the deadline is refused with exact times",
        REGULATION_36,
        cites(problem, REGULATION_36)
        and refused_in_time(problem, due_at=due_at, settle=settle, closing_at=closing_at),
        "" if problem is None else _words(problem),
    )


def refused_in_time(
    problem: Problem | None, *, due_at: datetime, settle: timedelta, closing_at: datetime
) -> bool:
    """Whether a late bid was refused by its time alone, while the lot still settled.

    It was received one second after the deadline and before the closing began, the lot being open
    as it had been; whoever took bids in meanwhile would have taken this one.
    """
    if problem is None or len(problem.refusals) != 1:
        return False
    facts = problem.refusals[0].get("facts", {})
    if not {"received_at", "bids_due_at"} <= set(facts):
        return False
    received_at = parse_instant(facts["received_at"])
    return (
        parse_instant(facts["bids_due_at"]) == due_at
        and due_at + ONE_SECOND <= received_at < due_at + settle
        and received_at < closing_at
    )


async def _closing_at(stage: Stage, lot: str) -> datetime:
    """When the platform cut off what had arrived, as it tells everybody."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            told = (await stage["bidder1"].get(f"/api/v1/views/{lot}/public/entries"))["entries"]
            if at := [one["at"] for one in told if one["kind"] == "LotClosing"]:
                return parse_instant(at[0])
            await asyncio.sleep(0.1)


async def _fails(stage: Stage, lot: str) -> None:
    """Two bidders are too few, and the public is told so, why, and by which article."""
    told = await stage["bidder1"].get(f"/api/v1/lots/{lot}")
    failures: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE_S):
        while not failures:
            public = await stage["bidder1"].get(f"/api/v1/views/{lot}/public/entries")
            failures = [one["data"] for one in public["entries"] if one["kind"] == "LotFailed"]
            await asyncio.sleep(0.1)
    stage.expect(
        20,
        "lot 2 has two bidders and fails for want of a third",
        f"{LAW_28}、{REGULATION_44}",
        told["state"] == "failed"
        and [one["code"] for one in failures] == ["too_few_bidders"]
        and any(same_article(failures[0]["article"], one) for one in (LAW_28, REGULATION_44)),
        failures[0]["reason"] if failures else told["state"],
    )


def _words(problem: Problem) -> str:
    told = "；".join(str(one["reason"]) for one in problem.refusals)
    return told or str(problem.body.get("detail") or problem.code)
