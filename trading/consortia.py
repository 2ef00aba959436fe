"""The agreement of a consortium as it is found in an opened bid or application, and who signed it.

A signature counts for a member if its key spoke for a person of that member's when the bid came
in: a key that is revoked later takes nothing back.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import or_, select
from sqlmodel import col

from kernel.access import Role
from kernel.crypto.digests import Malformed
from kernel.crypto.signing import verify
from kernel.crypto.statement_kinds import read_statement
from kernel.errors import BrokenSeal, NotFound, TooMuch
from kernel.identifiers import PartyId
from kernel.store.documents import Documents
from kernel.store.parties import organisation_names, relying_party, require_about
from kernel.store.tables import CredentialRow, MembershipRow
from kernel.store.transaction import Transaction
from trading.rules.consortium_agreement import (
    AGREEMENT_MAX,
    FILE,
    Agreement,
    BidderAtLot,
    agreement_in,
)
from trading.sealed_archives import SealedArchive, from_archive, read_file
from trading.tables import LotRow

KIND: Final = "consortium-agreement"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who sent a sealed archive, and when it came in."""

    party_id: PartyId
    name: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A sealed archive that was opened: whose it is, when it came in, and its secrets."""

    party_id: PartyId
    name: str
    received_at: datetime
    archive: SealedArchive
    secrets: Mapping[str, bytes]


async def bidder_in(tx: Transaction, lot: LotRow, opened: Opened) -> BidderAtLot:
    """Who bids by an opened archive: its owner alone, or a consortium by the agreement in it.

    An archive that cannot be read shows nobody beside its owner.
    """
    raw = await agreement_inside(tx.documents, opened.archive, opened.secrets)
    owner = Owner(opened.party_id, opened.name, opened.received_at)
    return await bidder_by(tx, lot, owner, raw)


async def agreement_inside(
    documents: Documents, archive: SealedArchive, secrets: Mapping[str, bytes]
) -> bytes | None:
    """The bytes of the agreement in an opened archive, empty where it is too large for one.

    None where there is none, or the archive cannot be read.
    """
    try:
        return await from_archive(documents, archive, secrets, _agreement_file)
    except (NotFound, BrokenSeal):
        return None
    except TooMuch:
        return b""


async def bidder_by(tx: Transaction, lot: LotRow, owner: Owner, raw: bytes | None) -> BidderAtLot:
    """Who bids by an agreement; one that cannot be read, or is for another lot, is none."""
    if raw is None:
        return BidderAtLot(owner.party_id, owner.name)
    try:
        _, payload = read_statement(raw, KIND, max_bytes=AGREEMENT_MAX)
        require_about(payload, lot=lot.id, project=lot.project_id)
        agreement = agreement_in(payload)
        signers = await _signers(tx, raw, agreement, at=owner.received_at)
    except (Malformed, BrokenSeal):
        return BidderAtLot(owner.party_id, owner.name, unreadable=True)
    names = await organisation_names(tx.session, [one.party_id for one in agreement.members])
    return BidderAtLot(
        owner.party_id,
        owner.name,
        agreement,
        signers,
        {PartyId(id): name for id, name in names.items()},
    )


def _agreement_file(archive: zipfile.ZipFile) -> bytes:
    if FILE not in archive.namelist():
        raise NotFound("no agreement")
    if archive.getinfo(FILE).file_size > AGREEMENT_MAX:
        raise TooMuch("the agreement is too large")
    return read_file(archive, FILE)


async def _signers(
    tx: Transaction, raw: bytes, agreement: Agreement, *, at: datetime
) -> frozenset[PartyId]:
    """The members for whom one of their own people signed, each person for one member."""
    envelope, _ = read_statement(raw, KIND, max_bytes=AGREEMENT_MAX)
    rows = await tx.session.execute(
        select(
            col(CredentialRow.keyid),
            col(CredentialRow.public_key),
            col(CredentialRow.person_id),
            col(MembershipRow.party_id),
        )
        .join(MembershipRow, col(MembershipRow.person_id) == col(CredentialRow.person_id))
        .where(
            col(CredentialRow.keyid).in_([one.keyid for one in envelope.signatures]),
            col(CredentialRow.added_at) <= at,
            or_(col(CredentialRow.revoked_at).is_(None), col(CredentialRow.revoked_at) > at),
            col(MembershipRow.role) == Role.BIDDER,
            col(MembershipRow.since) <= at,
            or_(col(MembershipRow.ended_at).is_(None), col(MembershipRow.ended_at) > at),
            col(MembershipRow.party_id).in_([one.party_id for one in agreement.members]),
        )
    )
    known = rows.all()
    if not known:
        return frozenset()
    good = verify(
        envelope,
        keys={keyid: key for keyid, key, _, _ in known},
        relying_party=relying_party(tx.settings),
    )
    signed: dict[object, PartyId] = {}
    for keyid, _, person_id, party_id in sorted(known, key=lambda row: (str(row[2]), str(row[3]))):
        if keyid in good and party_id not in signed.values():
            signed.setdefault(person_id, PartyId(party_id))
    return frozenset(signed.values())
