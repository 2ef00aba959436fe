"""The parties to a draw contribute: commit, deal, confirm, countersign, reveal, rebuild.

Every act is judged by the protocol alone; what is checked here besides is that bytes are what they
were committed to be.
"""

from __future__ import annotations

from typing import Any

from expert_pool import calling, draws
from expert_pool.draws import DrawFile
from expert_pool.events import (
    DrawCommitted,
    DrawRanked,
    EligibilityCountersigned,
    NonceRevealed,
    NonceShareConfirmed,
    NonceShareMisdealt,
    NonceSharesDealt,
)
from expert_pool.rules.draw_protocol import (
    BeginCalling,
    Commit,
    Confirm,
    Countersign,
    Deal,
    Draw,
    DrawState,
    Recover,
    Reveal,
    ShowMisdealt,
    act_refusals,
    step,
)
from expert_pool.tables import DrawPartyRow, NonceShareRow
from kernel.access import Role, by
from kernel.crypto import fair_draw
from kernel.crypto.digests import Malformed, b64u, list_of, members, sha256, text_of, unb64u
from kernel.crypto.fair_draw import NONCE_SIZE, NonceShare
from kernel.crypto.signing import P256, PrivateKey, loaded_public_key, thumbprint
from kernel.crypto.threshold import SEALING_OVERHEAD
from kernel.errors import BrokenSeal, Refused
from kernel.identifiers import DrawId
from kernel.store.parties import Statement, take_part, verified_statement
from kernel.store.transaction import Transaction

SHARE_SIZE = NONCE_SIZE + 1
PARTY_ROLES = (Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR, Role.BIDDER, Role.CENTRE_STAFF)
"""Who may contribute to a draw that names their organisation."""


@by(*PARTY_ROLES)
async def commit(tx: Transaction, draw_id: DrawId, raw: bytes) -> None:
    """A party commits to its nonce, once the announcement is witnessed."""
    file, party, draw = await _taken_up(tx, draw_id)
    statement = await verified_statement(tx, raw, "draw-commit", draw=draw_id)
    said = _said(statement, party)
    commitment, share_key = unb64u(said["commitment"], 32), unb64u(said["share_key"], 65)
    loaded_public_key(share_key)

    draw = step(draw, Commit(party.name), at=tx.now)
    await take_part(tx, file.row.lot_id)

    party.commitment, party.share_key = commitment, share_key
    tx.session.add(party)
    await draws.keep_statement(tx, file, statement, author=party.name)
    draws.keep_state(tx, file, draw)

    party.committed_entry = tx.record(
        DrawCommitted(
            file.row.lot_id,
            draw_id,
            party.name,
            commitment=commitment,
            share_key=share_key,
            statement_digest=statement.digest,
        )
    )


@by(*PARTY_ROLES)
async def deal(tx: Transaction, draw_id: DrawId, raw: bytes) -> None:
    """A party deals shares of its nonce to the others, once all commitments are witnessed."""
    file, party, draw = await _taken_up(tx, draw_id)
    statement = await verified_statement(tx, raw, "draw-shares", draw=draw_id)
    said = _said(statement, party)
    rows = _shares_in(said["shares"], file, party)

    draw = step(draw, Deal(party.name), at=tx.now)
    await take_part(tx, file.row.lot_id)

    tx.session.add_all(rows)
    await draws.keep_statement(tx, file, statement, author=party.name)
    draws.keep_state(tx, file, draw)

    party.dealt_entry = tx.record(
        NonceSharesDealt(
            file.row.lot_id,
            draw_id,
            party.name,
            shares=tuple(
                {
                    "holder": row.holder,
                    "commitment": b64u(row.commitment),
                    "ciphertext": b64u(row.ciphertext),
                }
                for row in rows
            ),
            statement_digest=statement.digest,
        )
    )
    tx.session.add(party)


