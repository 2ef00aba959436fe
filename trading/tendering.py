"""A tenderee, or an agency for it, announces a lot, explains its documents and amends its times.

What is published is what was signed: notice, timetable and opening policy are statements of the
tenderee or its agency, and each must say what the platform knows to be so. All grounds against a
publication are given at once, each with its article. From the publication to the close nobody is
told who took the documents, which is why a clarification goes to everybody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import (
    Malformed,
    b64u,
    canonical,
    count_of,
    instant_text,
    list_of,
    members,
    parse_instant,
    sha256,
    strict_json,
    text_of,
    unb64u,
)
from kernel.crypto.signing import Envelope
from kernel.errors import NoCalendar, NotFound, Outrun, Refused
from kernel.money import yuan_text
from kernel.refusals import Caution, Refusal
from kernel.statute import BIDDING_LAW, E_BIDDING_MEASURES
from kernel.store.parties import (
    Organisation,
    Statement,
    organisations_by_id,
    require_verified,
    take_part,
    verified_statement,
)
from kernel.store.tables import CapacityRow, PlatformRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import (
    agency_letters,
    cataloguing,
    composing,
    drafting,
    inviting,
    lots,
    numbering,
    rechecking,
    remedying,
    sole_sourcing,
    splitting,
)
from trading.composing import ComposedFile
from trading.document_versions import told_versions
from trading.drafting import clean_text, file_name, locked_own_lot
from trading.events import (
    ClarificationPublished,
    DocumentsTaken,
    LotCancelled,
    LotPublished,
    TimetableAmended,
)
from trading.mended_papers import unmended_grounds
from trading.notice_board import TenderFile, package_digest, tender_files
from trading.prequalification_rounds import lot_phase, may_bid
from trading.questioning import keep_answers
from trading.rules.agency_scope import AgencyAct
from trading.rules.changed_terms import (
    Terms,
    changed_terms,
    changed_terms_refusals,
    terms_in,
)
from trading.rules.document_changes import Change, change_refusals, changes_in, changes_object
from trading.rules.document_offer import DocumentRequest, offer_refusals
from trading.rules.invited_bidders import NOBODY, invitation_cautions, invitation_refusals
from trading.rules.key_custody import Custody, custody_refusals, key_refusals
from trading.rules.lot_lifecycle import LotMove, LotState, move_refusals
from trading.rules.notice_contents import (
    NoticeContents,
    WorkKind,
    notice_refusals,
    security_cautions,
)
from trading.rules.objection_outcome import Remedy
from trading.rules.opening_policy import Vouchers, policy_document, policy_refusals
from trading.rules.prequalification import access_refusals, publication_refusals
from trading.rules.procedures import Procedure, SecurityForm, Switches, switches_of
from trading.rules.rule_book import Bound
from trading.rules.sheet_fields import sheet_refusals
from trading.rules.single_source import (
    publicity_switches,
    sole_supplier_cautions,
    sole_supplier_refusals,
)
from trading.rules.split_award import announcement_refusals
from trading.rules.tender_checkup import (
    Patient,
    Violation,
    answered_findings,
    bound_of,
    checked,
    file_grounds,
    unanswered_grounds,
)
from trading.rules.tender_ending import (
    Promise,
    Termination,
    return_due_at,
    termination_refusals,
)
from trading.rules.tender_file import FILE_NAME
from trading.rules.timetable import (
    Clarification,
    Timetable,
    amendment_refusals,
    clarification_cautions,
    clarification_refusals,
    must_move_deadline,
    timetable_cautions,
    timetable_refusals,
)
from trading.rules.version_difference import Version
from trading.tables import (
    CustodianKeyRow,
    LotRow,
    NoticeRow,
    OpeningPolicyRow,
    ProjectRow,
    TenderDocumentRow,
    TimetableRow,
)

FILES_MAX = 50
TITLE_MAX = 120
TEXT_MAX = 20_000
WORDS_MAX = 4000
ANSWERS_MAX = 100
BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Papers:
    """What has to be signed so that a draft can be published, and what still stands against it.

    Each paper is the payload to sign, in canonical JSON.
    """

    timetable: dict[str, object]
    opening_policy: dict[str, object]
    notice: dict[str, object]
    refusals: tuple[Refusal, ...]
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class SignedPapers:
    """The three papers as DSSE envelopes."""

    timetable: bytes
    opening_policy: bytes
    notice: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """The digests by which the published papers are known: SHA-256 of their payloads' bytes."""

    timetable_digest: bytes
    policy_digest: bytes
    notice_digest: bytes


@dataclass(frozen=True, slots=True)
class TakenDocuments:
    """The tender documents that a bidder takes, and the one digest of them all."""

    files: tuple[TenderFile, ...]
    package_digest: bytes


@dataclass(frozen=True, slots=True)
class DraftScheme:
    """The evaluation scheme of a draft, and what it is to be judged by on a day."""

    procedure: Procedure
    category: WorkKind
    scheme: Mapping[str, Any]
    on: date


SchemeJudge = Callable[[DraftScheme], tuple[Sequence[Refusal], Sequence[Caution]]]
"""Who knows evaluation says what stands against a scheme, and what is unusual in it."""


def unjudged(_: DraftScheme) -> tuple[Sequence[Refusal], Sequence[Caution]]:
    """No judgement of a scheme: for whoever publishes where nothing is evaluated."""
    return (), ()


