"""The award: candidates are published, an objection brakes, a bar holds up, everyone is told.

The second in rank objects and is answered. The tenderee first tries to name the second, then the
first while a decision bars it, and names the first once that decision is lifted. What was signed,
and the proofs that it stands in the log, are written out for a stranger.
"""

from __future__ import annotations

import asyncio
import shutil
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

from kernel.crypto.digests import canonical, parse_instant, strict_json, unb64
from kernel.crypto.signing import Envelope
from kernel.working_days import beijing_day
from web.client import Client, Problem
from web.pages import yuan
from web.rehearsal.checking import verified
from web.rehearsal.stage import Player, Stage, cites

PATIENCE_S = 30.0
NAP_S = 0.2
BARRED_FOR = timedelta(days=545)

REGULATION_54 = "《招标投标法实施条例》第54条"
REGULATION_55 = "《招标投标法实施条例》第55条"
LAW_26 = "《招标投标法》第26条"
LAW_45 = "《招标投标法》第45条"
NOTICES_6 = "《招标公告和公示信息发布管理办法》第6条"
SHOWN = "the award page shows prices, scores, the rejection and its ground"
DOCUMENT = "临建罚〔2026〕31号"


async def play(stage: Stage) -> None:
    """Bring lot 1 from its committee's report to the award."""
    lot = stage.facts.lot1
    stage.page(f"/awards/{lot}", "candidates and award 公示与定标")
    async with Client(stage.url) as stranger:
        notice = await _candidates(stage, lot, stranger)
        await _objection(stage, lot, notice, stranger)
        await _not_the_second(stage, lot, notice)
        await _barred_and_lifted(stage, lot, notice)
        await _told_together(stage, lot, notice)
        await _page(stage, lot, notice, stranger)
        await _papers(stage, lot, stranger)


# ── candidates and objection ──────────────────────────────────────────────────────────────────


async def _candidates(stage: Stage, lot: str, stranger: Client) -> dict[str, Any]:
    stage.say("the agency publishes the candidates 公示中标候选人")
    before = await stranger.get(f"/api/v1/lots/{lot}/award")
    notice: dict[str, Any] = await stage["agency"].get(f"/api/v1/lots/{lot}/candidates/draft")
    done = await stage["agency"].post_statement(
        f"/api/v1/lots/{lot}/candidates", "candidates", notice
    )
    stage.facts.candidates = [one["bidder"] for one in notice["candidates"]]
    told = await stranger.get(f"/api/v1/lots/{lot}/award")
    until, began = parse_instant(done["until"]), parse_instant(told["candidates_at"])
    early = await _award(stage, lot, notice, place=0)
    stage.expect(
        46,
        "candidates are published for three days, counted as the law counts",
        REGULATION_54,
        before["ranking"] == []
        and [one["rank"] for one in told["ranking"]][:3] == [1, 2, 3]
        and until == three_days_on(began)
        and "publicity_running" in _codes(early)
        and cites(early, REGULATION_54),
        f"until {until.isoformat()}",
    )
    return notice


BEIJING = timezone(timedelta(hours=8))
DAYS_OFF = {date(2026, 4, day) for day in (4, 5, 6)}
"""清明节 of 2026, by the State Council's notice; no Saturday or Sunday near it is a working day."""


def three_days_on(published_at: datetime) -> datetime:
    """When three days of publicity end, by this file's own count.

    The day of publication does not count; a last day that nobody works moves on to the next one on
    which they do, and its end is midnight in Beijing.
    """
    last = published_at.astimezone(BEIJING).date() + timedelta(days=3)
    while last.isoweekday() in (6, 7) or last in DAYS_OFF:
        last += timedelta(days=1)
    return datetime.combine(last + timedelta(days=1), time(), BEIJING)


async def _objection(stage: Stage, lot: str, notice: dict[str, Any], stranger: Client) -> None:
    told = await stranger.get(f"/api/v1/lots/{lot}/award")
    until = parse_instant(told["candidates_until"])
    await stage.clock_to(until - timedelta(hours=8))
    objector = _player(stage, notice["candidates"][1]["bidder"])
    stage.say(f"{objector.organisation} objects to the result 提出异议")
    raised = await objector.client.post_statement(
        f"/api/v1/lots/{lot}/objections",
        "objection",
        {
            "lot": lot,
            "about": "result",
            "request": "请核实第一中标候选人类似工程业绩的评分。",
            "grounds": "公示的业绩与招标文件要求的类似工程在规模上不一致。",
            "evidence": [{"title": "中标候选人公示", "text": "公示所列第一中标候选人的业绩"}],
        },
    )
    braked = await stranger.get(f"/api/v1/lots/{lot}/award")
    await stage.clock_to(until + timedelta(hours=9))
    await stage.settled()
    waiting = await stranger.get(f"/api/v1/lots/{lot}/award")
    await stage["agency"].post_statement(
        f"/api/v1/lots/{lot}/objections/{raised['id']}/answer",
        "answer",
        {
            "lot": lot,
            "objection": raised["id"],
            "outcome": "rejected",
            "remedy": "nothing",
            "words": "经核查，评标委员会依据投标文件所附合同和验收证明评分，异议不成立。",
        },
    )
    after = await _until_state(stranger, lot, "cleared_for_award")
    stage.expect(
        47,
        "an objection suspends the lot beyond the end of its publicity; its answer resumes it",
        REGULATION_54,
        bool(raised["waits"])
        and braked["suspended"]
        and (waiting["suspended"], waiting["state"]) == (True, "candidates_published")
        and not after["suspended"]
        and after["objections"][0]["answered_at"] is not None,
    )


