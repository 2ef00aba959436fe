"""A tenderee, or an agency for it, prepares a tender before anyone else may know of it.

A draft is seen by its owners and nobody else: for all others there is no such lot. A named
custodian sees that a key is asked of him, and not what for. Nothing here is lawful or unlawful yet
but who holds the keys; the terms are judged when they are published.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlmodel import col

from blacklist.standing import BarredAct, standing_of, standing_refusals
from kernel.access import Role, by
from kernel.crypto.digests import Malformed, canonical, sha256, text_of, unb64u
from kernel.crypto.signing import PUBLIC_KEY_SIZE, loaded_public_key, thumbprint
from kernel.errors import NotFound, Outrun, Refused
from kernel.events import plain
from kernel.identifiers import LotId, PartyId, PersonId, ProjectId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, E_BIDDING_MEASURES
from kernel.store.parties import (
    organisation,
    organisations_by_id,
    take_part,
    verification_refusals,
    verified_statement,
)
from kernel.store.tables import MembershipRow, OrganisationRow, PersonRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import agency_letters, cataloguing, lots, numbering
from trading.cataloguing import CatalogueFacts
from trading.events import (
    AgencyAuthorised,
    CustodianKeyRegistered,
    CustodianNamed,
    DraftDropped,
    LotDrafted,
    ProjectCreated,
)
from trading.industries import OTHER
from trading.rules.agency_scope import AgencyAct
from trading.rules.key_custody import Custody, Holder, custody_refusals
from trading.rules.lot_lifecycle import LotMove, LotState
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure, SecurityForm, switches_of
from trading.rules.tender_file import FILE_NAME
from trading.tables import (
    CustodianKeyRow,
    CustodianRow,
    InvitationRow,
    LotRow,
    PrequalificationRow,
    ProjectRow,
    RetenderRow,
    ShareRow,
    SoleSupplierRow,
    TenderDocumentRow,
)

FILE_NAME_MAX = 120


@dataclass(frozen=True, slots=True)
class ProjectTerms:
    """A project as it is entered.

    `contact` holds the words of the notice about whom to ask: `tenderee_address`,
    `tenderee_contact`, and with an agency `agency_address` and `agency_contact`. `state_funded`
    says that state money controls or dominates it, so that the first in rank must win. `facts` are
    what the trading catalogue asks besides.
    """

    code: str
    name: str
    procedure: Procedure
    category: WorkKind
    region_code: str
    funding_source: str
    tenderee_id: PartyId
    agency_id: PartyId | None
    contact: dict[str, str]
    state_funded: bool = True
    industry: str = OTHER
    facts: CatalogueFacts = field(default_factory=CatalogueFacts)


@dataclass(frozen=True, slots=True)
class LotTerms:
    """A lot as its owner would tender it.

    `scheme` is the evaluation scheme, `sheet_fields` what the opening sheet of each bid states,
    `notice` the notice's words by key, `plan` the proposed times.
    """

    name: str
    region_code: str
    estimate: Decimal
    ceiling_price: Decimal | None
    bid_security: Decimal
    security_forms: tuple[SecurityForm, ...]
    scheme: dict[str, Any]
    sheet_fields: tuple[dict[str, Any], ...]
    notice: dict[str, str]
    plan: dict[str, Any]
    officials_threshold: int = 3
    escrow_threshold: int | None = 4


@dataclass(frozen=True, slots=True)
class Nomination:
    """A person of an organisation, to keep a key that is dealt so many escrow shares."""

    person_id: PersonId
    party_id: PartyId
    escrow_shares: int = 1


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a named custodian may know: who asks for a key, whether it is there, and what is next.

    `name` is the lot's once it is published, and empty before. `gave_shares` is about this
    custodian's own shares alone.
    """

    lot_id: LotId
    project_id: ProjectId
    tenderee: str
    name: str
    published: bool
    state: LotState
    bids_due_at: datetime | None
    release_until: datetime | None
    escrow_shares: int
    kid: str
    gave_shares: bool


