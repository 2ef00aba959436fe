"""The award hall: candidates, the award, and why this one; for everybody, with the signed papers.

Owners hand bids over, publish the candidates and make the award here, each by a statement of their
own key. The page shows nothing of a report before its candidates are published.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse

from evaluation import committee_views
from evaluation.committee_views import AnnouncedMember
from expert_pool import draw_history
from kernel.access import Role
from kernel.crypto.digests import b64, b64u, instant_text
from kernel.events import plain
from kernel.identifiers import LotId
from kernel.money import yuan_text
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import (
    annulling,
    award_views,
    awarding,
    complaint_views,
    handover,
    rechecking,
    signed_results,
    voting,
)
from trading.award_views import Result
from trading.rechecking import RecheckTold
from trading.rules.award_annulment import ANNULMENT_NAMES, FORFEITING, annulment_grounds
from trading.rules.award_followup import RECHECK_NAMES, RECHECKABLE
from trading.rules.lot_lifecycle import LotState
from trading.rules.procedures import switches_of
from trading.rules.winner_choice import GROUND_NAMES
from trading.voting import VotesTold
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
REPORTED: Final = frozenset({LotState.EVALUATED, *award_views.TOLD})
PUBLICITY_OVER: Final = frozenset({LotState.CLEARED_FOR_AWARD, LotState.AWARDED})


# ── for programs ──────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/handover", status_code=204)
async def hand_over(tx: Act, lot_id: UUID) -> None:
    """Hand the opened bids over to the committee."""
    await handover.hand_over(tx, LotId(lot_id))


@router.get("/api/v1/lots/{lot_id}/candidates/draft")
async def candidates_draft(tx: Act, lot_id: UUID) -> JSONResponse:
    """The notice of candidates as the report makes it, for its publisher to sign."""
    proposed = await awarding.candidates_notice(tx, LotId(lot_id))
    return JSONResponse(proposed, headers=NO_STORE)


@router.post("/api/v1/lots/{lot_id}/candidates", status_code=201)
async def publish_candidates(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Publish the candidates; they stay published for the days of the timetable."""
    done = await awarding.publish_candidates(tx, LotId(lot_id), raw)
    return {
        "digest": b64u(done.digest),
        "until": instant_text(done.until),
        "cautions": [one.as_json() for one in done.cautions],
    }


