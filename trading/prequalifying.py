"""Bidders are qualified beforehand: applications are called for, taken in sealed, opened, reviewed.

It happens while the lot is a draft to everybody else: what is put out to bids comes only after
enough applicants passed. An application is sealed and sent as a bid is, in one envelope under the
signed notice and to its applicant alone; after the deadline the applicant releases it. The review
is one signed statement with a finding for every applicant and condition, and each applicant is
told its own result with the reasons. Where fewer than three passed, a new round may be called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from blacklist.standing import BarredAct, standing_of, standing_refusals
from kernel.access import Role, by
from kernel.crypto import sealing
from kernel.crypto.digests import (
    Malformed,
    count_of,
    list_of,
    members,
    parse_instant,
    sha256,
    text_of,
    unb64u,
)
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal, NotFound, Outrun, Refused
from kernel.identifiers import EntryId, PartyId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION
from kernel.store.database import lock_exclusive
from kernel.store.parties import (
    Statement,
    organisation,
    organisations_by_id,
    require_verified,
    take_part,
    verified_statement,
)
from kernel.store.tables import PlatformRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import consortia, lots, remedying, uploading
from trading.drafting import clean_text, file_name, locked_own_lot, require_draft
from trading.events import (
    ApplicationRefused,
    ApplicationReleased,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    PrequalificationAmended,
    PrequalificationAnnounced,
    PrequalificationDecided,
    PrequalificationEnded,
)
from trading.judging import FAULT_WORDS, OPERATORS
from trading.prequalification_rounds import (
    addenda_of,
    newest_round,
    phase_now,
    policy_of,
    releases,
    standing_applications,
    times_of,
)
from trading.rules.agency_scope import AgencyAct
from trading.rules.consortium_agreement import BidderAtLot
from trading.rules.lot_lifecycle import LotState, standstill_refusals
from trading.rules.objection_outcome import Remedy
from trading.rules.prequalification import (
    CONDITIONS_MAX,
    WORDS,
    Addendum,
    ApplicationArrival,
    ApplicationTimes,
    Condition,
    Finding,
    NoticeFacts,
    Phase,
    Reviewer,
    addendum_refusals,
    announcement_refusals,
    arrival_refusals,
    outcome_refusals,
    passed,
    release_refusals,
    review_refusals,
    reviewer_refusals,
    stage_refusals,
)
from trading.rules.procedures import Procedure, Switches, switches_of
from trading.rules.submission_statement import NamedEnvelope
from trading.sealed_archives import SealedArchive
from trading.tables import (
    ApplicationReleaseRow,
    ApplicationRow,
    LotRow,
    PrequalificationAddendumRow,
    PrequalificationReviewRow,
    PrequalificationRow,
    ProjectRow,
    QualificationRow,
)

ENVELOPE: Final = "application"
FILES_MAX: Final = 50
APPLICANTS_MAX: Final = 1000
FINDINGS_MAX: Final = APPLICANTS_MAX * CONDITIONS_MAX
REVIEWERS_MAX: Final = 50
NAME_MAX: Final = 120
TEXT_MAX: Final = 4000


@dataclass(frozen=True, slots=True)
class Announced:
    """A call for applications as it was published."""

    round: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Amended:
    """An addendum as it was published, and by when applications are due since."""

    number: int
    applications_due_at: datetime


@dataclass(frozen=True, slots=True)
class Received:
    """An application that was taken in, and the journal's entry whose receipt follows."""

    entry_id: EntryId
    seq: int
    withdrawn: bool
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review as it was taken in."""

    passed: int
    enough: bool


# ── calling for applications ──────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def notice_paper(tx: Transaction, lot_id: UUID) -> dict[str, Any]:
    """What the platform knows of the next prequalification notice, for its owner to complete."""
    lot, project = await lots.owned(tx, lot_id)
    require_draft(lot)
    last = await newest_round(tx.session, lot.id)
    words = {key: str(lot.notice.get(key, "")) for key in WORDS}
    return {
        "v": "ebid-prequalification/1",
        "project": str(project.id),
        "lot": str(lot.id),
        "round": 1 if last is None else last.round + 1,
        "name": f"{project.name} {lot.name}",
        "words": words,
        "conditions": [] if last is None else last.conditions,
        "documents": [] if last is None else last.documents,
        "documents_until": None,
        "applications_due_at": None,
        "release_window_s": 1800,
    }


@by(Role.TENDEREE, Role.AGENCY)
async def keep_file(tx: Transaction, lot_id: UUID, content: bytes) -> bytes:
    """Keep a file that a prequalification notice is going to name; its digest."""
    lot, _ = await locked_own_lot(tx, lot_id)
    require_draft(lot)

    if not content:
        raise Malformed("an empty file", code="file_empty")

    return await tx.documents.keep(content)


@by(Role.TENDEREE, Role.AGENCY)
async def announce(tx: Transaction, lot_id: UUID, raw: bytes) -> Announced:
    """Call for applications by a signed notice; from then on only who passes may bid."""
    lot, project = await locked_own_lot(tx, lot_id, AgencyAct.PUBLISH)
    statement = await verified_statement(
        tx, raw, "prequalification", lot=lot.id, project=project.id
    )
    digest = _payload_digest(statement)
    last = await newest_round(tx.session, lot.id)
    if last is not None and last.digest == digest:
        return Announced(last.round, last.digest)
    said = _notice_in(statement.payload, published_at=tx.now)

    require_draft(lot)
    await require_verified(tx)
    number = 1 if last is None else last.round + 1
    if said.round != number or said.name != f"{project.name} {lot.name}":
        raise Outrun(f"the next notice is of round {number}, under the lot's present name")
    facts = NoticeFacts(
        words=said.words,
        conditions=said.conditions,
        has_documents=bool(said.documents),
        times=said.times,
        release_window=said.release_window,
        round_before=None if last is None else await phase_now(tx, last),
    )
    refusals = standstill_refusals(suspended=lot.suspended)
    refusals += announcement_refusals(facts, _switches(tx, project), calendar=tx.settings.calendar)
    await _require_files(tx, said.documents)
    if refusals:
        raise Refused(refusals)

    lot.prequalified, lot.applications_due_at = True, said.times.applications_due_at
    window_until = said.times.applications_due_at + said.release_window
    tx.session.add(
        PrequalificationRow(
            lot_id=lot.id,
            round=number,
            digest=digest,
            statement=raw,
            name=said.name,
            documents=list(said.documents),
            conditions=[{"id": one.id, "name": one.name} for one in said.conditions],
            published_at=tx.now,
            documents_until=said.times.documents_until,
            applications_due_at=said.times.applications_due_at,
            window_until=window_until,
        )
    )

    tx.record(
        PrequalificationAnnounced(
            lot.id,
            round=number,
            project_id=project.id,
            project_code=project.code,
            number=lot.number,
            name=lot.name,
            tenderee_id=project.tenderee_id,
            agency_id=project.agency_id,
            documents_until=said.times.documents_until,
            applications_due_at=said.times.applications_due_at,
            window_until=window_until,
            notice_digest=digest,
        )
    )

    return Announced(number, digest)


@dataclass(frozen=True, slots=True)
class _Notice:
    round: int
    name: str
    words: Mapping[str, str]
    conditions: tuple[Condition, ...]
    documents: tuple[dict[str, Any], ...]
    times: ApplicationTimes
    release_window: timedelta


def _notice_in(found: Mapping[str, Any], *, published_at: datetime) -> _Notice:
    words = members(found["words"], (), optional=tuple(WORDS))
    conditions = []
    for item in list_of(found["conditions"], at_most=CONDITIONS_MAX):
        one = members(item, ("id", "name"))
        conditions.append(
            Condition(clean_text(one["id"], at_most=20), clean_text(one["name"], at_most=TEXT_MAX))
        )
    documents = _documents_in(found["documents"])
    return _Notice(
        count_of(found["round"]),
        clean_text(found["name"], at_most=2 * NAME_MAX),
        {key: _said(text) for key, text in words.items()},
        tuple(conditions),
        tuple(documents),
        ApplicationTimes(
            published_at=published_at,
            documents_until=parse_instant(found["documents_until"]),
            applications_due_at=parse_instant(found["applications_due_at"]),
        ),
        timedelta(seconds=count_of(found["release_window_s"])),
    )


def _documents_in(told: object) -> list[dict[str, Any]]:
    documents = []
    for item in list_of(told, at_most=FILES_MAX):
        file = members(item, ("name", "sha256", "size"), optional=("media_type",))
        unb64u(file["sha256"], 32)
        documents.append(
            {
                "name": file_name(text_of(file["name"])),
                "sha256": text_of(file["sha256"]),
                "size": count_of(file["size"]),
                "media_type": text_of(file.get("media_type", "application/octet-stream")),
            }
        )
    if len({one["name"] for one in documents}) < len(documents):
        raise Malformed("two files have one name", code="file_name")
    return documents


async def _require_files(tx: Transaction, documents: Sequence[Mapping[str, Any]]) -> None:
    missing = [
        one["name"] for one in documents if not await tx.documents.has(unb64u(one["sha256"], 32))
    ]
    if missing:
        raise NotFound(f"files not uploaded: {', '.join(missing)}")


def _said(value: object) -> str:
    """A text that may be empty, and is then refused by its article."""
    return clean_text(value, at_most=TEXT_MAX) if text_of(value).strip() else ""


# ── changing what was called for ──────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def amend(tx: Transaction, lot_id: UUID, raw: bytes) -> Amended:
    """Change or clarify the prequalification documents; the deadline moves where it must.

    The same statement again is the same addendum. Applications that came before stay as they are.
    """
    lot, project = await locked_own_lot(tx, lot_id, AgencyAct.PUBLISH)
    statement = await verified_statement(
        tx, raw, "prequalification-addendum", lot=lot.id, project=project.id
    )
    found = await _round_of(tx, lot)
    before = await addenda_of(tx.session, found)
    for known in before:
        if known.digest == statement.digest:
            return Amended(known.number, known.applications_due_at)
    said = statement.payload
    _require_going_on(lot)
    number = len(before) + 1
    if (count_of(said["round"]), count_of(said["number"])) != (found.round, number):
        raise Outrun(f"the next addendum is number {number} of round {found.round}")
    if not isinstance(said["may_affect"], bool):
        raise Malformed("may_affect is true or false")
    documents = _documents_in(said["documents"])
    published = [found.documents, *(one.documents for one in before)]
    taken = {one["name"] for each in published for one in each}
    if taken & {one["name"] for one in documents}:
        raise Malformed("a file of that name is published already", code="file_name")
    times = await times_of(tx.session, found)
    moved = said["applications_due_at"]
    due_at = times.applications_due_at if moved is None else parse_instant(moved)

    await _require_files(tx, documents)
    refusals = addendum_refusals(
        Addendum(
            published_at=tx.now,
            phase=await phase_now(tx, found),
            says=_said(said["text"]),
            may_affect=said["may_affect"],
            due_at=times.applications_due_at,
            new_due_at=due_at,
        ),
        _switches(tx, project).regime,
        calendar=tx.settings.calendar,
    )
    if refusals:
        raise Refused(refusals)

    window_until = due_at + (times.window_until - times.applications_due_at)
    lot.applications_due_at = due_at
    tx.session.add(
        PrequalificationAddendumRow(
            lot_id=lot.id,
            round=found.round,
            number=number,
            digest=statement.digest,
            statement=raw,
            title=clean_text(said["title"], at_most=NAME_MAX),
            text=_said(said["text"]),
            may_affect=said["may_affect"],
            documents=documents,
            applications_due_at=due_at,
            window_until=window_until,
            published_by=tx.actor.person,
            published_at=tx.now,
        )
    )

    tx.record(
        PrequalificationAmended(
            lot.id,
            round=found.round,
            number=number,
            may_affect=said["may_affect"],
            applications_due_at=due_at,
            window_until=window_until,
            statement_digest=statement.digest,
        )
    )
    await remedying.carried_out(tx, lot, statement, Remedy.CHANGE)

    return Amended(number, due_at)


# ── applying ──────────────────────────────────────────────────────────────────────────────────


@by(Role.BIDDER)
async def submit_application(tx: Transaction, lot_id: UUID, raw: bytes) -> Received:
    """Take in a sealed application, or its withdrawal; the same statement again is the same.

    Its payload was read through when its last part came; sending that again has it read again.
    """
    lot = await lots.hold(tx, lot_id)
    await lock_exclusive(tx.session, uploading.bidder_lock(lot_id, tx.actor.party))
    found = await _round_of(tx, lot)
    statement = await verified_statement(
        tx, raw, "application", lot=lot.id, project=lot.project_id, applicant=tx.actor.party
    )
    said = _application_in(statement.payload)
    mine = await _own_applications(tx, found)
    for known in mine:
        if known.digest == statement.digest:
            return _received(known)
    last = mine[-1] if mine else None
    _require_going_on(lot)
    if said.round != found.round:
        raise Outrun(f"the prequalification is in round {found.round}")

    inspected = await _inspected(tx, lot, found, said)
    own = await organisation(tx, tx.actor.party)
    switches = await _switches_of(tx, lot)
    due_at = (await times_of(tx.session, found)).applications_due_at
    refusals = arrival_refusals(
        ApplicationArrival(
            received_at=tx.now,
            applications_due_at=due_at,
            sequence=said.seq,
            last_sequence=0 if last is None else last.seq,
            withdraws=said.envelope is None,
            has_standing=last is not None and not last.withdrawn,
            sealing_faults=tuple(FAULT_WORDS.get(one, one) for one in inspected.faults),
            missing_parts=inspected.missing,
            applicant_is_operator=bool(own.roles & OPERATORS),
            suspended=lot.suspended,
        ),
        switches.regime,
    )
    if said.envelope is not None:
        await require_verified(tx)
        refusals += await _bars(tx, switches)
    if refusals:
        tx.record_attempt(
            ApplicationRefused(
                lot.id,
                addressee_id=tx.actor.party,
                round=found.round,
                application=statement.digest,
                received_at=tx.now,
                deadline=due_at,
                grounds=tuple(one.as_json() for one in refusals),
            )
        )
        raise Refused(refusals)

    await take_part(tx, lot.id)
    platform = await tx.session.get_one(PlatformRow, True)
    entry_id = tx.record(
        _taken_in(
            tx, lot, found, said, inspected, statement.digest, due_at=due_at, demo=platform.demo
        )
    )
    row = ApplicationRow(
        id=random_id(),
        lot_id=lot.id,
        round=found.round,
        applicant_id=tx.actor.party,
        person_id=tx.actor.person,
        seq=said.seq,
        withdrawn=said.envelope is None,
        upload_id=inspected.upload_id,
        head=b"" if said.envelope is None else said.envelope.head,
        header=inspected.header,
        payload_root=inspected.payload_root,
        payload_size=inspected.payload_size,
        payload_sha256=inspected.payload_sha256,
        parts=list(inspected.parts),
        digest=statement.digest,
        statement=raw,
        received_at=tx.now,
        entry_id=entry_id,
    )
    tx.session.add(row)
    await tx.session.flush()

    return _received(row)


@dataclass(frozen=True, slots=True)
class _Application:
    round: int
    seq: int
    notice: bytes
    envelope: NamedEnvelope | None


def _application_in(found: Mapping[str, Any]) -> _Application:
    envelope = None
    if found["envelope"] is not None:
        one = members(found["envelope"], ("head", "payload_size", "payload_root"))
        envelope = NamedEnvelope(
            ENVELOPE,
            unb64u(one["head"], 32),
            count_of(one["payload_size"]),
            unb64u(one["payload_root"], 32),
        )
    seq = count_of(found["seq"])
    if not 0 < seq < 1 << 31:
        raise Malformed("applications are numbered from 1", code="sequence")
    return _Application(count_of(found["round"]), seq, unb64u(found["notice"], 32), envelope)


@dataclass(frozen=True, slots=True)
class _Inspected:
    """What was found out about the sealed payload without opening it."""

    upload_id: UUID | None = None
    header: bytes = b""
    payload_root: bytes = b""
    payload_size: int = 0
    payload_sha256: bytes = b""
    parts: tuple[bytes, ...] = ()
    faults: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


async def _inspected(
    tx: Transaction, lot: LotRow, found: PrequalificationRow, said: _Application
) -> _Inspected:
    faults = [] if said.notice == found.digest else ["wrong_policy"]
    if said.envelope is None:
        return _Inspected(faults=tuple(faults))
    candidates = await uploading.uploads_of(tx, lot.id, tx.actor.party, said.envelope.head)
    if not candidates:
        return _Inspected(faults=tuple(faults), missing=("文件头及全部内容",))
    missing: tuple[int, ...] = ()
    for sent in candidates:
        missing = await uploading.missing_parts(tx, sent.upload)
        if missing or sent.whole is None:
            continue
        faults += sealing.structural_faults(
            sent.header,
            policy=policy_of(found),
            project=str(lot.project_id),
            lot=str(lot.id),
            bidder=str(tx.actor.party),
            envelope=ENVELOPE,
            payload_size=sent.upload.payload_size,
        )
        named = (said.envelope.payload_root, said.envelope.payload_size)
        if (sent.whole.payload_root, sent.upload.payload_size) != named:
            faults.append("wrong_payload")
        return _Inspected(
            sent.upload.id,
            sent.header,
            sent.whole.payload_root,
            sent.upload.payload_size,
            sent.whole.payload_sha256,
            tuple(sent.upload.part_digests),
            tuple(dict.fromkeys(faults)),
        )
    return _Inspected(
        faults=tuple(faults), missing=tuple(f"第{number}块" for number in missing) or ("内容",)
    )


async def _bars(tx: Transaction, switches: Switches) -> list[Refusal]:
    standing = await standing_of(
        tx,
        act=BarredAct.SUBMISSION,
        on=tx.now,
        party_id=tx.actor.party,
        person_id=tx.actor.person,
        regime=switches.regime,
        mandatory=switches.mandatory,
    )
    return standing_refusals(standing)


def _taken_in(
    tx: Transaction,
    lot: LotRow,
    found: PrequalificationRow,
    said: _Application,
    inspected: _Inspected,
    digest: bytes,
    *,
    due_at: datetime,
    demo: bool,
) -> ApplicationSubmitted | ApplicationWithdrawn:
    if said.envelope is None:
        return ApplicationWithdrawn(
            lot.id,
            addressee_id=tx.actor.party,
            round=found.round,
            seq=said.seq,
            application=digest,
            received_at=tx.now,
            deadline=due_at,
            demo=demo,
        )
    return ApplicationSubmitted(
        lot.id,
        addressee_id=tx.actor.party,
        round=found.round,
        seq=said.seq,
        application=digest,
        head=said.envelope.head,
        payload_size=inspected.payload_size,
        payload_root=inspected.payload_root,
        payload_sha256=inspected.payload_sha256,
        notice_digest=found.digest,
        received_at=tx.now,
        deadline=due_at,
        demo=demo,
    )


def _received(row: ApplicationRow) -> Received:
    return Received(EntryId(row.entry_id), row.seq, row.withdrawn, row.received_at)


@by(Role.BIDDER)
async def release(tx: Transaction, lot_id: UUID, raw: bytes) -> None:
    """An applicant opens its own application for the review, inside the window.

    A secret that does not fit is refused and may be sent again; the same one again is the same.
    """
    lot = await lots.hold(tx, lot_id)
    await lock_exclusive(tx.session, uploading.bidder_lock(lot_id, tx.actor.party))
    found = await _round_of(tx, lot)
    statement = await verified_statement(
        tx, raw, "application-release", lot=lot.id, project=lot.project_id
    )
    mine = await _own_applications(tx, found)
    standing = mine[-1] if mine and not mine[-1].withdrawn else None
    head, secret = (unb64u(text_of(statement.payload[one]), 32) for one in ("head", "secret"))
    if standing is None or standing.head != head:
        raise NotFound("no application of yours is being opened")

    _require_going_on(lot)
    fits = True
    try:
        sealing.check_secret(sealing.parse_header(standing.header), sealing.BIDDER, secret)
    except BrokenSeal:
        fits = False
    refusals = release_refusals(tx.now, phase=await phase_now(tx, found), secret_fits=fits)
    if refusals:
        raise Refused(refusals)
    if await tx.session.get(ApplicationReleaseRow, standing.id) is not None:
        return

    tx.session.add(
        ApplicationReleaseRow(
            application_id=standing.id, secret=secret, statement=raw, released_at=tx.now
        )
    )

    tx.record(
        ApplicationReleased(
            lot.id, addressee_id=tx.actor.party, round=found.round, head=standing.head
        )
    )


# ── the review ────────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def review(tx: Transaction, lot_id: UUID, raw: bytes) -> Reviewed:
    """Judge every opened application by the published conditions, and tell each its result.

    What was not released counts as taken back and is not judged.
    """
    lot, project = await locked_own_lot(tx, lot_id, AgencyAct.PUBLISH)
    statement = await verified_statement(
        tx, raw, "prequalification-review", max_bytes=8 << 20, lot=lot.id, project=project.id
    )
    found = await _round_of(tx, lot)
    known = await tx.session.get(PrequalificationReviewRow, (lot.id, found.round))
    if known is not None and known.digest == statement.digest:
        return await _reviewed(tx, known)
    if count_of(statement.payload["round"]) != found.round:
        raise Outrun(f"the prequalification is in round {found.round}")
    reviewers = _reviewers_in(statement.payload)
    findings = _findings_in(statement.payload)

    against = await unready(tx, lot, found)
    against += reviewer_refusals(
        reviewers, _switches(tx, project), state_funded=project.state_funded
    )
    conclusion = Conclusion(statement.digest, raw, by_committee=False)
    return await conclude(tx, lot, found, findings, conclusion, against=against)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The paper that a review ends with: the tenderee's signed statement, or the report that the
    members of a committee signed.
    """

    digest: bytes
    paper: bytes
    by_committee: bool