# ── projects ──────────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def create_project(tx: Transaction, terms: ProjectTerms) -> ProjectId:
    """Enter a project of the acting tenderee, or one that an agency prepares for a tenderee.

    It is placed in the trading catalogue together with what else the tenderee puts up: inside the
    catalogue it cannot be entered as something freer than it is. A tenderee who names an agency
    authorises it by that; an agency that comes first waits for `authorise_agency`.
    """
    tenderee = await organisation(tx, terms.tenderee_id)
    agency = None if terms.agency_id is None else await organisation(tx, terms.agency_id)
    taken = await tx.session.scalar(
        select(col(ProjectRow.id)).where(col(ProjectRow.code) == terms.code)
    )

    project = _project_of(tx, terms)
    await cataloguing.lock_siblings(tx, project)
    scope = await cataloguing.scope_of(tx, project)
    stated = terms.facts.estimate is not None

    refusals = []
    own = terms.tenderee_id if tx.actor.role is Role.TENDEREE else terms.agency_id
    if own != tx.actor.party:
        refusals.append(Refusal("not_own_project", BIDDING_LAW[12], "只能以本单位名义建立招标项目"))
    refusals += verification_refusals(
        verified=(tenderee if tx.actor.role is Role.TENDEREE else agency or tenderee).verified
    )
    if Role.TENDEREE not in tenderee.roles:
        refusals.append(Refusal("no_tenderee", BIDDING_LAW[8], f"{tenderee.name}未登记为招标人"))
    if agency is not None and (Role.AGENCY not in agency.roles or agency.id == tenderee.id):
        refusals.append(Refusal("no_agency", BIDDING_LAW[13], f"{agency.name}未登记为招标代理机构"))
    refusals += await agency_bars(tx, terms.agency_id, terms.procedure)
    refusals += cataloguing.catalogue_grounds(tx, scope, stated=stated)
    if refusals:
        raise Refused(refusals)
    if taken is not None:
        raise Outrun("a project with this code exists")

    project.judgement = cataloguing.judgement_of(tx, scope, stated=stated)
    project.platform_code = await numbering.platform_code(tx, project)
    tx.session.add(project)

    for party_id in filter(None, (terms.tenderee_id, terms.agency_id)):
        tx.record(
            ProjectCreated(
                project.id,
                addressee_id=party_id,
                code=terms.code,
                name=terms.name,
                tenderee_id=terms.tenderee_id,
                agency_id=terms.agency_id,
            )
        )

    return ProjectId(project.id)


def _project_of(tx: Transaction, terms: ProjectTerms) -> ProjectRow:
    return ProjectRow(
        id=random_id(),
        code=terms.code,
        name=terms.name,
        procedure=terms.procedure,
        category=terms.category,
        industry=terms.industry,
        region_code=terms.region_code,
        funding_source=terms.funding_source,
        state_funded=terms.state_funded,
        tenderee_id=terms.tenderee_id,
        agency_id=terms.agency_id,
        authorised_at=tx.now if terms.agency_id and tx.actor.role is Role.TENDEREE else None,
        contact=terms.contact,
        created_by=tx.actor.person,
        created_at=tx.now,
        estimate=terms.facts.estimate,
        investment_code=terms.facts.investment_code,
        scope=terms.facts.kept(),
    )


@by(Role.TENDEREE)
async def authorise_agency(tx: Transaction, project_id: UUID, raw: bytes) -> None:
    """The tenderee signs what the agency does for it in this project, until when (招标投标法 15).

    A letter that names neither lots nor acts nor a last day entrusts the whole project.

    An agency that came first did not know of all that the tenderee puts up; the tenderee does, so
    the catalogue is asked again.
    """
    project = await owned_project(tx, project_id)
    agency_id = project.agency_id
    if agency_id is None:
        raise NotFound("the project has no agency")
    statement = await verified_statement(
        tx, raw, "authorisation", project=project.id, agency=agency_id
    )

    await cataloguing.lock_siblings(tx, project)
    scope = await cataloguing.scope_of(tx, project)
    stated = project.estimate is not None

    refusals = await agency_bars(tx, agency_id, Procedure(project.procedure))
    refusals += cataloguing.catalogue_grounds(tx, scope, stated=stated)
    if refusals:
        raise Refused(refusals)

    await agency_letters.keep_letter(tx, project, agency_id, statement)
    project.judgement = cataloguing.judgement_of(tx, scope, stated=stated)
    project.authorised_at = project.authorised_at or tx.now

    tx.record(
        AgencyAuthorised(
            project.id,
            addressee_id=agency_id,
            agency_id=agency_id,
            statement_digest=statement.digest,
        )
    )