@router.post("/api/v1/lots/{lot_id}/award", status_code=201)
async def make_award(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Name the winner; everybody is told in this very act."""
    done = await awarding.award(tx, LotId(lot_id), raw)
    due = done.report_due_on
    return {
        "winner": str(done.winner_id),
        "name": done.winner,
        "rank": done.rank,
        "price": yuan_text(done.price),
        "contract_due_on": done.contract_due_on.isoformat(),
        "report_due_on": None if due is None else due.isoformat(),
        "told": done.told,
        "cautions": [one.as_json() for one in done.cautions],
    }


@router.post("/api/v1/lots/{lot_id}/award/votes", status_code=204)
async def post_vote(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """Vote as a member of the award committee; a vote stands."""
    await voting.cast_vote(tx, LotId(lot_id), raw)


@router.get("/api/v1/lots/{lot_id}/award/votes")
async def get_votes(tx: Act, lot_id: UUID) -> JSONResponse:
    """Who has voted, and for whom once the reader may know; null where nobody votes."""
    return JSONResponse({"vote": plain(await voting.votes(tx, LotId(lot_id)))}, headers=NO_STORE)


@router.post("/api/v1/lots/{lot_id}/award/renunciation", status_code=204)
async def post_renunciation(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """Give an own award up; the tenderee then annuls it."""
    await annulling.renounce_award(tx, LotId(lot_id), raw)


@router.post("/api/v1/lots/{lot_id}/award/annulment", status_code=201)
async def post_annulment(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Annul the award; the next in order may be named, or the lot is tendered again."""
    done = await annulling.annul_award(tx, LotId(lot_id), raw)
    return {
        "id": str(lot_id),
        "number": done.number,
        "article": done.article,
        "digest": b64u(done.digest),
        "annulled_at": instant_text(done.annulled_at),
    }


@router.get("/api/v1/awards")
async def get_awards(tx: Act) -> JSONResponse:
    """Every result that is public, the newest first; no winner before there is an award."""
    return JSONResponse({"awards": plain(await award_views.results(tx))}, headers=NO_STORE)


@router.get("/api/v1/lots/{lot_id}/award/notice")
async def get_own_notice(tx: Act, lot_id: UUID) -> JSONResponse:
    """What the acting bidder was told: the award notice, or the notice of the result."""
    notice = await award_views.own_notice(tx, LotId(lot_id))
    told = plain({name: getattr(notice, name) for name in notice.__slots__ if name != "result"})
    assert isinstance(told, dict)
    return JSONResponse({"lot": str(lot_id), **told}, headers=NO_STORE)


@router.get("/api/v1/lots/{lot_id}/award")
async def get_award(tx: Act, lot_id: UUID) -> JSONResponse:
    """The result as far as it is public, with the signed papers and the keys that check them."""
    seen = await award_views.result(tx, LotId(lot_id))
    told = seen.plain()
    if seen.told or seen.fallen:
        papers = await signed_results.signed_result(tx, LotId(lot_id))
        told["statements"] = {name: b64(paper) for name, paper in papers.papers.items()}
        told["entries"] = {name: str(entry) for name, entry in papers.entries.items()}
        told["signers"] = {keyid: b64u(key) for keyid, key in papers.signers.items()}
    told["committee"] = plain(await _committee(tx, seen))
    return JSONResponse(told, headers=NO_STORE)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/awards", response_class=HTMLResponse, include_in_schema=False)
async def awards_page(request: Request, tx: Act) -> HTMLResponse:
    """Every result there is, the newest first."""
    lines = await award_views.results(tx)
    return render(request, "award_hall/awards.html", results=lines, now=tx.now)


@router.get("/awards/{lot_id}", response_class=HTMLResponse, include_in_schema=False)
async def award_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """One lot's result as a page."""
    return await _rendered(request, tx, lot_id, "award_hall/award.html")


@router.get("/awards/{lot_id}/board", response_class=HTMLResponse, include_in_schema=False)
async def award_board(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The part of the page that changes, fetched again whenever something happens."""
    return await _rendered(request, tx, lot_id, "award_hall/board.html")


@router.get("/awards/{lot_id}/notice", response_class=HTMLResponse, include_in_schema=False)
async def notice_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """What the acting bidder was told: the award notice, or the notice of the result."""
    told = await award_views.own_notice(tx, LotId(lot_id))
    return render(
        request,
        "award_hall/award_notice.html",
        procedure=told.result.procedure,
        notice=told,
        now=tx.now,
    )


async def _rendered(request: Request, tx: Transaction, lot_id: UUID, template: str) -> HTMLResponse:
    seen = await award_views.result(tx, LotId(lot_id))
    examined = await rechecking.rechecks_told(tx, LotId(lot_id))
    return render(
        request,
        template,
        procedure=seen.procedure,
        result=seen,
        steps=_steps(seen, examined),
        examined=examined,
        unfit=[one.candidate_id for one in examined if one.confirmed is False],
        recheck_names=RECHECK_NAMES,
        may_recheck=seen.owned and seen.tendered and seen.state in RECHECKABLE,
        proposed=await _proposed(tx, seen),
        grounds=GROUND_NAMES,
        draws=await draw_history.draws_of_committee(tx, LotId(lot_id)),
        may_award=seen.owned and tx.actor.role is Role.TENDEREE,
        left=await _left(tx, seen),
        objectable=await award_views.objectable(tx, LotId(lot_id)),
        complaints=await complaint_views.complaints_about(tx, LotId(lot_id)),
        award_void=await complaint_views.void_award(tx, LotId(lot_id)),
        annulment_names=ANNULMENT_NAMES,
        annulment_grounds=annulment_grounds(switches_of(seen.procedure, on=beijing_day(tx.now))),
        forfeiting=FORFEITING,
        vote=await _vote(tx, seen),
        committee=await _committee(tx, seen),
        now=tx.now,
        live_view=f"{lot_id}/public",
    )


async def _proposed(tx: Transaction, seen: Result) -> dict[str, Any] | None:
    """The notice of candidates to be signed, for those who may publish it now."""
    if seen.state is not LotState.EVALUATED or not seen.owned:
        return None
    return await awarding.candidates_notice(tx, seen.lot_id)


async def _left(tx: Transaction, seen: Result) -> list[str]:
    """Whom no bid binds any longer, for the minutes of whoever decides now."""
    deciding = seen.owned and tx.actor.role is Role.TENDEREE and seen.award_method is not None
    if not deciding or seen.state is not LotState.CLEARED_FOR_AWARD:
        return []
    return [str(one) for one in await awarding.candidates_left(tx, seen.lot_id)]


async def _vote(tx: Transaction, seen: Result) -> VotesTold | None:
    """How far the vote is, for the tenderee's people while the award waits for it."""
    deciding = seen.owned and tx.actor.role is Role.TENDEREE
    if not deciding or seen.state is not LotState.CLEARED_FOR_AWARD:
        return None
    return await voting.votes(tx, seen.lot_id)


async def _committee(tx: Transaction, seen: Result) -> tuple[AnnouncedMember, ...]:
    """Who evaluated, where an award is there to be told with their names."""
    if seen.award is None:
        return ()
    return await committee_views.announced_members(tx, seen.lot_id)


def _steps(seen: Result, examined: Sequence[RecheckTold]) -> list[dict[str, Any]]:
    """The lot's way to its award: what is behind it, where it is, and what comes."""
    award = seen.award
    over = seen.candidates_until if seen.state in PUBLICITY_OVER else None
    steps: list[dict[str, Any]] = [
        {"key": "published", "at": seen.published_at, "done": True},
        {"key": "deadline", "at": seen.bids_due_at, "done": seen.closed},
        {"key": "opened", "at": seen.opened_at, "done": seen.opened_at is not None},
        {"key": "recorded", "at": seen.recorded_at, "done": seen.recorded_at is not None},
        {"key": "reported", "at": seen.reported_at, "done": seen.state in REPORTED},
        {"key": "candidates", "at": seen.candidates_at, "done": seen.told},
        *sorted(
            [
                {"key": "standstill", "at": seen.candidates_until, "done": over is not None},
                *_fallen(seen),
                *_examined(examined),
            ],
            key=lambda step: (step["at"] is None, step["at"]),
        ),
        {"key": "awarded", "at": award and award.awarded_at, "done": award is not None},
    ]
    if seen.state in (LotState.FAILED, LotState.CANCELLED):
        behind = [step for step in steps if step["done"]]
        return [*behind, {"key": str(seen.state), "at": None, "done": False, "current": True}]
    coming = next((step for step in steps if not step["done"]), None)
    if coming is not None:
        coming["current"] = True
    return steps


def _fallen(seen: Result) -> list[dict[str, Any]]:
    """The awards that were made and fell away."""
    steps = [(("awarded", one.awarded_at), ("annulled", one.annulled_at)) for one in seen.fallen]
    return [{"key": key, "at": at, "done": True} for pair in steps for key, at in pair]


def _examined(examined: Sequence[RecheckTold]) -> list[dict[str, Any]]:
    """That a candidate was to be examined again, and what was found; whom is told elsewhere."""
    steps: list[dict[str, Any]] = []
    for one in examined:
        steps.append({"key": "recheck", "at": one.asked_at, "done": not one.open})
        if one.concluded_at is not None:
            key = "confirmed" if one.confirmed else "unfit"
            steps.append({"key": key, "at": one.concluded_at, "done": True})
    return steps
