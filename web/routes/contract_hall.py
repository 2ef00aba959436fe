"""The contract hall: what an award became, signed by both sides, changed, reported on and settled.

Everybody may read; the tenderee and the winner act here, each by statements of their own keys. What
waits for a signature is seen by the two sides alone.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Request
from fastapi.responses import HTMLResponse, JSONResponse

from kernel.crypto.digests import b64, b64u, instant_text
from kernel.events import plain
from kernel.identifiers import LotId
from kernel.money import yuan_text
from kernel.refusals import Caution
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import award_reporting, contract_views, contracting, performing
from trading.rules.contract_terms import CHANGE_NAMES
from web.pages import render
from web.places import Place
from web.region_names import region_name
from web.request_scope import Act, ActRoute, Signed

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
Number = Annotated[int, Path(ge=1, le=performing.NUMBER_MAX)]


# ── the report on the award ───────────────────────────────────────────────────────────────────


@router.get("/api/v1/lots/{lot_id}/award-report/draft")
async def award_report_draft(tx: Act, lot_id: UUID) -> JSONResponse:
    """The written report on the tender as the record makes it, to be completed and signed."""
    proposed = await award_reporting.award_report_paper(tx, LotId(lot_id))
    return JSONResponse(proposed, headers=NO_STORE)


@router.post("/api/v1/lots/{lot_id}/award-report", status_code=201)
async def post_award_report(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Hand the written report in to the supervising department."""
    done = await award_reporting.report_award(tx, LotId(lot_id), raw)
    return {"reported_at": instant_text(done.reported_at), "cautions": _told(done.cautions)}


@router.get("/api/v1/lots/{lot_id}/award-report")
async def get_award_report(tx: Act, lot_id: UUID) -> JSONResponse:
    """The written report, for those it went to and those it came from."""
    found = await award_reporting.award_report(tx, LotId(lot_id))
    told = {
        "content": found.content,
        "words": found.words,
        "reported_at": instant_text(found.reported_at),
        "late": found.late,
        "statement": b64(found.statement),
    }
    return JSONResponse(told, headers=NO_STORE)


# ── the contract ──────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/lots/{lot_id}/contract/draft")
async def contract_draft(tx: Act, lot_id: UUID) -> JSONResponse:
    """The contract as the tender's form and the winning bid make it, for the tenderee to sign."""
    proposed = await contracting.contract_paper(tx, LotId(lot_id))
    return JSONResponse(proposed, headers=NO_STORE)


