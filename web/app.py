"""The HTTP process: reads like a table of contents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from kernel.settings import Settings
from kernel.store.transaction import Store
from web import (
    api_description,
    frame,
    head_requests,
    live,
    measuring,
    problems,
    request_scope,
    same_origin,
    security_headers,
    visitor_choices,
)
from web.routes import (
    account_desk,
    archive_room,
    award_hall,
    award_method_desk,
    bid_desk,
    blacklist_register,
    centre_desk,
    complaint_desk,
    component_gallery,
    consent_desk,
    contract_hall,
    custodian_desk,
    evaluation_room,
    expert_desk,
    figures_wall,
    file_desk,
    halt_desk,
    help_desk,
    invitation_desk,
    library_desk,
    listing_hall,
    news_stand,
    notice_archive,
    objection_desk,
    open_data,
    opening_hall,
    organisation_directory,
    post_room,
    prequalification_desk,
    public_hall,
    question_board,
    readiness_desk,
    recheck_desk,
    review_room,
    sign_in_gate,
    signposts,
    site_desk,
    sole_supplier_desk,
    status_board,
    statute_wall,
    supervision_room,
    talks_room,
    tender_desk,
    transparency_window,
    trial_desk,
    validity_desk,
    verification_desk,
)

PLACES: tuple[APIRouter, ...] = (
    public_hall.router,
    news_stand.router,
    notice_archive.router,
    invitation_desk.router,
    sole_supplier_desk.router,
    question_board.router,
    sign_in_gate.router,
    tender_desk.router,
    file_desk.router,
    trial_desk.router,
    readiness_desk.router,
    prequalification_desk.router,
    bid_desk.router,
    account_desk.router,
    validity_desk.router,
    halt_desk.router,
    opening_hall.router,
    custodian_desk.router,
    expert_desk.router,
    centre_desk.router,
    site_desk.router,
    evaluation_room.router,
    review_room.router,
    talks_room.router,
    objection_desk.router,
    complaint_desk.router,
    consent_desk.router,
    award_hall.router,
    recheck_desk.router,
    award_method_desk.router,
    listing_hall.router,
    contract_hall.router,
    verification_desk.router,
    library_desk.router,
    archive_room.router,
    post_room.router,
    supervision_room.router,
    blacklist_register.router,
    organisation_directory.router,
    figures_wall.router,
    open_data.router,
    statute_wall.router,
    help_desk.router,
    transparency_window.router,
    component_gallery.router,
    status_board.router,
    signposts.router,
    live.router,
    measuring.router,
)


KNOWN: Final = [Depends(request_scope.known_parameters)]
"""What every route asks: that nothing is sent along that it does not know."""


@cache
def _doors() -> APIRouter:
    """Every place with its routes, which are the same whatever store they lead to.

    FastAPI works out what each of them takes when the first request comes; whoever makes a second
    app in one process need not have that done again.
    """
    house = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, dependencies=KNOWN)
    for place in PLACES:
        house.include_router(place)
    return house.router


def create_app(store: Store, settings: Settings) -> FastAPI:
    """The platform over this store, with every place open."""

    @asynccontextmanager
    async def open_house(app: FastAPI) -> AsyncIterator[None]:
        async with live.hub_following(store) as hub, _doors().lifespan_context(app):
            app.state.hub = hub
            yield

    app = FastAPI(
        title="sunbid 阳光交易",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=open_house,
        dependencies=KNOWN,
    )
    app.state.store = store
    app.state.settings = settings
    app.router.routes.extend(_doors().routes)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    api_description.describe(app)
    problems.answer_with_problems(app)
    measuring.measure(app)
    frame.put_around(app)
    visitor_choices.offer(app)
    request_scope.limit_bodies(app)
    same_origin.guard(app, settings)
    security_headers.guard(app)
    head_requests.answer(app)
    return app
