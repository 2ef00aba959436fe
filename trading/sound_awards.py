"""Whether what is stored of reports, objections, awards and contracts agrees with the journal.

A report accounts for exactly the bids that were opened; an objection that waits holds its lot, as
does one that stands until it is put right and a candidate's examination, and who was found unfit
wins nothing; an award has one winner, and all who bid were told of it at its very moment; another
follows only where it was annulled, as was signed and told; where it was split from the evaluation
the method is the notice's, the choice the one it makes, and each vote that was signed is in the
minutes; a contract costs what was awarded, and bears two signatures, as each of its changes does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from kernel.crypto.digests import b64u, sha256
from kernel.crypto.signing import Envelope
from kernel.identifiers import PartyId
from kernel.store.journal import records_by_id
from trading.counted_bids import counted_bids
from trading.rules.award_annulment import AnnulmentGround
from trading.rules.split_award import Contender, decision_refusals, minutes_in, split_in

REPORTED = ("evaluated", "candidates_published", "cleared_for_award", "awarded")
ENDS = ("awarded", "failed", "cancelled")

_REPORTS = text(
    "SELECT l.id, r.round,"
    " (SELECT array_agg(o.bid_id ORDER BY o.bid_id) FROM trading.opened_bid o WHERE o.lot_id = l.id"
    "  AND o.outcome IN ('opened', 'opened_by_custodians')"
    # Who left the talks before its last price is in no report, unless its bid was rejected.
    "  AND (EXISTS (SELECT 1 FROM trading.rejected_bid x WHERE x.bid_id = o.bid_id"
    "    AND x.round = r.round) OR NOT EXISTS (SELECT 1 FROM trading.talk_leave t"
    "    WHERE (t.lot_id, t.bidder_id) = (o.lot_id, o.bidder_id))"
    "   AND NOT EXISTS (SELECT 1 FROM trading.last_price_call c WHERE c.lot_id = o.lot_id"
    "    AND jsonb_exists(c.asked, CAST(o.bidder_id AS text)) AND NOT EXISTS"
    "    (SELECT 1 FROM trading.last_price_opening p"
    "     WHERE (p.lot_id, p.bidder_id) = (o.lot_id, o.bidder_id))))) AS opened,"
    " (SELECT array_agg(DISTINCT b.bid_id ORDER BY b.bid_id) FROM ("
    "  SELECT bid_id FROM trading.ranked_bid WHERE lot_id = l.id AND round = r.round UNION ALL"
    "  SELECT bid_id FROM trading.rejected_bid WHERE lot_id = l.id AND round = r.round) b)"
    " AS judged FROM trading.lot l LEFT JOIN trading.taken_report r ON r.lot_id = l.id"
    " WHERE l.state = ANY(:states) OR r.lot_id IS NOT NULL"
)
_OBJECTIONS = text(
    "SELECT o.id, o.lot_id, jsonb_exists(l.brakes, CAST(o.id AS text)) AS held,"
    " coalesce(a.objection_id, w.objection_id) AS answered,"
    " coalesce(a.remedy, 'nothing') <> 'nothing' AND m.objection_id IS NULL AS awaited"
    " FROM trading.objection o JOIN trading.lot l ON l.id = o.lot_id"
    " LEFT JOIN trading.objection_answer a ON a.objection_id = o.id"
    " LEFT JOIN trading.objection_remedy m ON m.objection_id = o.id"
    " LEFT JOIN trading.objection_withdrawal w ON w.objection_id = o.id"
    " WHERE (o.waits OR a.remedy <> 'nothing') AND l.state <> ALL(:ends)"
)
_BRAKES = text("SELECT id FROM trading.lot WHERE suspended <> (brakes <> CAST('{}' AS jsonb))")
_AWARDS = text(
    "SELECT l.id, l.state, a.number, a.winner_id, a.awarded_at, r.bidder_id AS candidate,"
    " n.lot_id IS NOT NULL AS annulled, row_number() OVER in_order AS place,"
    " lead(a.number) OVER in_order AS next,"
    " EXISTS (SELECT 1 FROM trading.award o WHERE o.lot_id = a.lot_id"
    "  AND o.winner_id = a.winner_id AND o.number < a.number) AS won_before"
    " FROM trading.lot l LEFT JOIN trading.award a ON a.lot_id = l.id"
    " LEFT JOIN trading.award_annulment n ON (n.lot_id, n.award_number) = (a.lot_id, a.number)"
    " LEFT JOIN trading.ranked_bid r ON r.lot_id = a.lot_id AND r.round = a.round"
    "  AND r.bidder_id = a.winner_id AND r.candidate"
    " WHERE l.state = 'awarded' OR a.lot_id IS NOT NULL"
    " WINDOW in_order AS (PARTITION BY l.id ORDER BY a.number) ORDER BY l.id, a.number"
)
_ANNULMENTS = text(
    "SELECT n.lot_id, n.award_number, n.ground, n.digest, n.statement, n.entry_id,"
    " a.digest AS award, a.winner_id, w.digest AS renunciation FROM trading.award_annulment n"
    " JOIN trading.award a ON (a.lot_id, a.number) = (n.lot_id, n.award_number)"
    " LEFT JOIN trading.award_renunciation w"
    " ON (w.lot_id, w.award_number) = (n.lot_id, n.award_number)"
)
_VOTES = text(
    "SELECT v.lot_id, v.award_number, v.member, v.bidder_id, v.digest, v.statement, a.minutes"
    " FROM trading.award_vote v LEFT JOIN trading.award a ON (a.lot_id, a.number, a.round) ="
    " (v.lot_id, v.award_number, v.round)"
)
_RECHECKS = text(
    "SELECT r.lot_id, r.number, r.candidate_id, r.ground, r.digest, r.statement, c.confirmed,"
    " c.members, c.entry_id, jsonb_exists(l.brakes, CAST(r.brake AS text)) AS held,"
    " l.state <> ALL(:ends) AS going, b.candidate, t.report_digest,"
    " EXISTS (SELECT 1 FROM trading.award a WHERE (a.lot_id, a.round, a.winner_id) ="
    "  (r.lot_id, r.round, r.candidate_id) AND a.awarded_at > c.concluded_at) AS won"
    " FROM trading.recheck r JOIN trading.lot l ON l.id = r.lot_id"
    " LEFT JOIN trading.taken_report t ON (t.lot_id, t.round) = (r.lot_id, r.round)"
    " LEFT JOIN trading.ranked_bid b ON (b.lot_id, b.round, b.bidder_id) ="
    " (r.lot_id, r.round, r.candidate_id)"
    " LEFT JOIN trading.recheck_conclusion c ON (c.lot_id, c.number) = (r.lot_id, r.number)"
)
_OPINIONS = text(
    "SELECT lot_id, number, member_id, member, fit, digest, statement FROM trading.recheck_opinion"
    " ORDER BY lot_id, number, member"
)
_NOTICES = text(
    "SELECT bidder_id, won, entry_id, noticed_at FROM trading.award_notice"
    " WHERE lot_id = :lot AND award_number = :number"
)
_METHODS = text(
    "SELECT l.id FROM trading.lot l JOIN trading.notice n ON n.lot_id = l.id"
    " WHERE n.kind = 'tender' AND n.body -> 'award_method' IS DISTINCT FROM l.award_method"
)
_DECISIONS = text(
    "SELECT l.id, l.award_method, a.minutes, a.winner_id, a.round, a.set_aside,"
    " (SELECT array_agg(o.winner_id) FROM trading.award o WHERE o.lot_id = a.lot_id"
    "  AND o.number < a.number) AS fallen,"
    " (SELECT array_agg(r.candidate_id) FROM trading.recheck r JOIN trading.recheck_conclusion c"
    "  ON (c.lot_id, c.number) = (r.lot_id, r.number) WHERE (r.lot_id, r.round) ="
    "  (a.lot_id, a.round) AND NOT c.confirmed AND c.concluded_at <= a.awarded_at) AS unfit"
    " FROM trading.award a JOIN trading.lot l ON l.id = a.lot_id"
    " WHERE l.award_method IS NOT NULL OR a.minutes IS NOT NULL"
)
_CANDIDATES = text(
    "SELECT bidder_id, name, rank, price FROM trading.ranked_bid"
    " WHERE lot_id = :lot AND round = :round AND candidate"
)
_CONTRACTS = text(
    "SELECT c.lot_id, c.statement, c.entry_id, c.digest, c.price = a.price AS as_awarded,"
    " s.awarded = a.price AS settled_so FROM trading.contract c"
    " JOIN trading.award a ON (a.lot_id, a.number) = (c.lot_id, c.award_number)"
    " LEFT JOIN trading.settlement s ON s.lot_id = c.lot_id"
)
_CHANGES = text("SELECT lot_id, number, statement, digest FROM trading.contract_change")


async def award_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of reports, objections and awards."""
    return [
        *await _reports(connection),
        *await _objections(connection),
        *await _awards(connection),
        *await _annulments(connection),
        *await _decisions(connection),
        *await _votes(connection),
        *await _rechecks(connection),
        *await _contracts(connection),
    ]


