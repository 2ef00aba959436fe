"""The committee examines a candidate of its own again, before the notice goes out (条例 56).

Its session is over, so each member reads and signs where it is, and nobody who left is replaced any
more: the original committee concludes by the majority of all who signed its report. What a member
found is told to nobody before that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlmodel import col, select

from blacklist.standing import standing_refusals
from evaluation import attending, committees
from evaluation.committees import CAPACITY_OF, CommitteeFile
from evaluation.rules.committee_composition import MemberKind
from evaluation.rules.recheck_finding import Finding, Opinion, finding, opinion_refusals
from evaluation.tables import MemberRow
from kernel.access import Role, by
from kernel.crypto.digests import Malformed, text_of, unb64u
from kernel.errors import NotFound, Refused
from kernel.identifiers import CommitteeId, EntryId, LotId, PartyId, PersonId
from kernel.store import outbox
from kernel.store.outbox import Channel, Message, Recipient
from kernel.store.parties import take_part, verified_statement
from kernel.store.tables import CapacityRow
from kernel.store.transaction import Transaction
from trading import handover
from trading.handover import EvidenceRead, MemberOpinion, RecheckBefore

WORDS_MAX: Final = 5000
RECHECK_TOPIC: Final = "recheck_call"
RECHECK_CHANNELS: Final = (Channel.INBOX, Channel.SMS)


@dataclass(frozen=True, slots=True)
class Examination:
    """A candidate's examination as a member sees it, and the files of its bid while it is open."""

    before: RecheckBefore
    member_id: UUID
    own: bool | None
    """What the acting member found: that the candidate is fit, or not; None before it said so."""

    files: tuple[tuple[str, int], ...]

    def plain(self) -> dict[str, Any]:
        """The examination as JSON tells it."""
        return {
            **self.before.told.plain(),
            "member": str(self.member_id),
            "own": self.own,
            "files": [{"name": name, "size": size} for name, size in self.files],
        }


@dataclass(frozen=True, slots=True)
class ExaminationDesk:
    """What a member finds at its desk: the lot, and its candidates' examinations, latest first."""

    lot_id: LotId
    lot_name: str
    project_name: str
    examinations: tuple[Examination, ...]


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def desk(tx: Transaction, committee_id: CommitteeId) -> ExaminationDesk:
    """The examinations before one's own committee; `NotFound` for whoever does not sit in it."""
    file = await committees.hold(tx, committee_id)
    member = _own_membership(tx, file)
    found = []
    for one in reversed(await handover.rechecks_before(tx, file.lot_id)):
        files = await handover.bid_files(tx, file.lot_id, one.bid_id) if one.told.open else []
        own = dict(one.opinions).get(member.id)
        found.append(Examination(one, member.id, own, tuple(files)))
    brief = await committees.brief_of(tx, file)
    return ExaminationDesk(file.lot_id, brief.name, brief.project_name, tuple(found))


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def waiting(tx: Transaction) -> frozenset[CommitteeId]:
    """Those of one's own committees before which an examination is open."""
    found = set()
    for one in await attending.summonses(tx):
        file = await committees.hold(tx, one.committee_id)
        if file.row.review_round is None and one.closed:
            before = await handover.rechecks_before(tx, file.lot_id)
            found |= {file.id for each in before if each.told.open}
    return frozenset(found)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def give_opinion(
    tx: Transaction, committee_id: CommitteeId, number: int, raw: bytes
) -> Finding:
    """Say under one's own key whether a candidate still meets the standards; what is found by now.

    The opinion that makes a majority of all members concludes, and the lot goes on.
    """
    file = await committees.lock(tx, committee_id)
    member = _own_membership(tx, file)
    known = await _numbered(tx, file, number)
    statement = await verified_statement(
        tx, raw, "recheck-opinion", committee=file.id, member=member.id
    )
    said = statement.payload
    if unb64u(said["recheck"], 32) != known.told.digest:
        raise Malformed("the opinion is about another examination", code="wrong_recheck")
    if not isinstance(said["fit"], bool):
        raise Malformed("a candidate still meets the standards or not")
    words = text_of(said["words"]).strip()
    if len(words) > WORDS_MAX:
        raise Malformed(f"an opinion has at most {WORDS_MAX} characters")
    opinion = Opinion(member.id, said["fit"])
    brief = await committees.brief_of(tx, file)
    standing = await committees.standing_here(tx, brief, member)

    refusals = opinion_refusals(
        open=known.told.open,
        given=member.id in known.given_by,
        words=words,
        bars=standing_refusals(standing),
    )
    if refusals:
        raise Refused(refusals)

    await take_part(tx, file.lot_id)
    await handover.note_opinion(
        tx,
        file.lot_id,
        MemberOpinion(number, member.id, member.number, opinion.fit, words, statement.digest, raw),
    )
    earlier = [Opinion(who, fit) for who, fit in known.opinions]
    found = finding([*earlier, opinion], file.member_ids)
    if found is not Finding.OPEN:
        await handover.conclude_recheck(
            tx,
            file.lot_id,
            number,
            confirmed=found is Finding.CONFIRMED,
            members=len(file.members),
        )

    return found


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def read_candidate(
    tx: Transaction, committee_id: CommitteeId, number: int, name: str
) -> bytes:
    """A file of the examined candidate's bid, while the examination is open."""
    file = await committees.hold(tx, committee_id)
    _own_membership(tx, file)
    known = await _numbered(tx, file, number)
    if not known.told.open:
        raise NotFound("nothing is examined any more")
    return await handover.bid_file(tx, file.lot_id, known.bid_id, name)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def read_evidence(
    tx: Transaction, committee_id: CommitteeId, number: int, digest: str
) -> EvidenceRead:
    """A file that came with the request."""
    file = await committees.hold(tx, committee_id)
    _own_membership(tx, file)
    return await handover.recheck_evidence(tx, file.lot_id, number, unb64u(digest, 32))


@by(Role.PLATFORM)
async def call_members(tx: Transaction, entry_id: EntryId, lot_id: LotId) -> int:
    """Tell everybody who sits in the lot's committee that a candidate is to be examined; how many.

    Who they are is told to nobody, so that the message is posted here and not to a circle.
    """
    file = await committees.find_of_lot(tx, lot_id)
    if file is None:
        return 0
    roles = {one.person_id: CAPACITY_OF[MemberKind(one.capacity)] for one in file.members}
    rows = await tx.session.scalars(
        select(CapacityRow).where(
            CapacityRow.subject_id == lot_id, col(CapacityRow.person_id).in_(roles)
        )
    )
    to = [
        Recipient(PartyId(row.party_id), Role(row.role), PersonId(row.person_id))
        for row in rows
        if row.role == roles[row.person_id]
    ]

    # Nothing of the lot goes outside: that somebody sits in its committee is secret.
    message = Message(RECHECK_TOPIC, file.id, must=True, channels=RECHECK_CHANNELS, facts={})
    await outbox.post(tx, entry_id, message, to)

    return len(to)


def _own_membership(tx: Transaction, file: CommitteeFile) -> MemberRow:
    """The acting person's seat; who reviewed applications recommended nobody."""
    if file.row.review_round is not None:
        raise NotFound("no such committee")
    return file.member_of(tx)


async def _numbered(tx: Transaction, file: CommitteeFile, number: int) -> RecheckBefore:
    for one in await handover.rechecks_before(tx, file.lot_id):
        if one.told.number == number:
            return one
    raise NotFound("no such examination")