@dataclass(frozen=True, slots=True)
class _Tender:
    """A draft with everything that judging its publication needs.

    `invited` is what stands for the invited in the notice, None where everybody may bid;
    `sole_supplier` is what the notice says of the only supplier where there is but one.
    """

    lot: LotRow
    project: ProjectRow
    switches: Switches
    parties: Mapping[UUID, Organisation]
    uploaded: tuple[TenderFile, ...]
    scheme: Mapping[str, Any]
    custody: Custody
    known_grounds: tuple[Refusal, ...]
    doubts: tuple[Caution, ...]
    composed: ComposedFile | None
    invited: bytes | None
    sole_supplier: dict[str, Any] | None

    @property
    def bound(self) -> Bound:
        """Which rules of the book bind it."""
        return bound_of(self.switches)

    @property
    def files(self) -> tuple[TenderFile, ...]:
        """The documents that the notice states: what was uploaded, and the tender file."""
        if self.composed is None:
            return self.uploaded
        content = self.composed.content
        own = TenderFile(FILE_NAME, sha256(content), len(content), composing.JSON, 0)
        return tuple(
            sorted((*self.uploaded, own), key=lambda file: (file.clarification, file.name))
        )


# ── publication ───────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def publication_papers(
    tx: Transaction, lot_id: UUID, *, judge: SchemeJudge = unjudged
) -> Papers:
    """The papers of a draft as they would have to be signed now, and every ground against it."""
    lot, project = await lots.owned(tx, lot_id)
    _require_state(lot, LotState.DRAFT)
    tender = await _tender(tx, lot, project, judge)
    timetable = _proposed_timetable(tx, lot)
    times = _timetable_in(timetable, published_at=tx.now)
    refusals = _grounds(tx, tender, times)
    signed_at = instant_text(tx.now)
    policy = {**await _policy(tx, tender), "signed_at": signed_at}
    timetable["signed_at"] = signed_at
    notice = _notice_document(
        tx, tender, timetable, sha256(canonical(timetable)), sha256(canonical(policy))
    )

    return Papers(
        timetable,
        policy,
        {**notice, "signed_at": signed_at},
        tuple(refusals),
        (
            *security_cautions(_contents(tx, tender)),
            *timetable_cautions(times, tender.switches, calendar=tx.settings.calendar),
            *tender.doubts,
        ),
    )


@by(Role.TENDEREE, Role.AGENCY)
async def checkup(
    tx: Transaction, lot_id: UUID, *, tried: object = None, judge: SchemeJudge = unjudged
) -> tuple[Violation, ...]:
    """The check-up of a draft: every ground and caution with its rule and its place in the file;
    nothing where the procedure has no tender file.

    A document that is `tried` is judged in place of the draft's own file, and not kept.
    """
    lot, project = await lots.owned(tx, lot_id)
    _require_state(lot, LotState.DRAFT)
    tender = await _tender(tx, lot, project, judge, tried)
    times = _timetable_in(_proposed_timetable(tx, lot), published_at=tx.now)

    return tuple(_violations(tx, tender, times))


@by(Role.TENDEREE, Role.AGENCY)
async def publish_lot(
    tx: Transaction, lot_id: UUID, papers: SignedPapers, *, judge: SchemeJudge = unjudged
) -> Published:
    """Publish a draft with its signed papers, or say every ground on which it may not be."""
    lot, project = await locked_own_lot(tx, lot_id, None)
    await cataloguing.lock_siblings(tx, project)
    tender = await _tender(tx, lot, project, judge)
    timetable = await _own_statement(tx, lot, papers.timetable, "timetable")
    policy = await _own_statement(tx, lot, papers.opening_policy, "opening-policy")
    notice = await _own_statement(tx, lot, papers.notice, "notice")
    digests = Published(_digest(timetable), _digest(policy), _digest(notice))

    _require_state(lot, LotState.DRAFT)
    times = _timetable_in(timetable.payload, published_at=tx.now)
    proposed = _notice_document(
        tx, tender, timetable.payload, digests.timetable_digest, digests.policy_digest
    )
    refusals = [
        *_first_version_grounds(timetable.payload),
        *_grounds(tx, tender, times),
        *policy_refusals(policy.payload, await _policy(tx, tender)),
        *_notice_differences(notice.payload, proposed),
    ]
    if refusals:
        raise Refused(refusals)

    lot.published_at = tx.now
    lot.policy_version = 1
    lot.deal_code = await numbering.deal_code(tx, project)
    if tender.composed is not None:
        await composing.keep_published(tx, lot, tender.composed)
    await _keep_timetable(tx, lot, timetable, times)
    tx.session.add(
        OpeningPolicyRow(
            lot_id=lot.id,
            version=1,
            digest=digests.policy_digest,
            document=_payload_bytes(policy),
            statement=policy.envelope,
            recorded_at=tx.now,
        )
    )
    await keep_notice(tx, lot, notice, kind="tender", title=lot.name)

    tx.record(
        LotPublished(
            lot.id,
            project_id=project.id,
            project_code=project.code,
            number=lot.number,
            name=lot.name,
            tenderee_id=project.tenderee_id,
            agency_id=project.agency_id,
            ceiling_price=lot.ceiling_price,
            documents_from=times.documents_from,
            documents_until=times.documents_until,
            bids_due_at=times.bids_due_at,
            notice_digest=digests.notice_digest,
            timetable_digest=digests.timetable_digest,
            policy_digest=digests.policy_digest,
        )
    )
    await inviting.send_invitations(tx, lot.id)
    lots.move(tx, lot, LotMove.PUBLISH)

    return digests


