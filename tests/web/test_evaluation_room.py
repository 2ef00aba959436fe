"""The evaluation room over HTTP: five seats at work, what each may see, and what a stranger may.

Bidding Law 37, 38; Bidding Regulation 49, 51, 53; Electronic Bidding Measures 33.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kernel.access import Role
from kernel.crypto.digests import b64, b64u
from tests.committees_at_work import REJECTED_PRICE, KeptCommittees, WorkRoom
from tests.tenders import a_player
from tests.web.evaluation_house import (
    EvaluationHouse,
    all_sit,
    evaluation_house,
    fill_in,
    seat_programs,
)
from web.client import Problem
from web.seat_work import SeatWork
from web.verifying.evaluation_record import verify


@pytest.fixture
async def house(room: WorkRoom, kept_committees: KeptCommittees) -> AsyncIterator[EvaluationHouse]:
    async with evaluation_house(room, kept_committees, room.database) as house:
        yield house


@pytest.fixture
async def seats(house: EvaluationHouse, tmp_path: Path) -> AsyncIterator[list[SeatWork]]:
    async with seat_programs(house, tmp_path) as works:
        yield works


async def problem_of(act: Any) -> Problem:
    with pytest.raises(Problem) as refused:
        await act
    return refused.value


# ── the whole of it ───────────────────────────────────────────────────────────────────────────


async def test_a_committee_works_from_its_seats_to_a_record_that_verifies(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    room = house.room
    await all_sit(house, seats)
    bids = (await seats[0].client.get(house.path("bids")))["bids"]
    assert len(bids) == 6
    files = await seats[1].client.get(house.path(f"bids/{bids[0]['bid_id']}/files"))
    assert [one["name"] for one in files["files"]] == ["技术标/方案.txt", "报价.csv"]
    content = await seats[1].client.read(
        house.path(f"bids/{bids[0]['bid_id']}/file"), name="技术标/方案.txt"
    )
    assert "方案" in content.decode()
    dearest = max(bids, key=lambda one: float(one["price"]))["bid_id"]
    motion = await seats[0].client.post(
        house.path("rejections"),
        {"bid": dearest, "ground": "not_responsive", "page": "第9页", "words": "工期不响应"},
    )
    for work in seats[:3]:
        told = await work.client.post(
            house.path(f"rejections/{motion['id']}/votes"), {"in_favour": True}
        )
    assert told == {"outcome": "carried"}
    for sitter, work in zip(room.sitters, seats, strict=True):
        await fill_in(house, sitter, work)
        assert await work.commit() == 1
    for work in seats:
        await work.reveal()
    await seats[0].client.post(house.path("report"), {})
    for work in seats[:-1]:
        state = await work.sign_report(dissent="不同意" if work is seats[1] else "")
        assert not state["complete"]
    assert (await seats[-1].sign_report())["adopted"]
    await room.draw.tick()
    supervisor = await house.as_(room.supervisor)
    record = await supervisor.read(f"/api/v1/lots/{room.lot_id}/evaluation-record")
    assert verify(record).ok
    stranger = await house.as_(None)
    nobody = await problem_of(stranger.get(f"/api/v1/lots/{room.lot_id}/evaluation-record"))
    assert nobody.status == 404


async def test_a_seat_that_leaves_stops_the_reading(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    await seats[4].leave()
    problem = await problem_of(seats[0].client.get(house.path("bids")))
    assert (problem.status, set(problem.codes)) == (409, {"committee_incomplete"})


# ── who sees what ─────────────────────────────────────────────────────────────────────────────


async def test_nothing_of_a_members_marks_is_in_any_answer_to_anyone_else(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    room, secret = house.room, "23.47"
    await all_sit(house, seats)
    for sitter, work in zip(room.sitters[:4], seats[:4], strict=True):
        await fill_in(house, sitter, work)
    bid = (await seats[0].client.get(house.path("bids")))["bids"][0]["bid_id"]
    seats[0].mark(bid, "construction", secret)
    await seats[0].all_sent()
    for work in seats[:4]:
        await work.commit()
    await room.draw.tick()
    heard: list[str] = []
    others = [room.sitters[1].player, room.sitters[4].player, room.supervisor, room.agency, None]
    for who in others:
        client = await house.as_(who)
        for path in (
            house.path(),
            house.path("marks"),
            house.path("report"),
            house.path(f"bids/{bid}/files"),
            f"/evaluation/{room.committee_id}",
            f"/evaluation/{room.committee_id}/board",
            f"/evaluation/{room.committee_id}?bid={bid}",
            f"/api/v1/views/{room.lot_id}/committee/entries",
            f"/api/v1/views/{room.lot_id}/supervisors/entries",
            f"/api/v1/lots/{room.lot_id}/evaluation-record",
            "/metrics",
        ):
            try:
                heard.append((await client.read(path)).decode())
            except Problem as problem:
                heard.append(json.dumps(problem.body))
    assert not [text for text in heard if secret in text]
    assert secret in (await seats[0].client.read(house.path("marks"))).decode()


async def test_for_strangers_there_is_no_room(house: EvaluationHouse) -> None:
    expert = await a_player(house.room.store, Role.EXPERT)
    for who, status in ((expert, 404), (house.room.agency, 403), (None, 403)):
        client = await house.as_(who)
        for path in (house.path(), f"/evaluation/{house.room.committee_id}"):
            problem = await problem_of(client.get(path))
            assert problem.status in (status, 401), (path, problem)


async def test_before_signing_in_a_member_sees_its_summons_and_no_room(
    house: EvaluationHouse,
) -> None:
    sitter = house.room.sitters[0]
    client = await house.as_(sitter.player)
    (told,) = (await client.get("/api/v1/committees/mine"))["committees"]
    assert told["seat_id"] == str(sitter.seat_id)
    assert told["examination_waits"] is False
    assert (await problem_of(client.get("/api/v1/committees"))).status == 403
    assert (await problem_of(client.get(house.path()))).status == 404
    page = (await client.read("/evaluation")).decode()
    assert told["site"] in page
    assert "污水" not in page


async def test_the_supervisor_sees_how_far_everybody_is_and_no_values(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    supervisor = await house.as_(house.room.supervisor)
    room = await supervisor.get(house.path())
    assert (room["reading"], room["own_number"], len(room["places"])) == (True, None, 5)
    page = (await supervisor.read(f"/evaluation/{house.room.committee_id}")).decode()
    assert "成员进度" in page
    assert "data-mark" not in page
    listed = (await supervisor.read("/evaluation")).decode()
    assert str(house.room.committee_id) in listed
    [line] = (await supervisor.get("/api/v1/committees"))["committees"]
    assert (line["committee_id"], line["members"]) == (str(house.room.committee_id), 5)
    agency = await house.as_(house.room.agency)
    [own] = (await agency.get("/api/v1/committees"))["committees"]
    assert own["committee_id"] == line["committee_id"]
    for one in house.room.sitters:
        assert one.player.name not in str((line, own))
    assert (await problem_of(supervisor.get(house.path("bids")))).status == 403


async def test_the_page_of_a_member_holds_its_sheet_and_a_bids_text(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    client = seats[0].client
    bid = (await client.get(house.path("bids")))["bids"][0]["bid_id"]
    page = (
        await client.read(f"/evaluation/{house.room.committee_id}", bid=bid, file="技术标/方案.txt")
    ).decode()
    assert page.count("data-mark ") == 2
    assert 'class="paper' in page
    assert "方案 1" in page
    assert "施工组织设计" in page
    shown = (await client.get(house.path("consortia")))["bidders"]
    assert len(shown) == len((await client.get(house.path("bids")))["bids"])
    assert all((one["members"], one["findings"]) == ([], []) for one in shown)


async def test_the_page_says_for_whom_reading_waits(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    await house.room.lose_line(house.room.sitters[3])
    page = (await seats[0].client.read(f"/evaluation/{house.room.committee_id}")).decode()
    assert "暂停评审" in page
    assert "data-mark " not in page
    assert f"{house.room.sitters[3].number} 号" in page
    assert "118,600,000" not in page
    assert (await problem_of(seats[0].client.get(house.path("consortia")))).status == 409


async def test_while_reading_has_stopped_one_goes_on_marking_what_was_chosen(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    bid = (await seats[0].client.get(house.path("bids")))["bids"][0]
    await house.room.lose_line(house.room.sitters[3])
    page = (
        await seats[0].client.read(
            f"/evaluation/{house.room.committee_id}", bid=bid["bid_id"], file="报价.csv"
        )
    ).decode()
    assert page.count("data-mark ") == 2
    assert bid["name"] not in page
    assert 'class="paper' not in page


async def test_what_a_bidder_made_is_offered_as_a_file_and_never_as_a_page(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    client = seats[0].client
    bid = (await client.get(house.path("bids")))["bids"][0]["bid_id"]
    answer = await client._http.get(
        house.path(f"bids/{bid}/file"),
        params={"name": "报价.csv"},
        headers={"Authorization": f"Bearer {client.token}"},
    )
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


# ── bad input ─────────────────────────────────────────────────────────────────────────────────


async def test_what_has_another_shape_is_refused_and_leaves_nothing(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    client = seats[0].client
    bid = (await client.get(house.path("bids")))["bids"][0]["bid_id"]
    cell = f"bids/{bid}/marks/construction"
    good = {"edit_id": str(uuid4()), "score": "20", "base_version": 0}
    for body in (
        {**good, "score": 20},
        {**good, "score": "twenty"},
        {**good, "score": "1e3"},
        {**good, "base_version": -1},
        {**good, "edit_id": "1"},
        {**good, "more": 1},
        {},
    ):
        problem = await problem_of(client.put(house.path(cell), body))
        assert problem.status in (400, 422), (body, problem)
    acts: tuple[tuple[str, dict[str, object]], ...] = (
        ("rejections", {"bid": bid, "ground": "ugly", "page": "1", "words": "x"}),
        ("reveals", {"sheet": {}, "nonce": ""}),
        ("reveals", {"sheet": [], "nonce": b64u(bytes(32))}),
        ("sign-ins", {"declaration": "!", "presence": b64(b"{}")}),
        ("withdrawals", {"reason": ""}),
        ("report", {"argued": "长" * 5001}),
    )
    for path, said in acts:
        problem = await problem_of(client.post(house.path(path), said))
        assert problem.status in (400, 422), (path, problem)
    assert (await client.get(house.path("marks")))["cells"] == []


async def test_unknown_committees_bids_and_items_are_not_found(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    client = seats[0].client
    good = {"edit_id": str(uuid4()), "score": "20", "base_version": 0}
    assert (await problem_of(client.get(f"/api/v1/committees/{uuid4()}"))).status == 404
    assert (await problem_of(client.get(house.path(f"bids/{uuid4()}/files")))).status == 404
    answer = client.put(house.path(f"bids/{uuid4()}/marks/construction"), good)
    assert (await problem_of(answer)).status == 404
    page = f"/evaluation/{house.room.committee_id}"
    assert (await problem_of(client.read(page, bid=str(uuid4())))).status == 404


async def test_a_refused_act_cites_its_article(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    bid = next(
        one
        for one in (await seats[0].client.get(house.path("bids")))["bids"]
        if one["price"] == f"{REJECTED_PRICE}"
    )
    said = {"bid": bid["bid_id"], "ground": "not_responsive", "page": "无", "words": "不响应"}
    problem = await problem_of(seats[0].client.post(house.path("rejections"), said))
    assert problem.status == 409
    assert "第51条" in problem.refusals[0]["article"]


# ── time, and members who are lost ────────────────────────────────────────────────────────────


async def test_time_is_asked_for_by_members_and_given_by_whoever_tenders(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    """Bidding Regulation 48."""
    await all_sit(house, seats)
    agency = await house.as_(house.room.agency)
    early = await problem_of(agency.post(house.path("extensions"), {"minutes": 60}))
    assert (early.status, set(early.codes)) == (409, {"too_few_asked"})
    assert "第48条" in early.refusals[0]["article"]
    for number, work in enumerate(seats[:2], start=1):
        told = await work.client.post(house.path("time-requests"), {"reason": "篇幅大"})
        assert told == {"asking": number}
    before = (await seats[0].client.get(house.path()))["window"]["until"]
    after = (await agency.post(house.path("extensions"), {"minutes": 60}))["window_until"]
    assert (await seats[0].client.get(house.path()))["window"]["until"] == after > before
    for body in ({"minutes": 0}, {"minutes": "long"}, {"minutes": 60, "more": 1}, {}):
        problem = await problem_of(agency.post(house.path("extensions"), body))
        assert problem.status == 422, body
    unfit = await problem_of(agency.post(house.path("extensions"), {"minutes": 1441}))
    assert "extension_unfit" in unfit.codes


async def test_a_keeper_has_an_absent_member_replaced_and_no_other(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    await all_sit(house, seats)
    sitter = house.room.sitters[0]
    keeper = await house.as_(house.room.keepers[sitter.site_id])
    said = {
        "committee": str(house.room.committee_id),
        "seat": str(sitter.seat_id),
        "ground": "absent",
        "reason": "离席",
    }
    path = f"/api/v1/sites/{sitter.site_id}/removals"
    present = await problem_of(keeper.post(path, said))
    assert (present.status, set(present.codes)) == (409, {"at_seat"})
    for changes in ({"ground": "ugly"}, {"reason": ""}, {"seat": "1"}, {"more": 1}):
        assert (await problem_of(keeper.post(path, {**said, **changes}))).status == 422
    unknown = await problem_of(keeper.post(path, {**said, "seat": str(uuid4())}))
    assert unknown.status == 404


async def test_what_came_to_nothing_is_shown_to_the_supervisor_once_the_work_is_done(
    house: EvaluationHouse, seats: list[SeatWork]
) -> None:
    room = house.room
    await all_sit(house, seats)
    for sitter, work in zip(room.sitters, seats, strict=True):
        await fill_in(house, sitter, work)
        await work.commit()
    for work in seats:
        await work.reveal()
    await seats[0].client.post(house.path("report"), {})
    for place, work in enumerate(seats):
        await work.sign_report(dissent="不同意排序" if place < 3 else "")
    supervisor = await house.as_(room.supervisor)
    kept = house.path("set-aside-reports/1")
    assert (await problem_of(supervisor.get(kept))).status == 404
    page = (await seats[0].client.read(f"/evaluation/{room.committee_id}")).decode()
    assert "未获过半数同意（2 同意，3 不同意）" in page
    await seats[0].client.post(house.path("report"), {})
    for work in seats:
        told = await work.sign_report()
    assert told["adopted"]
    assert (await supervisor.get(kept))["ground"] == "not_adopted"
    for version in ("0", "x", "99999"):
        problem = await problem_of(supervisor.get(house.path(f"set-aside-reports/{version}")))
        assert problem.status == 404
    await room.draw.tick()
    record = await supervisor.read(f"/api/v1/lots/{room.lot_id}/evaluation-record")
    assert verify(record).ok
