"""The desks of a purchase from the only supplier: it is named, and its price agreed (单一来源).

Who is named is known to the lot's owners until the notice says it. What is agreed is for purchaser,
agency and supplier; supervisors see it once the result is published.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kernel.crypto.digests import b64u
from kernel.identifiers import LotId
from kernel.money import yuan_text
from kernel.working_days import beijing_day
from trading import agreeing, notice_board, sole_sourcing
from trading.agreeing import AgreementDesk, SignedPrice
from trading.rules.procedures import Offers, Procedure, switches_of
from trading.rules.single_source import (
    FAILURES,
    GROUP_MIN,
    NAME_MAX,
    OPINIONS_MAX,
    OPINIONS_MIN,
    WORDS_MAX,
    ExpertOpinion,
    SoleSupplier,
)
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed
from web.routes.invitation_desk import verified_bidders
from web.routes.tender_desk import readable

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}

Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX), AfterValidator(readable)]
Words = Annotated[str, Field(max_length=WORDS_MAX), AfterValidator(readable)]


class OpinionAsked(BaseModel):
    """What somebody of the trade says, and who he is."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    name: Name
    employer: Name
    title: Name
    words: Annotated[Words, Field(min_length=1)]


class SoleSupplierAsked(BaseModel):
    """The only supplier, why nobody else can deliver, and whose opinions say so."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        str_strip_whitespace=True,
        json_schema_extra={
            "examples": [
                {
                    "supplier": "0190a1b2-0000-7000-8000-000000000001",
                    "grounds": "设备的控制软件为该单位专有，其他单位不能维护。",
                    "opinions": [
                        {
                            "name": "钱一",
                            "employer": "某研究院",
                            "title": "高级工程师",
                            "words": "同意采用单一来源方式。",
                        }
                    ],
                }
            ]
        },
    )

    supplier: UUID
    grounds: Words = ""
    opinions: Annotated[tuple[OpinionAsked, ...], Field(max_length=OPINIONS_MAX)] = ()

    def told(self) -> SoleSupplier:
        """The same as the activity takes it."""
        return SoleSupplier(
            self.supplier,
            self.grounds,
            tuple(
                ExpertOpinion(one.name, one.employer, one.title, one.words) for one in self.opinions
            ),
        )


@router.post("/api/v1/lots/{lot_id}/sole-supplier", status_code=204)
async def post_sole_supplier(tx: Act, lot_id: UUID, asked: SoleSupplierAsked) -> None:
    """Say to which one supplier a draft is put, with grounds and opinions."""
    await sole_sourcing.name_sole_supplier(tx, lot_id, asked.told())


@router.get("/api/v1/lots/{lot_id}/sole-supplier")
async def get_sole_supplier(tx: Act, lot_id: UUID) -> JSONResponse:
    """To which one supplier an own lot is put; a published lot's notice says it to everybody."""
    told = await sole_sourcing.sole_supplier(tx, lot_id)
    sole = None
    if told is not None:
        sole = {
            "supplier": str(told.supplier_id),
            "name": told.name,
            "grounds": told.grounds,
            "opinions": [one.plain() for one in told.opinions],
        }
    return JSONResponse({"sole_supplier": sole}, headers=NO_STORE)


@router.get("/desk/lots/{lot_id}/sole-supplier", response_class=HTMLResponse)
async def sole_supplier_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The only supplier of a lot, and while it is a draft the form that names it."""
    draft = await notice_board.draft(tx, lot_id)
    is_draft = draft.line.published_at is None
    on = beijing_day(draft.line.published_at or tx.now)
    switches = switches_of(draft.line.procedure, on=on)
    return render(
        request,
        "sole_supplier_desk/supplier.html",
        procedure=draft.line.procedure,
        draft=draft,
        sole=await sole_sourcing.sole_supplier(tx, lot_id),
        agreed=switches.offers is Offers.AGREED,
        is_draft=is_draft,
        choices=await verified_bidders(tx) if is_draft else [],
        opinions_min=OPINIONS_MIN,
        now=tx.now,
    )


@router.post("/api/v1/lots/{lot_id}/price-agreement", status_code=201)
async def post_price_agreement(tx: Act, lot_id: UUID, raw: Signed) -> JSONResponse:
    """Sign, as one of the group, the record of a price agreed with the only supplier."""
    return _signed(await agreeing.offer_price(tx, LotId(lot_id), raw))


@router.post("/api/v1/lots/{lot_id}/price-agreement/acceptance", status_code=201)
async def post_acceptance(tx: Act, lot_id: UUID, raw: Signed) -> JSONResponse:
    """Sign the newest record for the supplier, word for word."""
    return _signed(await agreeing.accept_price(tx, LotId(lot_id), raw))


@router.post("/api/v1/lots/{lot_id}/price-agreement/failure", status_code=204)
async def post_failure(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """End the talks with the only supplier without a price, by a notice that says why."""
    await agreeing.end_without_price(tx, LotId(lot_id), raw)


@router.get("/api/v1/lots/{lot_id}/price-agreement")
async def get_price_agreement(tx: Act, lot_id: UUID) -> JSONResponse:
    """The newest record with the words to sign, for its sides; later for supervisors."""
    desk = await agreeing.agreement_desk(tx, LotId(lot_id))
    return JSONResponse(_told(desk), headers=NO_STORE)


@router.get("/lots/{lot_id}/price-agreement", response_class=HTMLResponse)
async def price_agreement_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The price to be agreed as a page for its sides, with the forms to offer and to sign it."""
    desk = await agreeing.agreement_desk(tx, LotId(lot_id))
    return render(
        request,
        "sole_supplier_desk/agreement.html",
        procedure=Procedure.SINGLE_SOURCE,
        desk=desk,
        group_min=GROUP_MIN,
        failures=list(FAILURES.items()),
        own=str(tx.actor.person),
        supplies=desk.supplier_id == tx.actor.party,
        now=tx.now,
    )


def _signed(done: SignedPrice) -> JSONResponse:
    told: dict[str, Any] = {
        "number": done.number,
        "concluded": done.concluded,
        "cautions": [one.as_json() for one in done.cautions],
    }
    return JSONResponse(told, 201, headers=NO_STORE)


def _told(desk: AgreementDesk) -> dict[str, Any]:
    agreement = desk.agreement
    return {
        "lot": str(desk.lot_id),
        "project": str(desk.project_id),
        "supplier": str(desk.supplier_id),
        "state": str(desk.state),
        "offered": None if desk.offered is None else yuan_text(desk.offered),
        "concluded": desk.concluded,
        "people": [{"person": str(id), "name": name} for id, name in desk.people.items()],
        "agreement": None
        if agreement is None
        else {
            "number": agreement.number,
            "price": yuan_text(agreement.price),
            "record": agreement.record,
            "digest": b64u(agreement.digest),
            "body": agreement.body,
            "group": [
                {
                    "person": str(one.person_id),
                    "name": one.name,
                    "title": one.title,
                    "signed": one.signed_at is not None,
                }
                for one in agreement.group
            ],
            "supplier_signed": agreement.supplier_signed_at is not None,
            "cautions": list(agreement.cautions),
        },
    }