async def conclude(
    tx: Transaction,
    lot: LotRow,
    found: PrequalificationRow,
    findings: Mapping[PartyId, Sequence[Finding]],
    conclusion: Conclusion,
    *,
    against: Sequence[Refusal],
) -> Reviewed:
    """Keep who passed by these findings about every opened application, and tell each applicant.

    `Refused` where a finding is missing, gives no reason, or rests on what was not published, and
    where there are grounds `against` it anyhow.
    """
    opened = await opened_applications(tx, found)
    conditions = [Condition(one["id"], one["name"]) for one in found.conditions]
    switches = await _switches_of(tx, lot)
    applicants = {PartyId(one.applicant_id) for one in opened}
    if set(findings) - applicants:
        raise NotFound("no opened application of that organisation")
    refusals = list(against)
    for party_id in sorted(applicants):
        refusals += review_refusals(findings.get(party_id, []), conditions, whole=True)
    if refusals:
        raise Refused(refusals)
    through = passed({one: findings.get(one, []) for one in applicants}, conditions)

    enough = not outcome_refusals(len(through), switches.regime)
    row = PrequalificationReviewRow(
        lot_id=lot.id,
        round=found.round,
        enough=enough,
        digest=conclusion.digest,
        statement=conclusion.paper,
        by_committee=conclusion.by_committee,
        reviewed_by=tx.actor.person,
        reviewed_at=tx.now,
    )
    tx.session.add(row)
    names = {one.id: one.name for one in conditions}
    for one in opened:
        party_id = PartyId(one.applicant_id)
        reasons: list[dict[str, object]] = [
            {"condition": names[each.condition], "reason": each.reason}
            for each in findings[party_id]
            if not each.met
        ]
        tx.session.add(
            QualificationRow(
                lot_id=lot.id,
                round=found.round,
                applicant_id=party_id,
                application_id=one.id,
                passed=party_id in through,
                reasons=reasons,
                members=await _members_of(tx, lot, found, one),
            )
        )
        tx.record(
            PrequalificationDecided(
                lot.id,
                addressee_id=party_id,
                round=found.round,
                passed=party_id in through,
                reasons=tuple(reasons),
            )
        )

    tx.record(
        PrequalificationEnded(
            lot.id, round=found.round, enough=enough, review_digest=conclusion.digest
        )
    )

    return Reviewed(len(through), enough)


