"""Who may use which route: one line for each, in the order of the places in the house.

A line says in which capacities the route can succeed at all; what the law or the state of a lot
then refuses is a matter of other tests. A route without a line fails, and so does a line without a
route. `body` is an example that has the right shape, `statement` the kind of signed statement the
route takes: with one of them, whoever may not use the route is turned away for that very reason and
not for the shape of what was sent.

Where the very existence of a thing is secret from a capacity, the route answers it with 404 as if
there were nothing, and its line says so in `hidden_because`. No route needs that today: whoever may
not use a route in a capacity learns so from the capacity alone, before anything is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from kernel.access import Role
from kernel.crypto.signing import PrivateKey

PEOPLE = frozenset(Role) - {Role.PLATFORM, Role.PUBLIC}
EVERYBODY = PEOPLE | {Role.PUBLIC}
NOBODY_KNOWN = UUID(int=1 << 100 | 4 << 76 | 1 << 63)


@dataclass(frozen=True, slots=True)
class Line:
    """Who may use a route, and an example of what to send there.

    `ticket` marks a door that asks who is there instead of for a session: there 401 speaks of what
    was shown at the door.
    """

    roles: frozenset[Role]
    body: Mapping[str, object] | None = None
    statement: str = ""
    form: Mapping[str, str] | None = None
    demo_only: bool = False
    ticket: bool = False
    hidden_because: str = ""


def Allowed(  # noqa: N802  # reads as the sentence it is: this route, allowed for these
    *roles: Role, body: Mapping[str, object] | None = None, statement: str = ""
) -> Line:
    """A route for these capacities only."""
    return Line(frozenset(roles), body, statement)


OWNERS = (Role.TENDEREE, Role.AGENCY)
HOLDERS = (*OWNERS, Role.BIDDER)
KEEPERS = (*OWNERS, Role.CENTRE_STAFF, Role.SUPERVISOR)
DRAWERS = (*OWNERS, Role.SUPERVISOR, Role.BIDDER, Role.CENTRE_STAFF)
MEMBERS = (Role.EXPERT, Role.OWNER_REPRESENTATIVE)
ANYONE = Line(EVERYBODY)
SIGNED_IN = Line(PEOPLE)
DEMO_ONLY = Line(EVERYBODY, demo_only=True)
LOT: Mapping[str, object] = {"name": "一标段", "region": "310100", "estimate": "1000000.00"}
PETITION: Mapping[str, object] = {
    "about": "documents",
    "request": "请修改业绩加分条件",
    "grounds": "与项目规模不相称",
    "evidence": [],
}
WINDOW = {"from": "2026-05-06T01:00:00Z", "until": "2026-05-06T09:00:00Z"}

ROUTES: dict[str, Line] = {
    # ── health ──
    "GET /healthz": ANYONE,
    "GET /readyz": ANYONE,
    "GET /metrics": ANYONE,
    # ── the status board, and the signposts ──
    "GET /status": ANYONE,
    "GET /api/v1/status": ANYONE,
    "GET /robots.txt": ANYONE,
    "GET /sitemap.xml": ANYONE,
    "GET /sitemaps/{number}.xml": ANYONE,
    # ── the directory, the figures and the open data ──
    "GET /terminations": ANYONE,
    "GET /api/v1/terminations": ANYONE,
    "GET /orgs/{uscc}": ANYONE,
    "GET /api/v1/orgs/{uscc}": ANYONE,
    "GET /stats": ANYONE,
    "GET /stats/{topic}.csv": ANYONE,
    "GET /api/v1/statistics": ANYONE,
    "GET /data": ANYONE,
    "GET /data/awards.csv": ANYONE,
    "GET /data/terminations.csv": ANYONE,
    "GET /api/v1/ocds": ANYONE,
    "GET /api/v1/lots/{lot_id}/ocds": ANYONE,
    # ── the help desk ──
    "GET /help": ANYONE,
    "GET /help/{role}": ANYONE,
    # ── the readiness desk ──
    "GET /desk/lots/{lot_id}/readiness": Allowed(*OWNERS),
    "GET /api/v1/lots/{lot_id}/readiness": Allowed(*OWNERS),
    # ── the trial desk ──
    "POST /api/v1/lots/{lot_id}/scheme-trials": Allowed(
        *OWNERS, body={"bids": [{"name": "甲", "price": "1", "marks": {}}]}
    ),
    "GET /desk/lots/{lot_id}/trial": Allowed(*OWNERS),
    "POST /desk/lots/{lot_id}/trial": Allowed(*OWNERS),
    # ── the gate ──
    "POST /api/v1/registrations": Line(EVERYBODY, statement="registration"),
    "POST /api/v1/people": Line(PEOPLE, statement="membership"),
    "DELETE /api/v1/people/{person_id}/roles/{role}": SIGNED_IN,
    "GET /api/v1/organisations": ANYONE,
    "GET /api/v1/organisations/{organisation_id}": ANYONE,
    "POST /api/v1/organisations/{organisation_id}/verification": Allowed(
        Role.CENTRE_STAFF, body={"basis": "营业执照"}
    ),
    "GET /api/v1/credentials": SIGNED_IN,
    "POST /api/v1/credentials": Line(PEOPLE, statement="credential"),
    "POST /api/v1/credentials/revocations": Line(
        PEOPLE, body={"keyid": "p256:unknown", "reason": "遗失"}
    ),
    "POST /api/v1/challenges": ANYONE,
    "POST /api/v1/sessions": Line(EVERYBODY, statement="sign-in"),
    "GET /api/v1/sessions/current": SIGNED_IN,
    "GET /api/v1/sessions/current/time-left": SIGNED_IN,
    "DELETE /api/v1/sessions/current": SIGNED_IN,
    "DELETE /api/v1/sessions": SIGNED_IN,
    "POST /api/v1/passkeys/registration-options": SIGNED_IN,
    "POST /api/v1/passkeys/registrations": Line(PEOPLE, body={"credential": {}}),
    "POST /api/v1/passkeys/sign-in-options": ANYONE,
    "POST /api/v1/passkeys/sign-ins": Line(EVERYBODY, body={"credential": {}}),
    "POST /api/v1/passkeys/choices": Line(
        EVERYBODY,
        ticket=True,
        body={"ticket": "A" * 43, "organisation": str(NOBODY_KNOWN), "role": "bidder"},
    ),
    "GET /sign-in": ANYONE,
    "GET /register": ANYONE,
    "GET /join": ANYONE,
    "GET /account": SIGNED_IN,
    "POST /sign-out": SIGNED_IN,
    "GET /demo/sign-in": DEMO_ONLY,
    "POST /demo/sign-in": Line(
        EVERYBODY,
        demo_only=True,
        ticket=True,
        form={"person": str(NOBODY_KNOWN), "organisation": str(NOBODY_KNOWN), "role": "bidder"},
    ),
    # ── the consent desk ──
    "GET /api/v1/consents": SIGNED_IN,
    "POST /api/v1/consents/{purpose}": Line(PEOPLE, body={"text": "A" * 43}),
    "DELETE /api/v1/consents/{purpose}": SIGNED_IN,
    "POST /api/v1/erasure-requests": Line(PEOPLE, body={"words": ""}),
    "GET /api/v1/erasure-requests": Allowed(Role.CENTRE_STAFF),
    "POST /api/v1/erasure-requests/{request_id}/answer": Allowed(
        Role.CENTRE_STAFF, body={"answer": "保存期限未满"}
    ),
    "GET /me/consents": SIGNED_IN,
    "GET /centre/erasures": Allowed(Role.CENTRE_STAFF),
    # ── the post room ──
    "GET /api/v1/notifications": SIGNED_IN,
    "POST /api/v1/notifications/{notification_id}/reading": SIGNED_IN,
    "POST /api/v1/notifications/readings": SIGNED_IN,
    "GET /inbox": SIGNED_IN,
    "POST /inbox": SIGNED_IN,
    "GET /inbox/choices": SIGNED_IN,
    "GET /api/v1/contacts": SIGNED_IN,
    "POST /api/v1/contacts": Line(PEOPLE, body={"kind": "email", "address": "a@example.cn"}),
    "POST /api/v1/contacts/{kind}/verification": Line(PEOPLE, body={"code": "123456"}),
    "DELETE /api/v1/contacts/{kind}": SIGNED_IN,
    "GET /api/v1/notification-choices": SIGNED_IN,
    "POST /api/v1/notification-choices": Line(PEOPLE, body={"muted": []}),
    "GET /api/v1/lots/{lot_id}/deliveries": Allowed(*OWNERS, Role.SUPERVISOR, Role.CENTRE_STAFF),
    "GET /lots/{lot_id}/deliveries": Allowed(*OWNERS, Role.SUPERVISOR, Role.CENTRE_STAFF),
    "GET /demo/outbox": DEMO_ONLY,
    # ── views ──
    "GET /api/v1/views/{view}/entries": ANYONE,
    "WS /live": ANYONE,
    # ── the transparency window ──
    "GET /log/checkpoint": ANYONE,
    "GET /log/checkpoint/{size}": ANYONE,
    "GET /log/tile/{path}": ANYONE,
    "GET /api/v1/log/entries": ANYONE,
    "GET /api/v1/log/manifest": ANYONE,
    "GET /api/v1/log/proofs/{entry_id}": ANYONE,
    "GET /transparency": ANYONE,
    # ── the public hall ──
    "GET /": ANYONE,
    "GET /notices": ANYONE,
    "GET /notices/{lot_id}": ANYONE,
    "GET /notices/{lot_id}/documents": Allowed(Role.BIDDER),
    "GET /projects/{project_id}": ANYONE,
    "GET /codes/{code}": ANYONE,
    "GET /api/v1/codes/{code}": ANYONE,
    "GET /api/v1/lots": ANYONE,
    "GET /api/v1/lots/{lot_id}": ANYONE,
    "GET /api/v1/lots/{lot_id}/timetable": ANYONE,
    "GET /api/v1/lots/{lot_id}/opening-policy": ANYONE,
    "GET /api/v1/lots/{lot_id}/notices/{number}": ANYONE,
    "GET /api/v1/lots/{lot_id}/documents": Allowed(Role.BIDDER),
    "GET /api/v1/lots/{lot_id}/documents/{name}": Allowed(Role.BIDDER, Role.SUPERVISOR, *OWNERS),
    "GET /api/v1/projects/{project_id}": ANYONE,
    "GET /api/v1/clock": ANYONE,
    "POST /demo/clock": Line(
        frozenset({Role.CENTRE_STAFF}), body={"to": "2000-01-01T00:00:00Z"}, demo_only=True
    ),
    # ── the news stand ──
    "GET /notices.atom": ANYONE,
    "GET /notices.json": ANYONE,
    "GET /notices.csv": ANYONE,
    "GET /openings.ics": ANYONE,
    "GET /openings/{lot_id}.ics": ANYONE,
    # ── what is kept behind a notice, and the question board ──
    "GET /notices/{lot_id}/diff/{old}..{new}": ANYONE,
    "GET /notices/{lot_id}/termination": ANYONE,
    "GET /api/v1/lots/{lot_id}/versions": ANYONE,
    "GET /api/v1/lots/{lot_id}/versions/{old}..{new}": ANYONE,
    "GET /api/v1/lots/{lot_id}/termination": ANYONE,
    "POST /api/v1/lots/{lot_id}/award-method": Allowed(*OWNERS, body={"split": False}),
    "GET /api/v1/lots/{lot_id}/award-method": Allowed(*OWNERS),
    "GET /desk/lots/{lot_id}/award-method": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/sole-supplier": Allowed(
        *OWNERS, body={"supplier": "00000000-0000-7000-8000-000000000001"}
    ),
    "GET /api/v1/lots/{lot_id}/sole-supplier": Allowed(*OWNERS),
    "GET /desk/lots/{lot_id}/sole-supplier": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/price-agreement": Allowed(*OWNERS, statement="price-agreement"),
    "POST /api/v1/lots/{lot_id}/price-agreement/acceptance": Allowed(
        Role.BIDDER, statement="price-agreement"
    ),
    "POST /api/v1/lots/{lot_id}/price-agreement/failure": Allowed(*OWNERS, statement="notice"),
    "GET /api/v1/lots/{lot_id}/price-agreement": Allowed(*OWNERS, Role.BIDDER, Role.SUPERVISOR),
    "GET /lots/{lot_id}/price-agreement": Allowed(*OWNERS, Role.BIDDER, Role.SUPERVISOR),
    "POST /api/v1/lots/{lot_id}/invited": Allowed(*OWNERS, body={"source": "chosen"}),
    "GET /api/v1/lots/{lot_id}/invited": Allowed(*OWNERS, Role.SUPERVISOR),
    "GET /api/v1/invitations": Allowed(Role.BIDDER),
    "GET /desk/lots/{lot_id}/invited": Allowed(*OWNERS),
    "GET /notices/{lot_id}/questions": ANYONE,
    "GET /api/v1/lots/{lot_id}/questions": ANYONE,
    "POST /api/v1/lots/{lot_id}/questions": Allowed(Role.BIDDER, statement="question"),
    # ── the tender desk ──
    "POST /api/v1/projects": Allowed(
        *OWNERS,
        body={
            "code": "JC-2026-0001",
            "name": "滨江路改造",
            "procedure": "open_tender_mandatory",
            "category": "works",
            "region": "310100",
            "funding_source": "财政资金",
            "tenderee": str(NOBODY_KNOWN),
        },
    ),
    "GET /api/v1/own-projects": Allowed(*OWNERS),
    "POST /api/v1/projects/{project_id}/authorisation": Allowed(
        Role.TENDEREE, statement="authorisation"
    ),
    "GET /api/v1/projects/{project_id}/authorisation": Allowed(*OWNERS),
    "POST /api/v1/projects/{project_id}/authorisation/end": Allowed(
        Role.TENDEREE, statement="authorisation-end"
    ),
    "POST /api/v1/projects/{project_id}/lots": Allowed(*OWNERS, body=LOT),
    "GET /api/v1/lots/{lot_id}/draft": Allowed(*OWNERS),
    "PUT /api/v1/lots/{lot_id}/draft": Allowed(*OWNERS, body=LOT),
    "DELETE /api/v1/lots/{lot_id}/draft": Allowed(*OWNERS),
    "PUT /api/v1/lots/{lot_id}/documents/{name}": Allowed(*OWNERS),
    "DELETE /api/v1/lots/{lot_id}/documents/{name}": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/retender": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/clarification-files": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/custodians": Allowed(*OWNERS, body={"custodians": []}),
    "GET /api/v1/custodian-assignments": Allowed(Role.CUSTODIAN),
    "POST /api/v1/lots/{lot_id}/custodian-keys": Allowed(Role.CUSTODIAN, statement="custodian-key"),
    "GET /api/v1/lots/{lot_id}/publication": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/publication": Allowed(
        *OWNERS, body={"timetable": {}, "opening_policy": {}, "notice": {}}
    ),
    "POST /api/v1/lots/{lot_id}/clarifications": Allowed(*OWNERS, body={"clarification": {}}),
    "POST /api/v1/lots/{lot_id}/timetable": Allowed(*OWNERS, statement="timetable"),
    "POST /api/v1/lots/{lot_id}/cancellation": Allowed(*OWNERS, statement="notice"),
    "GET /desk": Allowed(*OWNERS),
    "GET /desk/projects/new": Allowed(*OWNERS),
    "POST /desk/projects/new": Allowed(*OWNERS),
    "GET /desk/projects/{project_id}": Allowed(*OWNERS),
    "GET /desk/projects/{project_id}/lots/new": Allowed(*OWNERS),
    "POST /desk/projects/{project_id}/lots/new": Allowed(*OWNERS),
    "GET /desk/lots/{lot_id}": Allowed(*OWNERS),
    "GET /desk/lots/{lot_id}/edit": Allowed(*OWNERS),
    "POST /desk/lots/{lot_id}/edit": Allowed(*OWNERS),
    "POST /desk/lots/{lot_id}/documents": Allowed(*OWNERS),
    "POST /desk/lots/{lot_id}/documents/removal": Allowed(*OWNERS),
    "POST /desk/lots/{lot_id}/custodians": Allowed(*OWNERS),
    # ── the file desk ──
    "GET /api/v1/lots/{lot_id}/tender-file": ANYONE,
    "PUT /api/v1/lots/{lot_id}/tender-file": Allowed(
        *OWNERS, body={"file": {"v": "ebid-tender-file/1", "blocks": []}}
    ),
    "PUT /api/v1/lots/{lot_id}/tender-file/blocks/{number}": Allowed(
        *OWNERS, body={"kind": "notice", "number": "1.1", "title": "招标条件"}
    ),
    "DELETE /api/v1/lots/{lot_id}/tender-file/blocks/{number}": Allowed(*OWNERS),
    "GET /api/v1/lots/{lot_id}/checkup": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/checkup": Allowed(
        *OWNERS, body={"file": {"v": "ebid-tender-file/1", "blocks": []}}
    ),
    "POST /api/v1/lots/{lot_id}/checkup/answers": Allowed(*OWNERS, body={"key": "brand@6.9:牌"}),
    "GET /desk/lots/{lot_id}/file": Allowed(*OWNERS),
    "GET /desk/lots/{lot_id}/file/blocks/new": Allowed(*OWNERS),
    "POST /desk/lots/{lot_id}/file/blocks/new": Allowed(*OWNERS),
    "GET /desk/lots/{lot_id}/file/blocks/{number}": Allowed(*OWNERS),
    "POST /desk/lots/{lot_id}/file/blocks/{number}": Allowed(*OWNERS),
    "POST /desk/lots/{lot_id}/file/blocks/{number}/removal": Allowed(*OWNERS),
    "GET /desk/lots/{lot_id}/file/figures": Allowed(*OWNERS),
    "POST /desk/lots/{lot_id}/file/figures": Allowed(*OWNERS),
    "GET /desk/lots/{lot_id}/checkup": Allowed(*OWNERS),
    "POST /desk/lots/{lot_id}/checkup/answers": Allowed(*OWNERS),
    # ── the library desk ──
    "GET /api/v1/library": Allowed(*HOLDERS),
    "POST /api/v1/library/files": Allowed(*HOLDERS),
    "POST /api/v1/library/licences": Allowed(*HOLDERS, statement="licence"),
    "POST /api/v1/library/performances": Allowed(*HOLDERS, statement="performance"),
    "POST /api/v1/library/{entry_id}/withdrawal": Allowed(*HOLDERS, body={"reason": "已换发"}),
    "GET /api/v1/library/{entry_id}/file": Allowed(*HOLDERS, Role.CENTRE_STAFF),
    "GET /api/v1/library-entries/waiting": Allowed(Role.CENTRE_STAFF),
    "POST /api/v1/library/{entry_id}/verdict": Allowed(
        Role.CENTRE_STAFF, body={"holds": True, "basis": "原件"}
    ),
    "GET /library": Allowed(*HOLDERS),
    "GET /centre/library": Allowed(Role.CENTRE_STAFF),
    "POST /api/v1/library/{entry_id}/erasure": Allowed(*HOLDERS),
    # ── the archive room ──
    "GET /api/v1/retention": ANYONE,
    "GET /api/v1/lots/{lot_id}/keeping": Allowed(*KEEPERS),
    "GET /api/v1/lots/{lot_id}/archive": Allowed(*KEEPERS),
    "POST /api/v1/lots/{lot_id}/holds": Allowed(Role.SUPERVISOR, statement="legal-hold"),
    "POST /api/v1/lots/{lot_id}/holds/{hold_id}/end": Allowed(
        Role.SUPERVISOR, statement="legal-hold-end"
    ),
    "POST /api/v1/people/{person_id}/erasure": Allowed(
        Role.CENTRE_STAFF, body={"basis": "本人申请"}
    ),
    "GET /lots/{lot_id}/archive": Allowed(*KEEPERS),
    # ── the bid desk ──
    "POST /api/v1/lots/{lot_id}/uploads": Allowed(
        Role.BIDDER, body={"envelope": "bid", "size": 1, "parts": ["00" * 32]}
    ),
    "GET /api/v1/lots/{lot_id}/uploads": Allowed(Role.BIDDER),
    "GET /api/v1/uploads/{upload_id}": Allowed(Role.BIDDER),
    "PUT /api/v1/uploads/{upload_id}/header": Allowed(Role.BIDDER),
    "PUT /api/v1/uploads/{upload_id}/parts/{number}": Allowed(Role.BIDDER),
    "DELETE /api/v1/uploads/{upload_id}": Allowed(Role.BIDDER),
    "POST /api/v1/lots/{lot_id}/bids": Allowed(Role.BIDDER, statement="submission"),
    "GET /api/v1/lots/{lot_id}/submissions/{submission_id}": Allowed(Role.BIDDER),
    "GET /api/v1/lots/{lot_id}/bids/mine": Allowed(Role.BIDDER),
    "GET /api/v1/receipts/{entry_id}": Allowed(Role.BIDDER),
    "GET /api/v1/lots/{lot_id}/sealing-package": ANYONE,
    "GET /api/v1/bids/mine": Allowed(Role.BIDDER),
    "GET /bids": Allowed(Role.BIDDER),
    "GET /lots/{lot_id}/bid": Allowed(Role.BIDDER),
    # ── the account desk ──
    "POST /api/v1/lots/{lot_id}/security/reference": Allowed(Role.BIDDER),
    "GET /api/v1/lots/{lot_id}/security": Allowed(Role.BIDDER),
    "POST /api/v1/lots/{lot_id}/security/guarantee-files": Allowed(Role.BIDDER),
    "POST /api/v1/lots/{lot_id}/security/guarantees": Allowed(Role.BIDDER, statement="guarantee"),
    "GET /api/v1/lots/{lot_id}/security/guarantee": Allowed(Role.BIDDER),
    "POST /api/v1/bank-statements": Allowed(Role.CENTRE_STAFF),
    "GET /api/v1/security-account": Allowed(Role.CENTRE_STAFF),
    "POST /api/v1/securities/{reference}/return": Allowed(
        Role.CENTRE_STAFF,
        body={"returned_at": "2026-06-01T02:00:00Z", "annual_rate": "0.05", "serial": "1"},
    ),
    "GET /api/v1/lots/{lot_id}/securities": Allowed(*OWNERS, Role.SUPERVISOR, Role.CENTRE_STAFF),
    "GET /api/v1/lots/{lot_id}/securities/{reference}/guarantee": Allowed(
        *OWNERS, Role.SUPERVISOR, Role.CENTRE_STAFF
    ),
    "POST /api/v1/lots/{lot_id}/securities/{reference}/forfeiture": Allowed(
        Role.TENDEREE, statement="security-forfeiture"
    ),
    "GET /lots/{lot_id}/security": Allowed(Role.BIDDER),
    "GET /lots/{lot_id}/securities": Allowed(*OWNERS, Role.SUPERVISOR, Role.CENTRE_STAFF),
    "GET /account-desk": Allowed(Role.CENTRE_STAFF),
    # ── the opening hall ──
    "GET /api/v1/openings": ANYONE,
    "GET /openings": ANYONE,
    "GET /openings/{lot_id}": ANYONE,
    "GET /openings/{lot_id}/board": ANYONE,
    "GET /api/v1/lots/{lot_id}/opening": ANYONE,
    "POST /api/v1/lots/{lot_id}/releases": Allowed(Role.BIDDER, statement="release"),
    "GET /api/v1/lots/{lot_id}/own-headers": Allowed(Role.BIDDER),
    "POST /api/v1/lots/{lot_id}/fallbacks": Allowed(*OWNERS, Role.SUPERVISOR, statement="fallback"),
    "POST /api/v1/lots/{lot_id}/opening-objections": Allowed(Role.BIDDER, body={"words": "异议"}),
    "POST /api/v1/lots/{lot_id}/opening-objections/{objection_id}/answer": Allowed(
        *OWNERS, body={"words": "答复", "outcome": "rejected"}
    ),
    "GET /api/v1/lots/{lot_id}/opening-record/draft": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/opening-record": Allowed(*OWNERS, statement="opening-record"),
    "GET /api/v1/lots/{lot_id}/opening-record": ANYONE,
    "GET /api/v1/lots/{lot_id}/sheets/{head}": ANYONE,
    # ── the custodian's desk ──
    "GET /api/v1/lots/{lot_id}/share-request": Allowed(Role.CUSTODIAN),
    "POST /api/v1/lots/{lot_id}/shares": Allowed(Role.CUSTODIAN, statement="shares"),
    "GET /custodian": Allowed(Role.CUSTODIAN),
    # ── the expert desk ──
    "POST /api/v1/experts": Allowed(
        Role.EXPERT,
        body={
            "pool": str(NOBODY_KNOWN),
            "region": "310100",
            "employer": "江城大学",
            "employer_uscc": "91350100M000100Y43",
            "specialisms": ["A08"],
            "title": "senior",
            "years": 12,
            "born_on": "1975-05-05",
            "healthy": True,
        },
    ),
    "POST /api/v1/experts/{expert_id}/verification": Allowed(Role.CENTRE_STAFF),
    "POST /api/v1/experts/mine/ties": Allowed(
        Role.EXPERT, body={"ties": [{"uscc": "91350100M000100Y43", "kind": "employment"}]}
    ),
    "DELETE /api/v1/experts/mine": Allowed(Role.EXPERT),
    "DELETE /api/v1/experts/mine/health": Allowed(Role.EXPERT),
    "POST /api/v1/lots/{lot_id}/draws": Allowed(
        *OWNERS, body={"strata": [], "parties": [], "window": WINDOW}
    ),
    "POST /api/v1/lots/{lot_id}/prequalification/draws": Allowed(
        *OWNERS, body={"strata": [], "parties": [], "window": WINDOW}
    ),
    "GET /api/v1/lots/{lot_id}/draws": ANYONE,
    "GET /api/v1/draws": ANYONE,
    "GET /api/v1/draws/{draw_id}": ANYONE,
    "POST /api/v1/draws/{draw_id}/commitments": Allowed(*DRAWERS, statement="draw-commit"),
    "POST /api/v1/draws/{draw_id}/shares": Allowed(*DRAWERS, statement="draw-shares"),
    "POST /api/v1/draws/{draw_id}/confirmations": Allowed(*DRAWERS, body={"dealer": "agency"}),
    "POST /api/v1/draws/{draw_id}/misdealings": Allowed(
        *DRAWERS,
        body={"dealer": "agency", "share_key": PrivateKey.generate().to_pem().decode()},
    ),
    "GET /api/v1/draws/{draw_id}/exclusions": Allowed(Role.SUPERVISOR),
    "POST /api/v1/draws/{draw_id}/countersignature": Allowed(
        Role.SUPERVISOR, statement="draw-eligibility"
    ),
    "POST /api/v1/draws/{draw_id}/reveals": Allowed(*DRAWERS, statement="draw-reveal"),
    "POST /api/v1/draws/{draw_id}/recovered-shares": Allowed(
        *DRAWERS, body={"dealer": "agency", "share": "AAAA"}
    ),
    "POST /api/v1/draws/{draw_id}/void": Allowed(*DRAWERS),
    "GET /api/v1/draws/{draw_id}/transcript": ANYONE,
    "GET /api/v1/draws/{draw_id}/calls": Allowed(Role.CENTRE_STAFF, Role.SUPERVISOR),
    "GET /api/v1/calls/mine": Allowed(Role.EXPERT),
    "POST /api/v1/calls/{call_id}/answer": Allowed(Role.EXPERT, statement="draw-answer"),
    "POST /api/v1/calls/{call_id}/no-answer": Allowed(Role.CENTRE_STAFF),
    "GET /api/v1/experts/mine": Allowed(Role.EXPERT),
    "GET /experts": ANYONE,
    "GET /draws/{draw_id}": ANYONE,
    "GET /draws/{draw_id}/board": ANYONE,
    # ── the centre's desk ──
    "GET /api/v1/experts/waiting": Allowed(Role.CENTRE_STAFF),
    "GET /api/v1/calls/waiting": Allowed(Role.CENTRE_STAFF),
    "GET /centre": Allowed(Role.CENTRE_STAFF),
    # ── evaluation sites ──
    "POST /api/v1/sites": Allowed(
        Role.SITE_ADMINISTRATOR, body={"name": "主场", "region": "310100"}
    ),
    "GET /api/v1/sites": ANYONE,
    "POST /api/v1/sites/{site_id}/seats": Allowed(Role.SITE_ADMINISTRATOR, statement="seat"),
    "GET /api/v1/sites/{site_id}/arrivals": Allowed(Role.SITE_ADMINISTRATOR),
    "GET /api/v1/sites/{site_id}/committees": Allowed(Role.SITE_ADMINISTRATOR),
    "POST /api/v1/sites/{site_id}/admissions": Allowed(
        Role.SITE_ADMINISTRATOR,
        body={"committee": str(NOBODY_KNOWN), "seat": str(NOBODY_KNOWN)},
    ),
    "POST /api/v1/sites/{site_id}/removals": Allowed(
        Role.SITE_ADMINISTRATOR,
        body={
            "committee": str(NOBODY_KNOWN),
            "seat": str(NOBODY_KNOWN),
            "ground": "absent",
            "reason": "未到场",
        },
    ),
    "GET /sites": ANYONE,
    # ── the evaluation room ──
    "POST /api/v1/lots/{lot_id}/committee": Allowed(
        *OWNERS, body={"host_site": str(NOBODY_KNOWN), "placement": {}}
    ),
    "POST /api/v1/lots/{lot_id}/prequalification/committee": Allowed(
        *OWNERS, body={"host_site": str(NOBODY_KNOWN), "placement": {}}
    ),
    "POST /api/v1/committees/{committee_id}/successors": Allowed(*OWNERS),
    "GET /api/v1/committees": Allowed(*OWNERS, Role.SUPERVISOR),
    "GET /api/v1/committees/mine": Allowed(*MEMBERS),
    "GET /api/v1/committees/{committee_id}": Allowed(*MEMBERS, Role.SUPERVISOR),
    "GET /api/v1/committees/{committee_id}/parties": Allowed(*MEMBERS),
    "POST /api/v1/committees/{committee_id}/sign-ins": Allowed(
        *MEMBERS, body={"declaration": "e30=", "presence": "e30="}
    ),
    "POST /api/v1/committees/{committee_id}/leases": Allowed(*MEMBERS, statement="seat-lease"),
    "DELETE /api/v1/committees/{committee_id}/leases/mine": Allowed(*MEMBERS),
    "POST /api/v1/committees/{committee_id}/withdrawals": Allowed(
        *MEMBERS, body={"reason": "有利害关系"}
    ),
    "POST /api/v1/committees/{committee_id}/time-requests": Allowed(
        *MEMBERS, body={"reason": "评标时间不够"}
    ),
    "POST /api/v1/committees/{committee_id}/extensions": Allowed(
        *OWNERS, Role.SITE_ADMINISTRATOR, body={"minutes": 60}
    ),
    "GET /api/v1/committees/{committee_id}/bids": Allowed(*MEMBERS),
    "GET /api/v1/committees/{committee_id}/securities": Allowed(*MEMBERS),
    "GET /api/v1/committees/{committee_id}/consortia": Allowed(*MEMBERS),
    "GET /api/v1/committees/{committee_id}/bids/{bid_id}/files": Allowed(*MEMBERS),
    "GET /api/v1/committees/{committee_id}/bids/{bid_id}/library": Allowed(*MEMBERS),
    "GET /api/v1/committees/{committee_id}/bids/{bid_id}/library/{reference}": Allowed(*MEMBERS),
    "GET /api/v1/committees/{committee_id}/bids/{bid_id}/file": Allowed(*MEMBERS),
    "POST /api/v1/committees/{committee_id}/rejections": Allowed(
        *MEMBERS,
        body={
            "bid": str(NOBODY_KNOWN),
            "ground": "not_responsive",
            "page": "第1页",
            "words": "不响应",
        },
    ),
    "POST /api/v1/committees/{committee_id}/rejections/{rejection_id}/votes": Allowed(
        *MEMBERS, body={"in_favour": True}
    ),
    "GET /api/v1/committees/{committee_id}/marks": Allowed(*MEMBERS),
    "PUT /api/v1/committees/{committee_id}/bids/{bid_id}/marks/{item}": Allowed(
        *MEMBERS, body={"edit_id": str(NOBODY_KNOWN), "score": "1", "base_version": 0}
    ),
    "POST /api/v1/committees/{committee_id}/commitments": Allowed(
        *MEMBERS, statement="scores-commit"
    ),
    "POST /api/v1/committees/{committee_id}/reveals": Allowed(
        *MEMBERS, body={"sheet": {}, "nonce": "AAAA"}
    ),
    "POST /api/v1/committees/{committee_id}/report": Allowed(*MEMBERS, body={}),
    "GET /api/v1/committees/{committee_id}/report": Allowed(*MEMBERS),
    "POST /api/v1/committees/{committee_id}/report/signatures": Allowed(
        *MEMBERS, statement="report-signature"
    ),
    "GET /api/v1/committees/{committee_id}/set-aside-reports/{version}": Allowed(Role.SUPERVISOR),
    "GET /api/v1/lots/{lot_id}/evaluation-record": ANYONE,
    "GET /api/v1/lots/{lot_id}/committee-members": Allowed(*OWNERS, Role.SUPERVISOR),
    "GET /evaluation": ANYONE,
    "GET /evaluation/{committee_id}": Allowed(*MEMBERS, Role.SUPERVISOR),
    "GET /evaluation/{committee_id}/consortia": Allowed(*MEMBERS),
    "GET /evaluation/{committee_id}/board": Allowed(*MEMBERS, Role.SUPERVISOR),
    # ── results and objections ──
    "POST /api/v1/lots/{lot_id}/handover": Allowed(*OWNERS, Role.CENTRE_STAFF),
    "GET /api/v1/lots/{lot_id}/candidates/draft": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/candidates": Allowed(*OWNERS, statement="notice"),
    "POST /api/v1/lots/{lot_id}/award": Allowed(Role.TENDEREE, statement="award"),
    "GET /api/v1/lots/{lot_id}/award": ANYONE,
    "POST /api/v1/lots/{lot_id}/award/votes": Allowed(Role.TENDEREE, statement="award-vote"),
    "GET /api/v1/lots/{lot_id}/award/votes": Allowed(Role.TENDEREE),
    "POST /api/v1/lots/{lot_id}/award/renunciation": Allowed(
        Role.BIDDER, statement="award-renunciation"
    ),
    "POST /api/v1/lots/{lot_id}/award/annulment": Allowed(
        Role.TENDEREE, statement="award-annulment"
    ),
    "POST /api/v1/lots/{lot_id}/rechecks": Allowed(*OWNERS, statement="candidate-recheck"),
    "GET /api/v1/lots/{lot_id}/rechecks": ANYONE,
    "GET /api/v1/committees/{committee_id}/rechecks": Allowed(*MEMBERS),
    "POST /api/v1/committees/{committee_id}/rechecks/{number}/opinions": Allowed(
        *MEMBERS, statement="recheck-opinion"
    ),
    "GET /api/v1/committees/{committee_id}/rechecks/{number}/file": Allowed(*MEMBERS),
    "GET /api/v1/committees/{committee_id}/rechecks/{number}/evidence/{digest}": Allowed(*MEMBERS),
    "GET /evaluation/{committee_id}/rechecks": Allowed(*MEMBERS),
    "GET /api/v1/awards": ANYONE,
    "GET /api/v1/lots/{lot_id}/award/notice": Allowed(Role.BIDDER),
    "GET /awards": ANYONE,
    "GET /awards/{lot_id}": ANYONE,
    "GET /awards/{lot_id}/board": ANYONE,
    "GET /awards/{lot_id}/notice": Allowed(Role.BIDDER),
    "POST /api/v1/lots/{lot_id}/objections": Allowed(Role.BIDDER, statement="objection"),
    "PUT /api/v1/lots/{lot_id}/evidence/{name}": Allowed(*HOLDERS),
    "GET /api/v1/lots/{lot_id}/evidence/{digest}": ANYONE,
    "GET /api/v1/lots/{lot_id}/objections": ANYONE,
    "POST /api/v1/lots/{lot_id}/objections/{objection_id}/answer": Allowed(
        *OWNERS, statement="answer"
    ),
    "POST /api/v1/lots/{lot_id}/objections/{objection_id}/return": Allowed(
        *OWNERS, statement="objection-return"
    ),
    "POST /api/v1/lots/{lot_id}/objections/{objection_id}/withdrawal": Allowed(
        Role.BIDDER, statement="objection-withdrawal"
    ),
    "POST /api/v1/lots/{lot_id}/objection-checks": Allowed(Role.BIDDER, body=PETITION),
    "GET /api/v1/objections": Allowed(*HOLDERS, Role.SUPERVISOR),
    "GET /api/v1/objectable-lots": Allowed(Role.BIDDER),
    "GET /api/v1/overdue-answers": Allowed(*OWNERS, Role.SUPERVISOR),
    "GET /objections": ANYONE,
    # ── the bids' validity ──
    "POST /api/v1/lots/{lot_id}/validity-extensions": Allowed(
        *OWNERS, statement="validity-extension"
    ),
    "GET /api/v1/lots/{lot_id}/validity": ANYONE,
    "POST /api/v1/lots/{lot_id}/validity-extensions/{number}/answer": Allowed(
        Role.BIDDER, statement="validity-answer"
    ),
    "GET /lots/{lot_id}/validity": ANYONE,
    # ── talks and last prices ──
    "GET /api/v1/committees/{committee_id}/talks": Allowed(*MEMBERS),
    "POST /api/v1/committees/{committee_id}/talks": Allowed(
        *MEMBERS, body={"bid": str(NOBODY_KNOWN), "words": "请说明交货期"}
    ),
    "POST /api/v1/committees/{committee_id}/demand-changes": Allowed(
        Role.OWNER_REPRESENTATIVE, body={"words": "交货期改为30日"}
    ),
    "POST /api/v1/committees/{committee_id}/last-price-call": Allowed(
        *MEMBERS, body={"due_at": "2026-09-01T10:00:00Z"}
    ),
    "GET /api/v1/committees/{committee_id}/talks/files/{digest}": Allowed(*MEMBERS),
    "GET /evaluation/{committee_id}/talks": Allowed(*MEMBERS),
    "GET /api/v1/lots/{lot_id}/talks": Allowed(Role.BIDDER),
    "POST /api/v1/lots/{lot_id}/talks/{talk_id}/answer": Allowed(
        Role.BIDDER, statement="talk-answer"
    ),
    "POST /api/v1/lots/{lot_id}/talks/leave": Allowed(Role.BIDDER, statement="talk-leave"),
    "POST /api/v1/lots/{lot_id}/last-prices": Allowed(Role.BIDDER, statement="last-price"),
    "POST /api/v1/lots/{lot_id}/last-prices/opening": Allowed(
        Role.BIDDER, statement="last-price-opening"
    ),
    "GET /talks/{lot_id}": Allowed(Role.BIDDER),
    # ── the listing hall ──
    "GET /api/v1/listings": ANYONE,
    "POST /api/v1/listings": Allowed(*OWNERS, body={"listing": {}}),
    "GET /api/v1/listings/{listing_id}": ANYONE,
    "POST /api/v1/listings/{listing_id}/registrations": Allowed(
        Role.BIDDER, statement="listing-registration"
    ),
    "POST /api/v1/listings/{listing_id}/quotes": Allowed(Role.BIDDER, statement="listing-quote"),
    "POST /api/v1/listings/{listing_id}/going-on": Allowed(
        Role.BIDDER, statement="listing-going-on"
    ),
    "POST /api/v1/listings/{listing_id}/deal": Allowed(*HOLDERS, statement="listing-deal"),
    "POST /api/v1/listings/{listing_id}/suspension": Allowed(
        *OWNERS, Role.SUPERVISOR, statement="listing-suspension"
    ),
    "POST /api/v1/listings/{listing_id}/resumption": Allowed(
        *OWNERS, Role.SUPERVISOR, statement="listing-resumption"
    ),
    "POST /api/v1/listings/{listing_id}/termination": Allowed(
        *OWNERS, Role.SUPERVISOR, statement="listing-termination"
    ),
    "POST /api/v1/listings/{listing_id}/voiding": Allowed(
        Role.SUPERVISOR, statement="listing-voiding"
    ),
    "GET /api/v1/listings/{listing_id}/securities": Allowed(*KEEPERS),
    "POST /api/v1/listings/{listing_id}/forfeiture": Allowed(
        Role.TENDEREE, statement="listing-forfeiture"
    ),
    "GET /api/v1/listing-letters": Allowed(*OWNERS),
    "POST /api/v1/listing-letters": Allowed(Role.TENDEREE, statement="listing-authorisation"),
    "POST /api/v1/listing-letters/{letter_id}/end": Allowed(
        Role.TENDEREE, statement="listing-authorisation-end"
    ),
    "GET /api/v1/listings/{listing_id}/deal": ANYONE,
    "GET /listings": ANYONE,
    "GET /listings/new": Allowed(*OWNERS),
    "GET /listings/letters": Allowed(*OWNERS),
    "GET /listings/{listing_id}": ANYONE,
    "GET /listings/{listing_id}/board": ANYONE,
    # ── prequalification ──
    "GET /api/v1/prequalifications": ANYONE,
    "GET /api/v1/lots/{lot_id}/prequalification/draft": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/prequalification-files": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/prequalification": Allowed(*OWNERS, statement="prequalification"),
    "POST /api/v1/lots/{lot_id}/prequalification/addenda": Allowed(
        *OWNERS, statement="prequalification-addendum"
    ),
    "GET /api/v1/lots/{lot_id}/prequalification": ANYONE,
    "GET /api/v1/lots/{lot_id}/prequalification/documents/{name}": ANYONE,
    "GET /api/v1/lots/{lot_id}/application-package": ANYONE,
    "POST /api/v1/lots/{lot_id}/applications": Allowed(Role.BIDDER, statement="application"),
    "POST /api/v1/lots/{lot_id}/applications/release": Allowed(
        Role.BIDDER, statement="application-release"
    ),
    "GET /api/v1/lots/{lot_id}/applications": Allowed(*OWNERS),
    "GET /api/v1/lots/{lot_id}/applications/{application_id}/file": Allowed(*OWNERS),
    "GET /api/v1/lots/{lot_id}/applications/{application_id}/library/{reference}": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/prequalification/review": Allowed(
        *OWNERS, statement="prequalification-review"
    ),
    "GET /api/v1/committees/{committee_id}/applications": Allowed(*MEMBERS),
    "GET /api/v1/committees/{committee_id}/applications/{application_id}/file": Allowed(*MEMBERS),
    "GET /api/v1/committees/{committee_id}/applications/{application_id}/library/{reference}": (
        Allowed(*MEMBERS)
    ),
    "POST /api/v1/committees/{committee_id}/findings": Allowed(
        *MEMBERS, statement="application-findings"
    ),
    "POST /api/v1/committees/{committee_id}/review-report": Allowed(*MEMBERS),
    "GET /reviews/{committee_id}": Allowed(*MEMBERS, Role.SUPERVISOR),
    "GET /prequalifications": ANYONE,
    "GET /prequalifications/{lot_id}": ANYONE,
    "GET /desk/lots/{lot_id}/prequalification": Allowed(*OWNERS),
    # ── contracts ──
    "GET /api/v1/lots/{lot_id}/award-report/draft": Allowed(*OWNERS),
    "POST /api/v1/lots/{lot_id}/award-report": Allowed(*OWNERS, statement="award-report"),
    "GET /api/v1/lots/{lot_id}/award-report": Allowed(*OWNERS, Role.SUPERVISOR),
    "GET /api/v1/lots/{lot_id}/contract/draft": Allowed(Role.TENDEREE),
    "POST /api/v1/lots/{lot_id}/contract": Allowed(Role.TENDEREE, statement="contract"),
    "POST /api/v1/lots/{lot_id}/contract/signature": Allowed(Role.BIDDER, statement="contract"),
    "GET /api/v1/lots/{lot_id}/contract": ANYONE,
    "POST /api/v1/lots/{lot_id}/contract/filing": Allowed(*OWNERS, statement="contract-filing"),
    "POST /api/v1/lots/{lot_id}/contract/changes": Allowed(
        Role.TENDEREE, Role.BIDDER, statement="contract-change"
    ),
    "POST /api/v1/lots/{lot_id}/contract/changes/{number}/signature": Allowed(
        Role.TENDEREE, Role.BIDDER, statement="contract-change"
    ),
    "POST /api/v1/lots/{lot_id}/performance-reports": Allowed(
        Role.TENDEREE, Role.BIDDER, statement="performance-report"
    ),
    "POST /api/v1/lots/{lot_id}/settlement": Allowed(Role.TENDEREE, statement="settlement"),
    "GET /api/v1/contracts": ANYONE,
    "GET /api/v1/settlement-statistics": ANYONE,
    "GET /contracts": ANYONE,
    "GET /settlements": ANYONE,
    "GET /contracts/{lot_id}": ANYONE,
    "GET /contracts/{lot_id}/board": ANYONE,
    "GET /api/v1/verification": ANYONE,
    "GET /verify": ANYONE,
    # ── complaints ──
    "POST /api/v1/lots/{lot_id}/complaints": Allowed(Role.BIDDER, statement="complaint"),
    "POST /api/v1/lots/{lot_id}/complaint-checks": Allowed(
        Role.BIDDER, body={**PETITION, "known_on": "2026-03-02"}
    ),
    "GET /api/v1/lots/{lot_id}/complaints": ANYONE,
    "GET /api/v1/complaints": ANYONE,
    "GET /api/v1/complaints/{complaint_id}": ANYONE,
    "POST /api/v1/lots/{lot_id}/complaints/{complaint_id}/withdrawal": Allowed(
        Role.BIDDER, statement="complaint-withdrawal"
    ),
    "POST /api/v1/lots/{lot_id}/complaints/{complaint_id}/answer": Allowed(
        Role.SUPERVISOR, statement="complaint-answer"
    ),
    "POST /api/v1/lots/{lot_id}/complaints/{complaint_id}/brake": Allowed(
        Role.SUPERVISOR, statement="complaint-brake"
    ),
    "POST /api/v1/lots/{lot_id}/complaints/{complaint_id}/decision": Allowed(
        Role.SUPERVISOR, statement="complaint-decision"
    ),
    "GET /api/v1/lots/{lot_id}/halts": ANYONE,
    "POST /api/v1/lots/{lot_id}/halts/order": Allowed(Role.SUPERVISOR, statement="lot-order"),
    "POST /api/v1/lots/{lot_id}/halts/fault": Allowed(Role.CENTRE_STAFF, statement="lot-fault"),
    "GET /lots/{lot_id}/halts": ANYONE,
    "GET /complaints": ANYONE,
    "GET /complaints/new": ANYONE,
    "GET /complaints/{complaint_id}": ANYONE,
    # ── the supervision room ──
    "GET /api/v1/supervision": Allowed(Role.SUPERVISOR),
    "GET /supervision": Allowed(Role.SUPERVISOR),
    "GET /supervision/board": Allowed(Role.SUPERVISOR),
    # ── the register ──
    "GET /bars": ANYONE,
    "GET /api/v1/decisions": ANYONE,
    "POST /api/v1/decisions": Allowed(Role.SUPERVISOR, statement="bar"),
    "POST /api/v1/decisions/{decision_id}/lift": Allowed(Role.SUPERVISOR, statement="lift"),
    # ── rules and components ──
    "GET /catalogue": ANYONE,
    "GET /api/v1/catalogue": ANYONE,
    "GET /rules": ANYONE,
    "GET /api/v1/rules": ANYONE,
    "GET /_ui": ANYONE,
    "GET /problems/{code}": ANYONE,
}
