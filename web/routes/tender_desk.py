"""The tender desk: a tenderee, or an agency for it, drafts, publishes, explains and amends here.

A draft exists for its owners alone. What has to be signed is proposed by the platform, signed by
the owner's own key, and sent back; what stands against it is shown with its article at any time.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Final, Self
from urllib.parse import unquote
from uuid import UUID

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from sqlalchemy import select
from sqlmodel import col
from starlette.datastructures import FormData, UploadFile

from evaluation.rules.scheme_document import parse_scheme
from evaluation.rules.score_scheme import (
    Procured,
    SchemeSwitches,
    scheme_cautions,
    scheme_refusals,
)
from kernel.access import Role
from kernel.crypto.digests import Malformed, b64u, canonical, instant_text
from kernel.errors import NotPermitted
from kernel.identifiers import LotId, PartyId, PersonId
from kernel.money import parse_yuan, yuan_text
from kernel.refusals import Caution, Refusal
from kernel.regions import is_region_code
from kernel.statute import BIDDING_LAW
from kernel.store.parties import organisation
from kernel.store.registering import id_of
from kernel.store.tables import MembershipRow, OrganisationRow, PersonRow
from kernel.store.transaction import Transaction
from kernel.working_days import BEIJING, beijing_day
from trading import (
    agency_letters,
    award_views,
    document_versions,
    drafting,
    notice_board,
    questioning,
    retendering,
    tendering,
)
from trading.cataloguing import CatalogueFacts
from trading.composing import FILED
from trading.drafting import LotTerms, Nomination, ProjectTerms
from trading.industries import OTHER, industries
from trading.notice_board import Draft
from trading.rules.agency_scope import ACT_NAMES
from trading.rules.document_changes import AFFECTING, PLACE_NAMES, STANDING
from trading.rules.lot_lifecycle import LotMove, article_of, move_refusals
from trading.rules.notice_contents import AGENCY_WORDS, REQUIRED_WORDS, WorkKind
from trading.rules.price_talks import holds_talks
from trading.rules.procedures import (
    OFFERED,
    PROCEDURE_NAMES,
    Offers,
    Procedure,
    SecurityForm,
    switches_of,
)
from trading.rules.procurement_methods import CASES, GROUND_NAMES, MethodGround
from trading.rules.sheet_fields import SheetKind
from trading.rules.tender_checkup import Violation
from trading.rules.tender_ending import promises_due, return_article
from trading.rules.trading_catalogue import (
    EXEMPTION_NAMES,
    INVITATION_NAMES,
    Exemption,
    InvitationGround,
)
from trading.rules.version_difference import Version
from trading.tendering import DraftScheme, Papers, SignedPapers
from web import lot_course
from web.lot_course import Step
from web.pages import render
from web.places import Place
from web.problems import keep_form, prefers_page
from web.region_names import region_name
from web.request_scope import Act, ActRoute, Signed, read_body
from web.routes.public_hall import line_told, project_told

router = Place(route_class=ActRoute)

PROJECT_FORM: Final = "tender_desk/project_form.html"
LOT_FORM: Final = "tender_desk/lot_form.html"
FILE_MAX: Final = 8 << 20
WORDS_MAX: Final = 4000
KNOWN_WORDS: Final = frozenset(
    {"name", "funding_source", "tenderee", "agency", "platform_url"}
    | {"tenderee_address", "tenderee_contact", "agency_address", "agency_contact"}
)
"""The notice's words that follow from the project and are not asked for again."""
CONTACT_WORDS: Final = (
    "tenderee_address",
    "tenderee_contact",
    "agency_address",
    "agency_contact",
)
PROCURED: Final = {
    WorkKind.WORKS: Procured.WORKS,
    WorkKind.SURVEY_AND_DESIGN: Procured.SERVICES,
    WorkKind.GOODS: Procured.GOODS,
    WorkKind.SERVICES: Procured.SERVICES,
}
"""What a project's category means to the rules of scoring."""
OWN_WORDS: Final = tuple(key for key in REQUIRED_WORDS if key not in KNOWN_WORDS)
DEFAULT_FORMS: Final = (
    SecurityForm.TRANSFER,
    SecurityForm.BANK_GUARANTEE,
    SecurityForm.SURETY_BOND,
    SecurityForm.INSURANCE,
)
DEFAULT_SHEET: Final = (
    {"key": "price", "label": "投标总价（元）", "kind": "money"},
    {"key": "duration_days", "label": "工期（日历天）", "kind": "count"},
    {"key": "quality", "label": "质量目标", "kind": "text"},
    {"key": "manager", "label": "项目负责人", "kind": "text"},
)


# ── what is sent ──────────────────────────────────────────────────────────────────────────────


def _yuan(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("an amount is written as text: 1234.50")
    return parse_yuan(value.strip().replace(",", ""))


def _plain(value: object) -> object:
    """JSON that every reader reads alike, fractions excluded."""
    try:
        text = canonical(value)
    except TypeError as fault:
        raise ValueError(str(fault)) from None
    if b"\\u0000" in text:
        raise ValueError("no control characters")
    return value


Yuan = Annotated[Decimal, BeforeValidator(_yuan)]


def readable(text: str) -> str:
    """A text without signs that cannot be seen, line ends and tabs excepted."""
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\r\t" for sign in text):
        raise ValueError("no control characters")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(readable)]