@router.post("/api/v1/lots/{lot_id}/contract", status_code=201)
async def offer_contract(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Sign the contract for the tenderee; it waits for the winner."""
    done = await contracting.offer_contract(tx, LotId(lot_id), raw)
    return {
        "version": done.version,
        "digest": b64u(done.digest),
        "cautions": _told(done.cautions),
    }


@router.post("/api/v1/lots/{lot_id}/contract/signature", status_code=201)
async def sign_contract(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Sign the same words for the winner; the contract is in force and public."""
    done = await contracting.sign_contract(tx, LotId(lot_id), raw)
    due = done.file_due_at
    return {
        "number": done.number,
        "digest": b64u(done.digest),
        "signed_at": instant_text(done.signed_at),
        "file_due_at": None if due is None else instant_text(due),
        "cautions": _told(done.cautions),
    }


@router.get("/api/v1/lots/{lot_id}/contract")
async def get_contract(tx: Act, lot_id: UUID) -> JSONResponse:
    """The contract with its changes, reports and settlement, the signed papers and their keys."""
    seen = await contract_views.contract(tx, LotId(lot_id))
    told = seen.plain()
    papers = await contract_views.signed_contract(tx, LotId(lot_id))
    if papers:
        keys = await contract_views.signing_keys(tx, papers.values())
        told["statements"] = {name: b64(raw) for name, raw in papers.items()}
        told["signers"] = {keyid: b64u(key) for keyid, key in keys.items()}
    return JSONResponse(told, headers=NO_STORE)


@router.post("/api/v1/lots/{lot_id}/contract/filing", status_code=201)
async def file_contract(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Say with whom the contract's copy was filed."""
    done = await contracting.file_contract(tx, LotId(lot_id), raw)
    return {"filed_at": instant_text(done.filed_at), "cautions": _told(done.cautions)}


# ── performance ───────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/contract/changes", status_code=201)
async def offer_change(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Sign a change for one side; it waits for the other."""
    done = await performing.offer_change(tx, LotId(lot_id), raw)
    return {"number": done.number, "digest": b64u(done.digest)}


@router.post("/api/v1/lots/{lot_id}/contract/changes/{number}/signature", status_code=201)
async def agree_change(tx: Act, lot_id: UUID, number: Number, raw: Signed) -> dict[str, Any]:
    """Sign the same change for the other side; it is in force and public."""
    done = await performing.agree_change(tx, LotId(lot_id), number, raw)
    return {
        "number": done.number,
        "price": yuan_text(done.price),
        "changed_by": plain(done.changed_by),
    }


@router.post("/api/v1/lots/{lot_id}/performance-reports", status_code=201)
async def post_performance_report(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Report progress, a payment or a milestone."""
    done = await performing.report_performance(tx, LotId(lot_id), raw)
    return {"digest": b64u(done.digest), "late": done.late, "cautions": _told(done.cautions)}


@router.post("/api/v1/lots/{lot_id}/settlement", status_code=201)
async def post_settlement(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Publish the audited settlement and its difference from the award price."""
    done = await performing.settle(tx, LotId(lot_id), raw)
    return {
        "awarded": yuan_text(done.settlement.awarded),
        "settled": yuan_text(done.settlement.settled),
        "difference": plain(done.settlement.difference),
        "share": plain(done.settlement.share),
        "cautions": _told(done.cautions),
    }


@router.get("/api/v1/contracts")
async def get_contracts(tx: Act) -> JSONResponse:
    """The contracts in force, the newest first, each with its settlement."""
    return JSONResponse({"contracts": plain(await contract_views.contracts(tx))}, headers=NO_STORE)


@router.get("/api/v1/settlement-statistics")
async def get_statistics(tx: Act) -> JSONResponse:
    """What finished contracts cost beside what they were awarded for."""
    found = await contract_views.settlement_statistics(tx)
    return JSONResponse(found.plain(), headers=NO_STORE)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/contracts", response_class=HTMLResponse, include_in_schema=False)
async def contracts_page(request: Request, tx: Act) -> HTMLResponse:
    """Every contract there is, the newest first."""
    lines = await contract_views.contracts(tx)
    return render(request, "contract_hall/contracts.html", contracts=lines, now=tx.now)


@router.get("/settlements", response_class=HTMLResponse, include_in_schema=False)
async def settlements_page(request: Request, tx: Act) -> HTMLResponse:
    """What settlements come to, for the public."""
    return render(
        request,
        "contract_hall/settlements.html",
        figures=await contract_views.settlement_statistics(tx),
        settled=[one for one in await contract_views.contracts(tx) if one.settled is not None],
        region_name=region_name,
        now=tx.now,
    )


@router.get("/contracts/{lot_id}", response_class=HTMLResponse, include_in_schema=False)
async def contract_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """One contract as a page, with what its sides may do now."""
    return await _rendered(request, tx, lot_id, "contract_hall/contract.html")


@router.get("/contracts/{lot_id}/board", response_class=HTMLResponse, include_in_schema=False)
async def contract_board(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The part of the page that changes, fetched again whenever something happens."""
    return await _rendered(request, tx, lot_id, "contract_hall/board.html")


async def _rendered(request: Request, tx: Transaction, lot_id: UUID, template: str) -> HTMLResponse:
    seen = await contract_views.contract(tx, LotId(lot_id))
    reports = seen.award is not None and seen.owned and seen.award.report_due_on is not None
    unreported = reports and seen.award is not None and seen.award.reported_at is None
    paper = await award_reporting.award_report_paper(tx, LotId(lot_id)) if unreported else None
    return render(
        request,
        template,
        procedure=seen.procedure,
        contract=seen,
        award_report=paper,
        change_names={str(reason): name for reason, name in CHANGE_NAMES.items()},
        today=beijing_day(tx.now),
        now=tx.now,
        live_view=f"{lot_id}/public",
    )


def _told(cautions: tuple[Caution, ...]) -> list[dict[str, object]]:
    return [one.as_json() for one in cautions]