async def unready(tx: Transaction, lot: LotRow, found: PrequalificationRow) -> list[Refusal]:
    """Why no review ends now: the lot stands still or was ended, or it is not the time for it."""
    _require_going_on(lot)
    return [
        *standstill_refusals(suspended=lot.suspended),
        *stage_refusals(await phase_now(tx, found), Phase.REVIEWING),
    ]


async def opened_applications(
    tx: Transaction, found: PrequalificationRow
) -> tuple[ApplicationRow, ...]:
    """The standing applications whose applicants released them, as they came."""
    given = await releases(tx.session, found)
    return tuple(one for one in await standing_applications(tx.session, found) if one.id in given)


def archive_of(application: ApplicationRow) -> SealedArchive:
    """Where an application's sealed archive lies."""
    return SealedArchive(application.header, application.payload_size, tuple(application.parts))


async def _members_of(
    tx: Transaction, lot: LotRow, found: PrequalificationRow, application: ApplicationRow
) -> list[str]:
    """With whom an applicant applied: by its agreement, or alone."""
    bidder = await applicant_in(tx, lot, found, application)
    rest = sorted(bidder.parties - {bidder.party_id})
    return [str(one) for one in (bidder.party_id, *rest)]


async def applicant_in(
    tx: Transaction, lot: LotRow, found: PrequalificationRow, application: ApplicationRow
) -> BidderAtLot:
    """The applicant as its opened application shows it, with its consortium if it has one."""
    given = await releases(tx.session, found)
    names = await organisations_by_id(tx, [application.applicant_id])
    party_id = PartyId(application.applicant_id)
    return await consortia.bidder_in(
        tx,
        lot,
        consortia.Opened(
            party_id,
            names[party_id].name,
            application.received_at,
            archive_of(application),
            {sealing.BIDDER: given[application.id]},
        ),
    )


