"""The draw: a committee's experts from three regions, in the open, and nobody learns who.

Forty experts enrol. Four have ties to organisations of the lot and one is barred; all five are left
out with their reasons before any chance comes in. Tenderee, agency and supervisor draw by programs
of their own. Two of those called decline, and the next in their lists are called.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from kernel.consents import Purpose, text_digest
from kernel.crypto.digests import b64u, instant_text, unb64
from kernel.events import Audience
from web.client import Client, Problem
from web.custodian_work import Trust
from web.draw_work import DrawParty, announcement_of, countersignature
from web.rehearsal.cast import (
    EXPERTS,
    REGIONS,
    SPECIALISM_COST,
    SPECIALISM_WORKS,
    credit_code,
)
from web.rehearsal.checking import verified
from web.rehearsal.searching import logs_are_read, said
from web.rehearsal.stage import Stage
from web.verifying.draw_transcript import TrustedLog, verify

PARTIES = ("tenderee", "agency", "supervisor")
HOST, EAST, SOUTH = REGIONS
STRATA = (
    {"name": "临江市施工", "specialism": SPECIALISM_WORKS, "region": HOST, "seats": 2},
    {"name": "东湖市施工", "specialism": SPECIALISM_WORKS, "region": EAST, "seats": 1},
    {"name": "南溪市造价", "specialism": SPECIALISM_COST, "region": SOUTH, "seats": 1},
)
"""Four experts; with the owner's representative a committee of five."""

TIED = {
    1: ("bidder1", None),
    2: ("bidder2", {"kind": "kinship"}),
    17: ("bidder3", {"kind": "employment", "ended_on": "2025-06-30"}),
    29: ("agency", {"kind": "office"}),
}
"""Expert by number: to whom, and how; no tie means that he works there now."""

BARRED_EXPERT = 3
TIED_GROUNDS = {"employed", "kin", "was_employed", "held_office"}
PATIENCE_S = 60.0
TOGETHER = 8

LAW_37 = "《招标投标法》第37条"
REGULATION_46 = "《招标投标法实施条例》第46条"
REGULATION_71 = "《招标投标法实施条例》第71条"
CONDUCT_14 = "《关于严格执行招标投标法规制度进一步规范招标投标主体行为的若干意见》第（十四）项"


@dataclass(slots=True)
class Heard:
    """Everything that was heard of the draw by those who were not called."""

    answers: list[bytes] = field(default_factory=list)

    async def read(self, client: Client, path: str) -> None:
        """Ask, and remember the answer byte for byte."""
        self.answers.append(await client.read(path))

    async def try_to_read(self, client: Client, path: str) -> None:
        """Ask for what may be refused; a refusal is an answer too."""
        try:
            await self.read(client, path)
        except Problem as problem:
            self.answers.append(json.dumps(problem.body, ensure_ascii=False).encode())

    async def follow(self, client: Client, path: str) -> None:
        """Ask for a list page by page, to its end."""
        after = 0
        while True:
            await self.read(client, f"{path}?after={after}")
            entries = json.loads(self.answers[-1])["entries"]
            if not entries:
                return
            after = entries[-1].get("seq") or entries[-1]["number"]
            self.answers += [unb64(one["record"]) for one in entries if "record" in one]

    def holds(self, secret: str) -> bool:
        """Whether a secret stands anywhere in what was heard."""
        return any(secret.encode() in answer for answer in self.answers)


async def play(stage: Stage) -> None:
    """Enrol, announce, draw, call, and check the transcript as a stranger would."""
    stage.say(f"{EXPERTS} experts of three regions enrol and are verified 专家入库")
    stage.facts.expert_ids = await _enrol(stage)
    await _bar_one(stage)
    draw_id = await _announce(stage)
    stage.page(f"/draws/{draw_id}", "the draw 评标专家抽取")
    await _exclusions_shown(stage, draw_id)
    await _draw(stage, draw_id)
    await _call(stage, draw_id)
    transcript = await _transcript(stage, draw_id)
    await nobody_named(stage, [transcript, *_records(transcript)])


# ── the pool ──────────────────────────────────────────────────────────────────────────────────


def _region(number: int) -> str:
    return HOST if number <= 16 else EAST if number <= 28 else SOUTH