async def agency_bars(
    tx: Transaction, agency_id: UUID | None, procedure: Procedure
) -> list[Refusal]:
    """Every decision that forbids the agency today to act in a procedure of that kind."""
    if agency_id is None:
        return []
    switches = switches_of(procedure, on=beijing_day(tx.now))
    standing = await standing_of(
        tx,
        act=BarredAct.AGENCY,
        on=tx.now,
        party_id=agency_id,
        regime=switches.regime,
        mandatory=switches.mandatory,
    )
    return standing_refusals(standing)


async def owned_project(tx: Transaction, project_id: UUID) -> ProjectRow:
    """The project, for those whose it is; for everybody else there is none."""
    project = await tx.session.get(ProjectRow, project_id)
    if project is None or not lots.owns(tx, project):
        raise NotFound("no such project")
    return project


async def locked_own_lot(
    tx: Transaction, lot_id: UUID, act: AgencyAct | None = AgencyAct.DRAFT
) -> tuple[LotRow, ProjectRow]:
    """The lot, locked, and its project, for its owners who now take part in it.

    An agency must be authorised to do this for its tenderee; without `act` the caller asks itself.
    """
    lot = await lots.lock(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    if act is not None:
        await agency_letters.require_scope(tx, project, act, lot.id)
    await take_part(tx, lot.id)
    return lot, project


# ── drafts ────────────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def draft_lot(tx: Transaction, project_id: UUID, terms: LotTerms) -> LotId:
    """Begin a lot of the project, as a draft that only its owners see."""
    project = await owned_project(tx, project_id)
    await tx.session.refresh(project, with_for_update=True)
    await agency_letters.require_scope(tx, project, AgencyAct.DRAFT, None)
    last = await tx.session.scalar(
        select(func.max(LotRow.number)).where(col(LotRow.project_id) == project_id)
    )
    lot = LotRow(
        id=random_id(),
        project_id=project.id,
        number=(last or 0) + 1,
        name=terms.name,
        state=LotState.DRAFT,
        region_code=terms.region_code,
        estimate=terms.estimate,
        created_by=tx.actor.person,
        created_at=tx.now,
    )
    await take_part(tx, lot.id)

    await _write_terms(tx, lot, terms)
    tx.session.add(lot)

    tx.record(_drafted(tx, lot, terms))

    return LotId(lot.id)


@by(Role.TENDEREE, Role.AGENCY)
async def redraft_lot(tx: Transaction, lot_id: UUID, terms: LotTerms) -> None:
    """Replace a draft's terms; once published they stand."""
    lot, _ = await locked_own_lot(tx, lot_id)

    require_draft(lot)

    await _write_terms(tx, lot, terms)

    tx.record(_drafted(tx, lot, terms))


@by(Role.TENDEREE, Role.AGENCY)
async def drop_draft(tx: Transaction, lot_id: UUID) -> None:
    """Give up a draft; nobody but its owners ever learns of it.

    One whose prequalification was announced is known, and ends by a notice like a published lot.
    """
    lot, project = await locked_own_lot(tx, lot_id)

    require_draft(lot)
    if lot.prequalified:
        reason = "已发布资格预审公告，终止招标应当发布公告并说明理由"
        raise Refused([Refusal("prequalification_announced", BIDDING_REGULATION[31], reason)])

    lots.move(tx, lot, LotMove.CANCEL)

    for party_id in filter(None, (project.tenderee_id, project.agency_id)):
        tx.record(DraftDropped(lot.id, addressee_id=party_id))


async def _write_terms(tx: Transaction, lot: LotRow, terms: LotTerms) -> None:
    lot.name = terms.name
    lot.region_code = terms.region_code
    lot.estimate = terms.estimate
    lot.ceiling_price = terms.ceiling_price
    lot.bid_security = terms.bid_security
    lot.security_forms = [str(form) for form in terms.security_forms]
    lot.scheme_digest = await tx.documents.keep(canonical(terms.scheme))
    lot.sheet_fields = list(terms.sheet_fields)
    lot.notice = dict(terms.notice)
    lot.plan = dict(terms.plan)
    lot.officials_threshold = terms.officials_threshold
    lot.escrow_threshold = terms.escrow_threshold


def _drafted(tx: Transaction, lot: LotRow, terms: LotTerms) -> LotDrafted:
    return LotDrafted(
        lot.id,
        addressee_id=tx.actor.party,
        number=lot.number,
        terms_digest=sha256(canonical(plain(terms))),
    )


def require_draft(lot: LotRow) -> None:
    """The lot is still a draft; `Refused` once it is published."""
    if LotState(lot.state) is not LotState.DRAFT:
        raise Refused(
            [
                Refusal(
                    "already_published",
                    BIDDING_LAW[23],
                    "招标公告已经发布，只能以澄清或者修改公告的方式变更",
                )
            ]
        )


# ── documents ─────────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def add_document(
    tx: Transaction, lot_id: UUID, name: str, content: bytes, *, media_type: str
) -> bytes:
    """Put a file among a draft's tender documents, in place of one of that name; its digest."""
    lot, _ = await locked_own_lot(tx, lot_id)

    require_draft(lot)
    name = file_name(name)
    if name == FILE_NAME:
        raise Malformed("the tender file of blocks has this name", code="file_name")
    if not content:
        raise Malformed("an empty file", code="file_empty")

    digest = await tx.documents.keep(content)
    await tx.session.merge(
        TenderDocumentRow(
            lot_id=lot.id,
            name=name,
            clarification=0,
            digest=digest,
            size=len(content),
            media_type=media_type,
            added_at=tx.now,
        )
    )

    return digest


