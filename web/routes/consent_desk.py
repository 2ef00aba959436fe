"""The consent desk: what a person consented to, in which words, and how to take it back.

Here too one asks to be forgotten, and the centre sees what stands against it. A register is shown
to its own person alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from expert_pool import enrolling
from kernel.access import Role
from kernel.consents import Purpose
from kernel.crypto.digests import b64u, instant_text, unb64u
from kernel.events import plain
from kernel.store import consenting
from kernel.store.consenting import RegisterLine
from kernel.store.transaction import Transaction
from trading import requesting_erasure
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute
from web.routes.tender_desk import readable

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}

Words = Annotated[str, Field(max_length=requesting_erasure.WORDS_MAX), AfterValidator(readable)]


class Asked(BaseModel):
    """A request body; members it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class ConsentAsked(Asked):
    """A consent: `text` is the digest of the words that were shown."""

    text: Annotated[str, Field(min_length=43, max_length=43)]


class ErasureAsked(Asked):
    """Why somebody wants to be forgotten, if he says so."""

    words: Words = ""


class AnswerAsked(Asked):
    """Why somebody cannot be forgotten yet."""

    answer: Annotated[Words, Field(min_length=1)]


@router.get("/api/v1/consents")
async def get_consents(tx: Act) -> JSONResponse:
    """Every use of sensitive data with its words, and what one said to it.

    `requests` are one's own to be forgotten, `grounds` why one's data is kept yet.
    """
    found = await consenting.own_consents(tx)
    told = {
        "consents": [_told(one) for one in found],
        "requests": plain(await requesting_erasure.own_requests(tx)),
        "grounds": [one.as_json() for one in await requesting_erasure.own_grounds(tx)],
    }
    return JSONResponse(told, headers=NO_STORE)


@router.post("/api/v1/consents/{purpose}", status_code=204)
async def post_consent(tx: Act, purpose: Purpose, asked: ConsentAsked) -> None:
    """Consent to one use, in the words that were shown."""
    await consenting.give_consent(tx, purpose, unb64u(asked.text, 32))


@router.delete("/api/v1/consents/{purpose}", status_code=204)
async def delete_consent(tx: Act, purpose: Purpose) -> None:
    """Withdraw a consent."""
    await consenting.withdraw_consent(tx, purpose)


@router.post("/api/v1/erasure-requests", status_code=204)
async def post_erasure_request(tx: Act, asked: ErasureAsked) -> None:
    """Ask the centre to be forgotten."""
    await requesting_erasure.request_erasure(tx, asked.words)


@router.get("/api/v1/erasure-requests")
async def get_erasure_requests(tx: Act) -> JSONResponse:
    """The requests that wait, and what stands against each; for the centre."""
    return JSONResponse({"requests": await _waiting(tx)}, headers=NO_STORE)


@router.post("/api/v1/erasure-requests/{request_id}/answer", status_code=204)
async def post_erasure_answer(tx: Act, request_id: UUID, asked: AnswerAsked) -> None:
    """Tell somebody why he cannot be forgotten yet."""
    await requesting_erasure.decline_erasure(tx, request_id, asked.answer)


@router.get("/me/consents", response_class=HTMLResponse)
async def consents_page(request: Request, tx: Act) -> HTMLResponse:
    """One's own register, with forms to consent and to withdraw, and to ask to be forgotten."""
    return render(
        request,
        "consent_desk/register.html",
        lines=await consenting.own_consents(tx),
        requests=await requesting_erasure.own_requests(tx),
        grounds=await requesting_erasure.own_grounds(tx),
        digest=b64u,
        owed=tx.actor.role is Role.EXPERT and await enrolling.owes_consent(tx),
        now=tx.now,
    )


@router.get("/centre/erasures", response_class=HTMLResponse)
async def erasures_page(request: Request, tx: Act) -> HTMLResponse:
    """The requests that wait for the centre, with forms to erase and to answer."""
    return render(
        request,
        "consent_desk/erasures.html",
        waiting=await requesting_erasure.waiting_requests(tx),
        now=tx.now,
    )


async def _waiting(tx: Transaction) -> list[dict[str, Any]]:
    return [
        {
            "id": str(one.id),
            "person": str(one.person_id),
            "name": one.name,
            "words": one.words,
            "asked_at": instant_text(one.asked_at),
            "grounds": [
                {"code": ground.code, "article": str(ground.article), "reason": ground.reason}
                for ground in one.grounds
            ],
        }
        for one in await requesting_erasure.waiting_requests(tx)
    ]


def _told(one: RegisterLine) -> dict[str, Any]:
    return {
        "purpose": str(one.purpose),
        "text": one.text.plain(),
        "digest": b64u(one.digest),
        "stands": one.stands,
        "given": [
            {
                "version": said.version,
                "given_at": instant_text(said.given_at),
                "withdrawn_at": None
                if said.withdrawn_at is None
                else instant_text(said.withdrawn_at),
                "outdated": said.outdated,
            }
            for said in one.given
        ],
    }