Short = Annotated[str, Field(max_length=200), AfterValidator(readable)]


def _known_region(code: str) -> str:
    if not is_region_code(code):
        raise ValueError("no region of GB/T 2260 has this code")
    return code


def _known_industry(code: str) -> str:
    if code not in industries():
        raise ValueError(f"the list of industries has {', '.join(industries())}")
    return code


Region = Annotated[str, Field(pattern=r"^[0-9]{6}$"), AfterValidator(_known_region)]
Text = Annotated[str, Field(max_length=WORDS_MAX), AfterValidator(readable)]
PlainObject = Annotated[dict[str, Any], BeforeValidator(_plain)]


class Asked(BaseModel):
    """A request body; members it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class ProjectAsked(Asked):
    """A project to be entered."""

    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{2,39}$")]
    name: Name
    procedure: Procedure
    category: WorkKind
    industry: Annotated[str, AfterValidator(_known_industry)] = OTHER
    region: Region
    funding_source: Name
    tenderee: UUID
    agency: UUID | None = None
    contact: dict[str, Text] = Field(default_factory=dict)
    state_funded: bool = True
    estimate: Yuan | None = None
    total_investment: Yuan = Decimal("0.00")
    budget_funds: Yuan = Decimal("0.00")
    foreign_funds: bool = False
    infrastructure: bool = False
    exemption: Exemption | None = None
    exemption_document: Short = ""
    invitation_ground: InvitationGround | None = None
    invitation_document: Short = ""
    procurement_exception: Short = ""
    method_ground: MethodGround | None = None
    method_document: Short = ""
    first_contract: Yuan | None = None
    investment_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,40}$")] = ""

    @field_validator("procedure")
    @classmethod
    def _offered(cls, procedure: Procedure) -> Procedure:
        if procedure not in OFFERED:
            raise ValueError(f"the platform offers {', '.join(sorted(OFFERED))}")
        return procedure

    @model_validator(mode="after")
    def _known_contacts(self) -> Self:
        if self.contact.keys() - set(CONTACT_WORDS):
            raise ValueError(f"contact knows {', '.join(CONTACT_WORDS)}")
        return self

    def terms(self) -> ProjectTerms:
        """The same as the activity takes it."""
        return ProjectTerms(
            code=self.code,
            name=self.name,
            procedure=self.procedure,
            category=self.category,
            industry=self.industry,
            region_code=self.region,
            funding_source=self.funding_source,
            tenderee_id=PartyId(self.tenderee),
            agency_id=None if self.agency is None else PartyId(self.agency),
            contact=self.contact,
            state_funded=self.state_funded,
            facts=CatalogueFacts(
                estimate=self.estimate,
                total_investment=self.total_investment,
                budget_funds=self.budget_funds,
                foreign_funds=self.foreign_funds,
                infrastructure=self.infrastructure,
                exemption=self.exemption,
                exemption_document=self.exemption_document,
                invitation_ground=self.invitation_ground,
                invitation_document=self.invitation_document,
                procurement_exception=self.procurement_exception,
                method_ground=self.method_ground,
                method_document=self.method_document,
                first_contract=self.first_contract,
                investment_code=self.investment_code,
            ),
        )


class SheetFieldAsked(Asked):
    """One field of the opening sheet."""

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    label: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(readable)]
    kind: SheetKind


class PlanAsked(Asked):
    """The times that a draft proposes; without `documents_from` documents are on offer at once."""

    documents_from: AwareDatetime | None = None
    documents_until: AwareDatetime | None = None
    bids_due_at: AwareDatetime | None = None
    release_window_s: Annotated[int, Field(ge=0, le=7 * 86_400)] = 1800
    publicity_days: Annotated[int, Field(ge=0, le=365)] = 3
    validity_days: Annotated[int, Field(ge=0, le=3650)] = 90


class LotAsked(Asked):
    """A lot's terms."""

    name: Name
    region: Region
    estimate: Yuan
    ceiling_price: Yuan | None = None
    bid_security: Yuan = Decimal("0.00")
    security_forms: tuple[SecurityForm, ...] = DEFAULT_FORMS
    scheme: PlainObject = Field(default_factory=dict)
    sheet_fields: Annotated[tuple[SheetFieldAsked, ...], Field(max_length=20)] = ()
    notice: dict[str, Text] = Field(default_factory=dict)
    plan: PlanAsked = PlanAsked()
    officials_threshold: Annotated[int, Field(ge=1, le=16)] = 3
    escrow_threshold: Annotated[int, Field(ge=1, le=16)] | None = 4

    @model_validator(mode="after")
    def _known_words(self) -> Self:
        strange = self.notice.keys() - set(OWN_WORDS) - {"ceiling_method"}
        if strange:
            raise ValueError(f"notice does not know {', '.join(sorted(strange))}")
        return self

    def terms(self) -> LotTerms:
        """The same as the activity takes it."""
        plan: dict[str, Any] = {
            name: instant_text(value) if isinstance(value, datetime) else value
            for name, value in self.plan
        }
        return LotTerms(
            name=self.name,
            region_code=self.region,
            estimate=self.estimate,
            ceiling_price=self.ceiling_price,
            bid_security=self.bid_security,
            security_forms=self.security_forms,
            scheme=self.scheme,
            sheet_fields=tuple(
                {"key": one.key, "label": one.label, "kind": str(one.kind)}
                for one in self.sheet_fields
            ),
            notice=self.notice,
            plan=plan,
            officials_threshold=self.officials_threshold,
            escrow_threshold=self.escrow_threshold,
        )