@by(Role.TENDEREE, Role.AGENCY)
async def keep_clarification_file(tx: Transaction, lot_id: UUID, content: bytes) -> bytes:
    """Keep a file for a published lot, to be named by a clarification; its digest.

    Until one names it, it is a file among others that nothing refers to.
    """
    await locked_own_lot(tx, lot_id)

    if not content:
        raise Malformed("an empty file", code="file_empty")

    return await tx.documents.keep(content)


@by(Role.TENDEREE, Role.AGENCY)
async def remove_document(tx: Transaction, lot_id: UUID, name: str) -> None:
    """Take a file out of a draft's tender documents."""
    lot, _ = await locked_own_lot(tx, lot_id)

    require_draft(lot)

    gone = await tx.session.execute(
        delete(TenderDocumentRow)
        .where(
            col(TenderDocumentRow.lot_id) == lot.id,
            col(TenderDocumentRow.name) == file_name(name),
        )
        .returning(col(TenderDocumentRow.name))
    )
    if gone.first() is None:
        raise NotFound("no such file")


def clean_text(value: object, *, at_most: int) -> str:
    """A text of bounded length without signs that cannot be seen, line ends and tabs excepted."""
    text = unicodedata.normalize("NFC", text_of(value)).strip()
    if not text or len(text) > at_most:
        raise Malformed(f"a text of 1 to {at_most} characters was expected", code="text")
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\r\t" for sign in text):
        raise Malformed("a text has no control characters", code="text")
    return text


def file_name(name: str) -> str:
    """The name, if a file may be called so everywhere: no path, no control sign, no hidden file."""
    name = unicodedata.normalize("NFC", name).strip()
    strange = any(unicodedata.category(sign)[0] == "C" or sign in '/\\:*?"<>|' for sign in name)
    if not name or len(name) > FILE_NAME_MAX or strange or name.startswith("."):
        raise Malformed("a file cannot have this name", code="file_name")
    return name