@by(*PARTY_ROLES)
async def confirm(tx: Transaction, draw_id: DrawId, dealer: str) -> None:
    """A holder confirms that the share it was dealt opens; again changes nothing.

    Nor does it change anything once enough others did, and nonces are being revealed.
    """
    file, party, draw = await _taken_up(tx, draw_id)
    share = file.share(dealer=dealer, holder=party.name)

    if share.confirmed_at is not None or draw.state is DrawState.REVEALING:
        return
    draw = step(draw, Confirm(party.name, dealer), at=tx.now)
    await take_part(tx, file.row.lot_id)

    share.confirmed_at = tx.now
    tx.session.add(share)
    draws.keep_state(tx, file, draw)

    tx.record(NonceShareConfirmed(file.row.lot_id, draw_id, holder=party.name, dealer=dealer))


@by(*PARTY_ROLES)
async def show_misdealt(
    tx: Transaction, draw_id: DrawId, dealer: str, share_key: PrivateKey
) -> None:
    """A holder proves that its share does not open as committed, by giving its key for this draw.

    The key is tried and thrown away; it was made for this draw and opens nothing else.
    """
    file, party, draw = await _taken_up(tx, draw_id)
    share = file.share(dealer=dealer, holder=party.name)
    if share_key.public_bytes != party.share_key:
        raise BrokenSeal("this is not the key to which the share was sealed")
    if _opens(file, share, share_key):
        raise BrokenSeal("the share opens as committed")

    draw = step(draw, ShowMisdealt(party.name, dealer), at=tx.now)
    await take_part(tx, file.row.lot_id)

    share.misdealt_at = tx.now
    tx.session.add(share)
    draws.keep_state(tx, file, draw)

    tx.record(NonceShareMisdealt(file.row.lot_id, draw_id, holder=party.name, dealer=dealer))


@by(Role.SUPERVISOR)
async def exclusions(tx: Transaction, draw_id: DrawId) -> list[dict[str, Any]]:
    """Every label with its strata and grounds, for the supervisor to countersign; no names."""
    file = await draws.find(tx, draw_id)
    file.party_of(tx)
    return [
        {
            "label": b64u(row.label),
            "strata": row.strata,
            "grounds": row.grounds,
            "salt": b64u(row.eligibility_salt),
        }
        for row in await draws.labels_of(tx, draw_id)
    ]


@by(Role.SUPERVISOR)
async def countersign(tx: Transaction, draw_id: DrawId, raw: bytes) -> None:
    """The supervisor countersigns the exclusions, before any nonce is known."""
    file, party, draw = await _taken_up(tx, draw_id)
    statement = await verified_statement(tx, raw, "draw-eligibility", draw=draw_id)
    said = _said(statement, party)
    root = file.told["pool"]["members_root"]
    if said["members_root"] != root:
        raise BrokenSeal("these are not the announced exclusions")

    draw = step(draw, Countersign(party.name), at=tx.now)
    await take_part(tx, file.row.lot_id)

    await draws.keep_statement(tx, file, statement, author=party.name)
    draws.keep_state(tx, file, draw)

    file.row.countersigned_entry = tx.record(
        EligibilityCountersigned(
            file.row.lot_id,
            draw_id,
            members_root=unb64u(root),
            statement_digest=statement.digest,
        )
    )


@by(*PARTY_ROLES)
async def reveal(tx: Transaction, draw_id: DrawId, raw: bytes) -> None:
    """A party reveals its nonce; with the last one the ranking follows and calling begins."""
    file, party, draw = await _taken_up(tx, draw_id)
    statement = await verified_statement(tx, raw, "draw-reveal", draw=draw_id)
    said = _said(statement, party)

    draw = step(draw, Reveal(party.name), at=tx.now)
    nonce = unb64u(said["nonce"], NONCE_SIZE)
    assert party.commitment is not None
    fair_draw.check_reveal(sha256(file.row.announcement), party.name, nonce, party.commitment)
    await take_part(tx, file.row.lot_id)

    await draws.keep_statement(tx, file, statement, author=party.name)
    _keep_nonce(tx, file, party, nonce, recovered=False)

    await _go_on(tx, file, draw)


