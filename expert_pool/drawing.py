"""The draw of a committee's experts: unpredictable before, secret while it must be, provable after.

The pool and every exclusion are fixed by their roots in the announcement. Then each party commits
to a nonce; only when all commitments stand in the witnessed log does anyone deal shares or reveal.
The order of every stratum follows from the nonces; the platform calls from the top and passes over
only whom the committed exclusions, an expert's own answer or a later bar make it pass over.

This is the pool's door: what others may know of experts comes out here, and no name comes out
before its owner has accepted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from blacklist.standing import BarredAct, standing_of
from expert_pool.enrolling import own_row
from expert_pool.events import (
    CallAnswered,
    DrawAnnounced,
    DrawCommitted,
    DrawCompleted,
    DrawRanked,
    DrawVoided,
    EligibilityCountersigned,
    ExpertCalled,
    NonceRevealed,
    NonceShareConfirmed,
    NonceSharesDealt,
)
from expert_pool.pool_facts import exclusion_grounds
from expert_pool.rules.strata import Stratum, strata_refusals
from expert_pool.tables import (
    CallRow,
    DrawLabelRow,
    DrawPartyRow,
    DrawRow,
    DrawStatementRow,
    ExpertRow,
    NonceShareRow,
)
from kernel.access import Role, by
from kernel.crypto import fair_draw, merkle
from kernel.crypto.digests import b64u, canonical, instant_text, labelled, sha256, unb64u
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal, NotFound, Outrun, Refused
from kernel.identifiers import DrawId, ExpertId, LotId, PartyId, PersonId
from kernel.randomness import random_bytes, random_id
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION
from kernel.store.database import lock_exclusive
from kernel.store.journal import entries_about
from kernel.store.parties import Statement, take_part, verified_statement
from kernel.store.tables import CredentialRow
from kernel.store.transaction import Transaction
from kernel.store.transparency_log import is_witnessed

COMMITTING, RANKED, SEATED, VOID = "committing", "ranked", "seated", "void"
CALLED, ACCEPTED, DECLINED, NO_ANSWER = "called", "accepted", "declined", "no_answer"
EXCLUDED, ELSEWHERE, BARRED_LATE = "excluded", "seated_elsewhere", "barred_late"
REVEAL_PATIENCE = timedelta(minutes=30)
PARTIES_MIN = 3


@dataclass(frozen=True, slots=True)
class Interested:
    """An organisation the committee must have no ties to: a bidder, the tenderee, the agency."""

    uscc: str
    name: str
    capacity: str


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """What is to be drawn, for which lot, among whom, and with whose nonces."""

    lot_id: LotId
    strata: tuple[Stratum, ...]
    interested: tuple[Interested, ...]
    parties: tuple[tuple[str, PartyId], ...]
    """(name, organisation): tenderee, agency, supervisor, and any bidder who wishes."""

    close_entry: UUID
    window_from: datetime
    window_until: datetime


@dataclass(frozen=True, slots=True)
class DrawnExpert:
    """An expert who accepted a seat."""

    expert_id: ExpertId
    person_id: PersonId
    stratum: str
    region_code: str
    employer_uscc: str


@dataclass(frozen=True, slots=True)
class OwnCall:
    """A call as the called expert sees it."""

    id: UUID
    draw_id: DrawId
    outcome: str
    called_at: datetime
    window_from: datetime
    window_until: datetime


@by(Role.TENDEREE, Role.AGENCY)
async def announce(tx: Transaction, request: DrawRequest) -> DrawId:
    """Announce a draw with its pool and exclusions fixed; nobody knows any nonce yet.

    It may be announced only once the lot's closing stands in the witnessed log. A void round is
    followed by the next one; a round that is under way cannot be repeated.
    """
    await lock_exclusive(tx.session, f"draw:{request.lot_id}")
    before = (
        await tx.session.scalars(
            select(DrawRow).where(DrawRow.lot_id == request.lot_id).order_by(col(DrawRow.round))
        )
    ).all()
    experts = (
        await tx.session.scalars(
            select(ExpertRow).where(
                col(ExpertRow.left_at).is_(None), col(ExpertRow.verified_at).is_not(None)
            )
        )
    ).all()
    witnessed = await is_witnessed(
        tx.session, request.close_entry, quorum=tx.settings.witness_quorum
    )

    refusals = strata_refusals(request.strata)
    if not witnessed:
        refusals.append(_refusal("close_not_witnessed", "截标记录尚未经见证，不得抽取评标专家"))
    if any(draw.state != VOID for draw in before):
        refusals.append(_refusal("drawn_already", "本标段已抽取评标专家，不得重复抽取"))
    if len({name for name, _ in request.parties}) < PARTIES_MIN:
        refusals.append(_refusal("too_few_parties", "抽取至少应有三方共同提供随机数"))
    if refusals:
        raise Refused(refusals)

    draw_id, round_number = DrawId(random_id()), len(before) + 1
    members = [
        member
        for expert in experts
        if (member := await _member(tx, draw_id, expert, request)) is not None
    ]
    announcement = _announcement(tx, draw_id, round_number, request, members)
    entry = tx.record(
        DrawAnnounced(request.lot_id, draw_id, round_number, announcement=announcement)
    )
    tx.session.add(
        DrawRow(
            id=draw_id,
            lot_id=request.lot_id,
            round=round_number,
            state=COMMITTING,
            announcement=announcement,
            announced_entry=entry,
            announced_at=tx.now,
            reveal_by=tx.now + REVEAL_PATIENCE,
            threshold=len(request.parties) - 1,
            window_from=request.window_from,
            window_until=request.window_until,
        )
    )
    await tx.session.flush()
    tx.session.add_all(members)
    tx.session.add_all(
        DrawPartyRow(draw_id=draw_id, name=name, party_id=party)
        for name, party in request.parties
    )

    return draw_id


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR, Role.BIDDER)
async def commit(tx: Transaction, draw_id: DrawId, raw: bytes) -> None:
    """A party commits to its nonce, once the announcement is witnessed."""
    draw = await _locked(tx, draw_id)
    party = await _own_party(tx, draw_id)
    statement = await verified_statement(tx, raw, "draw-commit")
    witnessed = await is_witnessed(
        tx.session, draw.announced_entry, quorum=tx.settings.witness_quorum
    )

    _about(statement, draw, party)
    if not witnessed:
        raise Refused([_refusal("not_witnessed", "抽取公告尚未经见证，不得提交承诺")])
    if party.commitment is not None or draw.state != COMMITTING:
        raise Outrun("the commitment stands already")

    await take_part(tx, draw.lot_id)
    party.person_id = tx.actor.person
    party.commitment = unb64u(statement.payload["commitment"], 32)
    party.share_key = unb64u(statement.payload["share_key"], 65)
    await _keep(tx, draw_id, statement)

    party.committed_entry = tx.record(
        DrawCommitted(
            draw.lot_id,
            draw_id,
            party.name,
            commitment=party.commitment,
            share_key=party.share_key,
            statement_digest=statement.digest,
        )
    )
    tx.session.add(party)


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR, Role.BIDDER)
async def deal(tx: Transaction, draw_id: DrawId, raw: bytes) -> None:
    """A party deals shares of its nonce to the others, once all commitments are witnessed."""
    draw = await _locked(tx, draw_id)
    party = await _own_party(tx, draw_id)
    parties = await _parties(tx, draw_id)
    statement = await verified_statement(tx, raw, "draw-shares")

    _about(statement, draw, party)
    await _require_all_committed(tx, parties)
    if party.dealt_entry is not None:
        raise Outrun("the shares are dealt already")
    shares: list[dict[str, Any]] = statement.payload["shares"]
    if {one["holder"] for one in shares} != {one.name for one in parties} - {party.name}:
        raise BrokenSeal("a share goes to each of the others, and to nobody else")

    for one in shares:
        tx.session.add(
            NonceShareRow(
                draw_id=draw_id,
                dealer=party.name,
                holder=one["holder"],
                ciphertext=unb64u(one["ciphertext"]),
                commitment=unb64u(one["commitment"], 32),
            )
        )
    await _keep(tx, draw_id, statement)

    party.dealt_entry = tx.record(
        NonceSharesDealt(
            draw.lot_id,
            draw_id,
            party.name,
            shares=tuple(shares),
            statement_digest=statement.digest,
        )
    )
    tx.session.add(party)


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR, Role.BIDDER)
async def confirm(tx: Transaction, draw_id: DrawId, dealer: str) -> None:
    """A holder confirms that the share it was dealt opens; withholding this stops nothing."""
    draw = await _locked(tx, draw_id)
    party = await _own_party(tx, draw_id)
    share = await tx.session.get(NonceShareRow, (draw_id, dealer, party.name))

    if share is None:
        raise NotFound("no such share")
    if share.confirmed_at is not None:
        return

    share.confirmed_at = tx.now
    tx.session.add(share)

    tx.record(NonceShareConfirmed(draw.lot_id, draw_id, holder=party.name, dealer=dealer))


@by(Role.SUPERVISOR)
async def exclusions(tx: Transaction, draw_id: DrawId) -> list[dict[str, Any]]:
    """Every label with its grounds, for the supervisor who is to countersign; no names."""
    draw = await _draw(tx, draw_id)
    await _own_party(tx, draw_id)
    return [
        {
            "label": b64u(row.label),
            "strata": row.strata,
            "grounds": row.grounds,
            "salt": b64u(row.eligibility_salt),
        }
        for row in await _labels(tx, DrawId(draw.id))
    ]


@by(Role.SUPERVISOR)
async def countersign(tx: Transaction, draw_id: DrawId, raw: bytes) -> None:
    """A supervisor countersigns the exclusions, before any nonce is known."""
    draw = await _locked(tx, draw_id)
    party = await _own_party(tx, draw_id)
    statement = await verified_statement(tx, raw, "draw-eligibility")
    root = _told(draw)["pool"]["members_root"]

    _about(statement, draw, party)
    await _require_all_committed(tx, await _parties(tx, draw_id))
    if statement.payload["members_root"] != root:
        raise BrokenSeal("these are not the announced exclusions")
    if any(one.nonce is not None for one in await _parties(tx, draw_id)):
        raise Refused([_refusal("nonce_known", "随机数已公开，不得再会签回避名单")])
    if await _kept(tx, draw_id, "draw-eligibility"):
        raise Outrun("the exclusions are countersigned already")

    await _keep(tx, draw_id, statement)

    tx.record(
        EligibilityCountersigned(
            draw.lot_id,
            draw_id,
            eligibility_root=unb64u(root),
            statement_digest=statement.digest,
        )
    )


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR, Role.BIDDER)
async def reveal(tx: Transaction, draw_id: DrawId, raw: bytes) -> None:
    """A party reveals its nonce; with the last one the ranking follows and calling begins."""
    draw = await _locked(tx, draw_id)
    party = await _own_party(tx, draw_id)
    statement = await verified_statement(tx, raw, "draw-reveal")
    parties = await _parties(tx, draw_id)

    _about(statement, draw, party)
    await _require_ready_to_reveal(tx, draw, parties)
    nonce = unb64u(statement.payload["nonce"], fair_draw.NONCE_SIZE)
    assert party.commitment is not None
    fair_draw.check_reveal(sha256(draw.announcement), party.name, nonce, party.commitment)

    if party.nonce is None:
        party.nonce, party.revealed_at = nonce, tx.now
        tx.session.add(party)
        tx.record(NonceRevealed(draw.lot_id, draw_id, party.name, nonce=nonce, recovered=False))

    await _rank_when_complete(tx, draw)


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR, Role.BIDDER)
async def give_share(tx: Transaction, draw_id: DrawId, dealer: str, share: bytes) -> None:
    """A holder gives the share it keeps of a party that vanished; enough of them rebuild it."""
    draw = await _locked(tx, draw_id)
    party = await _own_party(tx, draw_id)
    parties = {one.name: one for one in await _parties(tx, draw_id)}
    row = await tx.session.get(NonceShareRow, (draw_id, dealer, party.name))
    absent = parties.get(dealer)
    if row is None or absent is None or absent.commitment is None:
        raise NotFound("no such share")

    await _require_ready_to_reveal(tx, draw, list(parties.values()))
    if tx.now < draw.reveal_by:
        raise Refused(
            [_refusal("too_early", f"公开期限 {instant_text(draw.reveal_by)} 前不得代为恢复随机数")]
        )
    digest = sha256(draw.announcement)
    if fair_draw.share_commitment(digest, dealer, share) != row.commitment:
        raise BrokenSeal(f"{party.name} gave another share than it was dealt")

    row.share = share
    tx.session.add(row)
    await tx.session.flush()
    rows = (
        await tx.session.scalars(
            select(NonceShareRow).where(
                NonceShareRow.draw_id == draw_id, NonceShareRow.dealer == dealer
            )
        )
    ).all()
    given = [one.share for one in rows if one.share is not None]
    if len(given) >= draw.threshold and absent.nonce is None:
        absent.nonce = fair_draw.recover_nonce(
            digest,
            dealer,
            t=draw.threshold,
            committed=absent.commitment,
            share_commitments=[one.commitment for one in rows],
            shares=given,
        )
        absent.recovered, absent.revealed_at = True, tx.now
        tx.session.add(absent)
        tx.record(
            NonceRevealed(draw.lot_id, draw_id, dealer, nonce=absent.nonce, recovered=True)
        )

    await _rank_when_complete(tx, draw)


@by(Role.SUPERVISOR, Role.CENTRE_STAFF)
async def void(tx: Transaction, draw_id: DrawId, reason: str) -> None:
    """Declare a draw void that cannot be completed; who failed is named, and sits out the next."""
    draw = await _locked(tx, draw_id)
    parties = await _parties(tx, draw_id)

    if draw.state != COMMITTING:
        raise Refused([_refusal("ranked_already", "抽取结果已确定，不得宣布无效重抽")])
    if tx.now < draw.reveal_by:
        raise Refused([_refusal("too_early", "公开期限届满前不得宣布本次抽取无效")])

    draw.state, draw.void_reason = VOID, reason
    tx.session.add(draw)

    failed = tuple(one.name for one in parties if one.nonce is None)
    tx.record(DrawVoided(draw.lot_id, draw_id, reason=reason, parties=failed))


@by(Role.EXPERT)
async def own_calls(tx: Transaction) -> list[OwnCall]:
    """The acting expert's own calls; reading them is the proof that they were delivered."""
    expert = await own_row(tx)
    rows = await tx.session.execute(
        select(CallRow, DrawRow)
        .join(DrawRow, col(DrawRow.id) == col(CallRow.draw_id))
        .where(
            CallRow.expert_id == expert.id,
            col(CallRow.outcome).in_((CALLED, ACCEPTED, DECLINED, NO_ANSWER)),
        )
    )
    calls = []
    for call, draw in rows:
        if call.delivered_at is None:
            call.delivered_at = tx.now
            tx.session.add(call)
        calls.append(
            OwnCall(
                call.id,
                DrawId(draw.id),
                call.outcome,
                call.called_at,
                draw.window_from,
                draw.window_until,
            )
        )
    return calls