# ── custodians ────────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def name_custodians(tx: Transaction, lot_id: UUID, nominations: Sequence[Nomination]) -> None:
    """Say who is to keep the lot's keys, all of them at once; those named before are replaced.

    A person must be a custodian of the organisation named. Keys already registered by persons who
    stay are kept.
    """
    lot, _ = await locked_own_lot(tx, lot_id)
    parties = await organisations_by_id(tx, [one.party_id for one in nominations])
    names = await _custodians_of(tx, nominations)

    require_draft(lot)
    strangers = [
        Refusal(
            "not_a_custodian",
            E_BIDDING_MEASURES[13],
            f"人员 {one.person_id} 不是单位 {one.party_id} 登记的密钥保管人",
        )
        for one in nominations
        if one.person_id not in names or one.party_id not in parties
    ]
    if strangers:
        raise Refused(strangers)
    holders = tuple(
        Holder(
            one.person_id,
            one.party_id,
            names[one.person_id],
            one.escrow_shares,
            is_regulator=Role.SUPERVISOR in parties[one.party_id].roles,
        )
        for one in nominations
    )
    refusals = custody_refusals(Custody(holders, lot.officials_threshold, lot.escrow_threshold))
    if refusals:
        raise Refused(refusals)

    await tx.session.execute(delete(CustodianRow).where(col(CustodianRow.lot_id) == lot.id))
    tx.session.add_all(
        CustodianRow(
            lot_id=lot.id,
            person_id=one.person_id,
            party_id=one.party_id,
            place=place,
            escrow_shares=one.escrow_shares,
            named_at=tx.now,
        )
        for place, one in enumerate(nominations, 1)
    )

    for one in nominations:
        tx.record(
            CustodianNamed(
                lot.id,
                addressee_id=one.party_id,
                custodian_id=one.person_id,
                escrow_shares=one.escrow_shares,
            )
        )


async def _custodians_of(tx: Transaction, nominations: Sequence[Nomination]) -> dict[UUID, str]:
    """The names of those nominated who are custodians of the organisation they are named for."""
    rows = await tx.session.execute(
        select(col(MembershipRow.person_id), col(MembershipRow.party_id), col(PersonRow.name))
        .join(PersonRow, col(PersonRow.id) == col(MembershipRow.person_id))
        .where(
            col(MembershipRow.person_id).in_([one.person_id for one in nominations]),
            col(MembershipRow.role) == Role.CUSTODIAN,
            col(MembershipRow.ended_at).is_(None),
        )
    )
    members = {(person_id, party_id): name for person_id, party_id, name in rows}
    return {
        one.person_id: members[one.person_id, one.party_id]
        for one in nominations
        if (one.person_id, one.party_id) in members
    }


@by(Role.CUSTODIAN)
async def register_custodian_key(tx: Transaction, lot_id: UUID, raw: bytes) -> str:
    """A named custodian registers the public key that this lot's bids are sealed to; its kid.

    Whoever is not named is told that there is no such lot.
    """
    lot = await lots.lock(tx, lot_id)
    named = await tx.session.get(CustodianRow, (lot.id, tx.actor.person))
    if named is None or named.party_id != tx.actor.party:
        raise NotFound("no such lot")
    statement = await verified_statement(
        tx, raw, "custodian-key", lot=lot.id, project=lot.project_id
    )
    kid, public_key = _key_in(statement.payload)
    await take_part(tx, lot.id)
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    known = await tx.session.get(CustodianKeyRow, (lot.id, kid))

    require_draft(lot)
    if known is not None and known.person_id == tx.actor.person:
        return kid
    if known is not None:
        raise Refused(
            [
                Refusal(
                    "custodian_key_shared",
                    E_BIDDING_MEASURES[27],
                    "两名密钥保管人不得使用同一公钥",
                )
            ]
        )

    tx.session.add(
        CustodianKeyRow(
            lot_id=lot.id,
            kid=kid,
            person_id=tx.actor.person,
            public_key=public_key,
            statement=statement.envelope,
            registered_at=tx.now,
        )
    )

    for party_id in filter(None, (project.tenderee_id, project.agency_id)):
        tx.record(
            CustodianKeyRegistered(
                lot.id,
                addressee_id=party_id,
                custodian_id=tx.actor.person,
                kid=kid,
                statement_digest=statement.digest,
            )
        )

    return kid


def _key_in(payload: dict[str, Any]) -> tuple[str, bytes]:
    public_key = unb64u(payload["public_key"], PUBLIC_KEY_SIZE)
    loaded_public_key(public_key)
    kid = thumbprint(public_key)
    if payload["kid"] != kid:
        raise Malformed("the kid is not the key's thumbprint")
    return kid, public_key


