"""Contracts over HTTP: Bidding Law 46, 47; Bidding Regulation 57, 58; Government Procurement Law
46, 47, 49; Government Procurement Regulation 48, 50; E-Bidding Measures 36, 37, 41.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect
from sqlalchemy import text

from kernel.access import PUBLIC
from kernel.crypto.digests import b64u, sha256, unb64, unb64u
from kernel.crypto.signing import Envelope, verify
from kernel.settings import Settings
from kernel.store.transaction import Store, transaction
from kernel.working_days import end_of_day
from tests import deposits
from tests.awards import (
    Evaluated,
    an_evaluated_lot,
    awarded,
    candidates_published,
    standstill_ended,
)
from tests.sealed_bids import a_bidder
from tests.tenders import Player, a_plan
from tests.web.award_house import open_award_house
from tests.web.browser import assert_holds_everywhere, chromium, open_page
from tests.web.careless_senders import AFTER_THE_AWARD, CarelessSenders
from tests.web.looks import assert_looks_as_kept
from tests.web.markup import faults_of, tree_of
from tests.web.ocds_shape import release_faults
from tests.web.tender_house import client_of, page, signed_in, token_of
from trading import alarming
from trading.composing import published_file
from trading.rules.procedures import Procedure, SecurityForm
from trading.rules.tender_file import BlockKind
from web.app import create_app
from web.client import Client, Problem

__all__ = ["chromium"]

ClockTo = Callable[[datetime], Awaitable[None]]

PROCUREMENT: dict[str, Any] = {
    "procedure": Procedure.PROCUREMENT_OPEN_TENDER,
    "security_forms": (SecurityForm.BANK_GUARANTEE,),
    "plan": a_plan(
        bids_due_at="2026-03-30T01:00:00Z",
        documents_until="2026-03-16T01:00:00Z",
    ),
}


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


@dataclass(slots=True)
class Signing:
    """Both sides of an award, with a line each, and what they sign."""

    path: str
    lot: str
    tenderee: Client
    winner: Client
    awarded_at: datetime
    contract: str = ""

    async def concluded(self, **terms: Any) -> dict[str, Any]:
        """Both sign the contract that the platform proposes, completed by keyword."""
        paper = {**await self.tenderee.get(f"{self.path}/contract/draft"), **terms}
        await self.tenderee.post_statement(f"{self.path}/contract", "contract", paper)
        offered = (await self.winner.get(f"{self.path}/contract"))["offered"]
        done: dict[str, Any] = await self.winner.post_statement(
            f"{self.path}/contract/signature", "contract", offered
        )
        self.contract = done["digest"]
        return done

    def change(self, number: int = 1, **said: Any) -> dict[str, Any]:
        return {
            "lot": self.lot,
            "contract": self.contract,
            "number": number,
            "reason": "design",
            "words": "管线改道，增加顶管工程量。",
            "amount": "1200000.00",
            "period": "",
            **said,
        }

    async def changed(self, **said: Any) -> dict[str, Any]:
        """The winner proposes a change and the tenderee signs it."""
        path = f"{self.path}/contract/changes"
        offer = await self.winner.post_statement(path, "contract-change", self.change(**said))
        words = (await self.tenderee.get(f"{self.path}/contract"))["waiting_words"]
        done: dict[str, Any] = await self.tenderee.post_statement(
            f"{path}/{offer['number']}/signature", "contract-change", words
        )
        return done

    def report(self, kind: str, **said: Any) -> dict[str, Any]:
        return {
            "lot": self.lot,
            "contract": self.contract,
            "kind": kind,
            "words": "主体完成",
            "on": "2026-03-27",
            **said,
        }

    def settlement(self, **said: Any) -> dict[str, Any]:
        return {
            "lot": self.lot,
            "contract": self.contract,
            "amount": "119500000.00",
            "auditor": "江城市审计局",
            "document": "江审投〔2026〕12号",
            "completed_on": "2026-03-27",
            "audited_on": "2026-03-27",
            "words": "设计变更增加顶管工程量。",
            **said,
        }


async def at_the_award(evaluated: Evaluated, house: Any, clock_to: ClockTo) -> Signing:
    """The winner of a lot has just been told."""
    published = await candidates_published(evaluated)
    await standstill_ended(evaluated, published.until)
    await awarded(evaluated, evaluated.ranked[0], now=published.until)
    await clock_to(published.until)
    return Signing(
        f"/api/v1/lots/{evaluated.hall.lot_id}",
        str(evaluated.hall.lot_id),
        await client_of(house, evaluated.tenderee),
        await client_of(house, evaluated.ranked[0].player),
        published.until,
    )


async def told_as_open_data(public: Client, lot: str, *, number: str) -> None:
    """The settled contract stands in the directory, the figures and the releases alike."""
    package = await public.get(f"/api/v1/lots/{lot}/ocds")
    assert release_faults(package) == []
    (release,) = package["releases"]
    assert release["tag"] == ["tender", "award", "contract"]
    (award,), (contract,) = release["awards"], release["contracts"]
    assert (award["value"]["amount"], award["status"]) == (118600000.0, "active")
    assert (contract["id"], contract["awardID"]) == (number, award["id"])
    assert contract["status"] == "terminated"
    (supplier,) = award["suppliers"]
    record = await public.get(f"/api/v1/orgs/{supplier['id'].removeprefix('CN-USCC-')}")
    (won,) = record["won"]
    assert (record["awarded"], record["bars"]) == ([], [])
    assert (won["lot"], won["difference"], won["in_force"]) == (lot, "900000.00", True)
    assert (won["reports"], won["late_reports"]) == (3, 1)
    figures = await public.get("/api/v1/statistics")
    assert (figures["total"]["awards"], figures["total"]["saved"]) == (1, "9860000.00")
    assert [one["key"] for one in figures["by_region"]] == ["42"]


@pytest.fixture
async def signing(evaluated: Evaluated, house: FastAPI, clock_to: ClockTo) -> Signing:
    return await at_the_award(evaluated, house, clock_to)


async def refused(client: Client, path: str, kind: str, said: dict[str, Any]) -> Problem:
    with pytest.raises(Problem) as problem:
        await client.post_statement(path, kind, said)
    return problem.value


async def kinds_told(store: Store, lot: str) -> dict[str, set[str]]:
    """What the journal tells of a lot's contract, by audience."""
    async with store.sessions() as session:
        rows = await session.execute(
            text("SELECT kind, audience FROM kernel.journal WHERE subject_id = :lot"), {"lot": lot}
        )
        told: dict[str, set[str]] = {}
        for kind, audience in rows:
            told.setdefault(audience, set()).add(kind)
    return told