@by(Role.EXPERT)
async def answer(tx: Transaction, call_id: UUID, raw: bytes) -> None:
    """A called expert accepts or declines by a signed statement; then the next is called."""
    expert = await own_row(tx)
    call = await tx.session.get(CallRow, call_id)
    if call is None or call.expert_id != expert.id:
        raise NotFound("no such call")
    draw = await _locked(tx, DrawId(call.draw_id))
    await tx.session.refresh(call)
    statement = await verified_statement(tx, raw, "draw-answer")

    if statement.payload.get("call") != str(call_id):
        raise BrokenSeal("the answer is to another call")
    said = statement.payload.get("answer")
    if said not in (ACCEPTED, DECLINED):
        raise BrokenSeal("an answer is accepted or declined")
    if call.outcome != CALLED:
        raise Outrun("the call is answered already")

    if said == ACCEPTED:
        await take_part(tx, draw.lot_id)
    call.outcome, call.answered_at = said, tx.now
    call.reason = str(statement.payload.get("reason", ""))[:500]
    tx.session.add(call)
    await _keep(tx, DrawId(draw.id), statement)

    tx.record(
        CallAnswered(
            draw.lot_id,
            DrawId(draw.id),
            call.stratum,
            call.place,
            call.label,
            outcome=call.outcome,
            reason=call.reason,
        )
    )
    await tx.session.flush()
    await _call_on(tx, draw)


