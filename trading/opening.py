"""The opening: bidders release first, officials last, and everything appears at once.

Nobody, the platform included, can read a price before the window in which bidders release their
own secrets is over: until then the officials give nothing, and afterwards no bidder can withhold
after hearing the others. Absent bidders who chose escrow are opened by custodians, once the host
and a supervisor have both signed for it (电子招标投标办法 29-32).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO, cast
from uuid import UUID

from sqlmodel import col, select

from kernel.access import PLATFORM, Role, by
from kernel.crypto import sealing
from kernel.crypto.digests import (
    Malformed,
    b64u,
    canonical,
    instant_text,
    list_of,
    members,
    sha256,
    text_of,
    unb64u,
)
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal, NotFound, Refused
from kernel.failpoints import failpoint
from kernel.identifiers import LotId, PartyId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, E_BIDDING_MEASURES
from kernel.store.documents import Documents
from kernel.store.parties import organisation_names, take_part, verified_statement
from kernel.store.transaction import Store, Transaction, transaction
from trading import agency_letters, consortia, lots
from trading.counted_bids import CountedBid, SealedEnvelope, counted_bids
from trading.events import (
    AgreementOpened,
    BidderReleased,
    BidsOpened,
    FallbackAgreed,
    OpeningObjectionAnswered,
    OpeningObjectionRaised,
    OpeningRecorded,
    ReleaseRefused,
    ReleaseWindowClosed,
    ShareRefused,
    SharesGiven,
)
from trading.rules.agency_scope import AgencyAct
from trading.rules.consortium_agreement import members_told
from trading.rules.decryption_outcome import (
    Decryption,
    DecryptionFacts,
    Outcome,
    decryption_outcome,
)
from trading.rules.lot_lifecycle import LotMove, LotState
from trading.rules.objection_outcome import ObjectionOutcome
from trading.rules.opening_attendance import unopened_refusals
from trading.rules.price_talks import prices_are_read_out
from trading.rules.sheet_fields import read_sheet
from trading.sealed_archives import SealedArchive
from trading.tables import (
    CustodianKeyRow,
    FallbackRow,
    LotRow,
    OpenedBidRow,
    OpeningObjectionRow,
    OpeningPolicyRow,
    OpeningRow,
    ReleaseRow,
    ShareRow,
    TimetableRow,
)
from trading.talk_records import switches_then
from trading.uploading import sealed_drawer

SHEET, BID, OFFICIALS, BIDDER = "sheet", "bid", "officials", "bidder"
SIDES = {
    Role.AGENCY: "host",
    Role.TENDEREE: "host",
    Role.SUPERVISOR: "supervisor",
}
SECRETS_MAX = 16
SHARES_MAX = 8192


@dataclass(frozen=True, slots=True)
class ShareRequest:
    """What a custodian's own program needs in order to judge for itself and to give its shares."""

    policy: bytes
    timetable: bytes
    close_entry: UUID
    window_closed_entry: UUID
    headers: tuple[tuple[UUID, str, bytes], ...]
    """(bidder, component to be opened, header bytes)."""


@dataclass(frozen=True, slots=True)
class Given:
    """Everything that was given to open a lot's bids with, by one moment.

    `released` are the bidders' own secrets by the head of their envelope, `shares` the custodians'
    by head and component; `fallback` says that both sides agreed to it.
    """

    bids: tuple[CountedBid, ...]
    released: dict[bytes, bytes]
    fallback: bool
    shares: dict[tuple[bytes, str], list[bytes]]

    def present(self, bid: CountedBid) -> bool:
        """Whether its bidder released every envelope of the bid."""
        return all(envelope.head in self.released for envelope in bid.envelopes)

    def opens(self, bid: CountedBid) -> bool:
        """Whether the bid is to be opened: by its bidder's release, or by the fallback."""
        return self.present(bid) or (bid.escrowed and self.fallback)


@dataclass(frozen=True, slots=True)
class FoundInside:
    """What became of one bid, and what it says where it can be read."""

    bid: CountedBid
    outcome: Outcome
    sheet: dict[str, Any] | None
    secrets: dict[str, dict[str, str]]
    agreement: bytes | None = None
    """The agreement of a consortium, as it lies in the bid; None where there is none to read."""