# ── over HTTP ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.accepts("AW-09", "AW-11", "AW-14", "AW-19")
async def test_the_way_from_the_award_to_the_settlement_however_careless_the_senders(
    evaluated: Evaluated,
    house: FastAPI,
    store: Store,
    clock_to: ClockTo,
    tick: Callable[[], Awaitable[None]],
    sound: Callable[[], Awaitable[None]],
) -> None:
    careless: Any = CarelessSenders(house, store)
    careless.known(evaluated.tenderee, evaluated.ranked[0].player, evaluated.agency)
    signing = await at_the_award(evaluated, careless, clock_to)
    path, stranger = signing.path, await client_of(house)
    paper = await signing.tenderee.get(f"{path}/award-report/draft")
    said = {**paper, "words": "评标过程正常。"}
    reported = await signing.tenderee.post_statement(f"{path}/award-report", "award-report", said)
    assert reported["cautions"] == []
    supervisor = await client_of(house, evaluated.hall.tender.cast.supervisor)
    kept = await supervisor.get(f"{path}/award-report")
    assert (kept["late"], kept["words"]) == (False, "评标过程正常。")
    assert kept["content"]["winner"] == evaluated.ranked[0].player.organisation
    assert len(kept["content"]["bids"]) == 4

    lot_id, staff = evaluated.hall.lot_id, evaluated.hall.tender.cast.staff
    numbers = [await deposits.an_account(store, one.player, lot_id) for one in evaluated.ranked[:2]]
    payments = [deposits.line(f"S{place}", number) for place, number in enumerate(numbers)]
    await deposits.statement_taken(store, staff, *payments)
    keep = {"lot": signing.lot, "reference": numbers[0], "ground": "award_refused"}
    forfeiture = f"{path}/securities/{numbers[0]}/forfeiture"
    kept = await signing.tenderee.post_statement(
        forfeiture, "security-forfeiture", {**keep, "reason": "提出附加条件。"}
    )
    assert kept["amount"] == "800000.00"

    told = await stranger.get(f"{path}/contract")
    assert (told["signed"], told["draft"], told["offered"]) == (None, None, None)
    done = await signing.concluded(
        performance_security="11860000.00", security_forms=["bank_guarantee"]
    )
    assert done["number"] == f"{told['project_code']}-1-HT"
    assert done["cautions"] == []
    told = await stranger.get(f"{path}/contract")
    keys = {keyid: unb64u(key) for keyid, key in told["signers"].items()}
    (going,) = (await (await client_of(house, staff)).get("/api/v1/security-account"))["outgoing"]
    assert (going["reference"], going["cause"]) == (numbers[1], "contract")
    assert going["bidder"] == evaluated.ranked[1].player.organisation
    envelope = Envelope.from_bytes(unb64(told["statements"]["contract"]))
    assert len(verify(envelope, keys=keys)) == 2
    assert b64u(sha256(envelope.payload)) == done["digest"] == told["signed"]["digest"]
    assert told["signed"]["paper"]["terms"] == {
        "subject": "滨江新区污水处理厂二期工程 施工总承包一标段",
        "price": "118600000.00",
        "quality": "合格",
        "period": "540日历天",
    }
    filing = {"lot": signing.lot, "contract": done["digest"], "authority": "住建局"}
    filing |= {"reference": "备2026-1"}
    agency = await client_of(careless, evaluated.agency)
    assert await agency.post_statement(f"{path}/contract/filing", "contract-filing", filing)

    assert (await signing.changed())["changed_by"] == "1200000.00"
    second = await signing.changed(
        number=2, reason="quantity", amount="-400000.00", period="560日历天"
    )
    assert (second["price"], second["changed_by"]) == ("119400000.00", "800000.00")
    reports = f"{path}/performance-reports"
    for who, report in (
        (signing.winner, signing.report("progress", share="60")),
        (signing.tenderee, signing.report("payment", amount="50000000.00")),
        (signing.winner, signing.report("milestone", due_on="2026-03-26")),
    ):
        answer = await who.post_statement(reports, "performance-report", report)
        assert answer["late"] is (report["kind"] == "milestone")
    settled = await signing.tenderee.post_statement(
        f"{path}/settlement", "settlement", signing.settlement()
    )
    assert settled == {
        "awarded": "118600000.00",
        "settled": "119500000.00",
        "difference": "900000.00",
        "share": "0.0076",
        "cautions": [],
    }

    told = await stranger.get(f"{path}/contract")
    assert [one["price_after"] for one in told["changes"]] == ["119800000.00", "119400000.00"]
    assert (told["progress"], told["paid"]) == (60, "50000000.00")
    assert told["signed"]["period_now"] == "560日历天"
    assert told["settlement"]["from_agreed"] == "100000.00"
    figures = await stranger.get("/api/v1/settlement-statistics")
    assert figures["contracts"] == 1
    for groups in ([figures["total"]], figures["by_category"], figures["by_region"]):
        (group,) = groups
        assert (group["difference"], group["share"], group["above"]) == ("900000.00", "0.0076", 1)
    assert figures["by_category"][0]["key"] == "works"
    assert figures["by_year"][0]["key"] == "2026"
    (line,) = (await stranger.get("/api/v1/contracts"))["contracts"]
    assert (line["difference"], line["number"]) == ("900000.00", done["number"])
    await told_as_open_data(stranger, signing.lot, number=done["number"])

    journal = await kinds_told(store, signing.lot)
    assert {"ContractConcluded", "ContractFiled", "ContractChanged"} <= journal["public"]
    assert {"PerformanceReported", "ContractSettled"} <= journal["public"]
    assert "CommitmentsHandedOn" in journal["participants"]
    assert {"PerformanceReturned", "AwardReported"} <= journal["supervisors"]
    assert {"ContractOffered", "ContractChangeOffered"} <= journal["party"]
    assert set(careless.spoilt) == AFTER_THE_AWARD
    assert min(careless.spoilt.values()) > 8
    await tick()
    await sound()