@by(Role.CENTRE_STAFF)
async def note_no_answer(tx: Transaction, call_id: UUID) -> None:
    """Note that a called expert did not answer, though the call was delivered."""
    call = await tx.session.get(CallRow, call_id)
    if call is None:
        raise NotFound("no such call")
    draw = await _locked(tx, DrawId(call.draw_id))
    await tx.session.refresh(call)

    if call.outcome != CALLED:
        raise Outrun("the call is answered already")
    if call.delivered_at is None:
        raise Refused([_refusal("not_delivered", "没有送达回执，不得记为未应答")])

    call.outcome, call.answered_at = NO_ANSWER, tx.now
    tx.session.add(call)

    tx.record(
        CallAnswered(
            draw.lot_id,
            DrawId(draw.id),
            call.stratum,
            call.place,
            call.label,
            outcome=NO_ANSWER,
            reason="",
        )
    )
    await tx.session.flush()
    await _call_on(tx, draw)


@by(*Role)
async def draw_state(tx: Transaction, draw_id: DrawId) -> dict[str, Any]:
    """A draw as anyone may see it while it goes on: no label's fate, and no name."""
    draw = await _draw(tx, draw_id)
    parties = await _parties(tx, draw_id)
    shares = await tx.session.scalars(
        select(NonceShareRow).where(NonceShareRow.draw_id == draw_id)
    )
    return {
        "draw": str(draw.id),
        "lot": str(draw.lot_id),
        "round": draw.round,
        "state": draw.state,
        "announcement": draw.announcement,
        "announced_entry": str(draw.announced_entry),
        "reveal_by": instant_text(draw.reveal_by),
        "parties": [
            {
                "name": one.name,
                "committed_entry": None if one.committed_entry is None else str(one.committed_entry),
                "dealt": one.dealt_entry is not None,
                "revealed": one.nonce is not None,
            }
            for one in parties
        ],
        "shares": [
            {
                "dealer": one.dealer,
                "holder": one.holder,
                "commitment": b64u(one.commitment),
                "ciphertext": b64u(one.ciphertext),
            }
            for one in shares
        ],
        "void_reason": draw.void_reason,
    }