async def _tender(
    tx: Transaction, lot: LotRow, project: ProjectRow, judge: SchemeJudge, tried: object = None
) -> _Tender:
    parties = await organisations_by_id(tx, filter(None, (project.tenderee_id, project.agency_id)))
    custody = await drafting.custody_of(tx, lot)
    procedure = Procedure(project.procedure)
    scheme: dict[str, Any] = {}
    if lot.scheme_digest is not None:
        scheme = json.loads(await tx.documents.read(lot.scheme_digest))
    against, unusual = judge(
        DraftScheme(procedure, WorkKind(project.category), scheme, beijing_day(tx.now))
    )
    composed = await composing.composed_file(tx, lot, project)
    if tried is not None and composed is not None:
        composed = composed.tried(tried)
    beside = await drafting.beside(tx, lot)
    uploaded = await tender_files(tx, lot.id) if beside.files else ()
    scope = await cataloguing.lot_scope(tx, project, lot)
    switches = publicity_switches(
        switches_of(procedure, on=beijing_day(tx.now)), scope.method_ground
    )
    sole, sole_told = None, None
    if beside.sole_supplier:
        sole, sole_told = await sole_sourcing.proposed_supplier(tx, lot.id)
    invitation, invited = NOBODY, None
    if beside.invitation:
        invitation, invited = await inviting.proposed_invitation(tx, lot.id)
    unmended: list[Refusal] = []
    if beside.retender:
        unmended = await unmended_grounds(tx, lot, switches, uploaded=uploaded, composed=composed)
    phase = await lot_phase(tx, lot) if beside.prequalification else None
    return _Tender(
        lot,
        project,
        switches,
        {UUID(str(id)): party for id, party in parties.items()},
        uploaded,
        scheme,
        custody,
        (
            *custody_refusals(custody),
            *key_refusals(custody),
            *await drafting.agency_bars(tx, project.agency_id, procedure),
            *invitation_refusals(invitation, switches),
            *sole_supplier_refusals(sole, switches, ground=scope.method_ground),
            *announcement_refusals(
                splitting.split_of(lot),
                switches,
                state_funded=project.state_funded,
                on=beijing_day(tx.now),
            ),
            *cataloguing.catalogue_grounds(tx, scope, stated=True),
            *await _scope_grounds(tx, lot, project),
            *unmended,
            *publication_refusals(phase, switches.regime),
            *against,
        ),
        (
            *cataloguing.catalogue_cautions(tx, scope),
            *splitting.split_cautions(lot, project, switches),
            *invitation_cautions(invitation, switches),
            *sole_supplier_cautions(sole, switches, ground=scope.method_ground),
            *unusual,
        ),
        composed,
        invited,
        sole_told,
    )


async def _scope_grounds(tx: Transaction, lot: LotRow, project: ProjectRow) -> list[Refusal]:
    """What a letter keeps the acting agency from publishing; one without any is judged apart."""
    if project.authorised_at is None:
        return []
    return await agency_letters.grounds_against(tx, project, AgencyAct.PUBLISH, lot.id)


async def _policy(tx: Transaction, tender: _Tender) -> dict[str, object]:
    """The opening policy as it would have to be signed, without the time of its signature."""
    lot, custody = tender.lot, tender.custody
    holders = await organisations_by_id(tx, [holder.party_id for holder in custody.holders])
    keys = await tx.session.execute(
        select(col(CustodianKeyRow.kid), col(CustodianKeyRow.public_key)).where(
            col(CustodianKeyRow.lot_id) == lot.id
        )
    )
    present = replace(custody, holders=tuple(holder for holder in custody.holders if holder.kid))
    return policy_document(
        present,
        project_id=lot.project_id,
        lot_id=lot.id,
        version=1,
        keys={kid: key for kid, key in keys},
        organisations={id: holder.name for id, holder in holders.items()},
        vouchers=await vouchers(tx),
    )


async def vouchers(tx: Transaction) -> Vouchers:
    """The log and the witnesses that vouch for what happens on this platform."""
    platform = await tx.session.get_one(PlatformRow, True)
    witnesses = tuple(vkey for vkey, _ in tx.settings.witness_list)
    return Vouchers(platform.log_vkey, witnesses, min(tx.settings.witness_quorum, len(witnesses)))


def _grounds(tx: Transaction, tender: _Tender, times: Timetable) -> list[Refusal]:
    """Every ground against publishing the draft with these times."""
    refusals = [
        *notice_refusals(_contents(tx, tender), tender.switches),
        *timetable_refusals(times, tender.switches, calendar=tx.settings.calendar),
        *_grounds_elsewhere(tender),
    ]
    if tender.composed is not None:
        file = tender.composed.document
        refusals += file_grounds(file, tender.switches)
        published_on = beijing_day(times.published_at)
        refusals += unanswered_grounds(file, tender.bound, tender.composed.answers, on=published_on)
    return refusals


