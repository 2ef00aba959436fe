"""Publication: a project and two lots are drafted, refused for their faults, and published.

Each fault is tried on a draft of its own, which is given up afterwards; the two lots that are
published are faultless.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from kernel.crypto.digests import b64u, canonical, instant_text, sha256, unb64
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.crypto.statement_kinds import payload_type
from web.client import Client, Problem
from web.rehearsal.onlookers import PASSING
from web.rehearsal.scheme import SCHEME
from web.rehearsal.stage import Stage, cites

CUSTODIANS = (
    ("custodian_tenderee", 1),
    ("custodian_agency", 1),
    ("custodian_centre", 1),
    ("custodian_supervisor", 2),
)
"""(player, escrow shares): the regulator's custodian holds two and is indispensable."""

LAW_24 = "《招标投标法》第24条"
REGULATION_16 = "《招标投标法实施条例》第16条"
REGULATION_26 = "《招标投标法实施条例》第26条"
MEASURES_14 = "《电子招标投标办法》第14条"
LAW_22 = "《招标投标法》第22条"

SHEET_FIELDS = [
    {"key": "price", "label": "投标总价（元）", "kind": "money"},
    {"key": "duration_days", "label": "工期（日历天）", "kind": "count"},
    {"key": "quality", "label": "质量目标", "kind": "text"},
    {"key": "manager", "label": "项目负责人", "kind": "text"},
]

GAP = re.compile(r"【([^】]+)】")
GAPS = {
    "施工资质": "市政公用工程施工总承包一级及以上资质",
    "注册建造师": "市政公用工程一级注册建造师",
    "预付款比例": "签约合同价的10%",
    "质量保证金比例": "工程价款结算总额的3%",
}
"""What the standard text leaves open and the draft does not answer."""

BILL = [
    {"number": "040101001", "name": "挖基坑土方", "unit": "立方米", "quantity": "48200"},
    {"number": "040501004", "name": "球墨铸铁管 DN1200", "unit": "米", "quantity": "6350"},
    {"number": "040601006", "name": "现浇混凝土池底", "unit": "立方米", "quantity": "9120.5"},
]


def a_plan(now: datetime, *, bidding_days: int = 20, documents_days: int = 7) -> dict[str, Any]:
    """Documents on offer from now; bids due at 09:30 in Beijing on a day counted from today."""
    due = (now + timedelta(days=bidding_days)).replace(hour=1, minute=30, second=0, microsecond=0)
    return {
        "documents_from": instant_text(now),
        "documents_until": instant_text(now + timedelta(days=documents_days)),
        "bids_due_at": instant_text(due),
        "release_window_s": 1800,
        "publicity_days": 3,
        "validity_days": 90,
    }