@by(*Role)
async def transcript(tx: Transaction, draw_id: DrawId) -> dict[str, Any]:
    """Everything that re-derives a completed draw, by labels; `NotFound` before it is complete."""
    draw = await _draw(tx, draw_id)
    if draw.state != SEATED or draw.prk is None:
        raise NotFound("the draw is not complete")
    parties = await _parties(tx, draw_id)
    labels = await _labels(tx, draw_id)
    statements = await _statements(tx, draw_id)
    commitments = {
        one.name: statement
        for one in parties
        for statement in statements
        if statement.kind == "draw-commit" and _says_party(statement, one.name)
    }
    countersigned = next(one for one in statements if one.kind == "draw-eligibility")
    signers = [*commitments.values(), countersigned]
    return {
        "v": "ebid-draw-transcript/1",
        "announcement": draw.announcement,
        "pool": [
            {
                "label": b64u(row.label),
                "strata": row.strata,
                "eligibility": b64u(_eligibility(row)),
            }
            for row in labels
        ],
        "commitments": {name: one.statement for name, one in commitments.items()},
        "dealers": [one.name for one in parties if one.dealt_entry is not None],
        "countersignature": countersigned.statement,
        "nonces": {one.name: b64u(one.nonce or b"") for one in parties},
        "prk": b64u(draw.prk),
        "calls": await _calls_told(tx, draw),
        "signers": {one.keyid: b64u(one.public_key) for one in signers},
        "close_entry": _told(draw)["close_entry"],
        "entries": await _entries(tx, draw, parties),
    }