def _grounds_elsewhere(tender: _Tender) -> list[Refusal]:
    """Every ground that lies neither in the notice, nor in its times, nor in the tender file."""
    refusals = [*sheet_refusals(tender.lot.sheet_fields), *tender.known_grounds]
    if not tender.uploaded and tender.composed is None:
        refusals.append(Refusal("no_documents", BIDDING_LAW[19], "尚未上传招标文件"))
    if not tender.scheme:
        refusals.append(Refusal("no_scheme", BIDDING_LAW[19], "招标文件未载明评标标准和方法"))
    return refusals


def _violations(tx: Transaction, tender: _Tender, times: Timetable) -> list[Violation]:
    """The check-up of the draft; nothing where its procedure has no tender file."""
    if tender.composed is None:
        return []
    return checked(
        Patient(
            file=tender.composed.document,
            contents=_contents(tx, tender),
            timetable=times,
            switches=tender.switches,
            bound=tender.bound,
            elsewhere=_grounds_elsewhere(tender),
            doubts_elsewhere=tender.doubts,
            answers=tender.composed.answers,
        ),
        calendar=tx.settings.calendar,
    )


def _contents(tx: Transaction, tender: _Tender) -> NoticeContents:
    lot, project = tender.lot, tender.project
    words = _words(tx, tender)
    ceiling_method = words.get("ceiling_method", "")
    return NoticeContents(
        organisation_verified=all(party.verified for party in tender.parties.values()),
        words=words,
        has_agency=project.agency_id is not None,
        agency_authorised=project.authorised_at is not None,
        estimate=lot.estimate,
        bid_security=lot.bid_security,
        security_forms=frozenset(SecurityForm(form) for form in lot.security_forms),
        has_ceiling=lot.ceiling_price is not None or bool(ceiling_method),
        ceiling_price=lot.ceiling_price,
        ceiling_method=ceiling_method,
        work_kind=WorkKind(project.category),
    )


def _words(tx: Transaction, tender: _Tender) -> dict[str, str]:
    """The notice's words: the owner's own, and those that follow from what is known."""
    lot, project = tender.lot, tender.project
    known = {
        "name": f"{project.name} {lot.name}",
        "funding_source": project.funding_source,
        "tenderee": tender.parties[project.tenderee_id].name,
        "platform_url": tx.settings.origin,
        **project.contact,
    }
    if project.agency_id is not None:
        known["agency"] = tender.parties[project.agency_id].name
    return {**lot.notice, **known}


def _first_version_grounds(payload: Mapping[str, Any]) -> list[Refusal]:
    if payload["version"] == 1 and payload["previous"] is None:
        return []
    return [Refusal("timetable_version", E_BIDDING_MEASURES[40], "首次发布的时间安排应当为第1版")]


def _proposed_timetable(tx: Transaction, lot: LotRow) -> dict[str, object]:
    """The draft's plan as the first version of a timetable; documents from now where none said."""
    plan = lot.plan
    return {
        "v": "ebid-timetable/1",
        "project": str(lot.project_id),
        "lot": str(lot.id),
        "version": 1,
        "previous": None,
        "documents_from": plan.get("documents_from") or instant_text(tx.now),
        "documents_until": plan.get("documents_until") or instant_text(tx.now),
        "bids_due_at": plan.get("bids_due_at") or instant_text(tx.now),
        "release_window_s": plan.get("release_window_s", 0),
        "publicity_days": plan.get("publicity_days", 0),
        "validity_days": plan.get("validity_days", 0),
    }


def _timetable_in(found: Mapping[str, Any], *, published_at: datetime) -> Timetable:
    """The times that a timetable's payload states, or `Malformed`."""
    return Timetable(
        published_at=published_at,
        documents_from=parse_instant(found["documents_from"]),
        documents_until=parse_instant(found["documents_until"]),
        bids_due_at=parse_instant(found["bids_due_at"]),
        release_window=timedelta(seconds=count_of(found["release_window_s"])),
        publicity_days=count_of(found["publicity_days"]),
        validity_days=count_of(found["validity_days"]),
    )


async def _keep_timetable(
    tx: Transaction, lot: LotRow, statement: Statement, times: Timetable
) -> None:
    """Add the timetable's next version and let the lot follow it from now on."""
    previous = statement.payload["previous"]
    lot.timetable_version += 1
    lot.documents_from = times.documents_from
    lot.documents_until = times.documents_until
    lot.bids_due_at = times.bids_due_at
    lot.release_window_s = round(times.release_window.total_seconds())
    lot.publicity_days = times.publicity_days
    lot.validity_days = times.validity_days
    tx.session.add(
        TimetableRow(
            lot_id=lot.id,
            version=lot.timetable_version,
            previous=None if previous is None else unb64u(previous, 32),
            digest=_digest(statement),
            statement=statement.envelope,
            documents_from=times.documents_from,
            documents_until=times.documents_until,
            bids_due_at=times.bids_due_at,
            release_window_s=lot.release_window_s,
            publicity_days=times.publicity_days,
            validity_days=times.validity_days,
            recorded_at=tx.now,
        )
    )
    lots.set_due(tx, lot)