@by(Role.BIDDER)
async def release(tx: Transaction, lot_id: LotId, raw: bytes) -> None:
    """A bidder releases its own secret of each of its envelopes, inside the window.

    A secret that is not the sealed one is refused and recorded, and may be sent again: the
    evidence of an honest mistake and of a trick is the same until the window ends.
    """
    # For us alone, though it is short: the last of two at once must see that it is the last.
    lot = await lots.lock(tx, lot_id)
    opening = await _opening_of(tx, lot)
    statement = await verified_statement(tx, raw, "release", lot=lot_id, project=lot.project_id)
    mine = [
        bid for bid in await counted_bids(tx.session, lot_id) if bid.bidder_id == tx.actor.party
    ]
    if not mine:
        raise NotFound("no bid of yours is being opened")
    given = _secrets_in(statement.payload)

    _require_going_on(lot)
    if opening.window_closed_at is not None or tx.now >= opening.window_until:
        raise Refused(
            [
                Refusal(
                    "window_closed",
                    E_BIDDING_MEASURES[31],
                    f"解密时间已于 {instant_text(opening.window_until)} 结束",
                )
            ]
        )
    name = (await organisation_names(tx.session, [tx.actor.party]))[tx.actor.party]
    wrong = [e.kind for e in mine[0].envelopes if not _is_the_secret(e, given.get(e.head))]
    if wrong:
        tx.record_attempt(ReleaseRefused(lot_id, tx.actor.party, name))
        raise Refused(
            [
                Refusal(
                    "wrong_secret",
                    E_BIDDING_MEASURES[30],
                    f"解密信息与加密时不一致（{'、'.join(wrong)}），请更换后重试",
                )
            ]
        )

    await take_part(tx, lot_id)
    known = await _releases(tx, lot_id)
    for envelope in mine[0].envelopes:
        if envelope.head not in known:
            tx.session.add(
                ReleaseRow(
                    lot_id=lot_id,
                    head=envelope.head,
                    bidder_id=tx.actor.party,
                    secret=given[envelope.head],
                    statement=raw,
                    released_at=tx.now,
                )
            )

    await tx.session.flush()
    released = await _releases(tx, lot_id)
    everybodys = [e for bid in await counted_bids(tx.session, lot_id) for e in bid.envelopes]
    if all(envelope.head in released for envelope in everybodys):
        # Nobody is waited for any more, so the window ends with the next tick.
        lot.due_at = tx.now
        tx.session.add(lot)

    if not all(envelope.head in known for envelope in mine[0].envelopes):
        tx.record(BidderReleased(lot_id, tx.actor.party, name))


async def proceed(store: Store, lot_id: LotId) -> None:
    """Do what time or the last share has made due: end the window, or open everything.

    A bid may be large and the documents far away, so all of them are read and decrypted before
    anything is held; what was found is written down in one short transaction.
    """
    async with transaction(store, actor=PLATFORM) as tx:
        await end_release_window(tx, lot_id)
    await failpoint("opening.after_window")
    async with transaction(store, actor=PLATFORM) as tx:
        given = await _enough_to_open(tx, lot_id)
    if given is None:
        return
    found = [await _open_one(store.documents, given, bid) for bid in given.bids]
    await failpoint("opening.read_through")
    async with transaction(store, actor=PLATFORM) as tx:
        await open_bids(tx, lot_id, given, found)


@by(Role.PLATFORM)
async def end_release_window(tx: Transaction, lot_id: LotId) -> None:
    """End the window once its time is over, or once everyone has released."""
    lot = await lots.lock(tx, lot_id)
    opening = await _opening_of(tx, lot)
    bids = await counted_bids(tx.session, lot_id)
    released = await _releases(tx, lot_id)

    if lot.state != LotState.OPENING or opening.window_closed_at is not None:
        return
    present = [bid for bid in bids if all(e.head in released for e in bid.envelopes)]
    missing = [bid for bid in bids if bid not in present]
    if missing and tx.now < opening.window_until:
        return

    opening.window_closed_at = tx.now
    lot.due_at = None if _shares_needed(await _given(tx, lot_id)) else tx.now
    tx.session.add_all([opening, lot])

    timetable = await _timetable(tx, lot)
    policy = await _policy(tx, lot)
    opening.window_closed_entry = tx.record(
        ReleaseWindowClosed(
            lot_id,
            released=tuple(bid.bidder_id for bid in present),
            missing=tuple(bid.bidder_id for bid in missing),
            escrowed=tuple(bid.bidder_id for bid in missing if bid.escrowed),
            policy_digest=policy.digest,
            timetable_version=timetable.version,
            timetable_digest=timetable.digest,
        )
    )