@by(Role.TENDEREE, Role.AGENCY, Role.PLATFORM, Role.CENTRE_STAFF)
async def drawn_experts(tx: Transaction, lot_id: LotId) -> tuple[DrawnExpert, ...]:
    """Who accepted a seat for this lot, once every seat is taken; else `NotFound`.

    For forming the committee, not for showing: the list stays secret until the award is decided.
    """
    draw = (
        await tx.session.scalars(
            select(DrawRow).where(DrawRow.lot_id == lot_id, DrawRow.state == SEATED)
        )
    ).first()
    if draw is None:
        raise NotFound("no completed draw")
    rows = await tx.session.execute(
        select(CallRow, ExpertRow)
        .join(ExpertRow, col(ExpertRow.id) == col(CallRow.expert_id))
        .where(CallRow.draw_id == draw.id, CallRow.outcome == ACCEPTED)
        .order_by(col(CallRow.label))
    )
    return tuple(
        DrawnExpert(
            ExpertId(expert.id),
            PersonId(expert.person_id),
            call.stratum,
            expert.region_code,
            expert.employer_uscc,
        )
        for call, expert in rows
    )


# --- what the activities above are made of


def _refusal(code: str, reason: str) -> Refusal:
    return Refusal(code, BIDDING_REGULATION[46], reason)