async def test_the_pages_show_each_reader_what_is_at_hand(
    evaluated: Evaluated, house: FastAPI, signing: Signing
) -> None:
    path, loser = f"/contracts/{signing.lot}", evaluated.ranked[1].player
    winner = evaluated.ranked[0].player

    async def shown(who: Player | None) -> str:
        html = await page(house, path, who)
        assert faults_of(tree_of(html)) == []
        return html

    assert "签名并送交中标人" in await shown(evaluated.tenderee)
    assert "签名并提交报告" in await shown(evaluated.agency)
    for who in (winner, loser, None):
        assert "<form" not in (await shown(who)).split('id="main"')[-1].split("</main>")[0]
    paper = await signing.tenderee.get(f"{signing.path}/contract/draft")
    await signing.tenderee.post_statement(f"{signing.path}/contract", "contract", paper)
    assert "签名并订立合同" in await shown(winner)
    for who in (loser, None, evaluated.agency):
        assert "签名并订立合同" not in await shown(who)
    await signing.concluded()
    for who in (evaluated.tenderee, winner):
        assert "签名并报告进度" in await shown(who)
    assert "公布审计结算价（" not in await shown(winner)
    assert "签名并公布结算价" in await shown(evaluated.tenderee)
    assert "签名并登记备案" in await shown(evaluated.agency)
    await signing.winner.post_statement(
        f"{signing.path}/contract/changes", "contract-change", signing.change()
    )
    assert "签名同意变更" in await shown(evaluated.tenderee)
    assert "等待对方签名" in await shown(winner)
    assert "管线改道" not in await shown(None)
    await signing.tenderee.post_statement(
        f"{signing.path}/settlement", "settlement", signing.settlement(amount="117000000.00")
    )
    public = await shown(None)
    for words in ("低于中标价", "−1,600,000.00", "-1.35%", "江审投〔2026〕12号"):
        assert words in public
    record = (await signing.winner.get(f"{signing.path}/ocds"))["releases"][0]["awards"][0]
    uscc = record["suppliers"][0]["id"].removeprefix("CN-USCC-")
    for other in ("/contracts", "/settlements", f"/orgs/{uscc}", f"/en/orgs/{uscc}"):
        html = await page(house, other)
        assert faults_of(tree_of(html)) == []
        assert "−1,600,000.00" in html
    assert "江城市" in await page(house, "/en/contracts")