@by(Role.AGENCY, Role.TENDEREE, Role.SUPERVISOR)
async def agree_fallback(tx: Transaction, lot_id: LotId, raw: bytes) -> None:
    """Sign for one side that custodians may open the escrowed bids of absent bidders.

    The host's side is the lot's own tenderee or agency; to any other the lot is not found.
    """
    lot = await lots.lock(tx, lot_id)
    if tx.actor.role is not Role.SUPERVISOR:
        await lots.owned(tx, lot_id)
    opening = await _opening_of(tx, lot)
    statement = await verified_statement(tx, raw, "fallback", lot=lot_id, project=lot.project_id)
    side = SIDES[tx.actor.role]
    agreed = await _fallback_sides(tx, lot_id)

    _require_going_on(lot)
    if opening.window_closed_at is None:
        raise Refused([_too_early("解密时间尚未结束，不得启动备用解密")])

    await take_part(tx, lot_id)
    if side not in agreed:
        tx.session.add(
            FallbackRow(
                lot_id=lot_id,
                side=side,
                person_id=tx.actor.person,
                statement=raw,
                agreed_at=tx.now,
            )
        )

    if side not in agreed:
        tx.record(FallbackAgreed(lot_id, side=side, statement_digest=statement.digest))


@by(Role.CUSTODIAN)
async def share_request(tx: Transaction, lot_id: LotId) -> ShareRequest:
    """What this custodian is asked to open now, with what its program must check first.

    Only the headers of bids that were released, or whose fallback both sides signed, are handed
    out; the window's end must be on record.
    """
    lot = await lots.hold(tx, lot_id)
    opening = await _opening_of(tx, lot)
    await _own_key(tx, lot_id)
    policy, timetable = await _policy(tx, lot), await _timetable(tx, lot)
    if opening.window_closed_entry is None or lot.state != LotState.OPENING:
        raise Refused([_too_early("解密时间结束前，任何人不得请求解密份额")])
    wanted = _wanted(await _given(tx, lot_id))
    closed = await lots.entry_of(tx, lot_id, "LotClosed")

    return ShareRequest(
        policy=policy.statement,
        timetable=timetable.statement,
        close_entry=closed,
        window_closed_entry=opening.window_closed_entry,
        headers=tuple((bid_id, component, env.header) for bid_id, component, env in wanted),
    )


@by(Role.CUSTODIAN)
async def give_shares(tx: Transaction, lot_id: LotId, raw: bytes) -> None:
    """A custodian gives its shares of what is to be opened; a wrong one names its custodian.

    Shares that were given before change nothing and are not recorded again; `Malformed` where none
    is given at all.
    """
    lot = await lots.lock(tx, lot_id)
    opening = await _opening_of(tx, lot)
    statement = await verified_statement(
        tx, raw, "shares", max_bytes=8 << 20, lot=lot_id, project=lot.project_id
    )
    key = await _own_key(tx, lot_id)
    before = await _given(tx, lot_id)
    wanted = {(env.head, component): env for _, component, env in _wanted(before)}
    if opening.window_closed_at is None or lot.state != LotState.OPENING:
        raise Refused([_too_early("解密时间结束前，任何人不得提交解密份额")])
    name = (await organisation_names(tx.session, [tx.actor.party]))[tx.actor.party]

    rows: list[ShareRow] = []
    shares = list_of(statement.payload["shares"], at_most=SHARES_MAX)
    if not shares:
        raise Malformed("the statement gives no share", code="no_shares")
    for given in shares:
        told = members(given, ("head", "component", "share"))
        head, component = unb64u(text_of(told["head"])), text_of(told["component"])
        share = unb64u(text_of(told["share"]), 33)
        envelope = wanted.get((head, component))
        if envelope is None:
            raise NotFound("nobody asked for a share of that")
        try:
            sealing.check_share(sealing.parse_header(envelope.header), component, key.kid, share)
        except BrokenSeal:
            tx.record_attempt(ShareRefused(lot_id, tx.actor.party, key.kid, name))
            raise Refused(
                [
                    Refusal(
                        "wrong_share",
                        E_BIDDING_MEASURES[30],
                        f"{name} 提交的解密份额与加密时的承诺不一致",
                    )
                ]
            ) from None
        rows.append(
            ShareRow(
                head=head,
                component=component,
                digest=sha256(share),
                lot_id=lot_id,
                kid=key.kid,
                share=share,
                given_at=tx.now,
            )
        )

    await take_part(tx, lot_id)
    new = [
        row
        for row in {(row.head, row.component, row.digest): row for row in rows}.values()
        if row.share not in before.shares.get((row.head, row.component), ())
    ]
    tx.session.add_all(new)
    await tx.session.flush()
    if not _shares_needed(await _given(tx, lot_id)):
        lot.due_at = tx.now
        tx.session.add(lot)

    if new:
        tx.record(SharesGiven(lot_id, tx.actor.party, key.kid, name))


