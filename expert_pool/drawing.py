"""The draw of a committee's experts: unpredictable before, secret while it must be, provable after.

The pool and every exclusion are fixed by their roots in the announcement. Then each party commits
to a nonce; only when all commitments stand in the witnessed log does anyone deal shares or reveal.
The order of every stratum follows from the nonces; the platform calls from the top and passes over
only whom the committed exclusions, an expert's own answer or a later bar make it pass over.

This is the pool's door: what others may know of experts comes out here, and no name comes out at
all, only the ids that a committee is formed of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlmodel import col, select

from expert_pool import calling, draws, pool_facts
from expert_pool.draws import EXHAUSTED, LOT_ENDED, DrawFile
from expert_pool.events import DrawAnnounced
from expert_pool.rules.calling_order import CallOutcome
from expert_pool.rules.draw_protocol import (
    DrawState,
    announcement_cautions,
    announcement_refusals,
    parties_refusals,
)
from expert_pool.rules.recusal import Capacity, Concerned
from expert_pool.rules.strata import (
    CommitteePlan,
    Stratum,
    plan_refusals,
    strata_cautions,
    strata_refusals,
)
from expert_pool.tables import CallRow, DrawLabelRow, DrawPartyRow, DrawRow, ExpertRow
from kernel.access import PLATFORM, Role, by
from kernel.crypto import fair_draw
from kernel.crypto.digests import b64u, canonical, instant_text, parse_instant
from kernel.errors import NotFound, Refused
from kernel.identifiers import DecisionId, DrawId, ExpertId, LotId, PartyId, PersonId
from kernel.randomness import random_bytes, random_id
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    COMMITTEE_PROVISIONS,
    CONDUCT_OPINIONS,
    Article,
    Regime,
    under,
)
from kernel.store.parties import Organisation, organisations_by_id, take_part
from kernel.store.tables import PlatformRow
from kernel.store.transaction import Store, Transaction, transaction
from kernel.store.transparency_log import is_witnessed

__all__ = [
    "CallOutcome",
    "Capacity",
    "DrawRequest",
    "DrawnExpert",
    "Interested",
    "Stratum",
    "announce",
    "called_for",
    "drawn_experts",
    "replace",
    "request_refusals",
    "shortage_refusals",
    "threshold_of",
    "void",
    "void_overdue",
]

COMMIT_WITHIN: Final = timedelta(minutes=20)
CONFIRM_WITHIN: Final = timedelta(minutes=40)
REVEAL_WITHIN: Final = timedelta(minutes=60)
RECOVER_WITHIN: Final = timedelta(hours=4)
"""How long after the announcement each part of a draw may take, recovery of a nonce included."""

EXCLUSION_RULES: Final = (
    BIDDING_LAW[37],
    BIDDING_REGULATION[46],
    BIDDING_REGULATION[71],
    COMMITTEE_PROVISIONS[12],
)
"""The articles on which an expert is left out, as the announcement cites them."""

PROTOCOL: Final = "ebid-draw/1"


@dataclass(frozen=True, slots=True)
class Interested:
    """An organisation the committee must have no ties to: a bidder, the tenderee, the agency."""

    uscc: str
    capacity: str


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """What is to be drawn, for which lot, among whom, and with whose nonces.

    `parties` are (name, organisation): tenderee, agency, supervisor, and any bidder who wishes;
    `supervisor` is the name of the one that countersigns the exclusions. `representatives` are the
    committee's members who are not drawn, `committee_min` how many it must have
    by `committee_article`. `regime` and `mandatory` say which bars reach the lot.
    `bid_opened` says whether any bid of the lot is open. A `review_round` says that the committee
    reviews the applications of that round of a prequalification; `close_entry` is then the call
    that says until when they are taken and released.
    """

    lot_id: LotId
    strata: tuple[Stratum, ...]
    interested: tuple[Interested, ...]
    parties: tuple[tuple[str, PartyId], ...]
    supervisor: str
    close_entry: UUID
    window_from: datetime
    window_until: datetime
    representatives: int = 0
    committee_min: int = 5
    committee_article: Article | None = None
    host_region: str = ""
    regime: Regime = Regime.TENDERING
    mandatory: bool = True
    bid_opened: bool = False
    review_round: int | None = None


@dataclass(frozen=True, slots=True)
class DrawnExpert:
    """An expert who accepted a seat."""

    expert_id: ExpertId
    person_id: PersonId
    stratum: str
    region_code: str
    employer_uscc: str


# ── announcing ────────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def announce(tx: Transaction, request: DrawRequest) -> DrawId:
    """Announce a draw with its pool and exclusions fixed; nobody knows any nonce yet.

    It may be announced only once the lot's closing stands in the witnessed log; that it came after
    the opening of a bid is said in the announcement. A void round is
    followed by the next one; a round that is under way or completed cannot be repeated.
    """
    await draws.lock_lot(tx, request.lot_id)
    before = await _rounds_before(tx, request.lot_id, request.review_round)
    organisations = await organisations_by_id(tx, [party for _, party in request.parties])
    pool = await _pool_for(tx, request, organisations)
    close_witnessed = await is_witnessed(
        tx.session, request.close_entry, quorum=tx.settings.witness_quorum
    )

    refusals = [
        *announcement_refusals(
            close_witnessed=close_witnessed,
            review=request.review_round is not None,
            under_way=any(file.row.state != DrawState.VOID for file in before),
        ),
        *request_refusals(request, organisations, now=tx.now),
        *parties_refusals(
            [name for name, _ in request.parties],
            threshold_of(len(request.parties)),
            sitting_out=_sitting_out(request, before),
        ),
        *strata_refusals(request.strata),
        *plan_refusals(request.strata, _plan(request), regime=request.regime),
        *shortage_refusals(request.strata, _eligible(request.strata, pool)),
    ]
    if refusals:
        raise Refused(refusals)
    await take_part(tx, request.lot_id)

    draw_id = DrawId(random_id())
    members = [_member(draw_id, expert, strata, grounds) for expert, strata, grounds in pool]
    announcement = await _announcement(tx, draw_id, len(before) + 1, request, members)
    entry = tx.record(
        DrawAnnounced(request.lot_id, draw_id, len(before) + 1, announcement=announcement)
    )
    tx.session.add(
        DrawRow(
            id=draw_id,
            lot_id=request.lot_id,
            review_round=request.review_round,
            round=len(before) + 1,
            state=DrawState.ANNOUNCED,
            announcement=announcement,
            announced_entry=entry,
            announced_at=tx.now,
        )
    )
    await tx.session.flush()
    tx.session.add_all(members)
    tx.session.add_all(
        DrawPartyRow(draw_id=draw_id, name=name, party_id=party) for name, party in request.parties
    )

    return draw_id


def threshold_of(parties: int) -> int:
    """How many others rebuild a vanished party's nonce, and must have confirmed their shares.

    With four parties or more, one of the others may stay silent and nothing stops; with three both
    are needed, because one alone must never know another's nonce beforehand.
    """
    return max(2, parties - 2)


@under(BIDDING_REGULATION[46], CONDUCT_OPINIONS[14], rule=("EX-11", "EX-14"))
def request_refusals(
    request: DrawRequest, organisations: Mapping[PartyId, Organisation], *, now: datetime
) -> list[Refusal]:
    """Every ground on which a draw cannot be asked for in this way.

    Each nonce comes from an organisation of its own, verified and known; a supervisor is one of
    them, for nobody else may countersign whom the draw leaves out.
    """
    refusals = []
    ids = [party for _, party in request.parties]
    named = [organisations.get(party) for party in ids]
    if len(set(ids)) != len(ids):
        refusals.append(_refusal("party_twice", "同一单位不得以两个名义参与抽取"))
    if any(one is None or not one.verified for one in named):
        refusals.append(_refusal("party_unverified", "参与抽取的单位应当是已核验的单位"))
    supervisors = [
        one
        for (name, _), one in zip(request.parties, named, strict=True)
        if name == request.supervisor and one is not None and Role.SUPERVISOR in one.roles
    ]
    if not supervisors:
        reason = "抽取应当有行政监督部门参与并会签回避名单"
        refusals.append(Refusal("no_supervisor", BIDDING_REGULATION[46], reason))
    if not now < request.window_from < request.window_until:
        refusals.append(_refusal("window_unfit", "评标时间应当在抽取之后，且结束时间晚于开始时间"))
    return refusals


@under(BIDDING_LAW[37], CONDUCT_OPINIONS[14], rule="EX-05")
def shortage_refusals(strata: Sequence[Stratum], eligible: Mapping[str, int]) -> list[Refusal]:
    """Why strata cannot be drawn from: fewer experts are eligible than there are seats.

    How many there are is not told, for it would help nobody but to guess at exclusions.
    """
    return [
        Refusal(
            "too_few_eligible",
            BIDDING_LAW[37],
            f"分组“{one.name}”符合条件的专家不足{one.seats}人，应当放宽专业或者地区后再抽取",
            {"name": one.name},
        )
        for one in strata
        if eligible.get(one.name, 0) < one.seats
    ]


# ── ending without a result ───────────────────────────────────────────────────────────────────


@by(
    Role.TENDEREE,
    Role.AGENCY,
    Role.SUPERVISOR,
    Role.BIDDER,
    Role.CENTRE_STAFF,
    Role.PLATFORM,
)
async def void(tx: Transaction, draw_id: DrawId) -> None:
    """Put on record that a draw came to nothing; who failed is named, and sits out the next.

    Only what the protocol or an exhausted list has brought about can be recorded: nobody can void a
    draw by wishing, so that no draw is repeated for its result.
    """
    file = await draws.hold(tx, draw_id)
    draw = await draws.protocol_of(tx, file)

    if file.row.state == DrawState.VOID:
        return
    exhausted = await calling.is_exhausted(tx, file)
    if draw.state is not DrawState.VOID and not exhausted:
        raise Refused([_refusal("not_void", "抽取仍可继续，不得宣布无效后重新抽取")])

    if draw.void_reason is not None:
        draws.keep_void(tx, file, draw.void_reason, draw.at_fault)
    else:
        draws.keep_void(tx, file, EXHAUSTED, ())


@by(Role.PLATFORM)
async def end_draws(tx: Transaction, lot_id: LotId) -> None:
    """End every draw of a lot that is over, so that no expert is called to a committee of nothing.

    A draw whose seats are all taken stays as it is; so does one that was void before.
    """
    for row in await draws.of_lot(tx, lot_id):
        file = await draws.hold(tx, row.id)
        if file.row.state not in (DrawState.SEATED, DrawState.VOID):
            draws.keep_void(tx, file, LOT_ENDED, ())


async def void_overdue(store: Store) -> int:
    """Put on record every draw that time has made void; how many. Repeating it is safe."""
    async with transaction(store, actor=PLATFORM) as tx:
        rows = await tx.session.scalars(
            select(DrawRow.id).where(
                col(DrawRow.state).in_(
                    (DrawState.ANNOUNCED, DrawState.COMMITTING, DrawState.REVEALING)
                )
            )
        )
        found = list(rows)
    count = 0
    for draw_id in found:
        with suppress(Refused):
            async with transaction(store, actor=PLATFORM) as tx:
                await void(tx, DrawId(draw_id))
                count += 1
    return count


# ── for forming the committee ─────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY, Role.PLATFORM, Role.CENTRE_STAFF)
async def drawn_experts(
    tx: Transaction, lot_id: LotId, review_round: int | None = None
) -> tuple[DrawnExpert, ...]:
    """Who accepted a seat in this committee of a lot, once every seat is taken; else `NotFound`.

    For forming the committee, not for showing: the list stays secret until the award is decided.
    """
    draw = await _seated(tx, lot_id, review_round)
    rows = await tx.session.execute(
        select(CallRow, ExpertRow)
        .join(ExpertRow, col(ExpertRow.id) == col(CallRow.expert_id))
        .where(CallRow.draw_id == draw.id, CallRow.outcome == CallOutcome.ACCEPTED)
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


@by(Role.TENDEREE, Role.AGENCY, Role.PLATFORM, Role.CENTRE_STAFF)
async def called_for(
    tx: Transaction, lot_id: LotId, review_round: int | None = None
) -> tuple[datetime, datetime]:
    """From when until when the experts who accepted were called; else `NotFound`."""
    draw = await _seated(tx, lot_id, review_round)
    told = (await draws.find(tx, draw.id)).told
    return parse_instant(told["window_from"]), parse_instant(told["window_until"])


@by(
    Role.EXPERT,
    Role.SITE_ADMINISTRATOR,
    Role.CENTRE_STAFF,
    Role.SUPERVISOR,
    Role.PLATFORM,
)
async def replace(
    tx: Transaction,
    lot_id: LotId,
    expert_id: ExpertId,
    *,
    outcome: CallOutcome,
    reason: str,
    decision_id: DecisionId | None = None,
    review_round: int | None = None,
) -> None:
    """An expert who had accepted steps aside, stays away or is barred; the next is called.

    `outcome` is RECUSED, ABSENT or, with its decision, BARRED_LATE. Somebody else may leave while
    the first one's successor is still being called. The draw is complete again when every seat is.
    """
    draw = await _standing(tx, lot_id, review_round)
    file = await draws.hold(tx, draw.id)

    await calling.vacate(
        tx, file, expert_id, outcome=outcome, reason=reason, decision_id=decision_id
    )


# ── what the activities above are made of ─────────────────────────────────────────────────────


def _refusal(code: str, reason: str) -> Refusal:
    return Refusal(code, CONDUCT_OPINIONS[14], reason)


def _plan(request: DrawRequest) -> CommitteePlan:
    experts = sum(one.seats for one in request.strata)
    return CommitteePlan(
        experts + request.representatives,
        request.representatives,
        request.committee_min,
        request.committee_article,
    )


async def _seated(tx: Transaction, lot_id: LotId, review_round: int | None) -> DrawRow:
    draw = await _standing(tx, lot_id, review_round)
    if draw.state != DrawState.SEATED:
        raise NotFound("no completed draw")
    return draw


async def _standing(tx: Transaction, lot_id: LotId, review_round: int | None) -> DrawRow:
    """The committee's newest draw in which experts hold seats, complete or being completed."""
    for row in reversed(await draws.for_committee(tx, lot_id, review_round)):
        if row.state in (DrawState.SEATED, DrawState.CALLING):
            return row
    raise NotFound("no completed draw")