def _about(statement: Statement, draw: DrawRow, party: DrawPartyRow) -> None:
    said = statement.payload
    if said.get("draw") != str(draw.id) or said.get("party", party.name) != party.name:
        raise BrokenSeal("the statement is about another draw or another party")


def _told(draw: DrawRow) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(draw.announcement)
    return told


async def _draw(tx: Transaction, draw_id: DrawId) -> DrawRow:
    row = await tx.session.get(DrawRow, draw_id)
    if row is None:
        raise NotFound("no such draw")
    return row


async def _locked(tx: Transaction, draw_id: DrawId) -> DrawRow:
    row = await _draw(tx, draw_id)
    await lock_exclusive(tx.session, f"draw:{row.lot_id}")
    await tx.session.refresh(row)
    return row


async def _parties(tx: Transaction, draw_id: DrawId) -> Sequence[DrawPartyRow]:
    rows = await tx.session.scalars(
        select(DrawPartyRow)
        .where(DrawPartyRow.draw_id == draw_id)
        .order_by(col(DrawPartyRow.name))
    )
    return rows.all()


async def _own_party(tx: Transaction, draw_id: DrawId) -> DrawPartyRow:
    for row in await _parties(tx, draw_id):
        if row.party_id == tx.actor.party:
            return row
    raise NotFound("no such draw")


async def _labels(tx: Transaction, draw_id: DrawId) -> Sequence[DrawLabelRow]:
    rows = await tx.session.scalars(
        select(DrawLabelRow)
        .where(DrawLabelRow.draw_id == draw_id)
        .order_by(col(DrawLabelRow.label))
    )
    return rows.all()


async def _statements(tx: Transaction, draw_id: DrawId) -> Sequence[DrawStatementRow]:
    rows = await tx.session.scalars(
        select(DrawStatementRow)
        .where(DrawStatementRow.draw_id == draw_id)
        .order_by(col(DrawStatementRow.made_at))
    )
    return rows.all()


async def _kept(tx: Transaction, draw_id: DrawId, kind: str) -> bool:
    return any(one.kind == kind for one in await _statements(tx, draw_id))


async def _keep(tx: Transaction, draw_id: DrawId, statement: Statement) -> None:
    credential = await tx.session.get(CredentialRow, statement.keyid)
    assert credential is not None
    tx.session.add(
        DrawStatementRow(
            digest=statement.digest,
            draw_id=draw_id,
            kind=statement.kind,
            keyid=statement.keyid,
            public_key=credential.public_key,
            statement=statement.envelope,
            made_at=tx.now,
        )
    )


def _says_party(statement: DrawStatementRow, name: str) -> bool:
    return f'"party":"{name}"'.encode() in Envelope.from_bytes(statement.statement).payload


async def _require_all_committed(tx: Transaction, parties: Sequence[DrawPartyRow]) -> None:
    for one in parties:
        if one.committed_entry is None or not await is_witnessed(
            tx.session, one.committed_entry, quorum=tx.settings.witness_quorum
        ):
            raise Refused(
                [_refusal("not_all_committed", f"{one.name} 的承诺尚未经见证，任何一方不得公开")]
            )