async def test_before_the_award_there_is_nothing_to_see_or_sign(
    evaluated: Evaluated, house: FastAPI
) -> None:
    lot = evaluated.hall.lot_id
    assert "发出中标通知书后" in await page(house, f"/contracts/{lot}", evaluated.tenderee)
    tenderee = await client_of(house, evaluated.tenderee)
    for draft in ("contract/draft", "award-report/draft"):
        with pytest.raises(Problem) as problem:
            await tenderee.get(f"/api/v1/lots/{lot}/{draft}")
        assert problem.value.codes == {"not_awarded"}
    told = await (await client_of(house)).get(f"/api/v1/lots/{lot}/contract")
    assert (told["award"], told["signed"], told["reports"]) == (None, None, [])


@pytest.mark.refuses("AW-11", "AW-14")
async def test_nothing_that_differs_in_substance_is_signed(
    evaluated: Evaluated, house: FastAPI, signing: Signing
) -> None:
    path = f"{signing.path}/contract"
    paper = await signing.tenderee.get(f"{path}/draft")
    async with transaction(evaluated.hall.store, actor=PUBLIC) as tx:
        file = await published_file(tx, evaluated.hall.lot_id)
    assert file is not None
    form = [block for block in file.blocks if block.kind is BlockKind.CONTRACT]
    assert [one["text"] for one in paper["clauses"]] == [block.text for block in form]
    assert form, "the lot was published with a form of its own"
    for term, value in (("price", "118000000.00"), ("period", "600日历天"), ("quality", "优良")):
        other = {**paper, "terms": {**paper["terms"], term: value}}
        problem = await refused(signing.tenderee, path, "contract", other)
        assert problem.status == 409
        (ground,) = problem.refusals
        assert (ground["code"], ground["facts"]["term"]) == ("contract_differs", term)
        assert "第57条" in ground["article"]
    for changed in ({"manager": "他人"}, {"clauses": paper["clauses"][1:]}, {"scope": "另一标的"}):
        problem = await refused(signing.tenderee, path, "contract", {**paper, **changed})
        assert problem.code == "broken_seal"
    dear = {**paper, "performance_security": "11860000.01", "security_forms": ["insurance"]}
    problem = await refused(signing.tenderee, path, "contract", dear)
    assert problem.codes == {"performance_security_too_high"}
    problem = await refused(signing.winner, f"{path}/signature", "contract", paper)
    assert problem.codes == {"not_offered"}

    await signing.tenderee.post_statement(path, "contract", paper)
    problem = await refused(signing.winner, f"{path}/signature", "contract", paper)
    assert problem.code == "broken_seal", "the same words, but not the same signed bytes"
    loser = await client_of(house, evaluated.ranked[1].player)
    assert (await refused(loser, f"{path}/signature", "contract", paper)).status == 403
    stranger = await client_of(house, await a_bidder(house.state.store))
    assert (await refused(stranger, f"{path}/signature", "contract", paper)).status == 403
    await signing.concluded()
    problem = await refused(signing.tenderee, path, "contract", paper)
    assert problem.codes == {"concluded_already"}