async def _enrol(stage: Stage) -> dict[int, str]:
    """Every expert applies; the pool's keeper verifies; their ids by number."""
    codes = {
        name: (await stage["centre"].get(f"/api/v1/organisations/{player.organisation_id}"))["uscc"]
        for name, player in stage.players.items()
        if name in {who for who, _ in TIED.values()}
    }

    async def one(number: int) -> tuple[int, str]:
        employer, ties = credit_code(400 + number), []
        if number in TIED:
            who, tie = TIED[number]
            if tie is None:
                employer = codes[who]
            else:
                ties = [{"uscc": codes[who], **tie}]
        await stage[f"expert{number}"].post(
            f"/api/v1/consents/{Purpose.EXPERT_HEALTH}",
            {"text": b64u(text_digest(Purpose.EXPERT_HEALTH))},
        )
        told = await stage[f"expert{number}"].post(
            "/api/v1/experts",
            {
                "pool": stage.players["centre"].organisation_id,
                "region": _region(number),
                "employer": f"{REGIONS[_region(number)]}第{number}设计院",
                "employer_uscc": employer,
                "specialisms": [SPECIALISM_COST if _region(number) == SOUTH else SPECIALISM_WORKS],
                "title": "senior",
                "years": 9 + number % 20,
                "born_on": f"{1966 + number % 15}-05-17",
                "healthy": True,
                "ties": ties,
            },
        )
        expert_id = str(told["expert_id"])
        await stage["centre"].post(f"/api/v1/experts/{expert_id}/verification")
        return number, expert_id

    ids: dict[int, str] = {}
    for start in range(1, EXPERTS + 1, TOGETHER):
        numbers = range(start, min(start + TOGETHER, EXPERTS + 1))
        ids.update(await asyncio.gather(*(one(number) for number in numbers)))
    return ids


async def _bar_one(stage: Stage) -> None:
    today = (await stage.now()).date()
    await stage["supervisor"].post_statement(
        "/api/v1/decisions",
        "bar",
        {
            "subject": {"person": stage.players[f"expert{BARRED_EXPERT}"].person_id},
            "authority": "临江市住房和城乡建设局",
            "document_number": "临建罚〔2026〕9号",
            "article": "《中华人民共和国招标投标法实施条例》第七十一条",
            "misconduct": "expert_misconduct",
            "reason": "在另一项目中擅离职守",
            "acts": ["draw", "sign_in"],
            "decided_on": today.isoformat(),
            "starts_on": today.isoformat(),
            "ends_on": today.replace(year=today.year + 1).isoformat(),
        },
    )


# ── the draw ──────────────────────────────────────────────────────────────────────────────────


async def _announce(stage: Stage) -> str:
    """The agency announces, once the closing is witnessed."""
    due_at = stage.facts.bids_due_at
    assert due_at is not None
    told = await stage["agency"].post(
        f"/api/v1/lots/{stage.facts.lot1}/draws",
        {
            "strata": list(STRATA),
            "parties": [
                {"name": name, "organisation": stage.players[name].organisation_id}
                for name in PARTIES
            ],
            "window": {
                "from": instant_text(due_at + timedelta(hours=3)),
                "until": instant_text(due_at + timedelta(hours=27)),
            },
            "representatives": 1,
        },
    )
    stage.facts.draw_id = str(told["draw_id"])
    return stage.facts.draw_id