async def _rounds_before(
    tx: Transaction, lot_id: LotId, review_round: int | None
) -> list[DrawFile]:
    """The committee's earlier draws; one that time has made void is put on record as void first."""
    found = []
    for row in await draws.for_committee(tx, lot_id, review_round):
        file = await draws.find(tx, row.id)
        draw = await draws.protocol_of(tx, file)
        if draw.void_reason is not None and file.row.state != DrawState.VOID:
            draws.keep_void(tx, file, draw.void_reason, draw.at_fault)
        found.append(file)
    return found


def _sitting_out(request: DrawRequest, before: Sequence[DrawFile]) -> set[str]:
    """The names in the request of organisations whose fault it was that the last draw was void."""
    if not before:
        return set()
    failed = {one.party_id for one in before[-1].parties.values() if one.at_fault}
    return {name for name, party in request.parties if party in failed}


Pool = list[tuple[ExpertRow, list[str], list[str]]]
"""(expert, the strata he belongs to, the grounds on which he is left out)."""


async def _pool_for(
    tx: Transaction, request: DrawRequest, organisations: Mapping[PartyId, Organisation]
) -> Pool:
    """Everybody whom a stratum takes in, with the grounds against him."""
    concerned = {Concerned(one.uscc, Capacity(one.capacity)) for one in request.interested} | {
        Concerned(one.uscc, Capacity.AUTHORITY)
        for one in organisations.values()
        if Role.SUPERVISOR in one.roles
    }
    found = await pool_facts.drawable_experts(tx)
    strata_of = {
        expert.id: [
            one.name
            for one in request.strata
            if one.takes_in(specialisms=expert.specialisms, region_code=expert.region_code)
        ]
        for expert in found
    }
    members = [expert for expert in found if strata_of[expert.id]]
    grounds = await pool_facts.exclusion_grounds(
        tx,
        members,
        concerned,
        lot_id=request.lot_id,
        regime=request.regime,
        mandatory=request.mandatory,
    )
    return [(expert, strata_of[expert.id], grounds[expert.id]) for expert in members]