class NominationAsked(Asked):
    """A person to keep a key."""

    person: UUID
    organisation: UUID
    escrow_shares: Annotated[int, Field(ge=0, le=8)] = 1


class CustodiansAsked(Asked):
    """Everyone who is to keep a key, in order."""

    custodians: Annotated[tuple[NominationAsked, ...], Field(max_length=16)]

    def nominations(self) -> list[Nomination]:
        """The same as the activity takes it."""
        return [
            Nomination(PersonId(one.person), PartyId(one.organisation), one.escrow_shares)
            for one in self.custodians
        ]


class PublicationAsked(Asked):
    """The three signed papers, each a DSSE envelope."""

    timetable: PlainObject
    opening_policy: PlainObject
    notice: PlainObject

    def papers(self) -> SignedPapers:
        """The envelopes as bytes."""
        return SignedPapers(
            canonical(self.timetable), canonical(self.opening_policy), canonical(self.notice)
        )


class ClarificationAsked(Asked):
    """A signed clarification, and the signed timetable that moves the deadline with it.

    `questions` says for each of its answers which questions it answers, and is published nowhere.
    `scheme` is the evaluation scheme whose digest it states, where it changes it.
    """

    clarification: PlainObject
    timetable: PlainObject | None = None
    scheme: PlainObject | None = None
    questions: Annotated[
        tuple[Annotated[tuple[UUID, ...], Field(max_length=200)], ...], Field(max_length=100)
    ] = ()


# ── for programs: projects and drafts ─────────────────────────────────────────────────────────


@router.post("/api/v1/projects", status_code=201)
async def post_project(tx: Act, asked: ProjectAsked) -> dict[str, Any]:
    """Enter a project; the answer says where it stands in the trading catalogue, and why."""
    project_id = await drafting.create_project(tx, asked.terms())
    told = project_told(await notice_board.own_project(tx, project_id))
    return {"id": str(project_id), "codes": told["codes"], "catalogue": told["catalogue"]}


@router.get("/api/v1/own-projects")
async def get_own_projects(tx: Act) -> dict[str, Any]:
    """The acting organisation's projects with their lots, drafts included."""
    return {"projects": [project_told(one) for one in await notice_board.own_projects(tx)]}


@router.post("/api/v1/projects/{project_id}/authorisation", status_code=204)
async def post_authorisation(tx: Act, project_id: UUID, raw: Signed) -> None:
    """The tenderee signs that the agency acts for it."""
    await drafting.authorise_agency(tx, project_id, raw)


@router.get("/api/v1/projects/{project_id}/authorisation")
async def get_authorisation(tx: Act, project_id: UUID) -> JSONResponse:
    """The newest letter of authorisation of an own project, for tenderee and agency."""
    letter = await agency_letters.letter_of(tx, project_id)
    return JSONResponse({"letter": None if letter is None else letter.plain()})


@router.post("/api/v1/projects/{project_id}/authorisation/end", status_code=204)
async def post_authorisation_end(tx: Act, project_id: UUID, raw: Signed) -> None:
    """The tenderee ends the agency's authorisation."""
    await agency_letters.end_authority(tx, project_id, raw)


@router.post("/api/v1/projects/{project_id}/lots", status_code=201)
async def post_lot(tx: Act, project_id: UUID, asked: LotAsked) -> dict[str, str]:
    """Draft a lot."""
    return {"id": str(await drafting.draft_lot(tx, project_id, asked.terms()))}