@pytest.mark.refuses("AW-09", "AW-11")
async def test_what_is_not_done_in_its_days_rings_once_and_is_taken_in_late(
    evaluated: Evaluated, house: FastAPI, store: Store, signing: Signing, clock_to: ClockTo
) -> None:
    award = (await signing.winner.get(f"{signing.path}/contract"))["award"]
    report_due, contract_due = (
        end_of_day(date.fromisoformat(award[name])) for name in ("report_due_on", "contract_due_on")
    )
    supervisor = evaluated.hall.tender.cast.supervisor
    await clock_to(report_due - timedelta(minutes=5))
    assert await alarming.ring(store) == 0
    await clock_to(report_due)
    assert await alarming.ring(store) == 1
    assert "书面报告逾期" in await page(house, "/supervision", supervisor)
    await clock_to(contract_due)
    assert await alarming.ring(store) == 1
    assert await alarming.ring(store) == 0
    assert "合同逾期未签" in await page(house, "/supervision", supervisor)
    assert "逾期未签" in await page(house, f"/contracts/{signing.lot}")
    journal = await kinds_told(store, signing.lot)
    assert "DutyOverdue" in journal["supervisors"]
    assert "OwnDutyOverdue" in journal["party"]
    assert "OwnDutyOverdue" not in journal["public"]

    done = await signing.concluded()
    assert [one["code"] for one in done["cautions"]] == ["contract_late"]
    assert "第46条" in done["cautions"][0]["article"]
    paper = await signing.tenderee.get(f"{signing.path}/award-report/draft")
    late = await signing.tenderee.post_statement(
        f"{signing.path}/award-report", "award-report", paper
    )
    assert [one["code"] for one in late["cautions"]] == ["report_late"]
    shown = await page(house, "/supervision", supervisor)
    assert "合同逾期未签" not in shown
    assert "书面报告逾期" not in shown
    problem = await refused(signing.tenderee, f"{signing.path}/award-report", "award-report", paper)
    assert problem.codes == {"reported_already"}


