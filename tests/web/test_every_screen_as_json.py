"""Every screen is also there for programs: no page shows what no JSON answer tells.

A page that is not in the table fails, and so does a line whose page or answer is gone.
"""

from __future__ import annotations

from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from web.app import PLACES

API = "/api/v1"

FILES = (".atom", ".csv", ".ics", ".json", ".txt", ".xml")
"""How the paths of what is for programs already end, wherever it stands."""

SCREENS: dict[str, tuple[str, ...]] = {
    "/": ("/lots",),
    "/data": ("/ocds", "/lots/{lot_id}/ocds"),
    "/orgs/{uscc}": ("/orgs/{uscc}",),
    "/stats": ("/statistics",),
    "/status": ("/status",),
    "/terminations": ("/terminations",),
    "/account": ("/sessions/current", "/credentials"),
    "/account-desk": ("/security-account",),
    "/awards": ("/awards",),
    "/awards/{lot_id}": ("/lots/{lot_id}/award", "/lots/{lot_id}/award/votes"),
    "/awards/{lot_id}/notice": ("/lots/{lot_id}/award/notice",),
    "/bars": ("/decisions",),
    "/bids": ("/bids/mine", "/invitations"),
    "/catalogue": ("/catalogue",),
    "/centre": ("/organisations", "/experts/waiting", "/calls/waiting"),
    "/centre/erasures": ("/erasure-requests",),
    "/centre/library": ("/library-entries/waiting",),
    "/codes/{code}": ("/codes/{code}",),
    "/complaints": ("/complaints",),
    "/complaints/{complaint_id}": ("/complaints/{complaint_id}",),
    "/contracts": ("/contracts",),
    "/contracts/{lot_id}": ("/lots/{lot_id}/contract", "/lots/{lot_id}/award-report"),
    "/custodian": ("/custodian-assignments",),
    "/desk": ("/own-projects",),
    "/desk/lots/{lot_id}": ("/lots/{lot_id}/draft", "/lots/{lot_id}/publication"),
    "/desk/lots/{lot_id}/award-method": ("/lots/{lot_id}/award-method",),
    "/desk/lots/{lot_id}/checkup": ("/lots/{lot_id}/checkup",),
    "/desk/lots/{lot_id}/edit": ("/lots/{lot_id}/draft",),
    "/desk/lots/{lot_id}/file": ("/lots/{lot_id}/tender-file",),
    "/desk/lots/{lot_id}/file/blocks/{number}": ("/lots/{lot_id}/tender-file",),
    "/desk/lots/{lot_id}/file/figures": ("/lots/{lot_id}/tender-file",),
    "/desk/lots/{lot_id}/invited": ("/lots/{lot_id}/invited",),
    "/desk/lots/{lot_id}/prequalification": (
        "/lots/{lot_id}/prequalification/draft",
        "/lots/{lot_id}/applications",
    ),
    "/desk/lots/{lot_id}/readiness": ("/lots/{lot_id}/readiness",),
    "/desk/lots/{lot_id}/sole-supplier": ("/lots/{lot_id}/sole-supplier",),
    "/desk/projects/{project_id}": (
        "/projects/{project_id}",
        "/projects/{project_id}/authorisation",
    ),
    "/draws/{draw_id}": ("/draws/{draw_id}",),
    "/evaluation": ("/committees", "/committees/mine"),
    "/evaluation/{committee_id}": ("/committees/{committee_id}", "/committees/{committee_id}/bids"),
    "/evaluation/{committee_id}/consortia": ("/committees/{committee_id}/consortia",),
    "/evaluation/{committee_id}/rechecks": ("/committees/{committee_id}/rechecks",),
    "/evaluation/{committee_id}/talks": ("/committees/{committee_id}/talks",),
    "/experts": ("/experts/mine", "/calls/mine", "/draws"),
    "/inbox": ("/notifications",),
    "/inbox/choices": ("/contacts", "/notification-choices"),
    "/library": ("/library",),
    "/listings": ("/listings",),
    "/listings/letters": ("/listing-letters",),
    "/listings/{listing_id}": ("/listings/{listing_id}", "/listings/{listing_id}/deal"),
    "/lots/{lot_id}/archive": ("/lots/{lot_id}/archive", "/lots/{lot_id}/keeping"),
    "/lots/{lot_id}/bid": ("/lots/{lot_id}/bids/mine", "/lots/{lot_id}/uploads"),
    "/lots/{lot_id}/deliveries": ("/lots/{lot_id}/deliveries",),
    "/lots/{lot_id}/halts": ("/lots/{lot_id}/halts",),
    "/lots/{lot_id}/price-agreement": ("/lots/{lot_id}/price-agreement",),
    "/lots/{lot_id}/securities": ("/lots/{lot_id}/securities",),
    "/lots/{lot_id}/security": ("/lots/{lot_id}/security",),
    "/lots/{lot_id}/validity": ("/lots/{lot_id}/validity",),
    "/me/consents": ("/consents",),
    "/notices": ("/lots",),
    "/notices/{lot_id}": ("/lots/{lot_id}", "/lots/{lot_id}/versions"),
    "/notices/{lot_id}/diff/{old}..{new}": ("/lots/{lot_id}/versions/{old}..{new}",),
    "/notices/{lot_id}/documents": ("/lots/{lot_id}/documents",),
    "/notices/{lot_id}/questions": ("/lots/{lot_id}/questions",),
    "/notices/{lot_id}/termination": ("/lots/{lot_id}/termination",),
    "/objections": ("/objections", "/objectable-lots", "/overdue-answers"),
    "/openings": ("/openings",),
    "/openings/{lot_id}": ("/lots/{lot_id}/opening",),
    "/prequalifications": ("/prequalifications",),
    "/prequalifications/{lot_id}": ("/lots/{lot_id}/prequalification",),
    "/projects/{project_id}": ("/projects/{project_id}",),
    "/reviews/{committee_id}": ("/committees/{committee_id}/applications",),
    "/rules": ("/rules",),
    "/settlements": ("/settlement-statistics",),
    "/sites": ("/sites", "/sites/{site_id}/arrivals", "/sites/{site_id}/committees"),
    "/supervision": ("/supervision",),
    "/talks/{lot_id}": ("/lots/{lot_id}/talks",),
    "/transparency": ("/log/manifest",),
    "/verify": ("/verification",),
}
"""What tells a program the same as each page tells a person."""

