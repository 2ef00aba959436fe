"""From the award notice to a contract that both sides have signed, and its filing.

The platform writes the contract from the tender's form and the winning bid; nothing in it may
differ in substance (招标投标法 46). The tenderee signs, then the winner signs the very same words:
one envelope, two signatures, one digest. With the second signature the contract is public, so that
no day for making it public is ever missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, b64u, list_of, sha256, text_of
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal, NotPermitted, Refused
from kernel.identifiers import LotId
from kernel.money import yuan_text
from kernel.refusals import Caution
from kernel.statute import Regime
from kernel.store.parties import organisation_names, take_part, verified_statement
from kernel.store.transaction import Transaction
from trading import complaining, lots, objecting, remedying
from trading.composing import published_file
from trading.contract_cases import (
    Case,
    Side,
    awarded_terms,
    case_of,
    locked_case,
    newest_version,
    require_contract,
    side_acting,
    terms_in,
    winner_name,
    yuan_in,
)
from trading.drafting import clean_text
from trading.events import (
    CommitmentsHandedOn,
    ContractConcluded,
    ContractFiled,
    ContractOffered,
)
from trading.rules.complaint_course import void_award_refusals
from trading.rules.contract_course import Step, filing_cautions, step_refusals
from trading.rules.contract_form import contract_clauses
from trading.rules.contract_terms import (
    ContractDraft,
    PublicationDates,
    contract_cautions,
    contract_refusals,
    publication_dates,
)
from trading.rules.notice_contents import WorkKind
from trading.rules.objection_outcome import remedy_refusals
from trading.rules.objection_window import ObjectionKind
from trading.rules.paper_numbers import PaperKind, PaperNumber
from trading.rules.procedures import Offers, SecurityForm
from trading.tables import (
    ContractFilingRow,
    ContractOfferRow,
    ContractRow,
    TenderDocumentRow,
)

FREE: Final = frozenset({"terms", "performance_security", "security_forms", "signed_at"})
"""What the signers write themselves; the main terms are judged by their article."""
NAME_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Offer:
    """A contract that the tenderee has signed: its version, and the digest that both sides sign."""

    version: int
    digest: bytes
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class Concluded:
    """A contract in force: its number and digest, and by when its copy is filed."""

    number: str
    digest: bytes
    signed_at: datetime
    file_due_at: datetime | None
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class Filed:
    """A filing as it was taken in."""

    filed_at: datetime
    cautions: tuple[Caution, ...]


@by(Role.TENDEREE)
async def contract_paper(tx: Transaction, lot_id: LotId) -> dict[str, Any]:
    """The contract as form and winning bid make it, for the tenderee to complete and sign."""
    lot = await lots.hold(tx, lot_id)
    await lots.owned(tx, lot_id)
    case = await case_of(tx, lot)
    refusals = step_refusals(Step.OFFER, case.course, case.switches)
    refusals += void_award_refusals(void=await complaining.award_is_void(tx, lot_id))
    refusals += remedy_refusals(await remedying.remedies_awaited(tx, lot_id), case.switches)
    if refusals:
        raise Refused(refusals)
    return await paper_of(tx, case)


@by(Role.TENDEREE)
async def offer_contract(tx: Transaction, lot_id: LotId, raw: bytes) -> Offer:
    """Sign the contract for the tenderee; a later one replaces it until the winner has signed.

    The same statement again is the same offer.
    """
    case = await locked_case(tx, lot_id)
    await lots.owned(tx, lot_id)
    statement = await verified_statement(
        tx, raw, "contract", lot=lot_id, project=case.lot.project_id
    )
    digest = sha256(Envelope.from_bytes(raw).payload)
    known = await tx.session.scalar(
        select(ContractOfferRow).where(col(ContractOfferRow.digest) == digest)
    )
    if known is not None:
        return Offer(known.version, known.digest, ())

    refusals = step_refusals(Step.OFFER, case.course, case.switches)
    refusals += void_award_refusals(void=await complaining.award_is_void(tx, lot_id))
    refusals += remedy_refusals(await remedying.remedies_awaited(tx, lot_id), case.switches)
    if refusals:
        raise Refused(refusals)
    assert case.award is not None
    draft = await _judged(tx, case, statement.payload)
    cautions = contract_cautions(draft, case.switches, calendar=tx.settings.calendar)

    await take_part(tx, lot_id)
    version = await newest_version(tx, lot_id) + 1
    tx.session.add(
        ContractOfferRow(
            lot_id=lot_id,
            version=version,
            award_number=case.award.number,
            digest=digest,
            statement=raw,
            offered_by=tx.actor.person,
            offered_at=tx.now,
        )
    )

    tx.record(
        ContractOffered(
            lot_id,
            addressee_id=case.party_at(Side.WINNER),
            version=version,
            contract_digest=digest,
        )
    )

    return Offer(version, digest, tuple(cautions))


@by(Role.BIDDER)
async def sign_contract(tx: Transaction, lot_id: LotId, raw: bytes) -> Concluded:
    """Sign for the winner the very words that the tenderee signed; the contract is public then."""
    case = await locked_case(tx, lot_id)
    if side_acting(tx, case) is not Side.WINNER:
        raise NotPermitted("the lot was awarded to somebody else")
    statement = await verified_statement(
        tx, raw, "contract", lot=lot_id, project=case.lot.project_id
    )
    refusals = step_refusals(Step.CONCLUDE, case.course, case.switches)
    refusals += void_award_refusals(void=await complaining.award_is_void(tx, lot_id))
    refusals += remedy_refusals(await remedying.remedies_awaited(tx, lot_id), case.switches)
    if refusals or case.offer is None or case.award is None:
        raise Refused(refusals)
    both = signed_alike(case.offer.statement, raw)

    draft = await _judged(tx, case, statement.payload)
    cautions = contract_cautions(draft, case.switches, calendar=tx.settings.calendar)
    dates = publication_dates(tx.now, case.switches, calendar=tx.settings.calendar)

    await take_part(tx, lot_id)
    number = str(PaperNumber(case.project.code, case.lot.number, PaperKind.CONTRACT))
    winner = await winner_name(tx, case)
    concluded = ContractConcluded(
        lot_id,
        number=number,
        winner_id=case.award.winner_id,
        winner=winner,
        price=draft.terms.price,
        contract_digest=case.offer.digest,
        late=bool(cautions),
    )
    handed_on = CommitmentsHandedOn(
        lot_id,
        award_digest=case.award.digest,
        contract_digest=case.offer.digest,
        winner_id=case.award.winner_id,
        price=draft.terms.price,
        quality=draft.terms.quality,
        period=draft.terms.period,
        manager=text_of(statement.payload["manager"]),
    )
    tx.session.add(
        ContractRow(
            lot_id=lot_id,
            award_number=case.award.number,
            number=number,
            version=case.offer.version,
            digest=case.offer.digest,
            statement=both,
            price=draft.terms.price,
            performance_security=draft.performance_security,
            signed_by=tx.actor.person,
            signed_at=tx.now,
            entry_id=tx.record(concluded),
            public_due_at=None if dates is None else dates.public,
            file_due_at=None if dates is None else dates.filed,
            cautions=[one.as_json() for one in cautions],
        )
    )

    tx.record(handed_on)

    file_due_at = None if dates is None else dates.filed
    return Concluded(number, case.offer.digest, tx.now, file_due_at, tuple(cautions))


@by(Role.TENDEREE, Role.AGENCY)
async def file_contract(tx: Transaction, lot_id: LotId, raw: bytes) -> Filed:
    """Say with whom, and under which number, the contract's copy was filed."""
    case = await locked_case(tx, lot_id)
    await lots.owned(tx, lot_id)
    statement = await verified_statement(
        tx, raw, "contract-filing", lot=lot_id, project=case.lot.project_id
    )
    authority = clean_text(statement.payload["authority"], at_most=NAME_MAX)
    reference = clean_text(statement.payload["reference"], at_most=NAME_MAX)
    refusals = step_refusals(Step.FILE, case.course, case.switches)
    if refusals:
        raise Refused(refusals)
    contract = require_contract(statement.payload["contract"], case)

    dates = _dates(contract)
    cautions = filing_cautions(tx.now, dates)

    await take_part(tx, lot_id)
    tx.session.add(
        ContractFilingRow(
            lot_id=lot_id,
            authority=authority,
            reference=reference,
            digest=statement.digest,
            statement=raw,
            filed_by=tx.actor.person,
            filed_at=tx.now,
            late=bool(cautions),
        )
    )

    tx.record(
        ContractFiled(
            lot_id,
            authority=authority,
            reference=reference,
            statement_digest=statement.digest,
            late=bool(cautions),
        )
    )

    return Filed(tx.now, tuple(cautions))