@by(Role.PLATFORM)
async def open_bids(
    tx: Transaction, lot_id: LotId, given: Given, found: Sequence[FoundInside]
) -> None:
    """Show all at once what was found in every counting bid by what was given to open them with.

    Nothing where somebody else was quicker, or where more has been given meanwhile: then the lot is
    still due, and is read again with all there is.
    """
    lot = await lots.lock(tx, lot_id)
    opening = await _opening_of(tx, lot)
    if await _enough_to_open(tx, lot_id) != given:
        return
    counted = [bid.id for bid in await counted_bids(tx.session, lot_id)]
    refusals = unopened_refusals(counted, [one.bid.id for one in found])
    if refusals:
        raise Refused(refusals)
    names = await organisation_names(tx.session, [one.bid.bidder_id for one in found])
    results = [
        _row_of(lot, one, await _members(tx, lot, one, names[one.bid.bidder_id])) for one in found
    ]

    tx.session.add_all(results)
    opening.opened_at = tx.now
    tx.session.add(opening)
    lots.move(tx, lot, LotMove.FINISH_OPENING)

    read_out = prices_are_read_out(await switches_then(tx, lot))
    tx.record(
        BidsOpened(
            lot_id,
            tuple(
                {
                    "bidder": row.bidder_id,
                    "name": names[row.bidder_id],
                    "outcome": row.outcome,
                    "reason": row.reason,
                    "article": row.article,
                    "sheet": row.sheet if read_out else None,
                    **({"members": row.members} if row.members else {}),
                }
                for row in results
            ),
        )
    )
    for one, row in zip(found, results, strict=True):
        if one.agreement and row.members:
            tx.record(AgreementOpened(lot_id, row.bid_id, sha256(one.agreement)))


@by(Role.BIDDER)
async def object_on_the_spot(tx: Transaction, lot_id: LotId, words: str) -> UUID:
    """Raise an objection to the opening, on the spot (实施条例 44)."""
    lot = await lots.lock(tx, lot_id)
    opening = await _opening_of(tx, lot)
    bids = await counted_bids(tx.session, lot_id)
    if all(bid.bidder_id != tx.actor.party for bid in bids):
        raise NotFound("no bid of yours was opened here")
    _require_going_on(lot)
    if opening.recorded_at is not None:
        raise Refused(
            [Refusal("opening_over", BIDDING_REGULATION[44], "开标已结束，对开标的异议应当场提出")]
        )

    objection_id = random_id()
    tx.session.add(
        OpeningObjectionRow(
            id=objection_id,
            lot_id=lot_id,
            bidder_id=tx.actor.party,
            words=words,
            raised_at=tx.now,
        )
    )

    name = (await organisation_names(tx.session, [tx.actor.party]))[tx.actor.party]
    tx.record(OpeningObjectionRaised(lot_id, objection_id, tx.actor.party, name, words))

    return objection_id


@by(Role.TENDEREE, Role.AGENCY)
async def answer_on_the_spot(
    tx: Transaction, lot_id: LotId, objection_id: UUID, answer: str, *, outcome: ObjectionOutcome
) -> None:
    """Answer an objection to the opening, on the spot, and say whether it stands (实施条例 44).

    One that stands is in the record, with which it goes to committee and supervisor.
    """
    await lots.lock(tx, lot_id)
    await lots.owned(tx, lot_id)
    row = await tx.session.get(OpeningObjectionRow, objection_id)
    if row is None or row.lot_id != lot_id:
        raise NotFound("no such objection")

    if row.answered_at is not None:
        raise Refused([Refusal("answered", BIDDING_REGULATION[44], "该异议已当场答复")])

    row.answer, row.answered_by, row.answered_at = answer, tx.actor.person, tx.now
    row.outcome = outcome
    tx.session.add(row)

    tx.record(OpeningObjectionAnswered(lot_id, objection_id, answer, outcome))