async def _reports(connection: AsyncConnection) -> list[str]:
    faults = []
    for row in await connection.execute(_REPORTS, {"states": list(REPORTED)}):
        if row.round is None:
            faults.append(f"lot {row.id} is evaluated and has no report")
        elif row.opened != row.judged:
            faults.append(f"report {row.round} of lot {row.id} judges other bids than were opened")
    return faults


async def _objections(connection: AsyncConnection) -> list[str]:
    faults = []
    for row in await connection.execute(_OBJECTIONS, {"ends": list(ENDS)}):
        if row.answered is None and not row.held:
            faults.append(f"objection {row.id} waits and does not hold lot {row.lot_id}")
        if row.awaited and not row.held:
            faults.append(f"objection {row.id} stands, unmended, and does not hold {row.lot_id}")
        if row.answered is not None and row.held and not row.awaited:
            faults.append(f"objection {row.id} was answered and still holds lot {row.lot_id}")
    braked = await connection.execute(_BRAKES)
    return faults + [
        f"lot {row.id} is suspended without a cause, or not with one" for row in braked
    ]


async def _awards(connection: AsyncConnection) -> list[str]:
    faults = []
    for award in (await connection.execute(_AWARDS)).all():
        if award.winner_id is None:
            faults.append(f"lot {award.id} is awarded to nobody")
            continue
        if award.number != award.place or (award.next is not None) > award.annulled:
            faults.append(f"the awards of lot {award.id} do not follow one another")
        if award.next is None and award.annulled == (award.state == "awarded"):
            faults.append(f"lot {award.id} stands elsewhere than its last award says")
        if award.won_before:
            faults.append(f"lot {award.id} went again to one whose award fell away")
        if award.candidate is None:
            faults.append(f"lot {award.id} is awarded to somebody who was not recommended")
        notices = (
            await connection.execute(_NOTICES, {"lot": award.id, "number": award.number})
        ).all()
        async with AsyncSession(connection, join_transaction_mode="create_savepoint") as session:
            bidders = {bid.bidder_id for bid in await counted_bids(session, award.id)}
        if {row.bidder_id for row in notices} != bidders:
            faults.append(f"not exactly the bidders of lot {award.id} were told of its award")
        if any(row.noticed_at != award.awarded_at for row in notices):
            faults.append(f"the bidders of lot {award.id} were told at different moments")
        records = await records_by_id(connection, [row.entry_id for row in notices])
        kinds = {id: json.loads(record)["kind"] for id, record in records.items()}
        due = {
            row.entry_id: "AwardNoticed" if row.bidder_id == award.winner_id else "ResultNoticed"
            for row in notices
        }
        if kinds != due or any(row.won != (row.bidder_id == award.winner_id) for row in notices):
            faults.append(f"the journal tells the award of lot {award.id} otherwise")
    return faults


