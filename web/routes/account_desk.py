"""The account desk: bidders see how to pay, the account's keeper takes statements and gives back.

What concerns one bidder is answered to that bidder alone until the bids lie open. The keeper is
told how many lines a statement had, which it knows already, and nothing of whose they are.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from kernel.access import Role
from kernel.crypto.digests import b64u, instant_text, parse_instant
from kernel.events import plain
from kernel.identifiers import LotId
from kernel.money import yuan_text
from trading import deposit_views, depositing, notice_board, returning
from trading.bank_statements import HEAD, CsvFile
from trading.rules.listing_security import LISTING_CAUSE_NAMES
from trading.rules.procedures import GUARANTEES
from trading.rules.security_course import (
    CAUSE_NAMES,
    FORFEITURE_NAMES,
    ForfeitureGround,
)
from trading.security_facts import Standing
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed, read_body

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
PDF: Final = "application/pdf"


class ReturnAsked(BaseModel):
    """How a security went back: when, at which yearly rate in percent, and the bank's number."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={
            "example": {
                "returned_at": "2026-06-01T02:00:00Z",
                "annual_rate": "0.05",
                "serial": "20260601000017",
            }
        },
    )

    returned_at: Annotated[str, Field(max_length=40)]
    annual_rate: Annotated[str, Field(pattern=r"^(0|[1-9][0-9]?)(\.[0-9]{1,4})?$")]
    serial: Annotated[str, Field(min_length=1, max_length=returning.SERIAL_MAX)]

    def payment(self) -> returning.Payment:
        """The same as the act takes it."""
        at: datetime = parse_instant(self.returned_at)
        return returning.Payment(at, Decimal(self.annual_rate), self.serial)


# ── the bidder ────────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/security/reference")
async def post_reference(tx: Act, lot_id: UUID) -> JSONResponse:
    """The number under which the acting bidder pays its security; always the same one."""
    reference = await depositing.payment_reference(tx, LotId(lot_id))
    return JSONResponse({"reference": reference}, headers=NO_STORE)


@router.get("/api/v1/lots/{lot_id}/security")
async def get_own_security(tx: Act, lot_id: UUID) -> JSONResponse:
    """Where the acting bidder's own security stands."""
    _, standing = await depositing.own_security(tx, LotId(lot_id))
    return JSONResponse(_standing_told(standing), headers=NO_STORE)


@router.post("/api/v1/lots/{lot_id}/security/guarantee-files", status_code=201)
async def post_guarantee_file(request: Request, tx: Act, lot_id: UUID) -> dict[str, str]:
    """Keep the PDF of a guarantee that is going to be filed; its digest."""
    content = await read_body(request, max_bytes=depositing.GUARANTEE_MAX)
    digest = await depositing.keep_guarantee_file(tx, LotId(lot_id), content)
    return {"sha256": b64u(digest)}


@router.post("/api/v1/lots/{lot_id}/security/guarantees", status_code=201)
async def post_guarantee(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, str]:
    """File a guarantee whose PDF was sent before; a later one replaces it."""
    done = await depositing.file_guarantee(tx, LotId(lot_id), raw)
    return {"digest": b64u(done.digest), "filed_at": instant_text(done.filed_at)}


@router.get("/api/v1/lots/{lot_id}/security/guarantee")
async def get_own_guarantee(tx: Act, lot_id: UUID) -> Response:
    """The PDF of the acting bidder's newest guarantee."""
    return _paper(await depositing.own_guarantee(tx, LotId(lot_id)))


# ── the account's keeper ──────────────────────────────────────────────────────────────────────


@router.post("/api/v1/bank-statements", status_code=201)
async def post_statement(request: Request, tx: Act) -> dict[str, Any]:
    """Take in a bank's statement, as CSV with the columns serial, received_at, amount, reference.

    Whole or not at all; the same again changes nothing. Malformed lines are named by number.
    """
    raw = await read_body(request, max_bytes=depositing.STATEMENT_FILE_MAX)
    done = await depositing.take_statement(tx, CsvFile(raw))
    return {
        "digest": b64u(done.digest),
        "lines": done.lines,
        "taken_at": instant_text(done.taken_at),
    }


@router.get("/api/v1/security-account")
async def get_account(tx: Act) -> JSONResponse:
    """What has to go back by when, the statements taken in, and payments that are nobody's."""
    return JSONResponse(plain(await deposit_views.account_desk(tx)), headers=NO_STORE)


@router.post("/api/v1/securities/{reference}/return", status_code=201)
async def post_return(tx: Act, reference: str, asked: ReturnAsked) -> dict[str, Any]:
    """Record that a security went back, with the interest that its days come to."""
    done = await returning.give_back(tx, reference, asked.payment())
    return {
        "principal": yuan_text(done.principal),
        "interest": yuan_text(done.interest),
        "with_guarantee": done.with_guarantee,
        "cautions": [one.as_json() for one in done.cautions],
    }