async def _reviewed(tx: Transaction, known: PrequalificationReviewRow) -> Reviewed:
    rows = await tx.session.scalars(
        select(col(QualificationRow.passed)).where(
            col(QualificationRow.lot_id) == known.lot_id,
            col(QualificationRow.round) == known.round,
        )
    )
    return Reviewed(sum(rows), known.enough)


def _reviewers_in(found: Mapping[str, Any]) -> list[Reviewer]:
    told = []
    for item in list_of(found["reviewers"], at_most=REVIEWERS_MAX):
        one = members(item, ("name", "expert"))
        if not isinstance(one["expert"], bool):
            raise Malformed("expert is true or false")
        told.append(Reviewer(clean_text(one["name"], at_most=NAME_MAX), one["expert"]))
    if len({one.name for one in told}) < len(told):
        raise Malformed("a reviewer is named twice", code="reviewer_twice")
    return told


def _findings_in(found: Mapping[str, Any]) -> dict[PartyId, list[Finding]]:
    told: dict[PartyId, list[Finding]] = {}
    for item in list_of(found["findings"], at_most=FINDINGS_MAX):
        one = members(item, ("applicant", "condition", "met"), optional=("reason",))
        if not isinstance(one["met"], bool):
            raise Malformed("met is true or false")
        try:
            party_id = PartyId(UUID(text_of(one["applicant"])))
        except ValueError:
            raise Malformed("an applicant is named by its id", code="applicant") from None
        finding = Finding(
            clean_text(one["condition"], at_most=20), one["met"], _said(one.get("reason", ""))
        )
        if any(each.condition == finding.condition for each in told.get(party_id, [])):
            raise Malformed("two findings about one condition", code="finding_twice")
        told.setdefault(party_id, []).append(finding)
    return told