@by(Role.CUSTODIAN)
async def own_assignments(tx: Transaction) -> list[Assignment]:
    """The lots for which the acting custodian is named, newest first."""
    rows = (
        await tx.session.execute(
            select(CustodianRow, LotRow, ProjectRow)
            .join(LotRow, col(LotRow.id) == col(CustodianRow.lot_id))
            .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
            .where(
                col(CustodianRow.person_id) == tx.actor.person,
                col(CustodianRow.party_id) == tx.actor.party,
            )
            .order_by(col(CustodianRow.named_at).desc())
        )
    ).all()
    tenderees = await organisations_by_id(tx, [project.tenderee_id for _, _, project in rows])
    kids = await newest_kids(tx, [lot.id for _, lot, _ in rows])
    gave = await _shares_given(tx, list(kids.values()))

    def assignment(custodian: CustodianRow, lot: LotRow, project: ProjectRow) -> Assignment:
        kid = kids.get((lot.id, custodian.person_id), "")
        published = lot.published_at is not None
        return Assignment(
            LotId(lot.id),
            ProjectId(project.id),
            tenderees[PartyId(project.tenderee_id)].name,
            lot.name if published else "",
            published,
            LotState(lot.state),
            lot.bids_due_at if published else None,
            lot.release_until,
            custodian.escrow_shares,
            kid,
            (lot.id, kid) in gave,
        )

    return [assignment(*row) for row in rows]


async def _shares_given(tx: Transaction, kids: Sequence[str]) -> set[tuple[UUID, str]]:
    """The lots in whose opening one of these keys has given its shares, each with the key."""
    rows = await tx.session.execute(
        select(col(ShareRow.lot_id), col(ShareRow.kid))
        .where(col(ShareRow.kid).in_(kids))
        .distinct()
    )
    return {(lot_id, kid) for lot_id, kid in rows}


async def newest_kids(tx: Transaction, lot_ids: Sequence[UUID]) -> dict[tuple[UUID, UUID], str]:
    """The key that counts for each lot and person: the one registered last."""
    rows = await tx.session.execute(
        select(
            col(CustodianKeyRow.lot_id), col(CustodianKeyRow.person_id), col(CustodianKeyRow.kid)
        )
        .where(col(CustodianKeyRow.lot_id).in_(lot_ids))
        .order_by(col(CustodianKeyRow.registered_at))
    )
    return {(lot_id, person_id): kid for lot_id, person_id, kid in rows}


@dataclass(frozen=True, slots=True)
class Beside:
    """Which of what most drafts have not stands beside one, so that it need not be looked for."""

    files: bool
    sole_supplier: bool
    invitation: bool
    retender: bool
    prequalification: bool


async def beside(tx: Transaction, lot: LotRow) -> Beside:
    """What stands beside this draft."""
    owners = (
        col(TenderDocumentRow.lot_id),
        col(SoleSupplierRow.lot_id),
        col(InvitationRow.lot_id),
        col(RetenderRow.lot_id),
        col(PrequalificationRow.lot_id),
    )
    asked = select(*(exists().where(owner == lot.id) for owner in owners))
    return Beside(*map(bool, (await tx.session.execute(asked)).one()))


async def custody_of(tx: Transaction, lot: LotRow) -> Custody:
    """Who holds the lot's keys now, in the order in which they were named."""
    newest_kid = (
        select(col(CustodianKeyRow.kid))
        .where(
            col(CustodianKeyRow.lot_id) == col(CustodianRow.lot_id),
            col(CustodianKeyRow.person_id) == col(CustodianRow.person_id),
        )
        .order_by(col(CustodianKeyRow.registered_at).desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = await tx.session.execute(
        select(CustodianRow, col(PersonRow.name), col(OrganisationRow.roles), newest_kid)
        .join(PersonRow, col(PersonRow.id) == col(CustodianRow.person_id))
        .join(OrganisationRow, col(OrganisationRow.id) == col(CustodianRow.party_id))
        .where(col(CustodianRow.lot_id) == lot.id)
        .order_by(col(CustodianRow.place))
    )
    return Custody(
        tuple(
            Holder(
                row.person_id,
                row.party_id,
                name,
                row.escrow_shares,
                is_regulator=str(Role.SUPERVISOR) in roles,
                kid=kid or "",
            )
            for row, name, roles, kid in rows
        ),
        lot.officials_threshold,
        lot.escrow_threshold,
    )
