"""Prequalification over HTTP, from the call to a bid: Bidding Law 22, 37; Bidding Regulation 15,
18, 19, 36, 43.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect
from sqlalchemy import text
from typer.testing import CliRunner

from kernel.crypto.digests import canonical, strict_json
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.identifiers import LotId
from kernel.settings import Settings
from kernel.store.transaction import Store, transaction
from tests.libraries import PAPER, a_verified_licence
from tests.prequalifications import (
    CONDITIONS,
    RELEASED,
    REVIEWED,
    REVIEWERS,
    Called,
    a_call,
    an_agreement,
    an_applicant,
    released,
    with_agreement,
)
from tests.sealed_bids import a_bidder, ticking
from tests.tenders import Player, a_draft, signed_papers
from tests.web.bid_house import bid_house
from tests.web.browser import assert_holds_everywhere, chromium, open_page
from tests.web.careless_senders import BEFORE_THE_BIDS, CarelessSenders
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, open_tender_house, page, signed_in, token_of
from trading import tendering
from trading.library_views import reference_of
from web.client import Problem
from web.command_line import main
from web.exit_codes import USAGE
from web.sealing_applications import (
    deliver_application,
    read_application_package,
    release_application,
    seal_application,
)
from web.sealing_bids import Bidder, NotSealable, deliver, read_package, seal_bid

__all__ = ["chromium"]

ClockTo = Callable[[datetime], Awaitable[None]]
Tick = Callable[[], Awaitable[None]]
SHEET = {"price": "128460000.00", "duration_days": 540, "quality": "合格", "manager": "王伟"}


@pytest.fixture
def called(called_lot: Called) -> Called:
    return called_lot


@pytest.fixture
async def house(store: Store, settings: Settings) -> AsyncIterator[FastAPI]:
    async with bid_house(store, settings) as app:
        yield app


async def refusals_of(act: Awaitable[object]) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as problem:
        await act
    return [(one["code"], one["article"]) for one in problem.value.body["refusals"]]


async def test_from_the_call_to_a_bid_by_one_who_passed_and_none_by_one_who_did_not(
    store: Store, called: Called, house: FastAPI, clock_to: ClockTo, tick: Tick, tmp_path: Path
) -> None:
    lot, path = str(called.lot_id), f"/api/v1/lots/{called.lot_id}"
    careless = CarelessSenders(house, store)
    front: Any = careless
    agency = await client_of(front, called.cast.agency)
    who, fails = await a_bidder(store), await a_bidder(store)
    applicant = await client_of(front, who)
    careless.known(called.cast.agency, who)
    _, other = await a_draft(store, called.cast)
    draft = f"/api/v1/lots/{other}/prequalification"
    call = {**await agency.get(f"{draft}/draft"), **await a_call(store, called.cast, other)}
    assert (await agency.post_statement(draft, "prequalification", call))["round"] == 1
    package = read_application_package(await applicant.read(f"{path}/application-package"))
    document = await (await client_of(house)).read(
        f"{path}/prequalification/documents/资格预审文件.pdf"
    )
    assert document.startswith(b"%PDF")
    addendum = {
        **{"project": str(called.project_id), "lot": lot, "round": 1, "number": 1},
        **{"title": "补充说明", "text": "业绩以竣工验收时间为准。", "may_affect": True},
        **{"documents": [], "applications_due_at": None},
    }
    told = await agency.post_statement(
        f"{path}/prequalification/addenda", "prequalification-addendum", addendum
    )
    assert told["number"] == 1
    packed = read_application_package(await applicant.read(f"{path}/application-package"))
    assert packed == package

    files = tmp_path / "申请文件.pdf"
    files.write_bytes(b"%PDF-1.7 application")
    licence = await a_verified_licence(store, who, called.cast.staff)
    reference, unknown = reference_of(licence.digest), "0000000000000000"
    sealed = seal_application(
        package,
        Bidder(str(who.party), who.key),
        files=[files],
        folder=tmp_path / "application",
        now=datetime(2026, 3, 5, tzinfo=UTC),
        library=[reference, unknown, reference],
    )
    done = await deliver_application(applicant, sealed.folder)
    assert await deliver_application(applicant, sealed.folder) == done
    others = [
        *[await an_applicant(store, called, await a_bidder(store)) for _ in range(2)],
        await an_applicant(store, called, fails),
    ]
    await tick()
    assert (await applicant.read(f"/api/v1/receipts/{done['entry_id']}")).startswith(b"c2sp.org/")

    public = await (await client_of(house)).get(f"{path}/prequalification")
    assert (public["phase"], public["own"], public["qualified"]) == ("applying", [], [])
    assert await refusals_of(agency.get(f"{path}/applications")) == [
        ("wrong_stage", "《中华人民共和国招标投标法实施条例》第18条")
    ]
    await clock_to(RELEASED)
    key = PrivateKey.from_pem((sealed.folder / "opening-key.pem").read_bytes())
    await release_application(applicant, lot, key)
    for one in others:
        await released(store, called, one)

    await clock_to(REVIEWED)
    found = (await agency.get(f"{path}/applications"))["applicants"]
    assert {one["name"] for one in found} >= {who.organisation, fails.organisation}
    own = next(one for one in found if one["applicant"] == str(who.party))
    assert [one["name"] for one in own["files"]] == ["manifest.json", "申请文件.pdf"]
    content = await agency.read(
        f"{path}/applications/{own['application']}/file", name="申请文件.pdf"
    )
    assert content == b"%PDF-1.7 application"
    referred = [(one["reference"], [c["code"] for c in one["cautions"]]) for one in own["library"]]
    assert referred == [(reference, []), (unknown, ["entry_unknown"])]
    papers_of = f"{path}/applications/{own['application']}/library"
    assert await agency.read(f"{papers_of}/{reference}") == PAPER
    with pytest.raises(Problem):
        await agency.read(f"{papers_of}/{unknown}")
    html = await page(house, f"/desk/lots/{lot}/prequalification", called.cast.agency)
    assert "已核验，申请截止日有效" in html
    assert faults_of(tree_of(html)) == []
    told = await agency.post_statement(
        f"{path}/prequalification/review",
        "prequalification-review",
        {
            "lot": lot,
            "round": 1,
            "reviewers": REVIEWERS,
            "findings": [
                {
                    "applicant": one["applicant"],
                    "condition": condition,
                    "met": one["name"] != fails.organisation,
                    "reason": "资质等级不足" if one["name"] == fails.organisation else "",
                }
                for one in found
                for condition, _ in CONDITIONS
            ],
        },
    )
    assert told == {"passed": 3, "enough": True}
    failed = await client_of(house, fails)
    result = (await failed.get(f"{path}/prequalification"))["result"]
    assert (result["passed"], len(result["reasons"])) == (False, 2)
    assert fails.organisation not in await page(house, f"/prequalifications/{lot}", who)
    assert "资质等级不足" in await page(house, f"/prequalifications/{lot}", fails)

    papers = await signed_papers(store, called.cast.agency, called.lot_id, now=REVIEWED)
    async with transaction(store, actor=called.cast.agency.actor, now=REVIEWED) as tx:
        await tendering.publish_lot(tx, called.lot_id, papers)
    await clock_to(REVIEWED + timedelta(hours=1))
    assert "只有通过资格预审的申请人" in await page(house, f"/notices/{lot}")
    assert set(careless.spoilt) == BEFORE_THE_BIDS
    for player, client in ((who, await client_of(house, who)), (fails, failed)):
        bid = seal_bid(
            read_package(await client.read(f"{path}/sealing-package")),
            Bidder(str(player.party), player.key),
            sheet=SHEET,
            files=[files],
            folder=tmp_path / f"bid-{player.party}",
            now=REVIEWED,
        )
        if player is who:
            async with ticking(tick):
                assert (await deliver(client, bid.folder))["outcome"] == "accepted"
        else:
            assert await refusals_of(deliver(client, bid.folder)) == [
                ("not_prequalified", "《中华人民共和国招标投标法实施条例》第36条")
            ]
    assert await refusals_of(failed.get(f"{path}/documents/招标文件.pdf")) == [
        ("not_prequalified", "《中华人民共和国招标投标法实施条例》第19条")
    ]
    async with store.sessions() as session:
        named = await session.scalar(
            text(
                "SELECT count(*) FROM kernel.journal WHERE audience <> 'party'"
                " AND kind <> 'ListingBidderRegistered' AND record::text LIKE :party"
            ),
            {"party": f"%{fails.party}%"},
        )
    assert named in (0, 1), "nothing tells of one who failed but its own refused bid"


async def test_what_the_lot_asks_of_consortia_is_heeded_before_anything_is_sealed(
    store: Store, called: Called, house: FastAPI, tmp_path: Path
) -> None:
    pair = [await a_bidder(store) for _ in range(2)]
    client = await client_of(house, pair[0])
    raw = await client.read(f"/api/v1/lots/{called.lot_id}/application-package")
    package = read_application_package(raw)
    assert package.consortia
    files = tmp_path / "申请文件.pdf"
    files.write_bytes(b"%PDF")
    agreement = tmp_path / "agreement.json"
    terms = called.project_id, called.lot_id

    def seal(written: bytes, who: Player = pair[0], **changes: object) -> Path:
        agreement.write_bytes(written)
        return seal_application(
            package,
            Bidder(str(who.party), who.key),
            files=[files],
            folder=tmp_path / f"sealed-{len(list(tmp_path.iterdir()))}",
            now=RELEASED,
            agreement=agreement,
        ).folder

    for written, words in (
        (b"{}", "不是共同投标协议"),
        (an_agreement(*terms, pair, signers=pair[:1]), "尚未由联合体各方签署"),
        (an_agreement(*terms, pair[:1]), "两个以上"),
        (an_agreement(*terms, pair, liability="several"), "连带责任"),
        (an_agreement(called.project_id, LotId(called.project_id), pair), "其他标段"),
        (an_agreement(*terms, list(reversed(pair))), "牵头人"),
    ):
        with pytest.raises(NotSealable, match=words):
            seal(written)
    folder = seal(an_agreement(*terms, pair))
    await deliver_application(client, folder)

    # The same by the commands, offline: each member signs, and the leading one seals.
    keys = tmp_path / "key.pem"
    terms_file = tmp_path / "terms.json"
    named = strict_json(Envelope.from_bytes(agreement.read_bytes()).payload)
    assert isinstance(named, dict)
    kept = {name: named[name] for name in ("project", "lot", "lead", "members")}
    terms_file.write_bytes(canonical(kept))
    for source, one in zip((terms_file, agreement), pair, strict=True):
        keys.write_bytes(one.key.to_pem())
        command = ["agreement", str(source), "--key", str(keys), "--out", str(agreement)]
        told = CliRunner().invoke(main, command)
        assert told.exit_code == 0, told.output
    assert CliRunner().invoke(main, command).exit_code == USAGE, "nobody signs twice"
    keys.write_bytes(pair[0].key.to_pem())
    (tmp_path / "package.json").write_bytes(raw)
    answer = CliRunner().invoke(
        main,
        [
            *("seal", str(tmp_path / "package.json"), str(files), "--bidder", str(pair[0].party)),
            *("--key", str(keys), "--out", str(tmp_path / "by-command"), "--seq", "2"),
            *("--agreement", str(agreement), "--library", "Abcdefghijklmn-_", "--json"),
        ],
    )
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "by-command" / "application.dsse").exists()


@pytest.mark.browser
async def test_addendum_and_review_are_signed_in_the_browser_and_every_page_holds(
    store: Store,
    settings: Settings,
    called: Called,
    clock_to: ClockTo,
    chromium: Browser,
) -> None:
    pair = [await a_bidder(store) for _ in range(2)]
    agreement = an_agreement(called.project_id, called.lot_id, pair)
    applied = [
        await an_applicant(store, called, pair[0], with_agreement(agreement)),
        *[await an_applicant(store, called, await a_bidder(store)) for _ in range(2)],
    ]
    for one in applied:
        await released(store, called, one)
    path = f"/desk/lots/{called.lot_id}/prequalification"
    async with (
        open_tender_house(store, settings) as address,
        signed_in(store, chromium, address, called.cast.agency) as shown,
    ):
        await shown.goto(address + path)
        await assert_holds_everywhere(shown)
        await shown.fill("[name=title]", "补充说明")
        await shown.fill("[name=text]", "业绩以竣工验收时间为准。")
        await shown.get_by_role("button", name="签名并发布").click()
        await expect(shown.locator("main")).to_contain_text("第 1 次")
        await clock_to(REVIEWED)
        await shown.goto(address + path)
        await expect(shown.locator("[data-applicant]")).to_have_count(3)
        await expect(shown.locator("main")).to_contain_text("牵头人")
        await assert_holds_everywhere(shown)
        for radio in await shown.locator("input[value=yes]").all():
            await radio.check()
        await shown.fill("#experts", "甲\n乙\n丙\n丁")
        await shown.fill("#others", "业主代表")
        await shown.get_by_role("button", name="签名并发出结果通知书").click()
        await expect(shown.locator("main")).to_contain_text("通过")
        await expect(shown.locator("[data-review]")).to_have_count(0)
        who = applied[1].who
        token = await token_of(store, who)
        notice = f"{address}/prequalifications/{called.lot_id}"
        async with open_page(chromium, notice, token=token) as own:
            await expect(own.locator("main")).to_contain_text("贵单位通过资格预审")
            await assert_holds_everywhere(own)
