"""The opening policy: whose keys seal a lot's bids, and whose log and witnesses vouch for it.

The document is JSON whose exact bytes are signed by the tenderee or its agency and hashed into
every envelope. It holds no times, so that an extension of the deadline invalidates nobody's sealed
bid. The platform proposes it and refuses a signed one that says anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from kernel.crypto.digests import (
    Malformed,
    b64u,
    count_of,
    list_of,
    members,
    sha256,
    strict_json,
    text_of,
    unb64u,
)
from kernel.crypto.envelope_header import SUITE
from kernel.crypto.sealing import PolicyKeys, ShareHolders
from kernel.crypto.signing import PUBLIC_KEY_SIZE, thumbprint
from kernel.refusals import Refusal
from kernel.statute import E_BIDDING_MEASURES, under
from trading.rules.key_custody import Custody

VERSION = "ebid-opening-policy/1"
ENVELOPES = ("sheet", "bid")
KEYS_MAX = 32


@dataclass(frozen=True, slots=True)
class Vouchers:
    """Who vouches for what happens: the platform's log, its witnesses, and their quorum."""

    log_vkey: str
    witness_vkeys: tuple[str, ...]
    quorum: int


def policy_document(
    custody: Custody,
    *,
    project_id: UUID,
    lot_id: UUID,
    version: int,
    keys: Mapping[str, bytes],
    organisations: Mapping[UUID, str],
    vouchers: Vouchers,
) -> dict[str, object]:
    """The policy that the platform proposes, without the time of its signature.

    `keys` are the custodians' registered keys by kid. A holder dealt two escrow shares stands twice
    in the escrow list, next to itself.
    """
    escrow = [holder.kid for holder in custody.holders for _ in range(holder.escrow_shares)]
    return {
        "v": VERSION,
        "project": str(project_id),
        "lot": str(lot_id),
        "version": version,
        "suite": SUITE,
        "envelopes": list(ENVELOPES),
        "officials": {
            "t": custody.officials_threshold,
            "keys": [
                {
                    "kid": holder.kid,
                    "key": b64u(keys[holder.kid]),
                    "holder": holder.name,
                    "organisation": organisations[holder.party_id],
                }
                for holder in custody.holders
            ],
        },
        "escrow": (
            {"allowed": False}
            if custody.escrow_threshold is None
            else {"allowed": True, "t": custody.escrow_threshold, "keys": escrow}
        ),
        "log": vouchers.log_vkey,
        "witnesses": list(vouchers.witness_vkeys),
        "quorum": vouchers.quorum,
    }


@under(E_BIDDING_MEASURES[27])
def policy_refusals(signed: Mapping[str, object], proposed: Mapping[str, object]) -> list[Refusal]:
    """Every point in which a signed policy is not the one the platform can stand for."""
    said = {
        "officials": ("policy_keys_differ", "开标规则中的密钥与保管人登记的公钥不一致"),
        "escrow": ("policy_escrow_differs", "开标规则中的托管份额与指定的保管人不一致"),
        "log": ("policy_log_differs", "开标规则中的日志公钥不是本平台的日志公钥"),
        "witnesses": ("policy_witnesses_differ", "开标规则中的见证人公钥与本平台公布的不一致"),
        "quorum": ("policy_quorum_differs", "开标规则中的见证人数与本平台公布的不一致"),
    }
    differing = [
        name
        for name in sorted(signed.keys() | proposed.keys())
        if name != "signed_at" and signed.get(name) != proposed.get(name)
    ]
    return [
        Refusal(code, E_BIDDING_MEASURES[27], reason)
        for code, reason in (
            said.get(name, ("policy_differs", f"开标规则中的“{name}”与本标段不一致"))
            for name in differing
        )
    ]


def policy_keys(document: bytes) -> PolicyKeys:
    """Whose keys a signed policy names, and the hash of its bytes; `Malformed` otherwise."""
    found = strict_json(document)
    if not isinstance(found, dict) or found.get("v") != VERSION:
        raise Malformed(f"no {VERSION}", code="wrong_policy")
    officials = members(found.get("officials"), ("t", "keys"))
    keys: dict[str, bytes] = {}
    for item in list_of(officials["keys"], at_most=KEYS_MAX):
        holder = members(item, ("kid", "key"), optional=("holder", "organisation"))
        key = unb64u(holder["key"], PUBLIC_KEY_SIZE)
        if holder["kid"] != thumbprint(key):
            raise Malformed("a kid is not its key's thumbprint", code="wrong_policy")
        keys[text_of(holder["kid"])] = key
    escrow = members(found.get("escrow"), ("allowed",), optional=("t", "keys"))
    return PolicyKeys(
        sha256(document),
        ShareHolders(count_of(officials["t"]), tuple(keys.values())),
        _escrow(escrow, keys) if escrow["allowed"] is True else None,
    )


def _escrow(escrow: Mapping[str, object], keys: Mapping[str, bytes]) -> ShareHolders:
    kids: Sequence[object] = list_of(escrow.get("keys"), at_most=KEYS_MAX)
    if not all(kid in keys for kid in kids):
        raise Malformed("an escrow share for an unknown key", code="wrong_policy")
    return ShareHolders(count_of(escrow.get("t")), tuple(keys[text_of(kid)] for kid in kids))