@pytest.mark.accepts("AW-15")
@pytest.mark.refuses("AW-15", "AW-18")
async def test_in_procurement_a_contract_is_filed_and_grows_by_a_tenth_at_most(
    store: Store, house: FastAPI, clock_to: ClockTo
) -> None:
    evaluated = await an_evaluated_lot(store, **PROCUREMENT)
    signing = await at_the_award(evaluated, house, clock_to)
    with pytest.raises(Problem) as problem:
        await signing.tenderee.get(f"{signing.path}/award-report/draft")
    assert problem.value.codes == {"no_report_due"}
    done = await signing.concluded()
    assert done["file_due_at"] is not None
    more: dict[str, Any] = {"reason": "additional_purchase"}
    assert await signing.changed(amount="11000000.00", **more)
    path = f"{signing.path}/contract/changes"
    said = signing.change(2, amount="860000.01", **more)
    no = await refused(signing.winner, path, "contract-change", said)
    assert no.codes == {"supplement_too_large"}
    assert "第49条" in no.refusals[0]["article"]
    exact = await signing.changed(number=2, amount="860000.00", **more)
    assert exact["changed_by"] == "11860000.00"

    await clock_to(datetime.fromisoformat(done["file_due_at"]))
    assert await alarming.ring(store) == 1
    filing = {"lot": signing.lot, "contract": done["digest"], "authority": "财政局"}
    filed = await signing.tenderee.post_statement(
        f"{signing.path}/contract/filing", "contract-filing", {**filing, "reference": "采2026-1"}
    )
    assert [one["code"] for one in filed["cautions"]] == ["filed_late"]
    today = datetime.fromisoformat(done["file_due_at"]).astimezone(UTC).date()
    paid = signing.report("payment", amount="1000.00", on=today.isoformat())
    paid |= {"delivered_on": "2026-01-05", "marks": ["small_enterprise"]}
    answer = await signing.tenderee.post_statement(
        f"{signing.path}/performance-reports", "performance-report", paid
    )
    assert (answer["late"], answer["cautions"][0]["code"]) == (True, "payment_too_late")
    # Whoever passes work on is told what may not be (招标投标法 48), and everybody reads it.
    passed_on = signing.report(
        "subcontract", words="鑫源建设有限公司：顶管工程", on=today.isoformat()
    )
    for marks, codes in (
        (["agreed"], []),
        (["agreed", "main_part"], ["main_part"]),
        (["again"], ["not_agreed", "sub_subcontract"]),
    ):
        told = await signing.winner.post_statement(
            f"{signing.path}/performance-reports",
            "performance-report",
            passed_on | {"marks": marks},
        )
        assert ([one["code"] for one in told["cautions"]], told["late"]) == (codes, False)
    with pytest.raises(Problem):
        await signing.winner.post_statement(
            f"{signing.path}/performance-reports",
            "performance-report",
            passed_on | {"marks": ["small_enterprise"]},
        )
    shown = (await signing.winner.read(f"/contracts/{signing.lot}")).decode()
    assert "接受分包的人不得再次分包" in shown


async def test_a_change_takes_both_and_an_end_is_an_end(signing: Signing) -> None:
    path = f"{signing.path}/contract/changes"
    early = await refused(
        signing.winner, path, "contract-change", {**signing.change(), "contract": "AA"}
    )
    assert early.codes == {"not_concluded"}
    await signing.concluded()
    await signing.winner.post_statement(path, "contract-change", signing.change(amount="1.00"))
    own = (await signing.winner.get(f"{signing.path}/contract"))["waiting_words"]
    for who, words, code in (
        (signing.winner, own, "broken_seal"),
        (signing.tenderee, {**own, "amount": "2.00"}, "broken_seal"),
    ):
        problem = await refused(who, f"{path}/1/signature", "contract-change", words)
        assert problem.code == code
    assert (await refused(signing.tenderee, f"{path}/2/signature", "contract-change", own)).status
    for wrong in ({"number": 2}, {"amount": "-999999999.00"}, {"reason": "whim"}):
        problem = await refused(
            signing.winner, path, "contract-change", {**signing.change(), **wrong}
        )
        assert problem.status == 422
    free = signing.change(reason="correction", words="")
    problem = await refused(signing.winner, path, "contract-change", free)
    assert problem.codes == {"no_reason", "correction_costs"}

    unexplained = signing.settlement(words="")
    settled = await signing.tenderee.post_statement(
        f"{signing.path}/settlement", "settlement", unexplained
    )
    assert [one["code"] for one in settled["cautions"]] == ["difference_unexplained"]
    for kind, where, said in (
        ("settlement", "settlement", unexplained),
        ("contract-change", "contract/changes", signing.change()),
        ("performance-report", "performance-reports", signing.report("progress", share="1")),
    ):
        problem = await refused(signing.tenderee, f"{signing.path}/{where}", kind, said)
        assert problem.codes == {"settled_already"}