def a_lot(name: str, plan: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A lot's terms as the agency's program sends them."""
    terms: dict[str, Any] = {
        "name": name,
        "region": "310100",
        "estimate": "130000000.00",
        "ceiling_price": "128460000.00",
        "bid_security": "800000.00",
        "security_forms": ["bank_guarantee", "insurance"],
        "scheme": SCHEME,
        "sheet_fields": SHEET_FIELDS,
        "notice": {
            "content": "新建日处理十万吨污水处理设施及配套管网",
            "scale": "日处理10万吨",
            "place": "临江市滨江新区",
            "schedule": "总工期540日历天",
            "qualifications": "市政公用工程施工总承包一级及以上资质",
            "consortium": "不接受联合体投标",
            "documents_how": "登录本平台免费下载",
            "submission_how": "通过本平台加密递交",
            "platform_how": "投标人在本机加密投标文件后上传，开标时在线解密",
            "evaluation_method": "综合评估法，详见招标文件第三章",
        },
        "plan": plan,
        "officials_threshold": 3,
        "escrow_threshold": 4,
    }
    return {**terms, **changes}


async def play(stage: Stage) -> None:
    """Publish two lots of one mandatory open tender."""
    project = await _project(stage, "RH-2026-001", "agency")
    stage.facts.project_id = project
    await _faults(stage, project)
    now = await stage.now()
    lot1 = await _draft(stage, project, a_lot("施工总承包一标段", a_plan(now)))
    lot2 = await _draft(
        stage,
        project,
        a_lot(
            "设备采购二标段",
            a_plan(now),
            estimate="9000000.00",
            ceiling_price="8800000.00",
            bid_security="150000.00",
        ),
    )
    stage.facts.lot1, stage.facts.lot2 = lot1, lot2
    await _invisible(stage, lot1)
    await _published(stage, lot1)
    await _published(stage, lot2)
    await _readable(stage, lot1)
    stage.facts.bids_due_at = datetime.fromisoformat(
        a_plan(now)["bids_due_at"].replace("Z", "+00:00")
    )
    stage.page(f"/notices/{lot1}", "the tender notice 招标公告")


async def _project(stage: Stage, code: str, who: str) -> str:
    told = await stage[who].post(
        "/api/v1/projects",
        {
            "code": code,
            "name": "临江市滨江新区污水处理厂二期工程",
            "procedure": "open_tender_mandatory",
            "category": "works",
            "region": "310100",
            "funding_source": "财政资金",
            "tenderee": stage.players["tenderee"].organisation_id,
            "agency": stage.players["agency"].organisation_id,
            "contact": {
                "tenderee_address": "临江市滨江大道1号",
                "tenderee_contact": "赵工 000-00000001",
                "agency_address": "临江市中山路2号",
                "agency_contact": "李工 000-00000002",
            },
        },
    )
    project = str(told["id"])
    await stage["tenderee"].post_statement(
        f"/api/v1/projects/{project}/authorisation",
        "authorisation",
        {"project": project, "agency": stage.players["agency"].organisation_id},
    )
    return project


async def _write_file(client: Client, lot: str) -> Any:
    """Fill what is left open in the standard text, and list what is tendered."""
    path = f"/api/v1/lots/{lot}/tender-file"
    told = await client.get(path)
    file = told["file"]
    for block in file["blocks"]:
        block["text"] = GAP.sub(lambda gap: GAPS[gap[1]], block["text"])
    file["bill"] = BILL
    return await client.put(path, {"file": file, "revision": told["revision"]})


async def _draft(stage: Stage, project: str, terms: dict[str, Any]) -> str:
    """A draft with its documents and file, its custodians named and their keys registered."""
    agency = stage["agency"]
    lot = str((await agency.post(f"/api/v1/projects/{project}/lots", terms))["id"])
    await agency.put_file(
        f"/api/v1/lots/{lot}/documents/招标文件.pdf",
        b"%PDF-1.7\n% tender documents of the rehearsal\n",
        media_type="application/pdf",
    )
    await _write_file(agency, lot)
    await agency.post(
        f"/api/v1/lots/{lot}/custodians",
        {
            "custodians": [
                {
                    "person": stage.players[name].person_id,
                    "organisation": stage.players[name].organisation_id,
                    "escrow_shares": shares,
                }
                for name, shares in CUSTODIANS
            ]
        },
    )
    for name, _ in CUSTODIANS:
        # One key for each project serves both lots: the custodian's program keeps it.
        key = stage.facts.custodian_keys.setdefault(name, PrivateKey.generate())
        await stage[name].post_statement(
            f"/api/v1/lots/{lot}/custodian-keys",
            "custodian-key",
            {
                "project": project,
                "lot": lot,
                "kid": key.kid,
                "public_key": b64u(key.public_bytes),
            },
        )
    return lot


async def _publish(client: Client, lot: str, key: PrivateKey) -> Any:
    """Sign the papers the platform proposes, and publish."""
    papers = await client.get(f"/api/v1/lots/{lot}/publication")
    return await client.post(
        f"/api/v1/lots/{lot}/publication",
        {
            name: json.loads(
                key.sign(payload_type(name.replace("_", "-")), canonical(papers[name])).to_bytes()
            )
            for name in ("timetable", "opening_policy", "notice")
        },
    )


async def _published(stage: Stage, lot: str) -> None:
    await _publish(stage["agency"], lot, stage.players["agency"].key)


async def _faults(stage: Stage, project: str) -> None:
    now = await stage.now()
    tries = (
        (
            1,
            "a notice with a bid period of 19 days is refused",
            LAW_24,
            "bidding_too_short",
            a_lot("十九天标段", a_plan(now, bidding_days=19)),
        ),
        (
            3,
            "documents on offer for fewer than 5 days are refused",
            REGULATION_16,
            "documents_too_short",
            a_lot("发售期过短标段", a_plan(now, documents_days=3)),
        ),
        (
            4,
            "a bid security above 2 % is refused",
            REGULATION_26,
            "security_too_high",
            a_lot("保证金过高标段", a_plan(now), bid_security="2600000.01"),
        ),
    )
    for number, what, article, code, terms in tries:
        lot = await _draft(stage, project, terms)
        problem = await stage.refused(partial(_published, stage, lot), code=code)
        only = problem is not None and [one["code"] for one in problem.refusals] == [code]
        stage.expect(
            number,
            what,
            article,
            only and cites(problem, article),
            problem.refusals[0]["reason"] if problem is not None else "",
        )
        await stage["agency"].delete(f"/api/v1/lots/{lot}/draft")
    problem = await stage.refused(partial(_unverified, stage), code="organisation_unverified")
    stage.expect(
        5,
        "an unverified organisation cannot publish",
        MEASURES_14,
        cites(problem, MEASURES_14),
        "" if problem is None else str(problem),
    )


async def _unverified(stage: Stage) -> None:
    """Go as far towards a published lot as an organisation that nobody has verified is let."""
    own = stage.players["unverified"]
    project = await own.client.post(
        "/api/v1/projects",
        {
            "code": "RH-2026-002",
            "name": "未核验单位的项目",
            "procedure": "open_tender_mandatory",
            "category": "works",
            "region": "310100",
            "funding_source": "自筹",
            "tenderee": own.organisation_id,
        },
    )
    terms = a_lot("未核验单位的标段", a_plan(await stage.now()))
    lot = await own.client.post(f"/api/v1/projects/{project['id']}/lots", terms)
    await _publish(own.client, lot["id"], own.key)


async def _readable(stage: Stage, lot: str) -> None:
    """Anybody reads the notice, as a page and as it was signed."""
    async with Client(stage.url) as stranger:
        told = await stranger.get(f"/api/v1/lots/{lot}")
        page = (await stranger.read(f"/notices/{lot}")).decode()
        listed = (await stranger.get("/api/v1/lots"))["lots"]
        signed = Envelope.from_bytes(await stranger.read(f"/api/v1/lots/{lot}/notices/1"))
    words = a_lot("", {})["notice"]
    stage.expect(
        2,
        "with a bid period of 20 days the notice is published, and anybody can read it",
        LAW_24,
        told["state"] == "open"
        and lot in [one["id"] for one in listed]
        and all(words[name] in page for name in ("content", "place", "qualifications"))
        and signed.signatures[0].keyid == stage.players["agency"].key.keyid
        and words["content"] in signed.payload.decode(),
        f"/notices/{lot}",
    )


HIDDEN = (
    *("", "/draft", "/publication", "/documents", "/opening", "/award", "/objections"),
    *("/timetable", "/opening-policy", "/notices/1", "/draws", "/tender-file", "/checkup"),
)
"""What there is of a lot for programs; a draft has none of it for a stranger."""

PAGES = (
    *("/notices/{}", "/openings/{}", "/awards/{}", "/desk/lots/{}", "/lots/{}/bid"),
    *("/desk/lots/{}/file", "/desk/lots/{}/checkup"),
)
LISTS = (
    *("/api/v1/lots", "/notices", "/", "/openings", "/awards", "/desk", "/bids", "/custodian"),
    *("/supervision", "/api/v1/supervision", "/api/v1/own-projects", "/objections"),
    *("/api/v1/custodian-assignments", "/transparency"),
)
FEEDS = (
    *("/api/v1/views/public/entries", "/api/v1/views/supervisors/entries"),
    "/api/v1/log/entries",
)


async def _invisible(stage: Stage, lot: str) -> None:
    """The draft exists for nobody but its owners and those named to keep its keys."""
    seen = []
    absent = str(sha256(lot.encode()).hex())
    nowhere = f"{absent[:8]}-{absent[8:12]}-4{absent[13:16]}-8{absent[17:20]}-{absent[20:32]}"
    drafted = (await stage["agency"].get(f"/api/v1/lots/{lot}/draft"))["name"]
    names = ("bidder1", "supervisor", "centre", "site_host", "expert1", "second_centre")
    async with Client(stage.url) as stranger:
        clients = {"public": stranger} | {name: stage[name] for name in (*names, "unverified")}
        for name, client in clients.items():
            about = [f"/api/v1/lots/{lot}{path}" for path in HIDDEN]
            about += [f"/api/v1/views/{lot}/{view}/entries" for view in ("public", "supervisors")]
            for path in [*about, *(page.format(lot) for page in PAGES)]:
                told = await _answer(client, path)
                other = await _answer(client, path.replace(lot, nowhere))
                if told.replace(lot, nowhere) != other:
                    seen.append(f"{name} {path}")
            for path in LISTS:
                told = await _answer(client, path)
                if lot in told or drafted in told:
                    seen.append(f"{name} {path}")
            for path in FEEDS:
                if lot in await _feed(client, path):
                    seen.append(f"{name} {path}")
        own = await _answer(stage["agency"], "/api/v1/own-projects")
    stage.expect(
        6,
        "the draft was invisible to all others: as if it did not exist",
        LAW_22,
        not seen and lot in own,
        ", ".join(seen[:4])
        or f"{len(about) + len(PAGES) + len(LISTS) + len(FEEDS)} places, {len(clients)} sorts",
    )


async def _answer(client: Client, path: str) -> str:
    try:
        return f"200 {PASSING.sub('', (await client.read(path)).decode())}"
    except Problem as problem:
        body = {
            name: value
            for name, value in problem.body.items()
            if name not in ("trace_id", "instance")
        }
        return f"{problem.status} {body}"


async def _feed(client: Client, path: str) -> str:
    """Everything a feed says, in the clear, from its beginning to its end."""
    said = ""
    after = 0
    while True:
        try:
            page = (await client.get(path, after=after))["entries"]
        except Problem as problem:
            return f"{said}{problem.body}"
        if not page:
            return said
        for one in page:
            said += json.dumps(one) + unb64(one.get("record", "")).decode()
        after = page[-1].get("seq") or page[-1]["number"]