def _eligible(strata: Sequence[Stratum], pool: Pool) -> dict[str, int]:
    return {
        one.name: sum(one.name in names and not grounds for _, names, grounds in pool)
        for one in strata
    }


def _member(
    draw_id: DrawId, expert: ExpertRow, strata: list[str], grounds: list[str]
) -> DrawLabelRow:
    salt = random_bytes(32)
    return DrawLabelRow(
        draw_id=draw_id,
        expert_id=expert.id,
        label=fair_draw.label(salt, str(expert.id)),
        salt=salt,
        strata=strata,
        grounds=grounds,
        eligibility_salt=random_bytes(32),
    )


async def _announcement(
    tx: Transaction,
    draw_id: DrawId,
    round_number: int,
    request: DrawRequest,
    members: Sequence[DrawLabelRow],
) -> bytes:
    platform = await tx.session.get_one(PlatformRow, True)
    candidates = {
        one.name: sum(one.name in row.strata for row in members) for one in request.strata
    }
    cautions = [
        *strata_cautions(request.strata, host_region=request.host_region, candidates=candidates),
        *announcement_cautions(bid_opened=request.bid_opened),
    ]
    review: dict[str, object] = {}
    if request.review_round is not None:
        review["review_round"] = request.review_round
    return canonical(
        {
            **review,
            "v": PROTOCOL,
            "draw": str(draw_id),
            "lot": str(request.lot_id),
            "round": round_number,
            "strata": [_stratum_told(one, members) for one in request.strata],
            "representatives": request.representatives,
            "regime": str(request.regime),
            "mandatory": request.mandatory,
            "pool": {
                "size": len(members),
                "root": b64u(fair_draw.pool_root([row.label for row in members])),
                "members_root": b64u(draws.members_root_of(members)),
            },
            "exclusion_rules": [str(article) for article in EXCLUSION_RULES],
            "parties": [
                {"name": name, "organisation": str(party)}
                for name, party in sorted(request.parties)
            ],
            "supervisor": request.supervisor,
            "threshold": threshold_of(len(request.parties)),
            "beacon": None,
            "close_entry": str(request.close_entry),
            "commit_by": instant_text(tx.now + COMMIT_WITHIN),
            "confirm_by": instant_text(tx.now + CONFIRM_WITHIN),
            "reveal_by": instant_text(tx.now + REVEAL_WITHIN),
            "recover_by": instant_text(tx.now + RECOVER_WITHIN),
            "window_from": instant_text(request.window_from),
            "window_until": instant_text(request.window_until),
            "cautions": sorted({one.code for one in cautions}),
            "log": platform.log_vkey,
            "witnesses": [vkey for vkey, _ in tx.settings.witness_list],
            "quorum": tx.settings.witness_quorum,
        }
    )


def _stratum_told(stratum: Stratum, members: Sequence[DrawLabelRow]) -> dict[str, object]:
    mine = [row for row in members if stratum.name in row.strata]
    excluded: dict[str, int] = {}
    for row in mine:
        for ground in row.grounds:
            excluded[ground] = excluded.get(ground, 0) + 1
    return {
        "name": stratum.name,
        "specialism": stratum.specialism,
        "region": stratum.region_code,
        "seats": stratum.seats,
        "members": len(mine),
        "eligible": sum(not row.grounds for row in mine),
        "excluded": excluded,
    }
