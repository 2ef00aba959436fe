"""The invitation desk: whom to invite is listed and, where the law wants it, drawn here.

Who is invited, and how many are, is secret from everybody but the lot's owners until the bids are
opened; each of the invited finds its own invitations here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role
from kernel.crypto.digests import b64u, instant_text
from kernel.identifiers import PartyId
from kernel.store.tables import OrganisationRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import inviting, notice_board
from trading.inviting import InvitationList, InvitationTold, OwnInvitation
from trading.rules.invited_bidders import SOURCE_NAMES, Source
from trading.rules.procedures import switches_of
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute
from web.routes.tender_desk import readable

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
CHOICE_MAX: Final = 500

Name = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(readable)]


class InvitedAsked(BaseModel):
    """Whom to list, and how they were found; `count` is how many to draw where they are drawn."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        str_strip_whitespace=True,
        json_schema_extra={
            "examples": [
                {
                    "source": "chosen",
                    "listed": [
                        "0190a1b2-0000-7000-8000-000000000001",
                        "0190a1b2-0000-7000-8000-000000000002",
                        "0190a1b2-0000-7000-8000-000000000003",
                    ],
                }
            ]
        },
    )

    source: Source
    listed: Annotated[tuple[UUID, ...], Field(max_length=inviting.LISTED_MAX)] = ()
    count: Annotated[int, Field(ge=0, le=inviting.LISTED_MAX)] | None = None
    witnesses: Annotated[tuple[Name, ...], Field(max_length=inviting.WITNESSES_MAX)] = ()
    record: Annotated[str, Field(max_length=inviting.RECORD_MAX), AfterValidator(readable)] = ""

    def told(self) -> InvitationList:
        """The same as the activity takes it."""
        listed = tuple(PartyId(one) for one in self.listed)
        return InvitationList(self.source, listed, self.count, self.witnesses, self.record)


@router.post("/api/v1/lots/{lot_id}/invited", status_code=201)
async def post_invited(tx: Act, lot_id: UUID, asked: InvitedAsked) -> JSONResponse:
    """List whom to invite to a draft, and draw them where the law wants it; who is invited."""
    invited = await inviting.name_invited(tx, lot_id, asked.told())
    return JSONResponse({"invited": [str(one) for one in invited]}, 201, headers=NO_STORE)


@router.get("/api/v1/lots/{lot_id}/invited")
async def get_invited(tx: Act, lot_id: UUID) -> JSONResponse:
    """Who was listed and invited: for the lot's owners, and after the opening for supervisors."""
    told = await inviting.invitation(tx, lot_id)
    return JSONResponse({"invitation": None if told is None else _told(told)}, headers=NO_STORE)


@router.get("/api/v1/invitations")
async def get_invitations(tx: Act) -> JSONResponse:
    """The lots to which the acting bidder is invited; nobody else's ever."""
    found = await inviting.own_invitations(tx)
    return JSONResponse({"invitations": [_own_told(one) for one in found]}, headers=NO_STORE)


@router.get("/desk/lots/{lot_id}/invited", response_class=HTMLResponse)
async def invited_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The list of a lot's invited, and while it is a draft the form that makes it."""
    draft = await notice_board.draft(tx, lot_id)
    line = draft.line
    switches = switches_of(line.procedure, on=beijing_day(line.published_at or tx.now))
    invitation = await inviting.invitation(tx, lot_id)
    fixed = line.published_at is not None or (
        invitation is not None and invitation.seed is not None
    )
    return render(
        request,
        "invitation_desk/desk.html",
        procedure=line.procedure,
        draft=draft,
        demands=switches.invitation,
        invitation=invitation,
        chosen=[] if invitation is None else [str(one.party_id) for one in invitation.listed],
        fixed=fixed,
        choices=[] if fixed else await verified_bidders(tx),
        sources=SOURCE_NAMES,
        offered=[
            one
            for one in (Source.LIST, Source.RECOMMENDATION, Source.CHOSEN)
            if switches.invitation is not None
            and not (switches.invitation.drawn and one is Source.CHOSEN)
        ],
        now=tx.now,
    )


async def verified_bidders(tx: Transaction) -> list[tuple[str, str]]:
    """The verified organisations that may be asked to bid."""
    rows = await tx.session.execute(
        select(col(OrganisationRow.id), col(OrganisationRow.name))
        .where(
            col(OrganisationRow.roles).contains([str(Role.BIDDER)]),
            col(OrganisationRow.verified_at).is_not(None),
        )
        .order_by(col(OrganisationRow.name))
        .limit(CHOICE_MAX)
    )
    return [(str(id), name) for id, name in rows]


def _told(told: InvitationTold) -> dict[str, Any]:
    return {
        "source": str(told.source),
        "listed": [
            {"id": str(one.party_id), "name": one.name, "invited": one.invited}
            for one in told.listed
        ],
        "witnesses": list(told.witnesses),
        "record": told.record,
        "salt": b64u(told.salt),
        "seed": None if told.seed is None else b64u(told.seed),
        "named_at": instant_text(told.named_at),
    }


def _own_told(one: OwnInvitation) -> dict[str, Any]:
    return {
        "lot": str(one.lot_id),
        "lot_name": one.lot_name,
        "project_name": one.project_name,
        "tenderee": one.tenderee,
        "invited_at": instant_text(one.invited_at),
        "bids_due_at": None if one.bids_due_at is None else instant_text(one.bids_due_at),
        "state": one.state,
    }