def _notice_document(
    tx: Transaction,
    tender: _Tender,
    timetable: Mapping[str, Any],
    timetable_digest: bytes,
    policy_digest: bytes,
) -> dict[str, object]:
    """The tender notice as the platform knows the draft, without the time of its signature."""
    lot, project = tender.lot, tender.project
    answers = _answers(tx, tender)
    return {
        "v": "ebid-notice/1",
        "kind": "tender",
        "project": str(project.id),
        "lot": str(lot.id),
        "code": project.code,
        "project_name": project.name,
        "number": lot.number,
        "name": lot.name,
        "procedure": project.procedure,
        "category": project.category,
        "region": lot.region_code,
        "funding_source": project.funding_source,
        "tenderee": _party(tender.parties[project.tenderee_id]),
        "agency": None if project.agency_id is None else _party(tender.parties[project.agency_id]),
        "estimate": yuan_text(lot.estimate),
        "ceiling_price": None if lot.ceiling_price is None else yuan_text(lot.ceiling_price),
        "bid_security": yuan_text(lot.bid_security),
        "sheet_fields": lot.sheet_fields,
        "scheme": None if lot.scheme_digest is None else b64u(lot.scheme_digest),
        "security_forms": lot.security_forms,
        "words": _words(tx, tender),
        "documents": [
            {"name": one.name, "sha256": b64u(one.digest), "size": one.size} for one in tender.files
        ],
        "documents_from": timetable["documents_from"],
        "documents_until": timetable["documents_until"],
        "bids_due_at": timetable["bids_due_at"],
        "timetable": b64u(timetable_digest),
        "opening_policy": b64u(policy_digest),
        **({"prequalified": True} if lot.prequalified else {}),
        **({"answers": answers} if answers else {}),
        **({"award_method": lot.award_method} if lot.award_method else {}),
        **({"sole_supplier": tender.sole_supplier} if tender.sole_supplier else {}),
        **({"invited": b64u(tender.invited)} if tender.invited else {}),
    }


def _answers(tx: Transaction, tender: _Tender) -> list[dict[str, str]]:
    """What the publisher says to findings in the words of the file, for everybody to read."""
    if tender.composed is None:
        return []
    file, answers = tender.composed.document, tender.composed.answers
    return [
        {"rule": one.rule, "place": one.place, "words": one.words, "answer": one.answered}
        for one in answered_findings(file, tender.bound, answers, on=beijing_day(tx.now))
    ]


def _party(party: Organisation) -> dict[str, str]:
    return {"id": str(party.id), "name": party.name, "uscc": party.uscc}


def _notice_differences(signed: Mapping[str, Any], proposed: Mapping[str, object]) -> list[Refusal]:
    """Every point in which the signed notice is not the draft that is published with it."""
    differing = sorted(
        name
        for name in signed.keys() | proposed.keys()
        if name != "signed_at" and signed.get(name) != proposed.get(name)
    )
    return [
        Refusal(
            "notice_differs",
            E_BIDDING_MEASURES[40],
            f"已签名的招标公告中“{name}”与所发布的内容不一致",
            {"member": name},
        )
        for name in differing
    ]


async def _next_number(tx: Transaction, lot: LotRow) -> int:
    last = await tx.session.scalar(
        select(func.max(col(NoticeRow.number))).where(col(NoticeRow.lot_id) == lot.id)
    )
    return (last or 0) + 1


async def keep_notice(
    tx: Transaction, lot: LotRow, statement: Statement, *, kind: str, title: str
) -> int:
    """Publish a signed statement among the lot's notices; its number there."""
    number = await _next_number(tx, lot)
    tx.session.add(
        NoticeRow(
            lot_id=lot.id,
            number=number,
            kind=kind,
            title=title,
            body=statement.payload,
            digest=_digest(statement),
            statement=statement.envelope,
            published_at=tx.now,
        )
    )
    return number


async def _own_statement(tx: Transaction, lot: LotRow, raw: bytes, kind: str) -> Statement:
    """A statement of the acting person's about this lot of this project."""
    return await verified_statement(tx, raw, kind, lot=lot.id, project=lot.project_id)


def _digest(statement: Statement) -> bytes:
    return sha256(_payload_bytes(statement))


def _payload_bytes(statement: Statement) -> bytes:
    return Envelope.from_bytes(statement.envelope).payload


def _require_state(lot: LotRow, *states: LotState) -> None:
    if LotState(lot.state) not in states:
        raise Refused(
            [
                Refusal(
                    "wrong_state",
                    BIDDING_LAW[5],
                    "标段所处阶段不允许此项操作",
                    {"state": lot.state},
                )
            ]
        )


# ── clarifications and amendments ─────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Clarified:
    """The number of the notice that clarifies, and what is only doubtful about it."""

    number: int
    cautions: tuple[Caution, ...]