# ── whom the law lets be named ────────────────────────────────────────────────────────────────


async def _not_the_second(stage: Stage, lot: str, notice: dict[str, Any]) -> None:
    problem = await _award(stage, lot, notice, place=1)
    stage.expect(
        48,
        "an award to rank 2 is refused with its article",
        REGULATION_55,
        _codes(problem) == {"not_first"} and cites(problem, REGULATION_55),
        problem.refusals[0]["reason"] if problem is not None else "",
    )


async def _barred_and_lifted(stage: Stage, lot: str, notice: dict[str, Any]) -> None:
    first = notice["candidates"][0]["bidder"]
    today = beijing_day(await stage.now())
    authority = stage.players["supervisor"].organisation
    stage.say("a decision bars the first in rank; nobody steps up 处罚决定")
    decided = await stage["supervisor"].post_statement(
        "/api/v1/decisions",
        "bar",
        {
            "subject": {"organisation": first},
            "authority": authority,
            "document_number": DOCUMENT,
            "article": "《中华人民共和国招标投标法》第五十三条",
            "misconduct": "collusion",
            "reason": "在另一项目中与他人串通投标，情节严重",
            "acts": ["award", "registration", "submission"],
            "decided_on": today.isoformat(),
            "starts_on": today.isoformat(),
            "ends_on": (today + BARRED_FOR).isoformat(),
        },
    )
    barred = await _award(stage, lot, notice, place=0)
    second = await _award(stage, lot, notice, place=1)
    await stage["supervisor"].post_statement(
        f"/api/v1/decisions/{decided['id']}/lift",
        "lift",
        {
            "decision": decided["id"],
            "authority": "临江市人民政府",
            "document_number": "临政复决〔2026〕9号",
            "reason": "行政复议决定撤销原处罚",
        },
    )
    stage.say("the decision is lifted, and the first in rank wins 解除并定标")
    allowed = await _award(stage, lot, notice, place=0)
    cited = "".join(one["reason"] for one in barred.refusals) if barred is not None else ""
    stage.expect(
        49,
        "the award is refused while the winner is barred, promotes nobody, and is allowed after",
        f"{LAW_26}、{REGULATION_55}",
        _codes(barred) == {"winner_barred"}
        and cites(barred, LAW_26)
        and cites(second, REGULATION_55)
        and DOCUMENT in cited
        and authority in cited
        and _codes(second) == {"not_first"}
        and allowed is None,
        cited,
    )


async def _award(stage: Stage, lot: str, notice: dict[str, Any], *, place: int) -> Problem | None:
    """The problem that naming this candidate was answered with; None where the award was made."""
    said = {
        "lot": lot,
        "winner": notice["candidates"][place]["bidder"],
        "report": notice["report"],
    }
    try:
        await stage["tenderee"].post_statement(f"/api/v1/lots/{lot}/award", "award", said)
    except Problem as problem:
        return problem
    return None


# ── who is told, and what is shown ────────────────────────────────────────────────────────────


async def _told_together(stage: Stage, lot: str, notice: dict[str, Any]) -> None:
    bidders = await _bidders(stage, lot)
    winner = notice["candidates"][0]["bidder"]
    heard: dict[str, list[dict[str, Any]]] = {}
    async with asyncio.timeout(PATIENCE_S):
        while not heard or not all(heard.values()):
            for player in bidders:
                heard[player.organisation_id] = await _notices(player, lot)
            await asyncio.sleep(NAP_S)
    kinds = {party: [one["kind"] for one in told] for party, told in heard.items()}
    instants = {one["at"] for told in heard.values() for one in told}
    stage.expect(
        50,
        "award notice and result notices go out at the same moment",
        LAW_45,
        len(instants) == 1
        and kinds.pop(winner) == ["AwardNoticed"]
        and all(told == ["ResultNoticed"] for told in kinds.values()),
        f"{len(heard)} notices at {', '.join(sorted(instants))}",
    )


