"""A mandatory open tender over HTTP that is asked about, clarified, objected to, declared void over
a complaint about its documents, and tendered again with documents that were mended.

Bidding Law 22, 23; Bidding Regulation 21, 22, 23, 55, 60, 61, 62. Whoever bid before the
clarification is told that its bid follows an old version, and replaces it; who asked stays hidden
until the close, and then the tenderee alone is told.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from kernel.crypto.digests import b64u, instant_text, sha256, unb64u
from kernel.store.transaction import Store
from kernel.working_days import beijing_day
from tests.complaints import a_case, a_decision
from tests.questions import WORDS, ask, clarify
from tests.sealed_bids import (
    IN_TIME,
    Tender,
    a_bidder,
    a_sealed_bid,
    a_submission,
    submitted,
    uploaded,
)
from tests.tenders import NOW, Player, a_plan
from tests.walked_tenders import ClockTo, Journey, Tick, keys_kept, published, replanned
from tests.web.tender_house import page
from trading.reception import Reception
from web.client import Client, Problem

ANSWER = {"question": "业绩年限从何时起算？", "answer": "自2023年3月1日起算，以合同签订日为准。"}
CHANGE = {"place": "schedule", "text": "总工期600日历天"}
CHANGED_PDF = b"%PDF-1.7 changed"
MENDED = "本项目不限定品牌和供应商。"


@pytest.fixture
async def journey(
    app: FastAPI, store: Store, tender: Tender, tick: Tick, clock_to: ClockTo, tmp_path: Path
) -> AsyncIterator[Journey]:
    made = Journey(app, store, tick, clock_to, tender.cast, tmp_path, lot=str(tender.lot_id))
    try:
        yield made
    finally:
        await made.close()


async def test_a_tender_is_clarified_objected_to_voided_by_a_complaint_and_tendered_again(
    journey: Journey, tender: Tender, sound: Callable[[], Awaitable[None]]
) -> None:
    bidders = [await a_bidder(journey.store) for _ in range(3)]
    await asked_and_clarified(journey, tender, bidders)
    complaint = await objected_and_asked_too_late(journey, tender, bidders[0])
    await closed(journey, tender, bidders)
    await voided(journey, bidders[0], complaint, now=moved(tender))
    await tendered_again(journey)
    await sound()


async def asked_and_clarified(journey: Journey, tender: Tender, bidders: list[Player]) -> None:
    """Questions are answered late, so the deadline moves; a bid made before is replaced."""
    early, other, third = bidders
    lot, app = f"/api/v1/lots/{journey.lot}", journey.app
    agency, bidder = await journey.line(journey.cast.agency), await journey.line(early)

    # Three days in: one bids, both ask the same, and one asks something else.
    await journey.clock_to(IN_TIME)
    first = await bid(journey, tender, early, at=IN_TIME)
    for who in (other, third):
        await bid(journey, tender, who, at=IN_TIME)
    same = [await ask(await journey.line(who), tender.lot_id) for who in (early, other)]
    open_one = await ask(await journey.line(other), tender.lot_id, "是否组织现场踏勘？")

    # Fourteen days before the deadline a change that affects bids must move it, or is refused.
    await journey.clock_to(NOW + timedelta(days=7, hours=2))
    files = [
        await a_changed_file(agency, lot, "招标文件.pdf", CHANGED_PDF),
        await a_changed_file(agency, lot, "tender-file.json", await retitled(agency, lot)),
    ]
    said: dict[str, Any] = {
        "changes": [CHANGE],
        "answers": [ANSWER],
        "questions": [same],
        "documents": files,
    }
    with pytest.raises(Problem) as refused:
        await clarify(agency, tender.lot_id, **said)
    assert refused.value.codes == {"deadline_must_move"}
    assert "实施条例》第21条" in refused.value.refusals[0]["article"]
    assert [one["notice"] for one in (await agency.get(f"{lot}/questions"))["desk"]] == [None] * 3
    number = await clarify(agency, tender.lot_id, due_at=instant_text(moved(tender)), **said)

    public = await journey.line(journey.cast.staff)
    told = await public.get(f"{lot}/versions/1..2")
    assert told["words"][0]["new"] == CHANGE["text"]
    assert [(one["what"], one["days"]) for one in told["times"]] == [("bids_due_at", 3)]
    assert told["answers"] == [ANSWER]
    desk = (await agency.get(f"{lot}/questions"))["desk"]
    assert {one["id"]: one["notice"] for one in desk} == {
        **dict.fromkeys(same, number),
        open_one: None,
    }
    assert {one["asker"] for one in desk} == {None}

    # The bid stands on an old version, which its bidder alone is told, until it is replaced.
    mine = (await bidder.get(f"{lot}/bids/mine"))["bound"]
    assert mine == {"made_under": 1, "current": 2, "is_old": True}
    assert "按第 1 版编制" in await page(app, f"/lots/{tender.lot_id}/bid", early)
    now = NOW + timedelta(days=8)
    await journey.clock_to(now)
    await bid(journey, tender, early, at=now, seq=2, replaces=first)
    assert (await bidder.get(f"{lot}/bids/mine"))["bound"]["is_old"] is False


async def objected_and_asked_too_late(
    journey: Journey, tender: Tender, early: Player
) -> dict[str, Any]:
    """An objection to the documents suspends until its answer; the complaint that may follow."""
    lot = f"/api/v1/lots/{journey.lot}"
    last = moved(tender) - timedelta(days=10)
    await journey.clock_to(last - timedelta(hours=1))
    said = a_case(journey.lot, "documents")
    first = await journey.act(early, f"{lot}/objections", "objection", said)
    taken_back = {"lot": journey.lot, "objection": first["id"], "reason": ""}
    path = f"{lot}/objections/{first['id']}/withdrawal"
    await journey.act(early, path, "objection-withdrawal", taken_back)
    assert await journey.standing() == ("open", False)
    raised = await journey.act(early, f"{lot}/objections", "objection", said)
    assert await journey.standing() == ("open", True)
    known_on = beijing_day(last).isoformat()
    complaint = a_case(journey.lot, "documents", objection=raised["id"], known_on=known_on)
    checked = await (await journey.line(early)).post(
        f"{lot}/complaint-checks",
        {key: value for key, value in complaint.items() if key != "lot"},
    )
    assert [one["code"] for one in checked["refusals"]] == ["answer_awaited"]
    answer = {
        "lot": journey.lot,
        "objection": raised["id"],
        "outcome": "rejected",
        "remedy": "nothing",
        "words": "招标文件没有限定品牌。",
    }
    path = f"{lot}/objections/{raised['id']}/answer"
    await journey.act(journey.cast.agency, path, "answer", answer)
    assert await journey.standing() == ("open", False)

    # The end of the questions moved with the deadline; a minute past it, nobody asks any more.
    public, bidder = await journey.line(journey.cast.staff), await journey.line(early)
    assert (await public.get(f"{lot}/questions"))["until"] == instant_text(last)
    await journey.clock_to(last + timedelta(minutes=1))
    with pytest.raises(Problem) as refused:
        await ask(bidder, tender.lot_id, "工期能否再延长？")
    assert refused.value.codes == {"question_late"}
    assert "实施条例》第22条" in refused.value.refusals[0]["article"]
    return complaint


async def closed(journey: Journey, tender: Tender, bidders: list[Player]) -> None:
    """After the close the tenderee alone reads who asked."""
    cast, lot = journey.cast, f"/api/v1/lots/{journey.lot}"
    await journey.at(moved(tender) + timedelta(seconds=3))
    desk = (await (await journey.line(cast.tenderee)).get(f"{lot}/questions"))["desk"]
    assert {one["asker"] for one in desk} == {one.organisation for one in bidders[:2]}
    desk = (await (await journey.line(cast.agency)).get(f"{lot}/questions"))["desk"]
    assert {one["asker"] for one in desk} == {None}
    for reader in (None, cast.supervisor, cast.agency):
        shown = await page(journey.app, f"/notices/{tender.lot_id}/questions", reader)
        assert bidders[0].organisation not in shown
        assert (WORDS in shown) is False or reader is cast.agency


async def voided(
    journey: Journey, complainant: Player, complaint: dict[str, Any], *, now: datetime
) -> None:
    """A complaint about the documents is taken up, holds the lot, and declares the tender void."""
    lot, supervisor = f"/api/v1/lots/{journey.lot}", journey.cast.supervisor
    filed = await journey.act(complainant, f"{lot}/complaints", "complaint", complaint)
    case, told = f"{lot}/complaints/{filed['id']}", {"lot": journey.lot, "complaint": filed["id"]}
    taken_up = {**told, "taken_up": True, "reason": ""}
    await journey.act(supervisor, f"{case}/answer", "complaint-answer", taken_up)
    order = {**told, "suspended": True, "reason": "涉嫌限定品牌"}
    await journey.act(supervisor, f"{case}/brake", "complaint-brake", order)
    state, suspended = await journey.standing()
    assert suspended
    await journey.at(now + timedelta(hours=1))
    assert await journey.standing() == (state, True)
    decision = {**told, **a_decision("upheld_void", facts="招标文件限定了品牌。")}
    done = await journey.act(supervisor, f"{case}/decision", "complaint-decision", decision)
    assert done["consequence"] == "cancelled"
    assert await journey.standing() == ("cancelled", False)
    assert "招标或者中标无效" in await page(journey.app, f"/notices/{journey.lot}")
    assert "招标无效，应当重新招标" in await page(journey.app, f"/complaints/{filed['id']}")


async def tendered_again(journey: Journey) -> None:
    """The new lot begins with the newest papers, and is published once they are mended."""
    lot, agency = f"/api/v1/lots/{journey.lot}", await journey.line(journey.cast.agency)
    again = str((await agency.post(f"{lot}/retender", {}))["id"])
    path = f"/api/v1/lots/{again}"
    with pytest.raises(Problem) as refused:
        await agency.post(f"{lot}/retender", {})
    assert [one["code"] for one in refused.value.refusals] == ["tendered_again"]
    assert again not in await page(journey.app, f"/notices/{journey.lot}")
    assert "招标文件.pdf" in await page(journey.app, f"/desk/lots/{again}", journey.cast.agency)

    draft = await agency.get(f"{path}/draft")
    assert draft["notice"]["schedule"] == CHANGE["text"]
    assert [one["sha256"] for one in draft["documents"]] == [sha256(CHANGED_PDF).hex()]
    file = (await agency.get(f"{path}/tender-file"))["file"]
    assert file == json.loads(await retitled(agency, lot))
    await agency.put(f"{path}/draft", replanned(draft, a_plan(NOW + timedelta(days=25))))
    await keys_kept(journey, draft["project"], again)
    with pytest.raises(Problem) as refused:
        await published(journey, again)
    assert refused.value.codes == {"papers_not_mended"}
    assert "实施条例》第23条" in refused.value.refusals[0]["article"]
    assert "限定了品牌" in refused.value.refusals[0]["reason"]
    found = (await agency.get(f"{path}/checkup"))["violations"]
    assert [one["rule"] for one in found if one["code"] == "papers_not_mended"] == ["NO-12"]

    file["blocks"][0]["text"] += MENDED
    await agency.put(f"{path}/tender-file", {"file": file})
    await published(journey, again)
    stated = (await agency.get(path))["notices"][0]["body"]["documents"]
    own = (await agency.get(f"{lot}"))["notices"][0]["body"]["documents"]
    assert {one["name"] for one in stated} == {one["name"] for one in own}
    kept = await agency.read(f"{path}/documents/tender-file.json")
    assert json.loads(kept) == file
    assert {one["name"]: one["sha256"] for one in stated} == {
        "招标文件.pdf": b64u(sha256(CHANGED_PDF)),
        "tender-file.json": b64u(sha256(kept)),
    }
    assert f"/notices/{again}" in await page(journey.app, f"/notices/{journey.lot}")
    assert f"/notices/{journey.lot}" in await page(journey.app, f"/notices/{again}")


# ── what the walk is made of ──────────────────────────────────────────────────────────────────


def moved(tender: Tender) -> datetime:
    """The deadline after the clarification."""
    return tender.due_at + timedelta(days=3)


async def retitled(agency: Client, lot: str) -> bytes:
    """The file that the lot was published with, as the clarification changes it."""
    file = json.loads(await agency.read(f"{lot}/documents/tender-file.json"))
    file["blocks"][0]["title"] += "（修改）"
    return json.dumps(file, ensure_ascii=False).encode()


async def a_changed_file(agency: Client, lot: str, name: str, content: bytes) -> dict[str, Any]:
    """A file for a clarification to bring, uploaded."""
    await agency.post_file(f"{lot}/clarification-files", content, media_type="application/pdf")
    return {"name": name, "sha256": b64u(sha256(content)), "size": len(content)}


async def bid(
    journey: Journey,
    tender: Tender,
    who: Player,
    *,
    at: datetime,
    seq: int = 1,
    replaces: str = "",
) -> str:
    """A sealed bid whose last byte came at an instant; the digest of its submission."""
    files = a_sealed_bid(tender, who)
    await uploaded(journey.store, who, tender.lot_id, files)
    counter: Reception = replace(journey.app.state.reception, patience_s=0)
    earlier = unb64u(replaces, 32) if replaces else None
    raw = a_submission(tender, who, files, seq=seq, replaces=earlier)
    await submitted(journey.store, counter, who, tender, raw, at=at)
    bids = (await (await journey.line(who)).get(f"/api/v1/lots/{tender.lot_id}/bids/mine"))["bids"]
    return str(bids[-1]["submission"])