async def _told(
    stage: Stage, draw_id: str, enough: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The draw as the platform tells it, as soon as it is far enough."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            told: dict[str, Any] = await stage["agency"].get(f"/api/v1/draws/{draw_id}")
            if enough(told):
                return told
            await asyncio.sleep(0.2)


async def _exclusions_shown(stage: Stage, draw_id: str) -> None:
    listed = (await stage["supervisor"].get(f"/api/v1/draws/{draw_id}/exclusions"))["exclusions"]
    grounds = [ground for one in listed for ground in one["grounds"]]
    tied = [ground for ground in grounds if ground in TIED_GROUNDS]
    stage.expect(
        32,
        "experts with a conflict are excluded with reasons",
        f"{LAW_37}、{REGULATION_46}",
        sorted(tied) == sorted(TIED_GROUNDS) and len(listed) == EXPERTS,
        f"{len(tied)} of {len(listed)}: {', '.join(sorted(tied))}",
    )
    stage.expect(
        33,
        "a barred expert is excluded",
        REGULATION_71,
        grounds.count("barred") == 1,
        "by a decision on record, under a label",
    )


async def _draw(stage: Stage, draw_id: str) -> None:
    """Each party's own program commits, deals, confirms and reveals."""
    path = f"/api/v1/draws/{draw_id}"
    trust = Trust(
        stage.facts.log_vkey, tuple(stage.facts.witness_vkeys), stage.settings.witness_quorum
    )
    told = await _told(stage, draw_id, lambda told: {"close", "announced"} <= set(told["proofs"]))
    programs = {name: DrawParty(name, announcement_of(told), trust) for name in PARTIES}
    stage.say("three parties commit to their nonces 三方提交承诺")
    for name, program in programs.items():
        await stage[name].post_statement(
            f"{path}/commitments", "draw-commit", program.commit(told["proofs"])
        )
    committed = {f"committed/{name}" for name in PARTIES}
    told = await _told(stage, draw_id, lambda told: committed <= set(told["proofs"]))
    stage.say("every commitment is witnessed; shares are dealt and confirmed 分存与确认")
    for name, program in programs.items():
        await stage[name].post_statement(
            f"{path}/shares", "draw-shares", program.deal(told["proofs"])
        )
    told = await _told(stage, draw_id, lambda told: all(one["dealt"] for one in told["parties"]))
    for name, program in programs.items():
        for dealer in PARTIES:
            if dealer != name:
                program.open_share(told["shares"], dealer)
                await stage[name].post(f"{path}/confirmations", {"dealer": dealer})
    listed = (await stage["supervisor"].get(f"{path}/exclusions"))["exclusions"]
    await stage["supervisor"].post_statement(
        f"{path}/countersignature",
        "draw-eligibility",
        countersignature(announcement_of(told), listed, party="supervisor"),
    )
    stage.say("the supervisor countersigns the exclusions; nonces are revealed 会签与公开")
    for name, program in programs.items():
        await stage[name].post_statement(
            f"{path}/reveals", "draw-reveal", program.reveal(told["proofs"])
        )


# ── the calls ─────────────────────────────────────────────────────────────────────────────────


async def _waiting(stage: Stage) -> dict[str, str]:
    """Which expert has a call that waits for his answer: call by player."""
    names = [f"expert{number}" for number in range(1, EXPERTS + 1)]
    told: list[dict[str, Any]] = []
    for start in range(0, EXPERTS, TOGETHER):
        chunk = names[start : start + TOGETHER]
        told += await asyncio.gather(*(stage[name].get("/api/v1/calls/mine") for name in chunk))
    return {
        name: str(call["call"])
        for name, own in zip(names, told, strict=True)
        for call in own["calls"]
        if call["outcome"] == "called"
    }


async def _answer(stage: Stage, name: str, call: str, answer: str, reason: str = "") -> None:
    await stage[name].post_statement(
        f"/api/v1/calls/{call}/answer",
        "draw-answer",
        {"call": call, "answer": answer, "reason": reason},
    )


async def _call(stage: Stage, draw_id: str) -> None:
    """Two of the four decline; whoever is next is called and accepts."""
    first = await _waiting(stage)
    declining = dict(list(first.items())[:2])
    for name, call in declining.items():
        await _answer(stage, name, call, "declined", "已有其他安排")
    second = await _waiting(stage)
    new = set(second) - set(first)
    stage.say("two decline; the next in their lists are called 两人不能参加，依次补抽")
    for name, call in second.items():
        await _answer(stage, name, call, "accepted")
    told = await _told(stage, draw_id, lambda told: told["state"] == "seated")
    stage.facts.seated = sorted(second)
    stage.expect(
        34,
        "two decline, the next in the list are called",
        CONDUCT_14,
        len(first) == 4 and len(new) == 2 and not set(declining) & set(second),
        f"{told['accepted']} of {told['seats']} seats accepted, {len(declining)} declined",
    )


# ── the stranger's check ──────────────────────────────────────────────────────────────────────


async def _transcript(stage: Stage, draw_id: str) -> bytes:
    """The transcript, written down, verified offline, and tampered with."""
    async with asyncio.timeout(PATIENCE_S):
        while (content := await _transcript_or_none(stage, draw_id)) is None:
            await asyncio.sleep(0.2)
    path = stage.write("draw-transcript.json", content)
    known = TrustedLog(
        stage.facts.log_vkey, tuple(stage.facts.witness_vkeys), stage.settings.witness_quorum
    )
    verdict = verify(content, trusted=known)
    checked = {check.what: check.passed for check in verdict.checks}
    ordered = checked.get("the steps were logged in the order that makes the draw fair", False)
    stage.expect(
        31,
        "close precedes the announcement, pool and eligibility commitment precede every nonce"
        " commitment, all of them precede every share and reveal",
        f"{LAW_37}、{CONDUCT_14}",
        verdict.ok and ordered,
        f"{len(json.loads(content)['proofs'])} steps proven under two witnesses",
    )
    spoilt = [await _tampered(stage, content, place) for place in range(3)]
    stage.expect(
        36,
        "the transcript verifies; a tampered one does not",
        CONDUCT_14,
        await verified("draw", path, *stage.pins) and not any(spoilt),
        f"{verdict.found.get('pool', 0)} labels ranked again,"
        f" {spoilt.count(False)} of {len(spoilt)} forgeries found",
    )
    return content


async def _transcript_or_none(stage: Stage, draw_id: str) -> bytes | None:
    """The transcript, or None while its last step is not witnessed."""
    path = f"/api/v1/draws/{draw_id}/transcript"
    if await stage.refused(lambda: stage["agency"].read(path), status=404):
        return None
    return await stage["agency"].read(path)


async def _tampered(stage: Stage, content: bytes, place: int) -> bool:
    """Whether a forgery passes: an outcome, a nonce, or an expert of the pool exchanged."""
    told = json.loads(content)
    match place:
        case 0:
            first = told["calls"][0]
            first["outcome"] = "accepted" if first["outcome"] == "declined" else "declined"
        case 1:
            told["nonces"]["agency"] = b64u(bytes(32))
        case _:
            told["pool"][0], told["pool"][1] = told["pool"][1], told["pool"][0]
    path = stage.settings.data / f"forged-draw-{place}.json"
    path.write_text(json.dumps(told))
    return await verified("draw", path, *stage.pins)


async def nobody_named(stage: Stage, known: Sequence[bytes] = (), *pages: str) -> None:
    """Look for every expert's name and ids in all that others can see of draw and committee.

    `known` is what else was answered until now. The keeper of a site is asked for his arrivals
    before the window has begun and not afterwards: then he is told whom to expect, to look at a
    face and a card.
    """
    heard, feed, ids = Heard([*known]), Heard(), stage.facts.expert_ids
    draw_id = stage.facts.draw_id
    lot, path = stage.facts.lot1, f"/api/v1/draws/{draw_id}"
    stranger = Client(stage.url)
    try:
        for client in (stranger, *(stage[name] for name in (*PARTIES, "centre", "bidder1"))):
            await heard.read(client, path)
            await heard.read(client, f"/api/v1/lots/{lot}/draws")
            await heard.read(client, f"/draws/{draw_id}")
            await heard.read(client, "/experts")
            for page in pages:
                await heard.try_to_read(client, page)
        await heard.read(stage["supervisor"], f"{path}/exclusions")
        await heard.read(stage["centre"], f"{path}/calls")
        for client, view in (
            (stranger, f"{lot}/{Audience.PUBLIC}"),
            (stage["supervisor"], f"{lot}/{Audience.SUPERVISORS}"),
        ):
            await heard.follow(client, f"/api/v1/views/{view}/entries")
        # The supervisor's own decision names the expert whom it bars, to the supervisor.
        await heard.follow(stranger, "/api/v1/log/entries")
        await feed.follow(stage["supervisor"], "/api/v1/log/entries")
    finally:
        await stranger.aclose()
    secrets = {
        number: (
            f"专家{number:02d}",
            expert_id,
            stage.players[f"expert{number}"].person_id,
            stage.players[f"expert{number}"].key.keyid,
        )
        for number, expert_id in ids.items()
    }
    named = [
        number
        for number, own in secrets.items()
        if any(map(heard.holds, own)) or (number != BARRED_EXPERT and any(map(feed.holds, own)))
    ]
    logged = said(stage, [secret for own in secrets.values() for secret in own])
    stage.expect(
        35,
        "names appear in no response, log or event before sign-in; but a site's keeper reads them"
        " once the window has begun, to compare faces and cards",
        LAW_37,
        not named and not logged and logs_are_read(stage),
        f"{len(heard.answers) + len(feed.answers)} answers and records searched for"
        f" {len(ids)} experts",
    )


def _records(transcript: bytes) -> list[bytes]:
    """The log's records that a transcript proves, in the clear."""
    found = []
    for proof in json.loads(transcript)["proofs"].values():
        opening = json.loads(unb64(proof.split("\n")[1].removeprefix("extra ")))
        found.append(unb64(opening["record"]))
    return found