async def paper_of(tx: Transaction, case: Case) -> dict[str, Any]:
    """The contract as form and winning bid make it, without the words its signers add."""
    assert case.award is not None
    terms, manager = await awarded_terms(tx, case)
    ids = {side: case.party_at(side) for side in Side}
    names = await organisation_names(tx.session, ids.values())
    documents = await tx.session.scalars(
        select(TenderDocumentRow)
        .where(col(TenderDocumentRow.lot_id) == case.lot.id)
        .order_by(col(TenderDocumentRow.clarification), col(TenderDocumentRow.name))
    )
    file = await published_file(tx, case.lot.id)
    form = () if file is None else file.blocks
    return {
        "v": "ebid-contract/1",
        "project": str(case.project.id),
        "lot": str(case.lot.id),
        "number": str(PaperNumber(case.project.code, case.lot.number, PaperKind.CONTRACT)),
        "award": b64u(case.award.digest),
        **{
            str(side): {"id": str(ids[side]), "name": names[ids[side]]}
            for side in (Side.TENDEREE, Side.WINNER)
        },
        "terms": {
            "subject": terms.subject,
            "price": yuan_text(terms.price),
            "quality": terms.quality,
            "period": terms.period,
        },
        "scope": str(case.lot.notice.get("content", "")),
        "manager": manager,
        "clauses": contract_clauses(
            WorkKind(case.project.category),
            form,
            purchase=case.switches.offers is not Offers.SEALED_ONCE,
        ),
        "documents": [{"name": one.name, "sha256": b64u(one.digest)} for one in documents],
        "performance_security": "0.00",
        "security_forms": [],
    }