async def _require_ready_to_reveal(
    tx: Transaction, draw: DrawRow, parties: Sequence[DrawPartyRow]
) -> None:
    await _require_all_committed(tx, parties)
    if draw.state != COMMITTING:
        raise Outrun("the draw is ranked already")
    refusals = []
    if any(one.dealt_entry is None for one in parties):
        refusals.append(_refusal("shares_missing", "各方尚未分发随机数份额，不得公开随机数"))
    if not await _kept(tx, DrawId(draw.id), "draw-eligibility"):
        refusals.append(_refusal("not_countersigned", "回避名单尚未经监督会签，不得公开随机数"))
    if refusals:
        raise Refused(refusals)


async def _member(
    tx: Transaction, draw_id: DrawId, expert: ExpertRow, request: DrawRequest
) -> DrawLabelRow | None:
    strata = [stratum.name for stratum in request.strata if _belongs(expert, stratum)]
    if not strata:
        return None
    grounds = await exclusion_grounds(
        tx, expert, [(one.uscc, one.capacity) for one in request.interested]
    )
    standing = await standing_of(tx, person_id=PersonId(expert.person_id), act=BarredAct.DRAW)
    if standing.barred:
        grounds = [*grounds, "barred"]
    salt = random_bytes(32)
    return DrawLabelRow(
        draw_id=draw_id,
        expert_id=expert.id,
        label=fair_draw.label(salt, str(expert.id)),
        salt=salt,
        strata=strata,
        grounds=sorted(grounds),
        eligibility_salt=random_bytes(32),
    )


def _belongs(expert: ExpertRow, stratum: Stratum) -> bool:
    return (
        not stratum.region_code or expert.region_code.startswith(stratum.region_code)
    ) and any(code.startswith(stratum.specialism) for code in expert.specialisms)


def _eligibility(row: DrawLabelRow) -> bytes:
    return labelled(
        "ebid/1/draw/eligibility", row.eligibility_salt, row.label, canonical(row.grounds)
    )


def _members_root(members: Sequence[DrawLabelRow]) -> bytes:
    ordered = sorted(members, key=lambda row: row.label)
    return merkle.root(
        [
            merkle.leaf_hash(
                labelled(
                    "ebid/1/draw/member", row.label, canonical(row.strata), _eligibility(row)
                )
            )
            for row in ordered
        ]
    )


def _announcement(
    tx: Transaction,
    draw_id: DrawId,
    round_number: int,
    request: DrawRequest,
    members: Sequence[DrawLabelRow],
) -> bytes:
    excluded: dict[str, int] = {}
    for row in members:
        for ground in row.grounds:
            excluded[ground] = excluded.get(ground, 0) + 1
    return canonical(
        {
            "v": "ebid-draw/1",
            "draw": str(draw_id),
            "lot": str(request.lot_id),
            "round": round_number,
            "strata": [
                {
                    "name": one.name,
                    "specialism": one.specialism,
                    "region": one.region_code,
                    "seats": one.seats,
                }
                for one in request.strata
            ],
            "pool": {
                "size": len(members),
                "root": b64u(fair_draw.pool_root([row.label for row in members])),
                "members_root": b64u(_members_root(members)),
            },
            "excluded": excluded,
            "parties": [
                {"name": name, "organisation": str(party)} for name, party in request.parties
            ],
            "threshold": len(request.parties) - 1,
            "beacon": None,
            "close_entry": str(request.close_entry),
            "reveal_by": instant_text(tx.now + REVEAL_PATIENCE),
        }
    )


async def _rank_when_complete(tx: Transaction, draw: DrawRow) -> None:
    await tx.session.flush()
    parties = await _parties(tx, DrawId(draw.id))
    nonces = {one.name: one.nonce for one in parties if one.nonce is not None}
    if len(nonces) != len(parties) or draw.prk is not None:
        return
    draw.prk = fair_draw.prk(sha256(draw.announcement), nonces)
    draw.state = RANKED
    tx.session.add(draw)
    tx.record(DrawRanked(draw.lot_id, DrawId(draw.id), prk=draw.prk))
    await _call_on(tx, draw)


async def _call_on(tx: Transaction, draw: DrawRow) -> None:
    """Call down every stratum until as many are called or seated as it has seats."""
    if draw.state != RANKED:
        return
    labels = await _labels(tx, DrawId(draw.id))
    rows = (await tx.session.scalars(select(CallRow).where(CallRow.draw_id == draw.id))).all()
    calls = list(rows)
    open_seats = 0
    for stratum in _told(draw)["strata"]:
        open_seats += await _call_stratum(tx, draw, stratum, labels, calls)
    if open_seats == 0:
        await _complete(tx, draw, calls)