# ── what the acts above are made of ───────────────────────────────────────────────────────────


def _require_going_on(lot: LotRow) -> None:
    if lot.state == LotState.CANCELLED:
        reason = "已终止招标，资格预审不再进行"
        raise Refused([Refusal("lot_cancelled", BIDDING_REGULATION[31], reason)])


async def _round_of(tx: Transaction, lot: LotRow) -> PrequalificationRow:
    found = await newest_round(tx.session, lot.id)
    if found is None:
        raise NotFound("no prequalification of this lot")
    return found


async def _own_applications(
    tx: Transaction, found: PrequalificationRow
) -> Sequence[ApplicationRow]:
    rows = await tx.session.scalars(
        select(ApplicationRow)
        .where(
            col(ApplicationRow.lot_id) == found.lot_id,
            col(ApplicationRow.round) == found.round,
            col(ApplicationRow.applicant_id) == tx.actor.party,
        )
        .order_by(col(ApplicationRow.seq))
    )
    return rows.all()


def _switches(tx: Transaction, project: ProjectRow) -> Switches:
    return switches_of(Procedure(project.procedure), on=beijing_day(tx.now))


async def _switches_of(tx: Transaction, lot: LotRow) -> Switches:
    return _switches(tx, await tx.session.get_one(ProjectRow, lot.project_id))


def _payload_digest(statement: Statement) -> bytes:
    return sha256(Envelope.from_bytes(statement.envelope).payload)