@by(Role.TENDEREE, Role.AGENCY)
async def clarify(
    tx: Transaction,
    lot_id: UUID,
    raw: bytes,
    *,
    timetable: bytes | None = None,
    questions: Sequence[Sequence[UUID]] = (),
    scheme: bytes | None = None,
    judge: SchemeJudge = unjudged,
) -> Clarified:
    """Publish a signed clarification or modification of the tender documents.

    It is the next version of the documents, for everybody at once. One that may affect bids and
    comes too late must bring a signed timetable that moves the deadline. Envelopes stay valid,
    since the opening policy holds no times. The terms it states are judged as in a first notice,
    and from now on they seal, open and score; `scheme` is the evaluation scheme whose digest they
    state. `questions` are, for each answer it gives, those that asked it; they are kept apart,
    since how many asked is nobody's to know.
    """
    lot, project = await locked_own_lot(tx, lot_id, AgencyAct.PUBLISH)
    statement = await _own_statement(tx, lot, raw, "clarification")
    old = lots.timetable_of(tx, lot)
    amended = None if timetable is None else await _own_statement(tx, lot, timetable, "timetable")

    _require_state(lot, LotState.OPEN)
    assert old is not None
    versions = await told_versions(tx, lot.id)
    said = _clarification_in(statement.payload, versions[-1])
    if said.number != await _next_number(tx, lot):
        raise Outrun("another notice of this lot was published first")
    if questions and len(questions) != said.answers:
        raise Malformed("as many groups of questions as answers were expected", code="questions")
    new = old if amended is None else await _next_timetable(tx, lot, amended)
    switches = switches_of(Procedure(project.procedure), on=beijing_day(old.published_at))
    refusals = change_refusals(
        said.changes,
        replaced=[file.name for file in said.files if file.name in versions[-1].files],
        may_affect_bids=said.may_affect_bids,
        switches=switches,
        terms=said.changed_terms,
    )
    refusals += _terms_grounds(lot, project, said, versions[-1], scheme, switches, judge)
    clarification = Clarification(
        published_at=tx.now,
        may_affect_bids=said.may_affect_bids,
        bids_due_at=old.bids_due_at,
        new_bids_due_at=new.bids_due_at,
        changes_object=said.changes_object or changes_object(said.changes),
    )
    refusals += clarification_refusals(clarification, switches, calendar=tx.settings.calendar)
    if amended is not None:
        known = {refusal.code for refusal in refusals}
        refusals += [
            refusal
            for refusal in amendment_refusals(tx.now, old, new, suspended=lot.suspended)
            if refusal.code not in known
        ]
    missing = [file for file in said.files if not await tx.documents.has(file.digest)]
    if missing:
        raise NotFound(f"files not uploaded: {', '.join(file.name for file in missing)}")
    for file in said.files:
        if file.name == FILE_NAME:
            await composing.require_readable(tx, project, file.digest)
    if refusals:
        raise Refused(refusals)

    await keep_notice(tx, lot, statement, kind="clarification", title=said.title)
    tx.session.add_all(
        TenderDocumentRow(
            lot_id=lot.id,
            name=file.name,
            clarification=said.number,
            digest=file.digest,
            size=file.size,
            media_type=file.media_type,
            added_at=tx.now,
        )
        for file in said.files
    )
    await keep_answers(tx, lot, notice=said.number, groups=questions)
    if said.changed_terms:
        await _keep_terms(tx, lot, said.terms, scheme)
    if amended is not None:
        await _keep_amendment(tx, lot, amended, old, new)
    changed = said.files or said.changes or said.changed_terms

    tx.record(
        ClarificationPublished(
            lot.id,
            number=said.number,
            title=said.title,
            may_affect_bids=said.may_affect_bids,
            version=len(versions) + 1,
            statement_digest=statement.digest,
        )
    )
    if changed:
        await remedying.carried_out(tx, lot, statement, Remedy.CHANGE)

    cautions = clarification_cautions(clarification, switches, calendar=tx.settings.calendar)
    return Clarified(said.number, tuple(cautions))


@dataclass(frozen=True, slots=True)
class _Said:
    number: int
    title: str
    may_affect_bids: bool
    changes_object: bool
    files: tuple[TenderFile, ...]
    changes: tuple[Change, ...]
    terms: Terms
    changed_terms: tuple[str, ...]
    answers: int


def _clarification_in(found: Mapping[str, Any], in_force: Version) -> _Said:
    title = clean_text(found["title"], at_most=TITLE_MAX)
    clean_text(found["text"], at_most=TEXT_MAX)
    flags = (found["may_affect_bids"], found.get("changes_object", False))
    if not all(isinstance(flag, bool) for flag in flags):
        raise Malformed("may_affect_bids and changes_object are true or false")
    number = count_of(found["number"])
    files = []
    for item in list_of(found.get("documents", []), at_most=FILES_MAX):
        file = members(item, ("name", "sha256", "size"), optional=("media_type",))
        files.append(
            TenderFile(
                file_name(text_of(file["name"])),
                unb64u(file["sha256"], 32),
                count_of(file["size"]),
                clean_text(file.get("media_type", BYTES), at_most=TITLE_MAX),
                number,
            )
        )
    if len({file.name for file in files}) < len(files):
        raise Malformed("two files have one name", code="file_name")
    changes = changes_in(found.get("changes", []), in_force.words, at_most=WORDS_MAX)
    terms = terms_in(found["terms"], in_force.terms) if "terms" in found else in_force.terms
    answers = list_of(found.get("answers", []), at_most=ANSWERS_MAX)
    for one in answers:
        told = members(one, ("question", "answer"))
        clean_text(told["question"], at_most=WORDS_MAX)
        clean_text(told["answer"], at_most=WORDS_MAX)
    return _Said(
        number,
        title,
        bool(flags[0]),
        bool(flags[1]),
        tuple(files),
        changes,
        terms,
        changed_terms(in_force.terms, terms),
        len(answers),
    )