@by(*PARTY_ROLES)
async def give_share(tx: Transaction, draw_id: DrawId, dealer: str, share: bytes) -> None:
    """A holder gives the share it keeps of a party that vanished; enough of them rebuild it."""
    file, party, draw = await _taken_up(tx, draw_id)
    row = file.share(dealer=dealer, holder=party.name)
    absent, digest = file.parties[dealer], sha256(file.row.announcement)
    assert absent.commitment is not None
    given = {one.holder: one.share for one in file.shares if one.dealer == dealer and one.share}
    given[party.name] = share
    act = Recover(dealer, len(given))

    refusals = [one for one in act_refusals(draw, act, at=tx.now) if one.code != "too_few_shares"]
    if refusals:
        raise Refused(refusals)
    if fair_draw.share_commitment(digest, dealer, share) != row.commitment:
        raise BrokenSeal(f"{party.name} gave another share than it was dealt")
    await take_part(tx, file.row.lot_id)

    row.share = share
    tx.session.add(row)
    if len(given) < draw.threshold:
        return
    draw = step(draw, act, at=tx.now)
    nonce = fair_draw.recover_nonce(
        digest,
        dealer,
        t=draw.threshold,
        committed=absent.commitment,
        share_commitments=[one.commitment for one in file.shares if one.dealer == dealer],
        shares=list(given.values()),
    )
    _keep_nonce(tx, file, absent, nonce, recovered=True)

    await _go_on(tx, file, draw)


# ── what the activities above are made of ─────────────────────────────────────────────────────


async def _taken_up(tx: Transaction, draw_id: DrawId) -> tuple[DrawFile, DrawPartyRow, Draw]:
    """The draw, held, the acting organisation's part in it, and where the protocol stands."""
    file = await draws.hold(tx, draw_id)
    return file, file.party_of(tx), await draws.protocol_of(tx, file)


def _said(statement: Statement, party: DrawPartyRow) -> dict[str, Any]:
    """What a statement says that this party made with its program."""
    if statement.payload["party"] != party.name:
        raise BrokenSeal("the statement is another party's")
    if not statement.keyid.startswith(P256):
        raise BrokenSeal("a party signs by its program's key, which anyone can check for ever")
    return statement.payload


def _shares_in(said: object, file: DrawFile, party: DrawPartyRow) -> list[NonceShareRow]:
    rows = []
    for one in list_of(said, at_most=len(file.parties)):
        share = members(one, ("holder", "commitment", "ciphertext"))
        rows.append(
            NonceShareRow(
                draw_id=file.id,
                dealer=party.name,
                holder=text_of(share["holder"]),
                ciphertext=unb64u(share["ciphertext"], SHARE_SIZE + SEALING_OVERHEAD),
                commitment=unb64u(share["commitment"], 32),
            )
        )
    if sorted(row.holder for row in rows) != sorted(set(file.parties) - {party.name}):
        raise Malformed("one share goes to each of the others, and none to anybody else")
    return rows


def _opens(file: DrawFile, share: NonceShareRow, key: PrivateKey) -> bool:
    dealt = NonceShare(thumbprint(key.public_bytes), share.commitment, share.ciphertext)
    try:
        fair_draw.open_nonce_share(sha256(file.row.announcement), share.dealer, dealt, key)
    except BrokenSeal:
        return False
    return True


def _keep_nonce(
    tx: Transaction, file: DrawFile, party: DrawPartyRow, nonce: bytes, *, recovered: bool
) -> None:
    party.nonce, party.recovered = nonce, recovered
    party.revealed_entry = tx.record(
        NonceRevealed(file.row.lot_id, file.id, party.name, nonce=nonce, recovered=recovered)
    )
    tx.session.add(party)


async def _go_on(tx: Transaction, file: DrawFile, draw: Draw) -> None:
    """Once every nonce is known, derive the order and begin to call."""
    draws.keep_state(tx, file, draw)
    if draw.state is not DrawState.RANKED:
        return
    nonces = {one.name: one.nonce for one in file.parties.values() if one.nonce is not None}
    file.row.prk = fair_draw.prk(sha256(file.row.announcement), nonces)
    tx.record(DrawRanked(file.row.lot_id, file.id, prk=file.row.prk))
    draw = step(draw, BeginCalling(sum(file.seats.values())), at=tx.now)
    draws.keep_state(tx, file, draw)
    await calling.call_on(tx, file)