@router.get("/api/v1/lots/{lot_id}/draft")
async def get_draft(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """A draft as its owners prepare it."""
    return _draft_told(await notice_board.draft(tx, lot_id))


@router.put("/api/v1/lots/{lot_id}/draft", status_code=204)
async def put_draft(tx: Act, lot_id: UUID, asked: LotAsked) -> None:
    """Replace a draft's terms."""
    await drafting.redraft_lot(tx, lot_id, asked.terms())


@router.delete("/api/v1/lots/{lot_id}/draft", status_code=204)
async def delete_draft(tx: Act, lot_id: UUID) -> None:
    """Give a draft up."""
    await drafting.drop_draft(tx, lot_id)


@router.put("/api/v1/lots/{lot_id}/documents/{name}", status_code=201)
async def put_document(request: Request, tx: Act, lot_id: UUID, name: str) -> dict[str, str]:
    """Put a file, sent as it is, among a draft's tender documents."""
    content = await read_body(request, max_bytes=FILE_MAX)
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    digest = await drafting.add_document(tx, lot_id, name, content, media_type=kind[:100])
    return {"sha256": digest.hex()}


@router.delete("/api/v1/lots/{lot_id}/documents/{name}", status_code=204)
async def delete_document(tx: Act, lot_id: UUID, name: str) -> None:
    """Take a file out of a draft's tender documents."""
    await drafting.remove_document(tx, lot_id, name)


@router.post("/api/v1/lots/{lot_id}/clarification-files", status_code=201)
async def post_clarification_file(request: Request, tx: Act, lot_id: UUID) -> dict[str, str]:
    """Keep a file that a clarification is going to bring."""
    content = await read_body(request, max_bytes=FILE_MAX)
    digest = await drafting.keep_clarification_file(tx, lot_id, content)
    return {"sha256": b64u(digest)}


@router.post("/api/v1/lots/{lot_id}/retender", status_code=201)
async def post_retender(tx: Act, lot_id: UUID) -> dict[str, str]:
    """Draft a lot that tenders one again that came to nothing; the draft's id."""
    return {"id": str(await retendering.tender_again(tx, LotId(lot_id)))}


@router.post("/api/v1/lots/{lot_id}/custodians", status_code=204)
async def post_custodians(tx: Act, lot_id: UUID, asked: CustodiansAsked) -> None:
    """Name everyone who is to keep a key of the lot."""
    await drafting.name_custodians(tx, lot_id, asked.nominations())


@router.get("/api/v1/custodian-assignments")
async def get_assignments(tx: Act) -> dict[str, Any]:
    """The lots for which the acting custodian is named."""
    return {
        "assignments": [
            {
                "lot": str(one.lot_id),
                "project": str(one.project_id),
                "tenderee": one.tenderee,
                "name": one.name,
                "published": one.published,
                "state": one.state,
                "escrow_shares": one.escrow_shares,
                "kid": one.kid or None,
                "gave_shares": one.gave_shares,
            }
            for one in await drafting.own_assignments(tx)
        ]
    }


@router.post("/api/v1/lots/{lot_id}/custodian-keys", status_code=201)
async def post_custodian_key(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, str]:
    """A named custodian registers the lot's key."""
    return {"kid": await drafting.register_custodian_key(tx, lot_id, raw)}


# ── for programs: publication and what follows ────────────────────────────────────────────────


@router.get("/api/v1/lots/{lot_id}/publication")
async def get_publication(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """What has to be signed to publish a draft now, and every ground against it."""
    papers = await _papers(tx, lot_id)
    return {
        "timetable": papers.timetable,
        "opening_policy": papers.opening_policy,
        "notice": papers.notice,
        "refusals": [refusal.as_json() for refusal in papers.refusals],
        "cautions": [caution.as_json() for caution in papers.cautions],
    }


@router.post("/api/v1/lots/{lot_id}/publication", status_code=201)
async def post_publication(tx: Act, lot_id: UUID, asked: PublicationAsked) -> dict[str, str]:
    """Publish a draft with its signed papers."""
    done = await tendering.publish_lot(tx, lot_id, asked.papers(), judge=_scheme_judged)
    return {
        "timetable": b64u(done.timetable_digest),
        "opening_policy": b64u(done.policy_digest),
        "notice": b64u(done.notice_digest),
    }


@router.post("/api/v1/lots/{lot_id}/clarifications", status_code=201)
async def post_clarification(tx: Act, lot_id: UUID, asked: ClarificationAsked) -> dict[str, Any]:
    """Publish a clarification, with a new timetable where the deadline must move."""
    done = await tendering.clarify(
        tx,
        lot_id,
        canonical(asked.clarification),
        timetable=None if asked.timetable is None else canonical(asked.timetable),
        questions=asked.questions,
        scheme=None if asked.scheme is None else canonical(asked.scheme),
        judge=_scheme_judged,
    )
    return {"number": done.number, "cautions": [one.as_json() for one in done.cautions]}


@router.post("/api/v1/lots/{lot_id}/timetable", status_code=201)
async def post_timetable(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, int]:
    """Move the lot's times later by the next version of its timetable."""
    return {"version": await tendering.amend_timetable(tx, lot_id, raw)}


@router.post("/api/v1/lots/{lot_id}/cancellation", status_code=204)
async def post_cancellation(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """End the tender of a published lot."""
    await tendering.cancel_lot(tx, lot_id, raw)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/desk", response_class=HTMLResponse)
async def desk_page(request: Request, tx: Act) -> HTMLResponse:
    """The acting organisation's projects, by what is to be done next."""
    objections = await award_views.objections_at_hand(tx)
    waiting = sorted(one.answer_due_at for one in objections if one.may_answer)
    return render(
        request,
        "tender_desk/desk.html",
        projects=await notice_board.own_projects(tx),
        procedures=PROCEDURE_NAMES,
        waiting=waiting,
        now=tx.now,
    )


@router.get("/desk/projects/new", response_class=HTMLResponse)
async def new_project_page(request: Request, tx: Act) -> HTMLResponse:
    """The form for a new project."""
    _require_owner(tx)
    return render(request, PROJECT_FORM, **await _project_form(tx))


@router.post("/desk/projects/new", response_class=HTMLResponse)
async def new_project(request: Request, tx: Act) -> Response:
    """Enter the project of the form, or show the form again with what is wrong."""
    _require_owner(tx)
    form = await request.form()
    values = {name: str(value) for name, value in form.items()}
    said: dict[str, Any] = {
        key: value.strip() for key, value in values.items() if key not in CONTACT_WORDS
    }
    said["contact"] = {key: values[key] for key in CONTACT_WORDS if values.get(key, "").strip()}
    said["estimate"] = said.get("estimate") or None
    for name in ("exemption", "invitation_ground", "method_ground", "first_contract"):
        said[name] = said.get(name) or None
    for name in ("total_investment", "budget_funds"):
        said[name] = said.get(name) or "0"
    own = "tenderee" if tx.actor.role is Role.TENDEREE else "agency"
    said[own] = str(tx.actor.party)
    said["agency"] = said.get("agency") or None
    try:
        asked = ProjectAsked.model_validate(said)
    except ValidationError as fault:
        shown = await _project_form(tx, values, _errors(request, fault))
        return render(request, PROJECT_FORM, status_code=422, **shown)
    keep_form(request, PROJECT_FORM, **await _project_form(tx, values))
    project_id = await drafting.create_project(tx, asked.terms())
    return RedirectResponse(f"/desk/projects/{project_id}", 303)


@router.get("/desk/projects/{project_id}", response_class=HTMLResponse)
async def desk_project_page(request: Request, tx: Act, project_id: UUID) -> HTMLResponse:
    """One of the acting organisation's projects, with its drafts."""
    project = await notice_board.own_project(tx, project_id)
    return render(
        request,
        "tender_desk/project.html",
        procedure=project.procedure,
        project=project,
        letter=await agency_letters.letter_of(tx, project_id),
        act_names={str(act): words for act, words in ACT_NAMES.items()},
        today=beijing_day(tx.now),
        procedures=PROCEDURE_NAMES,
        region_name=region_name,
        role=tx.actor.role,
        now=tx.now,
    )


@router.get("/desk/projects/{project_id}/lots/new", response_class=HTMLResponse)
async def new_lot_page(request: Request, tx: Act, project_id: UUID) -> HTMLResponse:
    """The form for a new lot."""
    project = await notice_board.own_project(tx, project_id)
    values = {"region": project.region_code, "sheet_fields": _sheet_text(DEFAULT_SHEET)}
    values |= {"release_window_min": "30", "publicity_days": "3", "validity_days": "90"}
    place = _Place(project_id, project.procedure)
    return render(request, LOT_FORM, **_lot_form(tx, place, values=values, forms=DEFAULT_FORMS))


@router.post("/desk/projects/{project_id}/lots/new", response_class=HTMLResponse)
async def new_lot(request: Request, tx: Act, project_id: UUID) -> Response:
    """Draft the lot of the form, or show the form again with what is wrong."""
    project = await notice_board.own_project(tx, project_id)
    asked = await _lot_asked(request, tx, _Place(project_id, project.procedure))
    if isinstance(asked, HTMLResponse):
        return asked
    lot_id = await drafting.draft_lot(tx, project_id, asked.terms())
    return RedirectResponse(f"/desk/lots/{lot_id}", 303)


@router.get("/desk/lots/{lot_id}", response_class=HTMLResponse)
async def desk_lot_page(request: Request, tx: Act, lot_id: UUID) -> Response:
    """A draft: its terms, files and custodians, and what stands against its publication."""
    draft = await notice_board.draft(tx, lot_id)
    if draft.line.published_at is not None:
        return await _published_page(request, tx, lot_id)
    papers = await _papers(tx, lot_id)
    return render(
        request,
        "tender_desk/lot.html",
        procedure=draft.line.procedure,
        draft=draft,
        papers=papers,
        shown=_papers_shown(papers),
        filed=draft.line.procedure in FILED,
        by_invitation=switches_of(draft.line.procedure, on=beijing_day(tx.now)).invitation,
        by_agreement=switches_of(draft.line.procedure, on=beijing_day(tx.now)).offers
        is Offers.AGREED,
        may_split=switches_of(draft.line.procedure, on=beijing_day(tx.now)).may_split_award,
        custodians=await _custodians_to_choose(tx),
        words={key: label for key, (label, _) in {**REQUIRED_WORDS, **AGENCY_WORDS}.items()},
        own_words=OWN_WORDS,
        region_name=region_name,
        now=tx.now,
    )


async def _published_page(request: Request, tx: Transaction, lot_id: UUID) -> HTMLResponse:
    """A published lot: what it asks of its owners next, and what else they may do with it."""
    found = await notice_board.notice(tx, lot_id)
    course = await lot_course.course_of(tx, found)
    steps, line = course.steps, found.line
    may_end = not move_refusals(line.state, LotMove.CANCEL, suspended=line.suspended)
    versions = await document_versions.versions(tx, lot_id)
    board = await questioning.board(tx, LotId(lot_id))
    assert line.published_at is not None
    switches = switches_of(line.procedure, on=beijing_day(line.published_at))
    draw, committee = None, None
    if Step.ANNOUNCE_DRAW in steps:
        draw = await lot_course.draw_proposed(tx, course)
    if {Step.CONVENE, Step.SEAT_SUCCESSORS} & set(steps):
        committee = await lot_course.committee_proposed(tx, course)
    return render(
        request,
        "tender_desk/published.html",
        procedure=line.procedure,
        notice=found,
        timetable=times_to_sign(found),
        form=clarification_form(
            found, versions, earliest=await tendering.deadline_for_changes(tx, lot_id)
        ),
        versions=versions,
        questions=[one for one in board.desk or () if one.notice is None],
        switches=switches,
        promises=promises_due(switches, security_asked=found.bid_security > 0),
        return_article=return_article(switches),
        course=course,
        steps=[str(step) for step in steps],
        waits=[str(step) for step in lot_course.WAITING],
        may_retender=await retendering.may_tender_again(tx, LotId(lot_id)),
        lineage=await retendering.lineage(tx, lot_id),
        draw_form=draw,
        committee_form=committee,
        ending_article=article_of(line.state, LotMove.CANCEL, regime=switches.regime)
        if may_end
        else None,
        role=tx.actor.role,
        region_name=region_name,
        now=tx.now,
    )


@router.get("/desk/lots/{lot_id}/edit", response_class=HTMLResponse)
async def edit_lot_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The form for a draft's terms."""
    draft = await notice_board.draft(tx, lot_id)
    place = _Place(draft.line.project_id, draft.line.procedure, lot_id)
    shown = _lot_form(tx, place, values=_lot_values(draft), forms=draft.security_forms)
    return render(request, LOT_FORM, **shown)


@router.post("/desk/lots/{lot_id}/edit", response_class=HTMLResponse)
async def edit_lot(request: Request, tx: Act, lot_id: UUID) -> Response:
    """Replace a draft's terms by those of the form."""
    draft = await notice_board.draft(tx, lot_id)
    place = _Place(draft.line.project_id, draft.line.procedure, lot_id)
    asked = await _lot_asked(request, tx, place)
    if isinstance(asked, HTMLResponse):
        return asked
    await drafting.redraft_lot(tx, lot_id, asked.terms())
    return RedirectResponse(f"/desk/lots/{lot_id}", 303)


@router.post("/desk/lots/{lot_id}/documents", response_class=HTMLResponse)
async def add_documents(request: Request, tx: Act, lot_id: UUID) -> Response:
    """Put the files of the form among a draft's tender documents."""
    await notice_board.draft(tx, lot_id)
    async with request.form(max_files=8, max_fields=8, max_part_size=FILE_MAX) as form:
        for file in form.getlist("files"):
            if isinstance(file, UploadFile) and file.filename:
                await drafting.add_document(
                    tx,
                    lot_id,
                    unquote(file.filename),
                    await file.read(),
                    media_type=(file.content_type or "")[:100],
                )
    return RedirectResponse(f"/desk/lots/{lot_id}#documents", 303)


@router.post("/desk/lots/{lot_id}/documents/removal", response_class=HTMLResponse)
async def take_document_out(request: Request, tx: Act, lot_id: UUID) -> Response:
    """Take the file of the form out of a draft's tender documents."""
    form = await request.form()
    await drafting.remove_document(tx, lot_id, str(form.get("name", "")))
    return RedirectResponse(f"/desk/lots/{lot_id}#documents", 303)


@router.post("/desk/lots/{lot_id}/custodians", response_class=HTMLResponse)
async def choose_custodians(request: Request, tx: Act, lot_id: UUID) -> Response:
    """Name the custodians chosen in the form; the regulator's get two escrow shares each."""
    form = await request.form()
    nominations = []
    for choice in form.getlist("custodian"):
        person, _, party = str(choice).partition("/")
        own = await organisation(tx, id_of(party))
        shares = 2 if Role.SUPERVISOR in own.roles else 1
        nominations.append(Nomination(PersonId(id_of(person)), own.id, shares))
    await drafting.name_custodians(tx, lot_id, nominations)
    return RedirectResponse(f"/desk/lots/{lot_id}#custodians", 303)


# ── the scheme, which evaluation knows how to read ────────────────────────────────────────────


async def _papers(tx: Transaction, lot_id: UUID) -> Papers:
    return await tendering.publication_papers(tx, lot_id, judge=_scheme_judged)


async def violations_of(
    tx: Transaction, lot_id: UUID, *, tried: object = None
) -> tuple[Violation, ...]:
    """The check-up of a draft, its evaluation scheme included, or of a file that is tried in it."""
    return await tendering.checkup(tx, lot_id, tried=tried, judge=_scheme_judged)


def _scheme_judged(draft: DraftScheme) -> tuple[list[Refusal], list[Caution]]:
    """What stands against the draft's scheme, and what is unusual in it."""
    if not draft.scheme:
        return [], []
    try:
        scheme = parse_scheme(dict(draft.scheme))
    except Malformed as fault:
        reason = f"评标办法不能识别：{fault}"
        return [Refusal("scheme_malformed", BIDDING_LAW[19], reason)], []
    demands = switches_of(draft.procedure, on=draft.on)
    switches = SchemeSwitches(
        demands.regime,
        PROCURED[draft.category],
        lowest_price_wins=demands.lowest_price_wins,
        lowest_price_article=demands.quorum_article,
        consulted=holds_talks(demands) and demands.scored,
    )
    return scheme_refusals(scheme, switches), scheme_cautions(scheme, switches)


# ── forms ─────────────────────────────────────────────────────────────────────────────────────


async def _project_form(
    tx: Transaction,
    values: Mapping[str, str] = MappingProxyType({}),
    errors: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """What the form of a project shows: what was typed, what is wrong, and what can be chosen."""
    other = Role.AGENCY if tx.actor.role is Role.TENDEREE else Role.TENDEREE
    rows = await tx.session.execute(
        select(col(OrganisationRow.id), col(OrganisationRow.name))
        .where(col(OrganisationRow.roles).contains([str(other)]))
        .order_by(col(OrganisationRow.name))
        .limit(500)
    )
    return {
        "values": values,
        "errors": errors,
        "wrong": dict(errors),
        "role": tx.actor.role,
        "others": [(str(id), name) for id, name in rows],
        "industries": list(industries().values()),
        "procedures": [(str(key), name) for key, name in PROCEDURE_NAMES.items() if key in OFFERED],
        "exemptions": [
            (str(key), f"{name}（{cited}）") for key, (name, cited) in EXEMPTION_NAMES.items()
        ],
        "invitations": [(str(key), name) for key, name in INVITATION_NAMES.items()],
        "cases": [
            (str(key), GROUND_NAMES[key])
            for key in MethodGround
            if any(key in grounds for method, (_, grounds) in CASES.items() if method in OFFERED)
        ],
        "now": tx.now,
    }


@dataclass(frozen=True, slots=True)
class _Place:
    """Of which project and procedure the lot of a form is; `lot_id` once it is drafted."""

    project_id: UUID
    procedure: Procedure
    lot_id: UUID | None = None


def _lot_form(
    tx: Transaction,
    place: _Place,
    *,
    values: Mapping[str, str],
    forms: Sequence[str],
    errors: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """What the form of a lot shows: what was typed, what is wrong, and what can be chosen."""
    return {
        "procedure": place.procedure,
        "values": values,
        "forms": [str(form) for form in forms],
        "errors": errors,
        "wrong": dict(errors),
        "lot_id": place.lot_id,
        "project_id": place.project_id,
        "own_words": [(key, REQUIRED_WORDS[key][0]) for key in OWN_WORDS],
        "now": tx.now,
    }


async def _lot_asked(request: Request, tx: Transaction, place: _Place) -> LotAsked | HTMLResponse:
    """The terms that the form states, or the form again with what is wrong.

    Where the act turns the terms down the form comes again too.
    """
    form = await request.form()
    values = {name: str(value) for name, value in form.items()}
    forms = [str(one) for one in form.getlist("security_forms")]
    try:
        asked = LotAsked.model_validate(_lot_said(form))
    except ValidationError as fault:
        shown = _lot_form(tx, place, values=values, forms=forms, errors=_errors(request, fault))
        return render(request, LOT_FORM, status_code=422, **shown)
    keep_form(request, LOT_FORM, **_lot_form(tx, place, values=values, forms=forms))
    return asked


def _lot_said(form: FormData) -> dict[str, Any]:
    """The lot's terms as the form states them, still to be validated."""
    said = {name: str(value).strip() for name, value in form.items() if isinstance(value, str)}
    plan: dict[str, Any] = {
        name: _beijing(said[name])
        for name in ("documents_from", "documents_until", "bids_due_at")
        if said.get(name)
    }
    if said.get("release_window_min", "").isdigit():
        plan["release_window_s"] = int(said["release_window_min"]) * 60
    plan |= {name: said[name] for name in ("publicity_days", "validity_days") if said.get(name)}
    return {
        "name": said.get("name", ""),
        "region": said.get("region", ""),
        "estimate": said.get("estimate", ""),
        "ceiling_price": said.get("ceiling_price") or None,
        "bid_security": said.get("bid_security") or "0",
        "security_forms": form.getlist("security_forms"),
        "scheme": _json(said.get("scheme", "")),
        "sheet_fields": _sheet_rows(said.get("sheet_fields", "")),
        "notice": {key: said[key] for key in OWN_WORDS if said.get(key)},
        "plan": plan,
    }


def _beijing(text: str) -> object:
    """A form's local time as an instant in Beijing; what is no time is left to be refused."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=BEIJING)
    except ValueError:
        return text


def _json(text: str) -> object:
    if not text:
        return {}
    try:
        return json.loads(text)
    except ValueError:
        return text


def _sheet_rows(text: str) -> list[dict[str, str]]:
    rows = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        key, _, rest = line.partition("|")
        label, _, kind = rest.partition("|")
        rows.append({"key": key.strip(), "label": label.strip(), "kind": kind.strip()})
    return rows


def _sheet_text(fields: Any) -> str:
    return "\n".join(f"{one['key']} | {one['label']} | {one['kind']}" for one in fields)


def _lot_values(draft: Draft) -> dict[str, str]:
    plan = draft.plan
    values = {
        "name": draft.line.name,
        "region": draft.line.region_code,
        "estimate": yuan_text(draft.estimate),
        "ceiling_price": "",
        "bid_security": yuan_text(draft.bid_security),
        "scheme": json.dumps(draft.scheme, ensure_ascii=False, indent=2) if draft.scheme else "",
        "sheet_fields": _sheet_text(draft.sheet_fields),
        "release_window_min": str(plan.get("release_window_s", 1800) // 60),
        "publicity_days": str(plan.get("publicity_days", 3)),
        "validity_days": str(plan.get("validity_days", 90)),
        **{key: draft.words.get(key, "") for key in OWN_WORDS},
    }
    if draft.line.ceiling_price is not None:
        values["ceiling_price"] = yuan_text(draft.line.ceiling_price)
    for name in ("documents_from", "documents_until", "bids_due_at"):
        if plan.get(name):
            at = datetime.fromisoformat(plan[name]).astimezone(BEIJING)
            values[name] = f"{at:%Y-%m-%dT%H:%M}"
    return values


LABELS: Final = {
    "code": "项目编号由字母、数字和 . _ - 组成，3 至 40 位",
    "name": "请填写名称，最多 200 字",
    "region": "行政区划代码为 6 位数字",
    "estimate": "金额写作 1234567.00",
    "total_investment": "金额写作 1234567.00",
    "budget_funds": "金额写作 1234567.00",
    "investment_code": "投资项目代码由字母、数字和 - 组成，最多 40 位",
    "ceiling_price": "金额写作 1234567.00，没有可留空",
    "bid_security": "金额写作 1234567.00",
    "scheme": "评标办法须为 JSON 对象，不得含小数；小数写成文字",
    "sheet_fields": "每行一项：代码 | 名称 | money、count 或 text",
    "funding_source": "请填写资金来源",
    "tenderee": "请选择招标人",
    "plan": "时间格式不正确",
    "notice": "公告文字最多 4000 字",
}
"""What a field of the forms asks for, said again where it was not met."""


def _require_owner(tx: Transaction) -> None:
    if tx.actor.role not in (Role.TENDEREE, Role.AGENCY):
        raise NotPermitted("projects are entered by tenderees and agencies")


def _errors(request: Request, fault: ValidationError) -> list[tuple[str, str]]:
    """Each faulty field once, with what it asks for; a program gets the faults themselves."""
    if not prefers_page(request):
        raise RequestValidationError(
            [{**error, "loc": ("body", *error["loc"])} for error in fault.errors()]
        )
    found: dict[str, str] = {}
    for error in fault.errors():
        place = [str(part) for part in error["loc"]]
        name = place[0] if place else "name"
        field = place[1] if name in ("plan", "notice", "contact") and len(place) > 1 else name
        found.setdefault(field, LABELS.get(name, "填写格式不正确"))
    return list(found.items())


async def _custodians_to_choose(tx: Transaction) -> list[tuple[str, str]]:
    rows = await tx.session.execute(
        select(
            col(MembershipRow.person_id),
            col(MembershipRow.party_id),
            col(PersonRow.name),
            col(OrganisationRow.name),
        )
        .join(PersonRow, col(PersonRow.id) == col(MembershipRow.person_id))
        .join(OrganisationRow, col(OrganisationRow.id) == col(MembershipRow.party_id))
        .where(
            col(MembershipRow.role) == Role.CUSTODIAN,
            col(MembershipRow.ended_at).is_(None),
            col(OrganisationRow.verified_at).is_not(None),
        )
        .order_by(col(OrganisationRow.name), col(PersonRow.name))
        .limit(200)
    )
    return [(f"{person}/{party}", f"{office} · {name}") for person, party, name, office in rows]


# ── how answers are told ──────────────────────────────────────────────────────────────────────


def _draft_told(draft: Draft) -> dict[str, Any]:
    return {
        **line_told(draft.line),
        "estimate": yuan_text(draft.estimate),
        "bid_security": yuan_text(draft.bid_security),
        "security_forms": [str(form) for form in draft.security_forms],
        "scheme": dict(draft.scheme),
        "sheet_fields": list(draft.sheet_fields),
        "notice": dict(draft.words),
        "plan": dict(draft.plan),
        "documents": [
            {"name": one.name, "sha256": one.digest.hex(), "size": one.size} for one in draft.files
        ],
        "officials_threshold": draft.custody.officials_threshold,
        "escrow_threshold": draft.custody.escrow_threshold,
        "custodians": [
            {
                "person": str(holder.person_id),
                "organisation": str(holder.party_id),
                "name": holder.name,
                "escrow_shares": holder.escrow_shares,
                "kid": holder.kid or None,
            }
            for holder in draft.custody.holders
        ],
    }


def _papers_shown(papers: Papers) -> list[tuple[str, str]]:
    return [
        (name, json.dumps(paper, ensure_ascii=False, indent=2, sort_keys=True))
        for name, paper in (
            ("timetable", papers.timetable),
            ("opening-policy", papers.opening_policy),
            ("notice", papers.notice),
        )
    ]


def clarification_form(
    found: notice_board.Notice, versions: Sequence[Version], *, earliest: date | None
) -> dict[str, Any]:
    """What the form of a clarification starts from: the times, words and terms in force.

    `earliest` is the first day to which a change would have to move the deadline, if it must.
    """
    words = versions[-1].words
    return {
        "number": len(found.papers) + 1,
        "version": len(versions) + 1,
        "timetable": times_to_sign(found),
        "places": [
            (place, PLACE_NAMES[place], words[place], place in AFFECTING)
            for place in PLACE_NAMES
            if place in words and place not in STANDING
        ],
        "terms": {
            "ceiling_price": ""
            if found.line.ceiling_price is None
            else yuan_text(found.line.ceiling_price),
            "bid_security": yuan_text(found.bid_security),
            "security_forms": [str(form) for form in found.security_forms],
            "sheet_fields": _sheet_text(found.sheet_fields),
            "scheme": json.dumps(found.scheme, ensure_ascii=False, indent=2),
        },
        "earliest": earliest,
    }


def times_to_sign(found: notice_board.Notice) -> dict[str, Any]:
    """The next version of the timetable, as an amendment begins."""
    times = found.times
    return {
        "project": str(found.line.project_id),
        "lot": str(found.line.lot_id),
        "version": times.version + 1,
        "previous": b64u(times.digest),
        "documents_from": instant_text(times.documents_from),
        "documents_until": instant_text(times.documents_until),
        "bids_due_at": instant_text(times.bids_due_at),
        "release_window_s": times.release_window_s,
        "publicity_days": times.publicity_days,
        "validity_days": times.validity_days,
    }
