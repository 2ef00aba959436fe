"""The trial desk: a tenderee tries the scheme of its own lot on bids it imagines (T-02).

The functions that evaluate real bids reckon here. Nothing is stored or recorded: what was typed is
forgotten with the answer. Only the lot's owners come in, who wrote the scheme; no real bid, nor
whether there is one, is read, so that a trial is the same before the close and after it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from evaluation.rules.ranking import EvaluationResult, result_document
from evaluation.rules.scheme_document import parse_scheme
from evaluation.rules.scheme_trial import (
    BIDS_MAX,
    Trial,
    TrialBid,
    bids_to_start,
    trial_refusals,
    tried,
)
from evaluation.rules.score_arithmetic import decimal_text
from evaluation.rules.score_scheme import ScoreScheme
from kernel.crypto.digests import Malformed
from kernel.errors import Refused
from kernel.money import half_up
from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import notice_board
from trading.notice_board import Draft
from trading.rules.procedures import switches_of
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute
from web.routes.tender_desk import readable

router = Place(route_class=ActRoute)

ROWS: Final = 5
NAMES: Final = "甲乙丙丁戊"
SHARES: Final = (Decimal("0.88"), Decimal("0.91"), Decimal("0.94"), Decimal("0.97"), Decimal(1))
"""Where between nothing and the ceiling the first imagined prices lie."""

FIGURE: Final = re.compile(r"[0-9]{1,16}(\.[0-9]{1,6})?")
_Number = Annotated[str, Field(pattern=f"^{FIGURE.pattern}$")]


class ImaginedBid(BaseModel):
    """A bid that nobody made: its price in yuan, and what each item would earn."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=1, max_length=40), AfterValidator(readable)]
    price: _Number
    marks: Annotated[dict[Annotated[str, Field(max_length=100)], _Number], Field(max_length=500)]
    rejected: bool = False
    small_enterprise: bool = False


class TrialAsked(BaseModel):
    """The bids to try the scheme on, and the K as if it had been drawn, where there is one."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"bids": [{"name": "甲", "price": "1180000.00", "marks": {"construction": "21"}}]}
            ]
        },
    )

    bids: Annotated[list[ImaginedBid], Field(min_length=1, max_length=BIDS_MAX)]
    k: _Number | None = None

    def imagined(self) -> tuple[TrialBid, ...]:
        """The same as the rule takes it."""
        return tuple(
            TrialBid(
                one.name,
                Decimal(one.price),
                {item: Decimal(mark) for item, mark in one.marks.items()},
                one.rejected,
                one.small_enterprise,
            )
            for one in self.bids
        )


# ── for programs ──────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/scheme-trials")
async def post_trial(tx: Act, lot_id: UUID, asked: TrialAsked) -> dict[str, object]:
    """What the scheme of an own lot makes of these bids; nothing is kept."""
    draft = await notice_board.draft(tx, lot_id)
    trial = _trial(tx, draft, asked.imagined(), None if asked.k is None else Decimal(asked.k))
    if refusals := trial_refusals(trial):
        raise Refused(refusals)
    return result_document(tried(trial))


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/desk/lots/{lot_id}/trial", response_class=HTMLResponse)
async def trial_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The form with bids to begin with, and what the scheme makes of them."""
    draft = await notice_board.draft(tx, lot_id)
    scheme, fault = _scheme(draft)
    if scheme is None:
        return _shown(request, tx, draft, None, (), None, [] if fault is None else [fault])
    full = draft.line.ceiling_price or draft.estimate
    prices = [half_up(full * share) for share in SHARES]
    bids = bids_to_start(scheme, prices, names=NAMES)
    k_set = () if scheme.formula is None else scheme.formula.k_set
    return _shown(request, tx, draft, scheme, bids, k_set[0] if k_set else None, [])


@router.post("/desk/lots/{lot_id}/trial", response_class=HTMLResponse)
async def try_scheme(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The same for the bids of the form."""
    draft = await notice_board.draft(tx, lot_id)
    scheme, fault = _scheme(draft)
    form = await request.form()
    told = {name: value.strip() for name, value in form.items() if isinstance(value, str)}
    if scheme is None:
        return _shown(request, tx, draft, None, (), None, [] if fault is None else [fault])
    bids = tuple(
        TrialBid(
            told.get(f"name-{row}", "")[:40],
            _figure(told.get(f"price-{row}", "")) or Decimal(0),
            {
                item.id: mark
                for place, item in enumerate(scheme.items)
                if (mark := _figure(told.get(f"mark-{row}-{place}", ""))) is not None
            },
            rejected=f"rejected-{row}" in told,
            small_enterprise=f"small-{row}" in told,
        )
        for row in range(ROWS)
        if told.get(f"name-{row}")
    )
    return _shown(request, tx, draft, scheme, bids, _figure(told.get("k", "")), [])


def _shown(
    request: Request,
    tx: Transaction,
    draft: Draft,
    scheme: ScoreScheme | None,
    bids: tuple[TrialBid, ...],
    k: Decimal | None,
    refusals: list[Refusal],
) -> HTMLResponse:
    result: EvaluationResult | None = None
    if scheme is not None:
        trial = _trial(tx, draft, bids, k)
        refusals = trial_refusals(trial)
        result = None if refusals else tried(trial)
    return render(
        request,
        "trial_desk/trial.html",
        procedure=draft.line.procedure,
        draft=draft,
        scheme=scheme,
        rows=[*bids, *[None] * (ROWS - len(bids))],
        k=k,
        k_set=() if scheme is None or scheme.formula is None else scheme.formula.k_set,
        refusals=refusals,
        result=result,
        decimal_text=decimal_text,
        now=tx.now,
    )


# ── what both are made of ─────────────────────────────────────────────────────────────────────


def _scheme(draft: Draft) -> tuple[ScoreScheme | None, Refusal | None]:
    """The lot's scheme, or what is wrong with it; neither where it has none yet."""
    if not draft.scheme:
        return None, None
    try:
        return parse_scheme(dict(draft.scheme)), None
    except Malformed as fault:
        reason = f"评标办法不能识别：{fault}"
        return None, Refusal("scheme_malformed", BIDDING_LAW[19], reason)


def _trial(tx: Transaction, draft: Draft, bids: tuple[TrialBid, ...], k: Decimal | None) -> Trial:
    scheme, fault = _scheme(draft)
    if scheme is None:
        reason = "尚未编写评标办法"
        raise Refused([fault or Refusal("scheme_missing", BIDDING_LAW[19], reason)])
    regime = switches_of(draft.line.procedure, on=beijing_day(tx.now)).regime
    return Trial(scheme, regime, bids, k, draft.line.ceiling_price)


def _figure(words: str) -> Decimal | None:
    """The figure that was typed, with or without separators; None where it is none."""
    plain = words.replace(",", "")
    return Decimal(plain) if FIGURE.fullmatch(plain) else None