def _terms_grounds(
    lot: LotRow,
    project: ProjectRow,
    said: _Said,
    in_force: Version,
    scheme: bytes | None,
    switches: Switches,
    judge: SchemeJudge,
) -> list[Refusal]:
    """Every ground against the terms that change, or `Malformed` where the scheme is another."""
    rescored = "scheme" in said.changed_terms
    if rescored != (scheme is not None):
        raise Malformed("a changed scheme comes with its digest", code="scheme")
    ceiling_method = in_force.words.get("ceiling_method", "")
    contents = NoticeContents(
        organisation_verified=True,
        words=in_force.words,
        has_agency=project.agency_id is not None,
        agency_authorised=True,
        estimate=lot.estimate,
        bid_security=said.terms.bid_security,
        security_forms=frozenset(said.terms.security_forms),
        has_ceiling=said.terms.ceiling_price is not None or bool(ceiling_method),
        ceiling_price=said.terms.ceiling_price,
        ceiling_method=ceiling_method,
        work_kind=WorkKind(project.category),
    )
    refusals = changed_terms_refusals(said.changed_terms, said.terms, contents, switches)
    if scheme is not None:
        document = strict_json(scheme)
        if not isinstance(document, dict) or sha256(scheme) != said.terms.scheme:
            raise Malformed("the scheme is not the one whose digest was signed", code="scheme")
        assert lot.published_at is not None
        on = beijing_day(lot.published_at)
        against, _ = judge(
            DraftScheme(Procedure(project.procedure), WorkKind(project.category), document, on)
        )
        refusals += against
    return refusals


async def _keep_terms(tx: Transaction, lot: LotRow, terms: Terms, scheme: bytes | None) -> None:
    """Let the lot follow the terms of the notice that was just kept.

    The notice goes to the database first, which lets nothing be changed that it does not state.
    """
    if scheme is not None:
        await tx.documents.keep(scheme)
    await tx.session.flush()
    lot.ceiling_price = terms.ceiling_price
    lot.bid_security = terms.bid_security
    lot.security_forms = [str(form) for form in terms.security_forms]
    lot.sheet_fields = [dict(field) for field in terms.sheet_fields]
    lot.scheme_digest = terms.scheme


@by(Role.TENDEREE, Role.AGENCY)
async def deadline_for_changes(tx: Transaction, lot_id: UUID) -> date | None:
    """The first day to which a change published now would have to move the deadline, if any."""
    lot, project = await lots.owned(tx, lot_id)
    if lot.published_at is None or lot.bids_due_at is None:
        raise NotFound("no such lot")
    switches = switches_of(Procedure(project.procedure), on=beijing_day(lot.published_at))
    if not switches.clarification_period.binds:
        return None
    try:
        return must_move_deadline(tx.now, lot.bids_due_at, switches, calendar=tx.settings.calendar)
    except NoCalendar:
        return None


@by(Role.TENDEREE, Role.AGENCY)
async def amend_timetable(tx: Transaction, lot_id: UUID, raw: bytes) -> int:
    """Move a lot's times later by a signed next version of its timetable; that version."""
    lot, _ = await locked_own_lot(tx, lot_id, AgencyAct.PUBLISH)
    statement = await _own_statement(tx, lot, raw, "timetable")
    old = lots.timetable_of(tx, lot)

    _require_state(lot, LotState.OPEN)
    assert old is not None
    new = await _next_timetable(tx, lot, statement)
    refusals = amendment_refusals(tx.now, old, new, suspended=lot.suspended)
    if refusals:
        raise Refused(refusals)

    await _keep_amendment(tx, lot, statement, old, new)

    return lot.timetable_version


async def _next_timetable(tx: Transaction, lot: LotRow, statement: Statement) -> Timetable:
    """The times of a statement that follows the version in force; `Outrun` where it does not."""
    assert lot.published_at is not None
    times = _timetable_in(statement.payload, published_at=lot.published_at)
    current = await tx.session.get_one(TimetableRow, (lot.id, lot.timetable_version))
    follows = (statement.payload["version"], statement.payload["previous"])
    if follows != (current.version + 1, b64u(current.digest)):
        raise Outrun(f"the timetable in force is version {current.version}")
    return times


async def _keep_amendment(
    tx: Transaction, lot: LotRow, statement: Statement, old: Timetable, new: Timetable
) -> None:
    await _keep_timetable(tx, lot, statement, new)
    tx.record(
        TimetableAmended(
            lot.id,
            version=lot.timetable_version,
            previous=unb64u(statement.payload["previous"], 32),
            timetable_digest=_digest(statement),
            old_bids_due_at=old.bids_due_at,
            bids_due_at=new.bids_due_at,
        )
    )


