"""The award method desk: how the tenderee will choose among the candidates is said here (评定分离).

A draft's method is known to its owners alone; with the publication it stands in the signed notice.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from trading import notice_board, splitting
from trading.rules.split_award import (
    DECIDERS_MAX,
    DECIDERS_MIN,
    FACTORS_MAX,
    METHOD_NAMES,
    TIE_NAMES,
    DecisionMethod,
    SplitAward,
    Tie,
)
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute
from web.routes.tender_desk import readable

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
OFFERED: Final = tuple(one for one in DecisionMethod if one is not DecisionMethod.LOTS)


class AwardMethodAsked(BaseModel):
    """How the winner is chosen; `split` false takes the method back."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        str_strip_whitespace=True,
        json_schema_extra={
            "examples": [
                {
                    "method": "vote",
                    "members": 5,
                    "factors": "报价、信用、履约能力和拟派团队",
                    "tie": "better_rank",
                    "basis": "某市工程建设项目评定分离试点办法",
                }
            ]
        },
    )

    split: bool = True
    method: DecisionMethod | None = None
    members: Annotated[int, Field(ge=0, le=DECIDERS_MAX)] = 0
    factors: Annotated[str, Field(max_length=FACTORS_MAX), AfterValidator(readable)] = ""
    tie: Tie = Tie.BETTER_RANK
    basis: Annotated[str, Field(max_length=splitting.BASIS_MAX), AfterValidator(readable)] = ""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.split is (self.method is None):
            raise ValueError("a split names its method, and nothing else does")
        return self

    def told(self) -> SplitAward | None:
        """The same as the activity takes it."""
        if self.method is None:
            return None
        return SplitAward(self.method, self.members, self.factors, self.tie, self.basis)


@router.post("/api/v1/lots/{lot_id}/award-method", status_code=204)
async def post_award_method(tx: Act, lot_id: UUID, asked: AwardMethodAsked) -> None:
    """Say how a draft's winner will be chosen among the candidates, or take that back."""
    await splitting.name_award_method(tx, lot_id, asked.told())


@router.get("/api/v1/lots/{lot_id}/award-method")
async def get_award_method(tx: Act, lot_id: UUID) -> JSONResponse:
    """How the winner of an own lot is chosen; a published lot's stands in its notice."""
    told = await splitting.award_method(tx, lot_id)
    method: dict[str, Any] = {
        "award_method": None if told.split is None else told.split.plain(),
        "cautions": [one.as_json() for one in told.cautions],
    }
    return JSONResponse(method, headers=NO_STORE)


@router.get("/desk/lots/{lot_id}/award-method", response_class=HTMLResponse)
async def award_method_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The method of a lot's award, and while it is a draft the form that names it."""
    return render(
        request,
        "award_method_desk/desk.html",
        draft=await notice_board.draft(tx, lot_id),
        told=await splitting.award_method(tx, lot_id),
        methods=METHOD_NAMES,
        ties=TIE_NAMES,
        offered=OFFERED,
        members_min=DECIDERS_MIN,
        now=tx.now,
    )