async def _annulments(connection: AsyncConnection) -> list[str]:
    """Annulments that say otherwise than was signed, or than the journal tells."""
    faults = []
    rows = (await connection.execute(_ANNULMENTS)).all()
    records = await records_by_id(connection, [row.entry_id for row in rows])
    for row in rows:
        what = f"the annulment of award {row.award_number} of lot {row.lot_id}"
        said = json.loads(Envelope.from_bytes(row.statement).payload)
        gave_up = None
        if row.ground == AnnulmentGround.GAVE_UP:
            gave_up = row.renunciation and b64u(row.renunciation)
            if gave_up is None:
                faults.append(f"{what} names a renunciation that nobody signed")
        signed = {"award": b64u(row.award), "ground": row.ground, "lot": str(row.lot_id)}
        if row.digest != sha256(row.statement) or not signed.items() <= said.items():
            faults.append(f"{what} is not what was signed")
        facts = {
            "number": row.award_number,
            "winner_id": str(row.winner_id),
            "ground": row.ground,
            "award_digest": b64u(row.award),
            "renunciation_digest": gave_up,
            "statement_digest": b64u(row.digest),
        }
        told = json.loads(records[row.entry_id]) if row.entry_id in records else {"facts": {}}
        if told.get("kind") != "AwardAnnulled" or not facts.items() <= told["facts"].items():
            faults.append(f"the journal tells {what} otherwise")
    return faults