@by(Role.TENDEREE, Role.AGENCY)
async def cancel_lot(tx: Transaction, lot_id: UUID, raw: bytes) -> None:
    """End a published tender, or a prequalification, by a signed notice that gives the reason and
    what is given back.

    What is to be given back follows from what the lot asks for and not from what came in, which
    would tell how many meant to bid (招标投标法 22).
    """
    lot, project = await locked_own_lot(tx, lot_id, AgencyAct.PUBLISH)
    statement = await _own_statement(tx, lot, raw, "notice")

    found = members(
        statement.payload,
        ("v", "kind", "project", "lot", "reason"),
        optional=("promises", "signed_at"),
    )
    if found["kind"] != "cancellation":
        raise Malformed("a notice that ends the tender was expected", code="wrong_statement")
    if lot.published_at is None and not lot.prequalified:
        raise NotFound("the lot was never published")
    reason, promises = _ending_in(found)
    known_at = lot.published_at or tx.now
    switches = switches_of(Procedure(project.procedure), on=beijing_day(known_at))
    needless = await rechecking.brakes_of(tx, lot.id) | await remedying.brakes_of(tx, lot.id)
    waits = lot.suspended and not lot.brakes.keys() <= needless
    refusals = move_refusals(LotState(lot.state), LotMove.CANCEL, suspended=waits)
    refusals += termination_refusals(
        Termination(
            reason=reason,
            fees_collected=Decimal(0),
            securities_collected=lot.bid_security if lot.published_at else Decimal(0),
            promises_return=Promise.RETURN in promises,
            promises_interest=Promise.INTEREST in promises,
            told_finance=Promise.FINANCE in promises,
        ),
        switches,
    )
    if refusals:
        raise Refused(refusals)

    await keep_notice(tx, lot, statement, kind="cancellation", title="终止招标公告")

    lots.unbrake(tx, lot, cause=lot.id, reason="招标终止，不再审查中标候选人")
    lots.move(tx, lot, LotMove.CANCEL)
    await remedying.carried_out(tx, lot, statement, *Remedy)
    tx.record(
        LotCancelled(
            lot.id,
            reason=reason,
            promises=tuple(sorted(promises)),
            return_due_at=return_due_at(tx.now, switches, calendar=tx.settings.calendar),
            statement_digest=statement.digest,
        )
    )


def _ending_in(found: Mapping[str, Any]) -> tuple[str, frozenset[Promise]]:
    """The reason, which may be empty and is then refused by its article, and the promises."""
    words = text_of(found["reason"])
    reason = clean_text(words, at_most=TEXT_MAX) if words.strip() else ""
    promises = [text_of(one) for one in list_of(found.get("promises", []), at_most=len(Promise))]
    if not set(promises) <= set(Promise) or len(set(promises)) < len(promises):
        raise Malformed(f"promises are {', '.join(Promise)}", code="promises")
    return reason, frozenset(Promise(one) for one in promises)


# ── documents ─────────────────────────────────────────────────────────────────────────────────


@by(Role.BIDDER)
async def take_documents(tx: Transaction, lot_id: UUID) -> TakenDocuments:
    """The tender documents, for a bidder while they are on offer.

    That they were taken is sealed until the close and counted nowhere.
    """
    lot = await _lot_on_offer(tx, lot_id)
    await take_part(tx, lot.id)
    files = await tender_files(tx, lot.id)
    package = package_digest(files)

    tx.record(DocumentsTaken(lot.id, package_digest=package))

    return TakenDocuments(files, package)


@by(Role.BIDDER, Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR)
async def read_document(
    tx: Transaction, lot_id: UUID, name: str, *, clarification: int = 0
) -> tuple[TenderFile, bytes]:
    """One file of the tender documents with its bytes; a bidder's taking it is sealed."""
    if tx.actor.role is Role.BIDDER:
        lot = await _lot_on_offer(tx, lot_id)
        await take_part(tx, lot.id)
    elif tx.actor.role is not Role.SUPERVISOR:
        await lots.owned(tx, lot_id)
    row = await tx.session.get(TenderDocumentRow, (lot_id, file_name(name), clarification))
    lot_row = await tx.session.get(LotRow, lot_id)
    if row is None or lot_row is None:
        raise NotFound("no such file")
    if tx.actor.role is Role.SUPERVISOR and lot_row.published_at is None:
        raise NotFound("no such file")
    file = TenderFile(row.name, row.digest, row.size, row.media_type, row.clarification)
    content = await tx.documents.read(row.digest)

    if tx.actor.role is Role.BIDDER:
        tx.record(DocumentsTaken(lot_id, package_digest=row.digest))

    return file, content


async def _lot_on_offer(tx: Transaction, lot_id: UUID) -> LotRow:
    """The published lot, held still, if this bidder may have its documents now."""
    lot = await lots.hold(tx, lot_id)
    if lot.published_at is None or lot.documents_from is None or lot.documents_until is None:
        raise NotFound("no such lot")
    own = await require_verified(tx)
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    switches = switches_of(Procedure(project.procedure), on=beijing_day(lot.published_at))
    qualified = await may_bid(tx, lot, own.id)
    taken = await tx.session.scalar(
        select(func.count())
        .select_from(CapacityRow)
        .where(
            col(CapacityRow.subject_id) == lot.id,
            col(CapacityRow.party_id) == own.id,
            col(CapacityRow.role) == Role.BIDDER,
        )
    )
    refusals = offer_refusals(
        DocumentRequest(
            asked_at=tx.now,
            taken_before=bool(taken),
            lot_state=LotState(lot.state),
            offered_from=lot.documents_from,
            offered_until=lot.documents_until,
        )
    )
    refusals += access_refusals(qualified=qualified, regime=switches.regime)
    refusals += await inviting.uninvited_grounds(tx, lot, switches)
    if refusals:
        raise Refused(refusals)
    return lot