async def _call_stratum(
    tx: Transaction,
    draw: DrawRow,
    stratum: Mapping[str, Any],
    labels: Sequence[DrawLabelRow],
    calls: list[CallRow],
) -> int:
    """Call on in one stratum; how many of its seats nobody has accepted yet."""
    name = stratum["name"]
    assert draw.prk is not None
    members = {row.label: row for row in labels if name in row.strata}
    order = fair_draw.ranking(draw.prk, name, list(members))
    mine = [call for call in calls if call.stratum == name]
    accepted = sum(call.outcome == ACCEPTED for call in mine)
    waiting = sum(call.outcome == CALLED for call in mine)
    place = len(mine)
    while accepted + waiting < stratum["seats"] and place < len(order):
        member = members[order[place]]
        place += 1
        call = CallRow(
            id=random_id(),
            draw_id=draw.id,
            stratum=name,
            place=place,
            label=member.label,
            expert_id=member.expert_id,
            outcome=await _fate(tx, member, calls),
            called_at=tx.now,
        )
        tx.session.add(call)
        calls.append(call)
        if call.outcome == CALLED:
            waiting += 1
            tx.record(
                ExpertCalled(draw.lot_id, DrawId(draw.id), name, call.place, call.label)
            )
    return int(stratum["seats"]) - accepted


async def _fate(tx: Transaction, member: DrawLabelRow, calls: Sequence[CallRow]) -> str:
    if member.grounds:
        return EXCLUDED
    held = {call.outcome for call in calls if call.expert_id == member.expert_id}
    if held & {ACCEPTED, CALLED}:
        return ELSEWHERE
    expert = await tx.session.get(ExpertRow, member.expert_id)
    assert expert is not None
    standing = await standing_of(tx, person_id=PersonId(expert.person_id), act=BarredAct.DRAW)
    return BARRED_LATE if standing.barred else CALLED


async def _complete(tx: Transaction, draw: DrawRow, calls: Sequence[CallRow]) -> None:
    draw.state, draw.seated_at = SEATED, tx.now
    tx.session.add(draw)
    await tx.session.flush()
    told = await _calls_told(tx, draw)
    tx.record(
        DrawCompleted(
            draw.lot_id,
            DrawId(draw.id),
            seats=sum(call.outcome == ACCEPTED for call in calls),
            called=len(calls),
            calls_digest=labelled("ebid/1/draw/calls", canonical(told)),
            completed_at=tx.now,
        )
    )


async def _calls_told(tx: Transaction, draw: DrawRow) -> list[dict[str, Any]]:
    members = {row.label: row for row in await _labels(tx, DrawId(draw.id))}
    rows = await tx.session.scalars(
        select(CallRow)
        .where(CallRow.draw_id == draw.id)
        .order_by(col(CallRow.stratum), col(CallRow.place))
    )
    return [
        {
            "stratum": row.stratum,
            "place": row.place,
            "label": b64u(row.label),
            "outcome": row.outcome,
            "grounds": members[row.label].grounds,
            "eligibility_salt": b64u(members[row.label].eligibility_salt),
        }
        for row in rows
    ]


async def _entries(
    tx: Transaction, draw: DrawRow, parties: Sequence[DrawPartyRow]
) -> dict[str, UUID]:
    """The journal entries whose places in the log show that everything was fixed in time."""
    found: dict[str, UUID] = {"announced": draw.announced_entry}
    for one in parties:
        if one.committed_entry is not None:
            found[f"committed/{one.name}"] = one.committed_entry
        if one.dealt_entry is not None:
            found[f"dealt/{one.name}"] = one.dealt_entry
    for entry in await entries_about(tx.session, draw.lot_id):
        if entry.facts.get("draw_id") != str(draw.id):
            continue
        match entry.kind:
            case "EligibilityCountersigned":
                found["eligibility"] = entry.id
            case "NonceRevealed":
                found[f"revealed/{entry.facts['party']}"] = entry.id
            case "DrawCompleted":
                found["completed"] = entry.id
    return found