async def _bidders(stage: Stage, lot: str) -> list[Player]:
    told = await stage["centre"].get(f"/api/v1/lots/{lot}/opening")
    return [_player(stage, bid["bidder_id"]) for bid in told["bids"]]


async def _notices(player: Player, lot: str) -> list[dict[str, Any]]:
    """The notices of this lot's award among everything that only this bidder was told."""
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = await player.client.get(
            f"/api/v1/views/party/{player.organisation_id}/entries?after={after}"
        )
        if not page["entries"]:
            return found
        found += [
            one
            for one in page["entries"]
            if one["subject"] == lot and one["kind"] in ("AwardNoticed", "ResultNoticed")
        ]
        after = page["entries"][-1]["seq"]


async def _page(stage: Stage, lot: str, notice: dict[str, Any], stranger: Client) -> None:
    shown = (await stranger.read(f"/awards/{lot}")).decode()
    told = await stranger.get(f"/api/v1/lots/{lot}/award")
    expected = [one["name"] for one in (*notice["ranking"], *notice["rejected"])]
    expected += [yuan(one["price"]) for one in notice["ranking"]]
    expected += [one["total"] for one in notice["ranking"]]
    expected += [word for one in notice["rejected"] for word in (one["ground"], one["article"])]
    missing = [word for word in expected if word not in shown]
    stage.expect(
        51,
        SHOWN,
        NOTICES_6,
        not missing
        and bool(notice["rejected"])
        and told["award"]["winner_id"] == notice["candidates"][0]["bidder"]
        and told["award"]["price"] == notice["candidates"][0]["price"],
        f"missing: {missing}" if missing else f"winner {told['award']['winner']}",
    )


async def _papers(stage: Stage, lot: str, stranger: Client) -> None:
    """Write what a stranger needs, and have it checked by a program that asks nobody.

    The signed papers and their keys, their places in the log, and the policy that names log and
    witnesses; and beside them what the platform says of it all.
    """
    told = await stranger.get(f"/api/v1/lots/{lot}/award")
    policy = Envelope.from_bytes(await stranger.read(f"/api/v1/lots/{lot}/opening-policy"))
    closing = (await stranger.get(f"/api/v1/lots/{lot}/opening-record"))["entries"]["close"]
    stage.write("award.json", canonical(told))
    stage.write("award/policy.json", policy.payload)
    for name, statement in told["statements"].items():
        stage.write(f"award/{name}.dsse", unb64(statement))
    entries = {
        "close": closing,
        "candidates": told["candidates_entry"],
        "award": told["award"]["entry_id"],
    }
    for name, entry in entries.items():
        stage.write(f"award/{name}.tlog-proof", await _proof(stage, stranger, entry))
    stage.write(
        "award/keys.json",
        {
            "log": stage.facts.log_vkey,
            "witnesses": list(stage.facts.witness_vkeys),
            "quorum": stage.settings.witness_quorum,
            "signers": told["signers"],
        },
    )
    whole = await verified("award", stage.out / "award", *stage.pins)
    forged = stage.settings.data / "forged-award"
    shutil.copytree(stage.out / "award", forged, dirs_exist_ok=True)
    award = Envelope.from_bytes((forged / "award.dsse").read_bytes())
    said: Any = strict_json(award.payload)
    said["winner"] = stage.facts.candidates[1]
    again = stage.players["tenderee"].key.sign(award.payload_type, canonical(said))
    (forged / "award.dsse").write_bytes(again.to_bytes())
    spoilt = await verified("award", forged, *stage.pins)
    stage.expect(
        51,
        SHOWN,
        NOTICES_6,
        whole and not spoilt,
        f"{stage.shown[51].detail}; `sunbid verify award` agrees, and finds a forgery",
    )


async def _proof(stage: Stage, stranger: Client, entry: str) -> bytes:
    """The proof that an entry stands in the log, once the witnesses have signed for it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await stranger.read(
                    f"/api/v1/log/proofs/{entry}", quorum=stage.settings.witness_quorum
                )
            except Problem as problem:
                if problem.status != 404:
                    raise
            await asyncio.sleep(NAP_S)


async def _until_state(stranger: Client, lot: str, state: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            told: dict[str, Any] = await stranger.get(f"/api/v1/lots/{lot}/award")
            if told["state"] == state:
                return told
            await asyncio.sleep(NAP_S)


def _player(stage: Stage, organisation_id: str) -> Player:
    return next(
        player
        for player in stage.players.values()
        if player.organisation_id == organisation_id and player.role == "bidder"
    )


def _codes(problem: Problem | None) -> set[str]:
    return set() if problem is None else {str(one["code"]) for one in problem.refusals}