@by(Role.TENDEREE, Role.AGENCY)
async def draft_record(tx: Transaction, lot_id: LotId) -> bytes:
    """The opening record as it stands, ready to be signed: the same bytes at every call."""
    lot = await lots.hold(tx, lot_id)
    await lots.owned(tx, lot_id)
    opening = await _opening_of(tx, lot)
    if opening.opened_at is None:
        raise Refused([_too_early("全部解密完成前没有开标记录")])

    return await _record_bytes(tx, lot, opening)


@by(Role.TENDEREE, Role.AGENCY)
async def sign_record(tx: Transaction, lot_id: LotId, raw: bytes) -> None:
    """Sign and publish the opening record (电子招标投标办法 32).

    The first signature publishes it and enters its digest in the log; whoever signs the same record
    again changes nothing.
    """
    lot = await lots.lock(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    await agency_letters.require_scope(tx, project, AgencyAct.OPEN, lot_id)
    opening = await _opening_of(tx, lot)
    statement = await verified_statement(tx, raw, "opening-record", max_bytes=32 << 20)
    open_objections = await tx.session.scalars(
        select(OpeningObjectionRow).where(
            OpeningObjectionRow.lot_id == lot_id, col(OpeningObjectionRow.answered_at).is_(None)
        )
    )

    if opening.opened_at is None:
        raise Refused([_too_early("全部解密完成前没有开标记录")])
    if open_objections.first() is not None:
        raise Refused(
            [
                Refusal(
                    "objection_open",
                    BIDDING_REGULATION[44],
                    "尚有未当场答复的开标异议，不得结束开标",
                )
            ]
        )
    if Envelope.from_bytes(raw, max_bytes=32 << 20).payload != await _record_bytes(
        tx, lot, opening
    ):
        raise BrokenSeal("what was signed is not the record as it stands")

    recorded_before = opening.recorded_at is not None
    await take_part(tx, lot_id)
    if not recorded_before:
        opening.record = Envelope.from_bytes(raw, max_bytes=32 << 20).payload
        opening.record_statement = raw
        opening.recorded_at = tx.now
        tx.session.add(opening)

    if not recorded_before:
        tx.record(OpeningRecorded(lot_id, record_digest=statement.digest))


# --- what the activities above are made of


def _too_early(reason: str) -> Refusal:
    return Refusal("too_early", E_BIDDING_MEASURES[30], reason)


def _require_going_on(lot: LotRow) -> None:
    """`Refused` where the tender was ended while it was being opened."""
    if lot.state == LotState.CANCELLED:
        reason = "标段已终止招标，开标不再进行"
        raise Refused([Refusal("lot_cancelled", BIDDING_REGULATION[31], reason)])


def _secrets_in(payload: dict[str, Any]) -> dict[bytes, bytes]:
    given = list_of(payload["secrets"], at_most=SECRETS_MAX)
    told = [members(one, ("head", "secret")) for one in given]
    return {unb64u(text_of(one["head"])): unb64u(text_of(one["secret"]), 32) for one in told}


def _is_the_secret(envelope: SealedEnvelope, secret: bytes | None) -> bool:
    if secret is None:
        return False
    try:
        sealing.check_secret(sealing.parse_header(envelope.header), BIDDER, secret)
    except BrokenSeal:
        return False
    return True


def _component_ids(envelope: SealedEnvelope) -> list[str]:
    return [component.id for component in sealing.parse_header(envelope.header).components]


def _is_enough(envelope: SealedEnvelope, component: str, shares: Sequence[bytes]) -> bool:
    header = sealing.parse_header(envelope.header)
    way = header.component(component).shamir
    assert way is not None, "the intake lets in no envelope without the policy's shares"
    return sealing.dealt_shares_met(header, component, shares) >= way.t


async def _opening_of(tx: Transaction, lot: LotRow) -> OpeningRow:
    """The lot's opening, begun with its first act; `NotFound` where there is none yet."""
    row = await tx.session.get(OpeningRow, lot.id)
    if row is not None:
        return row
    if lot.state != LotState.OPENING or lot.release_until is None or lot.bids_due_at is None:
        raise NotFound("this lot is not being opened")
    row = OpeningRow(lot_id=lot.id, begun_at=lot.bids_due_at, window_until=lot.release_until)
    tx.session.add(row)
    return row


async def _policy(tx: Transaction, lot: LotRow) -> OpeningPolicyRow:
    row = await tx.session.get(OpeningPolicyRow, (lot.id, lot.policy_version))
    assert row is not None
    return row


async def _timetable(tx: Transaction, lot: LotRow) -> TimetableRow:
    row = await tx.session.get(TimetableRow, (lot.id, lot.timetable_version))
    assert row is not None
    return row


async def _releases(tx: Transaction, lot_id: LotId) -> dict[bytes, bytes]:
    rows = await tx.session.scalars(select(ReleaseRow).where(ReleaseRow.lot_id == lot_id))
    return {row.head: row.secret for row in rows}


async def _fallback_sides(tx: Transaction, lot_id: LotId) -> set[str]:
    rows = await tx.session.scalars(select(FallbackRow.side).where(FallbackRow.lot_id == lot_id))
    return set(rows)


async def _shares(tx: Transaction, lot_id: LotId) -> dict[tuple[bytes, str], list[bytes]]:
    rows = await tx.session.scalars(select(ShareRow).where(ShareRow.lot_id == lot_id))
    found: dict[tuple[bytes, str], list[bytes]] = {}
    for row in sorted(rows, key=lambda row: (row.share[-1], row.share)):
        found.setdefault((row.head, row.component), []).append(row.share)
    return found


async def _own_key(tx: Transaction, lot_id: LotId) -> CustodianKeyRow:
    rows = await tx.session.scalars(
        select(CustodianKeyRow)
        .where(CustodianKeyRow.lot_id == lot_id, CustodianKeyRow.person_id == tx.actor.person)
        .order_by(col(CustodianKeyRow.registered_at).desc())
    )
    row = rows.first()
    if row is None:
        raise NotFound("no such lot")
    return row


async def _given(tx: Transaction, lot_id: LotId) -> Given:
    """What bidders, custodians and the two sides have given to open the lot's bids by now."""
    return Given(
        bids=await counted_bids(tx.session, lot_id),
        released=await _releases(tx, lot_id),
        fallback=await _fallback_sides(tx, lot_id) == {"host", "supervisor"},
        shares=await _shares(tx, lot_id),
    )


async def _enough_to_open(tx: Transaction, lot_id: LotId) -> Given | None:
    """What was given, once the window is over and it suffices; None before and after the opening.

    Whoever asks under the lot's lock, and gets what it read by, knows that nothing has changed.
    """
    lot = await lots.hold(tx, lot_id)
    opening = await _opening_of(tx, lot)
    if lot.state != LotState.OPENING or opening.window_closed_at is None:
        return None
    given = await _given(tx, lot_id)
    return None if _shares_needed(given) else given


async def waits_for_shares(tx: Transaction, lot_id: LotId) -> bool:
    """Whether custodians are asked for shares of a lot and too few were given."""
    given = await _given(tx, lot_id)
    return any(
        not _is_enough(envelope, component, given.shares.get((envelope.head, component), []))
        for _, component, envelope in _wanted(given)
    )


def _wanted(given: Given) -> list[tuple[UUID, str, SealedEnvelope]]:
    """What custodians are asked to open: (bid, component, envelope).

    Officials' components of released bids; with both sides' fallback also both components of
    escrowed absent bids. Nothing else ever leaves a custodian.
    """
    wanted: list[tuple[UUID, str, SealedEnvelope]] = []
    for bid in given.bids:
        present = given.present(bid)
        for envelope in bid.envelopes:
            if given.opens(bid) and OFFICIALS in _component_ids(envelope):
                wanted.append((bid.id, OFFICIALS, envelope))
            if given.opens(bid) and not present:
                wanted.append((bid.id, BIDDER, envelope))
    return wanted


def _shares_needed(given: Given) -> bool:
    """Whether the opening still waits for custodians or for the two sides' fallback."""
    if any(bid.escrowed and not given.opens(bid) for bid in given.bids):
        return True
    return any(
        not _is_enough(envelope, component, given.shares.get((envelope.head, component), []))
        for _, component, envelope in _wanted(given)
    )


async def _open_one(documents: Documents, given: Given, bid: CountedBid) -> FoundInside:
    """Read one bid through; whose fault it is where it does not open.

    The journal knows faults of the platform at a submission and none in a release window, so none
    can be found here: a bidder whom the platform kept from releasing is taken for one who did not
    (视为撤销, and not 视为撤回). It can say so on the spot, and what it says stands in the record.
    """
    opened: dict[str, _Opened] = {}
    if given.opens(bid):
        for envelope in bid.envelopes:
            opened[envelope.kind] = await _open_envelope(documents, envelope, given)
    outcome = decryption_outcome(
        DecryptionFacts(
            released=given.present(bid),
            escrow_chosen=bid.escrowed,
            fallback_agreed=given.fallback,
            platform_incident=False,
            bytes_intact=all(one.intact for one in opened.values()),
            badly_dealt=any(one.badly_dealt for one in opened.values()),
            payload_opens=all(one.opens for one in opened.values()),
        )
    )
    if not outcome.readable:
        return FoundInside(bid, outcome, None, {})
    return FoundInside(
        bid,
        outcome,
        opened[SHEET].sheet,
        {kind: one.secrets for kind, one in opened.items()},
        await _agreement(documents, bid, opened[BID].secrets),
    )


async def _agreement(
    documents: Documents, bid: CountedBid, secrets: dict[str, str]
) -> bytes | None:
    envelope = next(one for one in bid.envelopes if one.kind == BID)
    return await consortia.agreement_inside(
        documents,
        SealedArchive(envelope.header, envelope.payload_size, envelope.parts),
        {name: unb64u(secret, 32) for name, secret in secrets.items()},
    )


async def _members(
    tx: Transaction, lot: LotRow, found: FoundInside, name: str
) -> list[dict[str, object]]:
    """Who bids together by what was found in a bid; nobody where its bidder bids alone."""
    owner = consortia.Owner(PartyId(found.bid.bidder_id), name, found.bid.received_at)
    return members_told(await consortia.bidder_by(tx, lot, owner, found.agreement))


def _row_of(lot: LotRow, found: FoundInside, together: list[dict[str, object]]) -> OpenedBidRow:
    sheet = found.sheet
    return OpenedBidRow(
        bid_id=found.bid.id,
        lot_id=lot.id,
        bidder_id=found.bid.bidder_id,
        outcome=str(found.outcome.decryption),
        reason=found.outcome.reason,
        article=str(found.outcome.article),
        price=None if sheet is None else Decimal(str(sheet["price"])),
        sheet=sheet,
        secrets=found.secrets,
        members=together,
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """How far one envelope could be opened."""

    intact: bool
    badly_dealt: bool
    opens: bool
    secrets: dict[str, str]
    sheet: dict[str, Any] | None = None


async def _open_envelope(documents: Documents, envelope: SealedEnvelope, given: Given) -> _Opened:
    header = sealing.parse_header(envelope.header)
    secrets: dict[str, bytes] = {}
    for component in _component_ids(envelope):
        try:
            secrets[component] = _secret_of(envelope, component, given)
        except sealing.BadDealing:
            return _Opened(intact=True, badly_dealt=True, opens=False, secrets={})
    key = sealing.file_key(header, secrets)
    with tempfile.TemporaryFile() as file:
        file.write(envelope.header)
        try:
            async for part in sealed_drawer(documents).stream(list(envelope.parts)):
                await asyncio.to_thread(file.write, part)
        except (BrokenSeal, NotFound):
            return _Opened(intact=False, badly_dealt=False, opens=False, secrets={})
        read = _read_sheet if envelope.kind == SHEET else _read_through
        try:
            sheet = await asyncio.to_thread(read, cast(BinaryIO, file), header, key)
        except BrokenSeal:
            return _Opened(intact=True, badly_dealt=False, opens=False, secrets={})
    return _Opened(
        intact=True,
        badly_dealt=False,
        opens=True,
        secrets={name: b64u(secret) for name, secret in secrets.items()},
        sheet=sheet,
    )


def _secret_of(envelope: SealedEnvelope, component: str, given: Given) -> bytes:
    """A component's secret as its bidder released it, or out of the custodians' shares."""
    own = given.released.get(envelope.head)
    if component == BIDDER and own is not None:
        return own
    shares = given.shares.get((envelope.head, component), [])
    return sealing.combine(sealing.parse_header(envelope.header), component, shares)


def _read_sheet(
    file: BinaryIO, header: sealing.EnvelopeHeader, key: bytes
) -> dict[str, Any] | None:
    file.seek(0)
    return read_sheet(sealing.open_sheet(file.read(), key))


def _read_through(file: BinaryIO, header: sealing.EnvelopeHeader, key: bytes) -> None:
    file.seek(header.payload_offset)
    for _ in sealing.open_stream(file, header, key):
        pass


async def _record_bytes(tx: Transaction, lot: LotRow, opening: OpeningRow) -> bytes:
    """The opening record: what was opened, from what, with which secrets.

    Where a price is talked about afterwards the record says of a bid that it was opened, and of its
    secrets nothing but their digests.
    """
    if opening.record is not None:
        return opening.record
    lot_id = LotId(lot.id)
    given = await _given(tx, lot_id)
    bids = given.bids
    rows = await tx.session.scalars(select(OpenedBidRow).where(OpenedBidRow.lot_id == lot_id))
    results = {row.bid_id: row for row in rows}
    names = await organisation_names(tx.session, [bid.bidder_id for bid in bids])
    objections = await tx.session.scalars(
        select(OpeningObjectionRow)
        .where(OpeningObjectionRow.lot_id == lot_id)
        .order_by(col(OpeningObjectionRow.raised_at), col(OpeningObjectionRow.id))
    )
    assert opening.opened_at is not None
    read_out = prices_are_read_out(await switches_then(tx, lot))
    return canonical(
        {
            "v": "ebid-opening-record/1",
            **({} if read_out else {"unannounced": True}),
            "project": str(lot.project_id),
            "lot": str(lot.id),
            "policy": b64u((await _policy(tx, lot)).digest),
            "timetable": b64u((await _timetable(tx, lot)).digest),
            "close_entry": str(await lots.entry_of(tx, lot_id, "LotClosed")),
            "window_closed_entry": str(opening.window_closed_entry),
            "opened_at": instant_text(opening.opened_at),
            "bids": [
                _bid_in_record(
                    bid,
                    results[bid.id],
                    names[bid.bidder_id],
                    await _evidence(tx, given, bid, results[bid.id]),
                    read_out=read_out,
                )
                for bid in bids
            ],
            "objections": [
                {
                    "id": str(row.id),
                    "bidder": str(row.bidder_id),
                    "words": row.words,
                    "raised_at": instant_text(row.raised_at),
                    "answer": row.answer,
                    **({} if row.outcome is None else {"outcome": row.outcome}),
                }
                for row in objections
            ],
        }
    )


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the record shows of a bid: secrets by envelope, and the shares that were badly dealt."""

    secrets: dict[str, dict[str, str]]
    badly_dealt: dict[str, object] | None = None


async def _evidence(
    tx: Transaction, given: Given, bid: CountedBid, result: OpenedBidRow
) -> _Evidence:
    """The secrets of an opened bid; of a revoked one that was tried, why it did not open.

    Shares that were badly dealt give no secret, and of a sheet that does not open nothing can be
    read out; so both can be shown, and nobody need believe that the bidder was at fault.
    """
    if result.outcome != Decryption.REVOKED or not given.opens(bid):
        return _Evidence(result.secrets)

    secrets: dict[str, dict[str, str]] = {}
    for envelope in bid.envelopes:
        secrets[envelope.kind] = {}
        for component in _component_ids(envelope):
            try:
                secret = _secret_of(envelope, component, given)
            except sealing.BadDealing:
                shares = given.shares[envelope.head, component]
                return _Evidence(
                    {},
                    {
                        "envelope": envelope.kind,
                        "component": component,
                        "header": b64u(envelope.header),
                        "shares": [b64u(share) for share in shares],
                    },
                )
            secrets[envelope.kind][component] = b64u(secret)
    sheet = next(envelope for envelope in bid.envelopes if envelope.kind == SHEET)
    opened = await _open_envelope(tx.documents, sheet, given)
    return _Evidence(
        {kind: one for kind, one in secrets.items() if (kind == SHEET) != opened.opens}
    )


def _bid_in_record(
    bid: CountedBid, result: OpenedBidRow, name: str, evidence: _Evidence, *, read_out: bool
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "bidder": str(bid.bidder_id),
        "name": name,
        "seq": bid.seq,
        "outcome": result.outcome,
        "reason": result.reason,
        "article": result.article,
        "announced": result.sheet if read_out else None,
        **({"members": result.members} if result.members else {}),
    }
    if evidence.badly_dealt is not None:
        told["badly_dealt"] = evidence.badly_dealt
    for envelope in bid.envelopes:
        secrets = evidence.secrets.get(envelope.kind, {})
        told[envelope.kind] = {
            "head": b64u(envelope.head),
            "payload_root": b64u(envelope.payload_root),
            "payload_size": envelope.payload_size,
        }
        if secrets and envelope.kind == SHEET and (read_out or result.sheet is None):
            told[envelope.kind]["secrets"] = secrets
        elif secrets:
            # A whole bid holds trade secrets, and so does a sheet that is not read out: only
            # commitments to their secrets are published.
            told[envelope.kind]["secret_digests"] = {
                name: b64u(sha256(unb64u(value))) for name, value in secrets.items()
            }
    return told
