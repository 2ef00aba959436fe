"""A winner fails after its notice: it gives the award up, or the tenderee annuls it with evidence.

The award stays on record with what made it fall. The lot waits for its award again, as it did
before: the next candidate in order may be named, or the tender ended and held again. Nothing of a
bid security is decided here; whoever would not sign loses it by an act of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, b64u, text_of
from kernel.errors import NotFound, Refused
from kernel.identifiers import LotId, PartyId
from kernel.store.parties import organisation_name, take_part, verified_statement
from kernel.store.transaction import Transaction
from trading import lots, remedying, retendering
from trading.events import AwardAnnulled, AwardRenounced, RenunciationReceived
from trading.handover import switches_for
from trading.made_awards import MadeAward, awards_of
from trading.petitions import (
    Evidence,
    day_in,
    evidence_in,
    require_files_kept,
    words_in,
)
from trading.rules.award_annulment import (
    Annulment,
    AnnulmentGround,
    annulment_article,
    annulment_refusals,
    renunciation_refusals,
)
from trading.rules.lot_lifecycle import LotMove, LotState, move_refusals
from trading.rules.objection_outcome import Remedy
from trading.tables import (
    AwardAnnulmentRow,
    AwardRenunciationRow,
    ContractOfferRow,
    ContractRow,
    LotRow,
)

FOUND_BY_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Annulled:
    """An award as it fell away: by which article, and the digest that the next one has to name."""

    number: int
    article: str
    digest: bytes
    annulled_at: datetime


@dataclass(frozen=True, slots=True)
class _Said:
    ground: AnnulmentGround
    words: str
    evidence: tuple[Evidence, ...]
    found_by: str
    due_on: date | None


@by(Role.BIDDER)
async def renounce_award(tx: Transaction, lot_id: LotId, raw: bytes) -> None:
    """Give an own award up before the contract is signed; the tenderee then annuls it.

    For everybody but the winner there is nothing to give up.
    """
    lot = await lots.lock(tx, lot_id)
    made = await _newest(tx, lot_id)
    if made.row.winner_id != tx.actor.party:
        raise NotFound("no award of yours")
    statement = await verified_statement(
        tx, raw, "award-renunciation", lot=lot_id, project=lot.project_id
    )
    _require_award(statement.payload, made)
    words = words_in(statement.payload["words"])

    refusals = renunciation_refusals(
        words=words,
        renounced=made.renunciation is not None,
        annulled=made.annulment is not None,
        concluded=await _concluded(tx, lot_id),
        switches=await switches_for(tx, lot),
    )
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    tx.session.add(
        AwardRenunciationRow(
            lot_id=lot_id,
            award_number=made.row.number,
            words=words,
            digest=statement.digest,
            statement=raw,
            renounced_by=tx.actor.person,
            renounced_at=tx.now,
        )
    )

    tx.record(
        AwardRenounced(
            lot_id,
            number=made.row.number,
            winner_id=made.row.winner_id,
            statement_digest=statement.digest,
        )
    )
    for party in [*await lots.owners_of(tx, lot), made.row.winner_id]:
        tx.record(
            RenunciationReceived(
                lot_id,
                addressee_id=party,
                number=made.row.number,
                statement_digest=statement.digest,
            )
        )


@by(Role.TENDEREE)
async def annul_award(tx: Transaction, lot_id: LotId, raw: bytes) -> Annulled:
    """Annul the award in force on a ground that the law names; everybody is told why at once.

    `Refused` with every ground on which the winner keeps it.
    """
    lot = await lots.lock(tx, lot_id)
    await lots.owned(tx, lot_id)
    made = await _newest(tx, lot_id)
    statement = await verified_statement(
        tx, raw, "award-annulment", lot=lot_id, project=lot.project_id
    )
    _require_award(statement.payload, made)
    said = _annulment_in(statement.payload)
    _require_renunciation(statement.payload, made, said.ground)
    await require_files_kept(tx, lot_id, said.evidence)
    switches = await switches_for(tx, lot)

    refusals = move_refusals(LotState(lot.state), LotMove.ANNUL_AWARD, suspended=lot.suspended)
    refusals += annulment_refusals(await _facts(tx, lot, made, said), switches)
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    article = str(annulment_article(said.ground, switches))
    renunciation = made.renunciation if said.ground is AnnulmentGround.GAVE_UP else None
    annulled = AwardAnnulled(
        lot_id,
        number=made.row.number,
        winner_id=made.row.winner_id,
        winner=await organisation_name(tx, PartyId(made.row.winner_id)),
        ground=said.ground,
        article=article,
        award_digest=made.row.digest,
        renunciation_digest=None if renunciation is None else renunciation.digest,
        statement_digest=statement.digest,
    )
    tx.session.add(
        AwardAnnulmentRow(
            lot_id=lot_id,
            award_number=made.row.number,
            ground=said.ground,
            article=article,
            words=said.words,
            evidence=[one.kept() for one in said.evidence],
            found_by=said.found_by,
            due_on=said.due_on,
            digest=statement.digest,
            statement=raw,
            annulled_by=tx.actor.person,
            annulled_at=tx.now,
            entry_id=tx.record(annulled),
        )
    )

    lots.move(tx, lot, LotMove.ANNUL_AWARD)
    await remedying.carried_out(tx, lot, statement, Remedy.ANNUL)

    return Annulled(made.row.number, article, statement.digest, tx.now)


# ── what the acts above are made of ───────────────────────────────────────────────────────────


async def _newest(tx: Transaction, lot_id: LotId) -> MadeAward:
    made = await awards_of(tx, lot_id)
    if not made:
        raise NotFound("no award of this lot")
    return made[-1]


async def _concluded(tx: Transaction, lot_id: UUID) -> bool:
    return await tx.session.get(ContractRow, lot_id) is not None


async def _facts(tx: Transaction, lot: LotRow, made: MadeAward, said: _Said) -> Annulment:
    offers = await tx.session.scalar(
        select(func.count())
        .select_from(ContractOfferRow)
        .where(
            col(ContractOfferRow.lot_id) == lot.id,
            col(ContractOfferRow.award_number) == made.row.number,
        )
    )
    return Annulment(
        ground=said.ground,
        now=tx.now,
        words=said.words,
        document="；".join(one.title for one in said.evidence),
        contract_due_on=made.row.contract_due_on,
        found_by=said.found_by,
        security_due_on=said.due_on,
        renounced=made.renunciation is not None,
        offered=bool(offers),
        concluded=await _concluded(tx, lot.id),
        tendered_again=await retendering.is_tendered_again(tx, lot.id),
    )


def _annulment_in(told: Mapping[str, Any]) -> _Said:
    if told["ground"] not in list(AnnulmentGround):
        raise Malformed(f"a ground is one of: {', '.join(AnnulmentGround)}", code="ground")
    found_by = words_in(told.get("found_by", ""))
    if len(found_by) > FOUND_BY_MAX:
        raise Malformed(f"an authority's name has at most {FOUND_BY_MAX} characters")
    return _Said(
        AnnulmentGround(text_of(told["ground"])),
        words_in(told["words"]),
        evidence_in(told["evidence"]),
        found_by,
        day_in(told["due_on"]) if "due_on" in told else None,
    )


def _require_award(told: Mapping[str, Any], made: MadeAward) -> None:
    if told["award"] != b64u(made.row.digest):
        raise Malformed("the statement is about another award", code="wrong_award")


def _require_renunciation(
    told: Mapping[str, Any], made: MadeAward, ground: AnnulmentGround
) -> None:
    """Whoever says that the winner gave up names its statement; nobody else names one."""
    rests_on = made.renunciation if ground is AnnulmentGround.GAVE_UP else None
    due = None if rests_on is None else b64u(rests_on.digest)
    if told.get("renunciation") != due:
        raise Malformed("the statement rests on another renunciation", code="wrong_renunciation")
