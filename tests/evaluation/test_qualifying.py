"""A review committee from its draw to the results: Bidding Law 37; Bidding Regulation 18, 53."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from evaluation import committee_views, qualifying, reporting
from evaluation.sound_committees import committee_faults
from expert_pool.sound_draws import draw_faults
from kernel.crypto.digests import instant_text, strict_json
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.identifiers import LotId
from kernel.store.database import OWNER
from kernel.store.transaction import transaction
from tests.committees_at_work import Sitter, WorkRoom
from tests.draw_cast import EAST, HOST, SOUTH, STRATA
from tests.kept_stores import Lines, clock_turned
from tests.newcomers import codes
from tests.prequalifications import (
    CONDITIONS,
    REVIEWED,
    Called,
    a_called_lot,
    an_applicant,
    released,
    reviewed,
)
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import Player, signed
from tests.web.careless_senders import IN_A_REVIEW, CarelessSenders
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page
from trading import handover, prequalification_views
from trading.sound_qualifications import qualification_faults
from web.app import create_app
from web.client import Problem
from web.draw_work import DrawParty
from web.seat_work import SeatWork

BEGINS = REVIEWED + timedelta(hours=3)


@dataclass(slots=True)
class Review:
    """A prequalification of state money, its applications opened, and who is to review them."""

    room: WorkRoom
    called: Called
    applicants: list[Player]

    async def findings(self, sitter: Sitter, *failed: Player, **changes: Any) -> bytes:
        """What a member finds: all pass but the failed, who has no record of works."""
        said = {
            "v": "ebid-application-findings/1",
            "committee": str(self.room.committee_id),
            "member": str(sitter.member_id),
            "findings": [
                {
                    "applicant": str(one.party),
                    "condition": condition,
                    "met": one not in failed or condition == "C1",
                    "reason": "" if one not in failed or condition == "C1" else "未附验收证明",
                    "page": "" if one not in failed or condition == "C1" else "第12页",
                }
                for one in self.applicants
                for condition, _ in CONDITIONS
            ],
            "signed_at": instant_text(self.room.now),
        }
        return signed(sitter.player, "application-findings", {**said, **changes})

    async def judge(self, sitter: Sitter, *failed: Player) -> int:
        raw = await self.findings(sitter, *failed)
        given: int = await self.room.do(
            sitter.player, qualifying.give_opinions, self.room.committee_id, raw
        )
        return given


@pytest.fixture
async def review(room: WorkRoom, role_lines: Lines) -> Review:
    """In a house where a committee for bids was convened before, with the same pool."""
    store, cast = room.store, room.hall.tender.cast
    called = await a_called_lot(store, project={"state_funded": True}, cast=cast)
    applied = [await an_applicant(store, called, await a_bidder(store)) for _ in range(3)]
    for one in applied:
        await released(store, called, one)
    lot = replace(room.hall.tender.lot, lot_id=called.lot_id)
    async with role_lines.lent(OWNER, room.database, pool_size=1) as owner:
        await clock_turned(owner, REVIEWED)
    draw = replace(room.draw, lot_id=called.lot_id, programs={})
    return Review(
        replace(
            room,
            hall=replace(room.hall, tender=Tender(cast, lot)),
            draw=draw,
            sitters=[],
            now=BEGINS + timedelta(minutes=1),
        ),
        called,
        [one.who for one in applied],
    )


async def test_a_drawn_committee_reviews_by_majority_and_every_applicant_is_told(
    review: Review, tmp_path: Path
) -> None:
    room, called, lot_id = review.room, review.called, review.called.lot_id
    store, cast, draw = room.store, called.cast, room.draw
    house = create_app(store, store.settings)
    with pytest.raises(Refused) as refused:
        await reviewed(store, called, [one.party for one in review.applicants])
    assert codes(refused) == {"committee_reviews"}

    # ── drawn, with everybody avoided who applied ──
    path = f"/api/v1/lots/{lot_id}/prequalification"
    asked: dict[str, Any] = {
        "strata": [
            {
                "name": one.name,
                "specialism": one.specialism,
                "region": one.region_code,
                "seats": one.seats,
            }
            for one in STRATA
        ],
        "parties": [
            {"name": name, "organisation": str(one.party)} for name, one in draw.parties.items()
        ],
        "window": {
            "from": instant_text(BEGINS),
            "until": instant_text(BEGINS + timedelta(hours=8)),
        },
        "representatives": 1,
    }
    await draw.tick()
    agency = await client_of(house, cast.agency)
    html = await page(house, f"/desk/lots/{lot_id}/prequalification", cast.agency)
    assert f"/api/v1/lots/{lot_id}/prequalification/draws" in html
    assert "data-review" not in html
    assert faults_of(tree_of(html)) == []
    with pytest.raises(Problem) as problem:
        parties = [
            *asked["parties"],
            {"name": "one", "organisation": str(review.applicants[0].party)},
        ]
        await agency.post(f"{path}/draws", {**asked, "parties": parties})
    assert problem.value.status == 400
    draw.draw_id = (await agency.post(f"{path}/draws", asked))["draw_id"]
    view = await draw.view()
    told = json.loads(view.announcement)
    assert (told["review_round"], view.round, view.review_round) == (1, 1, 1)
    trust = await draw.trust()
    draw.programs = {name: DrawParty(name, view.announcement, trust) for name in draw.parties}
    await draw.tick()
    await draw.commit()
    await draw.deal()
    await draw.confirm()
    await draw.countersign()
    await draw.reveal()
    await draw.seat_everybody()
    assert "资格审查专家抽取" in await page(house, f"/draws/{draw.draw_id}")

    # ── seated and signed in like one for bids ──
    placement = {HOST: str(room.sites[0]), EAST: str(room.sites[1]), SOUTH: str(room.sites[1])}
    formed = await agency.post(
        f"{path}/committee",
        {
            "host_site": str(room.sites[0]),
            "placement": placement,
            "representatives": [str(room.representative.person)],
        },
    )
    room.committee_id = formed["committee_id"]
    await room.find_sitters()
    with pytest.raises(Refused):
        await room.do(room.sitters[0].player, qualifying.desk, room.committee_id)
    await room.sit()
    found = await room.do(room.sitters[0].player, qualifying.desk, room.committee_id)
    assert {one.name for one in found.applications} == {
        one.organisation for one in review.applicants
    }
    content = await room.do(
        room.sitters[0].player,
        qualifying.read,
        room.committee_id,
        found.applications[0].application_id,
        "申请文件.pdf",
    )
    assert content.startswith(b"%PDF")
    with pytest.raises(NotFound):  # it evaluates no bids
        await room.do(room.sitters[0].player, reporting.compile_report, room.committee_id)
    with pytest.raises(NotPermitted):
        await room.do(review.applicants[0], handover.applications, lot_id, 1)

    # ── each alone, and then most of them ──
    weak, disputed = review.applicants[0], review.applicants[1]
    with pytest.raises(Refused) as refused:
        raw = await review.findings(room.sitters[0], findings=[])
        await room.do(room.sitters[0].player, qualifying.give_opinions, room.committee_id, raw)
    assert codes(refused) == {"opinion_left_out"}
    hasty, *_ = room.sitters
    careless = CarelessSenders(house, store)
    careless.known(hasty.player)
    front: Any = careless
    path = f"/api/v1/committees/{room.committee_id}/findings"
    raw = await review.findings(hasty, weak)
    assert await (await client_of(front, hasty.player)).post_signed(path, raw) == {"given": 1}
    assert set(careless.spoilt) == IN_A_REVIEW
    for place, sitter in enumerate(room.sitters):
        failed = [weak, disputed] if place < 2 else [weak]
        # What is said anew takes the place of what was said before.
        assert await review.judge(sitter, *failed) == place + 1
        if place == 3:
            with pytest.raises(Refused) as refused:
                await room.do(sitter.player, qualifying.compile_review, room.committee_id)
            assert codes(refused) == {"opinions_missing"}
    html = await page(house, f"/reviews/{room.committee_id}", room.sitters[0].player)
    assert "汇总资格审查报告" in html
    assert faults_of(tree_of(html)) == []
    digest = await room.do(room.sitters[0].player, qualifying.compile_review, room.committee_id)
    report = strict_json(
        await room.do(room.sitters[1].player, reporting.report, room.committee_id), 1 << 20
    )
    assert isinstance(report, dict)
    against = {
        (one["applicant"], one["condition"]): (one["in_favour"], one["reason"])
        for one in report["findings"]
        if not one["met"]
    }
    assert against == {(str(weak.party), "C2"): (0, "未附验收证明（第12页）")}
    # The program at a seat reckons it again before it signs.
    first, *others = room.sitters
    work = SeatWork(
        await client_of(house, first.player), first.seat_key, tmp_path, str(room.committee_id)
    )
    assert (await work.sign_report())["complete"] is False
    assert await _told(review, weak) is None
    for place, sitter in enumerate(others, 2):
        await room.sign(sitter, digest, dissent="应当通过" if place == 5 else "")
    failed_one, passed_one = await _told(review, weak), await _told(review, disputed)
    assert failed_one is not None
    assert (failed_one.passed, [one["reason"] for one in failed_one.reasons]) == (
        False,
        ["未附验收证明（第12页）"],
    )
    assert passed_one is not None
    assert passed_one.passed
    async with transaction(store, actor=cast.agency.actor, now=room.now) as tx:
        outline = await committee_views.own_committee(tx, LotId(lot_id), 1)
    assert outline is not None
    assert outline.phase == "closed"
    async with store.sessions() as session:
        connection = await session.connection()
        assert await qualification_faults(connection) == []
        assert await committee_faults(connection) == []
        assert await draw_faults(connection) == []
        public = await session.scalars(
            text(
                "SELECT convert_from(record, 'UTF8') FROM kernel.journal WHERE subject_id = :lot"
                " AND audience NOT IN ('party', 'nobody')"
            ),
            {"lot": lot_id},
        )
        for record in public:
            assert not any(str(one.party) in record for one in review.applicants)


async def _told(review: Review, who: Player) -> prequalification_views.Result | None:
    async with transaction(review.room.store, actor=who.actor, now=review.room.now) as tx:
        seen = await prequalification_views.prequalification(tx, review.called.lot_id)
    return seen.result