async def _rechecks(connection: AsyncConnection) -> list[str]:
    """Candidates' examinations that are not as signed, concluded or told, or hold no lot."""
    faults = []
    opinions: dict[tuple[UUID, int], list[Any]] = {}
    for row in await connection.execute(_OPINIONS):
        opinions.setdefault((row.lot_id, row.number), []).append(row)
    rows = (await connection.execute(_RECHECKS, {"ends": list(ENDS)})).all()
    records = await records_by_id(connection, [one.entry_id for one in rows if one.entry_id])
    for row in rows:
        what = f"examination {row.number} of lot {row.lot_id}"
        said = json.loads(Envelope.from_bytes(row.statement).payload)
        signed = {
            "lot": str(row.lot_id),
            "report": row.report_digest and b64u(row.report_digest),
            "candidate": str(row.candidate_id),
            "ground": row.ground,
        }
        if row.digest != sha256(row.statement) or not signed.items() <= said.items():
            faults.append(f"{what} is not what was signed")
        if not row.candidate:
            faults.append(f"{what} is of somebody who was not recommended")
        given = opinions.get((row.lot_id, row.number), [])
        record = records.get(row.entry_id)
        faults += _conclusion_faults(row, given, what, record)
        faults += [
            f"the opinion of member {one.member} in {what} is not what was signed"
            for one in given
            if not _opinion_signed(one, row.digest)
        ]
    return faults


def _conclusion_faults(
    row: Any, given: Sequence[Any], what: str, record: bytes | None
) -> list[str]:
    """What does not hold of how an examination was concluded, or of one that still waits."""
    if row.confirmed is None:
        waits = row.going and not row.held
        return [f"{what} waits and does not hold the lot"] if waits else []
    faults = []
    if row.held:
        faults.append(f"{what} was concluded and still holds the lot")
    unfit = sum(not one.fit for one in given)
    # Confirmed is who can no longer have the majority against it.
    against = row.members - sum(one.fit for one in given) if row.confirmed else unfit
    if row.confirmed is (against * 2 > row.members):
        faults.append(f"{what} was concluded otherwise than its members found")
    if row.won and not row.confirmed:
        faults.append(f"lot {row.lot_id} went to one whom its committee had found unfit")
    facts = {
        "number": row.number,
        "candidate_id": str(row.candidate_id),
        "confirmed": row.confirmed,
        "members": row.members,
        "unfit": unfit,
        "request_digest": b64u(row.digest),
        "opinions": [
            {"member": one.member, "fit": one.fit, "signed": b64u(one.digest)} for one in given
        ],
    }
    told = {"facts": {}} if record is None else json.loads(record)
    if told.get("kind") != "RecheckConcluded" or not facts.items() <= told["facts"].items():
        faults.append(f"the journal tells {what} otherwise")
    return faults


