"""The members of the award committee vote, each under its own key, before the award is made.

Nobody changes a vote, and the minutes must name each as it was signed. For whom the others voted is
seen by whoever has voted, and by all who act for the tenderee once the last vote is in; everybody
else reads it with the award.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, b64u
from kernel.errors import BrokenSeal, Refused
from kernel.identifiers import LotId, PartyId
from kernel.store.parties import take_part, verified_statement
from kernel.store.tables import PersonRow
from kernel.store.transaction import Transaction
from trading import lots
from trading.awarding import contenders, report_in_force, votes_cast
from trading.bound_bids import bound_bids
from trading.events import AwardVoteCast
from trading.made_awards import awards_of
from trading.rechecking import found_unfit, rechecks_of
from trading.rules.lot_lifecycle import LotMove, LotState, move_refusals
from trading.rules.split_award import DecisionMethod, Vote, party_in, vote_refusals
from trading.splitting import split_of
from trading.tables import AwardVoteRow


@dataclass(frozen=True, slots=True)
class VotesTold:
    """The vote on an award as one of the tenderee's people sees it.

    `own` is what the reader is called, `voted` who has voted, and `votes` what they voted, None
    while the reader may not know.
    """

    seats: int
    own: str
    voted: tuple[str, ...]
    votes: tuple[Vote, ...] | None

    @property
    def may_vote(self) -> bool:
        """Whether a seat is left, and the reader has not voted."""
        return len(self.voted) < self.seats and self.own not in self.voted


@by(Role.TENDEREE)
async def cast_vote(tx: Transaction, lot_id: LotId, raw: bytes) -> None:
    """Vote for one of the candidates of an own lot; a member votes once."""
    lot = await lots.lock(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    statement = await verified_statement(tx, raw, "award-vote", lot=lot_id, project=lot.project_id)
    person = await tx.session.get_one(PersonRow, tx.actor.person)
    if statement.payload["member"] != person.name:
        raise Malformed("a member votes in its own name", code="wrong_member")
    report = await report_in_force(tx, lot_id)
    if report is None or statement.payload["report"] != b64u(report.row.report_digest):
        raise BrokenSeal("the vote rests on another report")
    before = await awards_of(tx, lot_id)
    number = len(before) + 1
    vote = Vote(person.name, party_in(statement.payload["bidder"]), b64u(statement.digest))

    refusals = move_refusals(LotState(lot.state), LotMove.AWARD, suspended=lot.suspended)
    refusals += vote_refusals(
        split_of(lot),
        vote,
        cast=await votes_cast(tx, lot_id, report.row.round, number),
        candidates=contenders(report.candidates),
        gone={
            *map(PartyId, (await bound_bids(tx, lot)).left),
            *(PartyId(one.row.winner_id) for one in before),
            *found_unfit(await rechecks_of(tx, lot_id, round=report.row.round)),
        },
    )
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    tx.session.add(
        AwardVoteRow(
            lot_id=lot_id,
            round=report.row.round,
            award_number=number,
            person_id=tx.actor.person,
            member=vote.member,
            bidder_id=vote.chosen,
            digest=statement.digest,
            statement=raw,
            cast_at=tx.now,
        )
    )

    tx.record(
        AwardVoteCast(
            lot_id,
            addressee_id=project.tenderee_id,
            award_number=number,
            member=vote.member,
            statement_digest=statement.digest,
        )
    )


@by(Role.TENDEREE)
async def votes(tx: Transaction, lot_id: LotId) -> VotesTold | None:
    """The vote on the next award of an own lot; None where its method is no vote."""
    lot, _ = await lots.owned(tx, lot_id)
    split, report = split_of(lot), await report_in_force(tx, lot_id)
    if split is None or split.method is not DecisionMethod.VOTE or report is None:
        return None
    number = len(await awards_of(tx, lot_id)) + 1
    cast = await votes_cast(tx, lot_id, report.row.round, number)
    own = (await tx.session.get_one(PersonRow, tx.actor.person)).name
    voted = tuple(one.member for one in cast)
    knows = own in voted or len(cast) >= split.members
    return VotesTold(split.members, own, voted, cast if knows else None)