async def test_whoever_holds_a_paper_finds_out_whether_it_was_issued_so(
    evaluated: Evaluated, house: FastAPI, signing: Signing
) -> None:
    stranger = await client_of(house)
    told = await stranger.get(f"{signing.path}/contract")
    number = told["award"]["notice_number"]
    notice = await page(house, f"/awards/{signing.lot}/notice", evaluated.ranked[0].player)
    assert number in notice
    assert f"/verify?number={number}" in notice
    found = await stranger.get("/api/v1/verification", number=number)
    assert (found["holds"], found["price"]) == (True, "118600000.00")
    assert [one["name"] for one in found["signers"]] == [evaluated.tenderee.name]
    for wrong in (number.replace("TZ", "HT"), "XX-1-TZ", "无此编号"):
        with pytest.raises(Problem) as problem:
            await stranger.get("/api/v1/verification", number=wrong)
        assert problem.value.status == 404
        assert "没有查到这份文书" in await page(house, f"/verify?number={wrong}")
    done = await signing.concluded()
    shown = await page(house, f"/verify?number={done['number']}")
    assert faults_of(tree_of(shown)) == []
    for words in ("签名有效", evaluated.tenderee.name, evaluated.ranked[0].player.name):
        assert words in shown


# ── in a browser ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.browser
async def test_both_sides_sign_change_and_settle_in_the_browser(
    store: Store, settings: Settings, evaluated: Evaluated, signing: Signing, chromium: Browser
) -> None:
    winner = evaluated.ranked[0].player
    async with open_award_house(store, settings) as address:
        here = f"{address}/contracts/{signing.lot}"
        async with (
            signed_in(store, chromium, address, evaluated.tenderee) as ours,
            signed_in(store, chromium, address, winner) as theirs,
        ):
            await ours.goto(here)
            await ours.get_by_label("履约保证金（元）").fill("5000000.00")
            await ours.get_by_label("银行保函").check()
            await ours.get_by_role("button", name="签名并送交中标人").click()
            await expect(ours.get_by_text("等待中标人签名")).to_be_visible()
            await theirs.goto(here)
            await theirs.get_by_role("button", name="签名并订立合同").click()
            await expect(theirs.get_by_role("heading", name="合同变更")).to_be_visible()
            await theirs.get_by_text("提出合同变更").click()
            await theirs.get_by_label("理由").fill("管线改道")
            await theirs.get_by_label("增减金额（元）").fill("1200000.00")
            await theirs.get_by_role("button", name="签名并送交对方").click()
            await expect(theirs.get_by_text("等待对方签名")).to_be_visible()
            await ours.goto(here)
            await ours.get_by_role("button", name="签名同意变更").click()
            await expect(ours.get_by_role("heading", name="待签名的变更")).to_have_count(0)
            await expect(ours.get_by_text("第 1 号变更")).to_be_visible()
            await ours.get_by_text("公布审计结算价", exact=True).first.click()
            form = ours.locator("form[data-sign=settlement]")
            for label, value in (
                ("审计结算价（元）", "119500000.00"),
                ("审计单位", "江城市审计局"),
                ("审计文号", "江审投〔2026〕12号"),
                ("完工日期", "2026-03-27"),
                ("审计日期", "2026-03-27"),
            ):
                await form.get_by_label(label).fill(value)
            await form.get_by_role("button", name="签名并公布结算价").click()
            await expect(ours.get_by_role("heading", name="审计结算")).to_be_visible()
            await expect(ours.get_by_text("+900,000.00 元").first).to_be_visible()
        async with open_page(chromium, f"{address}/settlements") as shown:
            await assert_holds_everywhere(shown)
            await shown.goto(here)
            await assert_holds_everywhere(shown)
            await assert_looks_as_kept(shown, "settled-contract")


@pytest.mark.browser
async def test_the_forms_of_both_sides_fit_every_width_and_axe_finds_nothing(
    store: Store, settings: Settings, evaluated: Evaluated, signing: Signing, chromium: Browser
) -> None:
    owner = await token_of(store, evaluated.tenderee)
    async with open_award_house(store, settings) as address:
        here = f"{address}/contracts/{signing.lot}"
        async with open_page(chromium, here, token=owner) as shown:
            await assert_holds_everywhere(shown)
            done = await signing.concluded()
            await signing.winner.post_statement(
                f"{signing.path}/contract/changes", "contract-change", signing.change()
            )
            await shown.goto(here)
            for summary in await shown.locator("main details > summary").all():
                await summary.evaluate("(one) => { one.parentElement.open = true; }")
            await assert_holds_everywhere(shown)
            await shown.goto(f"{address}/verify?number={done['number']}")
            await assert_holds_everywhere(shown)