def _opinion_signed(row: Any, request: bytes) -> bool:
    said = json.loads(Envelope.from_bytes(row.statement).payload)
    signed = {"member": str(row.member_id), "recheck": b64u(request), "fit": row.fit}
    return bool(row.digest == sha256(row.statement) and signed.items() <= said.items())


async def _votes(connection: AsyncConnection) -> list[str]:
    """Votes that are not what was signed, or that the minutes of their award tell otherwise."""
    faults = []
    for row in await connection.execute(_VOTES):
        what = f"the vote of {row.member} on award {row.award_number} of lot {row.lot_id}"
        said = json.loads(Envelope.from_bytes(row.statement).payload)
        signed = {"member": row.member, "bidder": str(row.bidder_id), "lot": str(row.lot_id)}
        if row.digest != sha256(row.statement) or not signed.items() <= said.items():
            faults.append(f"{what} is not what was signed")
        due = {"member": row.member, "bidder": str(row.bidder_id), "signed": b64u(row.digest)}
        if row.minutes is not None and due not in row.minutes["votes"]:
            faults.append(f"{what} is not in the minutes")
    return faults


async def _decisions(connection: AsyncConnection) -> list[str]:
    """Splits that are not the notice's, and awards that the published method does not make."""
    faults = [
        f"lot {row.id} is awarded by another method than its notice names"
        for row in await connection.execute(_METHODS)
    ]
    for row in (await connection.execute(_DECISIONS)).all():
        found = (await connection.execute(_CANDIDATES, {"lot": row.id, "round": row.round})).all()
        minutes = None if row.minutes is None else minutes_in(row.minutes)
        refusals = decision_refusals(
            None if row.award_method is None else split_in(row.award_method),
            minutes,
            row.winner_id,
            candidates=[
                Contender(PartyId(one.bidder_id), one.name, one.rank, one.price) for one in found
            ],
            set_aside={
                *(PartyId(UUID(one["bidder"])) for one in row.set_aside),
                *map(PartyId, row.fallen or ()),
                *map(PartyId, row.unfit or ()),
            },
            left=() if minutes is None else minutes.left,
        )
        faults += [f"the award of lot {row.id} is not as decided: {one.code}" for one in refusals]
    return faults


async def _contracts(connection: AsyncConnection) -> list[str]:
    faults = []
    rows = (await connection.execute(_CONTRACTS)).all()
    records = await records_by_id(connection, [row.entry_id for row in rows])
    for row in rows:
        if not row.as_awarded or row.settled_so is False:
            faults.append(f"the contract of lot {row.lot_id} is not for the price awarded")
        if not _signed_by_two(row.statement, row.digest):
            faults.append(f"the contract of lot {row.lot_id} does not bear two signatures")
        told = json.loads(records[row.entry_id]) if row.entry_id in records else {}
        if told.get("kind") != "ContractConcluded":
            faults.append(f"the journal does not tell of the contract of lot {row.lot_id}")
    for row in await connection.execute(_CHANGES):
        if not _signed_by_two(row.statement, row.digest):
            faults.append(f"change {row.number} of lot {row.lot_id} does not bear two signatures")
    return faults


def _signed_by_two(statement: bytes, digest: bytes) -> bool:
    envelope = Envelope.from_bytes(statement)
    return len(envelope.signatures) == 2 and sha256(envelope.payload) == digest