# ── once the bids lie open ────────────────────────────────────────────────────────────────────


@router.get("/api/v1/lots/{lot_id}/securities")
async def get_securities(tx: Act, lot_id: UUID) -> JSONResponse:
    """The securities of those who bid, with what goes back by when; refused before the opening."""
    return JSONResponse(
        plain(await deposit_views.lot_securities(tx, LotId(lot_id))), headers=NO_STORE
    )


@router.get("/api/v1/lots/{lot_id}/securities/{reference}/guarantee")
async def get_guarantee(tx: Act, lot_id: UUID, reference: str) -> Response:
    """The PDF of a bidder's guarantee; refused before the opening."""
    return _paper(await deposit_views.guarantee_paper(tx, LotId(lot_id), reference))


@router.post("/api/v1/lots/{lot_id}/securities/{reference}/forfeiture", status_code=201)
async def post_forfeiture(tx: Act, lot_id: UUID, reference: str, raw: Signed) -> dict[str, str]:
    """Keep a security on a ground that the record shows."""
    done = await returning.forfeit(tx, LotId(lot_id), reference, raw)
    return {"amount": yuan_text(done.amount), "article": done.article}


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/lots/{lot_id}/security", response_class=HTMLResponse, include_in_schema=False)
async def own_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """How the acting bidder provides its security, and where it stands."""
    lot, standing = await depositing.own_security(tx, LotId(lot_id))
    line = (await notice_board.notice(tx, lot_id)).line
    return render(
        request,
        "account_desk/own.html",
        procedure=line.procedure,
        line=line,
        lot=lot,
        one=standing,
        guarantees=sorted(set(lot.security_forms) & set(map(str, GUARANTEES))),
        by_money=sorted(set(lot.security_forms) - set(map(str, GUARANTEES))),
        causes=CAUSE_NAMES,
        grounds=FORFEITURE_NAMES,
        validity_ends_on=await depositing.own_validity_ends_on(tx, LotId(lot_id)),
        now=tx.now,
    )


@router.get("/lots/{lot_id}/securities", response_class=HTMLResponse, include_in_schema=False)
async def lot_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The securities of one lot, for those who may see them."""
    seen = await deposit_views.lot_securities(tx, LotId(lot_id))
    return render(
        request,
        "account_desk/lot.html",
        procedure=seen.procedure,
        seen=seen,
        causes=CAUSE_NAMES,
        grounds=FORFEITURE_NAMES,
        Grounds=ForfeitureGround,
        may_keep=tx.actor.role is Role.TENDEREE,
        may_return=tx.actor.role is Role.CENTRE_STAFF,
        now=tx.now,
    )


@router.get("/account-desk", response_class=HTMLResponse, include_in_schema=False)
async def desk_page(request: Request, tx: Act) -> HTMLResponse:
    """The desk of the account's keeper."""
    return render(
        request,
        "account_desk/desk.html",
        desk=await deposit_views.account_desk(tx),
        causes={**CAUSE_NAMES, **LISTING_CAUSE_NAMES},
        head=",".join(HEAD),
        now=tx.now,
    )


def _paper(content: bytes) -> Response:
    name = 'attachment; filename="guarantee.pdf"'
    return Response(content, media_type=PDF, headers={**NO_STORE, "Content-Disposition": name})


def _standing_told(one: Standing) -> dict[str, Any]:
    paper, due = one.guarantee, one.due
    return {
        "state": str(one.state),
        "asked": yuan_text(one.facts.asked),
        "reference": None if one.account is None else one.account.reference,
        "held": yuan_text(one.facts.held),
        "arrivals": [
            {"received_at": instant_text(line.received_at), "amount": yuan_text(line.amount)}
            for line in one.arrivals
        ],
        "guarantee": None
        if paper is None
        else {
            "form": paper.form,
            "guarantor": paper.guarantor,
            "number": paper.number,
            "amount": yuan_text(paper.amount),
            "valid_until": paper.valid_until.isoformat(),
            "document": b64u(paper.document),
            "filed_at": instant_text(paper.filed_at),
        },
        "due": None
        if due is None
        else {
            "cause": str(due.cause),
            "by": instant_text(due.due_at),
            "article": str(due.article),
        },
        "returns": [
            {
                "principal": yuan_text(back.principal),
                "interest": yuan_text(back.interest),
                "with_guarantee": back.with_guarantee,
                "returned_at": instant_text(back.returned_at),
                "late": back.late,
            }
            for back in one.returns
        ],
        "forfeited": None
        if one.forfeiture is None
        else {
            "ground": one.forfeiture.ground,
            "article": one.forfeiture.article,
            "reason": one.forfeiture.reason,
        },
    }