def signed_alike(first: bytes, second: bytes) -> bytes:
    """One envelope with both signatures; `BrokenSeal` where they are not over the same words."""
    ours, theirs = Envelope.from_bytes(first), Envelope.from_bytes(second)
    if (ours.payload_type, ours.payload) != (theirs.payload_type, theirs.payload):
        raise BrokenSeal("what was signed is not what the other side signed")
    return ours.also_signed(theirs.signatures[0]).to_bytes()


async def _judged(tx: Transaction, case: Case, said: Mapping[str, Any]) -> ContractDraft:
    """The contract that a statement makes; `Refused` where its terms are not those awarded."""
    assert case.award is not None
    due = await paper_of(tx, case)
    fixed = {name: value for name, value in said.items() if name not in FREE}
    if fixed != {name: value for name, value in due.items() if name not in FREE}:
        raise BrokenSeal("what was signed is not the contract that award and bid make")
    challenges = 0
    if case.switches.regime is Regime.PROCUREMENT:
        challenges = await objecting.unanswered(tx, case.lot.id, ObjectionKind.RESULT)
    draft = ContractDraft(
        terms=terms_in(said["terms"]),
        awarded=terms_in(due["terms"]),
        performance_security=yuan_in(said["performance_security"]),
        security_forms=_forms_in(said["security_forms"]),
        awarded_at=case.award.awarded_at,
        signed_at=tx.now,
        open_challenges=challenges,
    )
    refusals = contract_refusals(draft, case.switches)
    if refusals:
        raise Refused(refusals)
    return draft


def _forms_in(told: object) -> frozenset[SecurityForm]:
    forms = list_of(told, at_most=len(SecurityForm))
    if len(set(map(str, forms))) < len(forms) or any(
        one not in list(SecurityForm) for one in forms
    ):
        raise Malformed("the forms of a security are each named once", code="security_forms")
    return frozenset(SecurityForm(text_of(one)) for one in forms)


def _dates(contract: ContractRow) -> PublicationDates | None:
    if contract.public_due_at is None or contract.file_due_at is None:
        return None
    return PublicationDates(contract.public_due_at, contract.file_due_at)