NO_SCREENS = {
    "/_ui": "shows the parts that pages are made of, and no fact",
    "/complaints/new": "an empty form, which is sent to /complaint-checks and /complaints",
    "/demo/outbox": "what a demonstration would have sent; a program reads its own post",
    "/demo/sign-in": "the doors of a demonstration's people, who have no keys",
    "/desk/lots/{lot_id}/file/blocks/new": "an empty form, which is sent to /tender-file/blocks",
    "/desk/projects/new": "an empty form, which is sent to /projects",
    "/desk/projects/{project_id}/lots/new": "an empty form, which is sent to /lots",
    "/desk/lots/{lot_id}/trial": "a form with imagined bids, which is sent to /scheme-trials",
    "/healthz": "is for programs already",
    "/help": "says how people use the pages; programs read the description of the API",
    "/help/{role}": "says how people use the pages; programs read the description of the API",
    "/join": "an empty form, which is sent to /people",
    "/listings/new": "an empty form, which is sent to /listings",
    "/metrics": "is for programs already",
    "/readyz": "is for programs already",
    "/register": "an empty form, which is sent to /registrations",
    "/sign-in": "an empty form, which is sent to /sessions",
}
"""Pages that tell nothing of their own, each with what is there for a program instead."""


def looked_at() -> dict[str, APIRoute]:
    """Every route that is looked at, by its path."""
    routes = (route for place in PLACES for route in place.routes)
    return {one.path: one for one in routes if isinstance(one, APIRoute) and one.methods == {"GET"}}


def pages() -> set[str]:
    """The pages: whole ones, not the parts of them that are fetched again (`…/board`)."""
    return {
        path
        for path, route in looked_at().items()
        if not path.startswith((f"{API}/", "/log/"))
        and not path.endswith(FILES)
        and not (path.endswith("/board") and route.response_class is HTMLResponse)
    }


def test_every_page_has_its_json_and_every_line_its_page() -> None:
    wrong = [f"{path} has no JSON" for path in sorted(pages() - set(SCREENS) - set(NO_SCREENS))]
    wrong += [f"{path} is no page" for path in sorted((set(SCREENS) | set(NO_SCREENS)) - pages())]
    assert not wrong, "\n".join(wrong)


def test_every_part_that_is_fetched_again_belongs_to_a_page() -> None:
    parts = {path for path in looked_at() if path.endswith("/board")}
    assert {path.removesuffix("/board") for path in parts} <= set(SCREENS)


def test_the_json_of_every_page_is_there_and_described() -> None:
    routes = looked_at()
    for path, answers in SCREENS.items():
        for answer in answers:
            route = routes.get(API + answer)
            assert route is not None, f"{path}: there is no {API}{answer}"
            assert route.include_in_schema, f"{API}{answer} is not described"
            assert route.description, f"{API}{answer} has no description"
