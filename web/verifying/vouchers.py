"""Whose word a verification rests on: the log, its witnesses, and how many of them must agree.

What lies beside the papers may say anything. It is worth something where the checker knows the keys
from elsewhere, or at least where the lot's own policy names them, which every bidder sealed into
the envelopes and whose hash the log holds since the closing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel.crypto.digests import (
    b64u,
    count_of,
    list_of,
    members,
    sha256,
    strict_json,
    text_of,
    unb64u,
)
from kernel.crypto.signing import PUBLIC_KEY_SIZE, WEBAUTHN, RelyingParty
from kernel.errors import BrokenSeal
from web.verifying.draw_transcript import TrustedLog

POLICY = "ebid-opening-policy/1"
POLICY_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Vouchers:
    """The log, the witnesses and their quorum that an artefact names; at least one must agree."""

    log: str
    witnesses: tuple[str, ...]
    quorum: int

    def __post_init__(self) -> None:
        if self.quorum < 1:
            raise BrokenSeal("no witness need have seen it: a quorum is at least one")
        if self.quorum > len(self.witnesses):
            raise BrokenSeal("a quorum of more witnesses than there are")

    def check_trusted(self, trusted: TrustedLog | None) -> None:
        """`BrokenSeal` where they are weaker than those the checker knows."""
        if trusted is None:
            return
        if self.log != trusted.log:
            raise BrokenSeal("another log than the one you trust")
        if not set(self.witnesses) <= set(trusted.witnesses) or self.quorum < trusted.quorum:
            raise BrokenSeal("other witnesses than you trust")

    def check_policy(self, policy: Mapping[str, Any]) -> None:
        """`BrokenSeal` where the lot's opening policy names others."""
        named = policy["log"], policy["witnesses"], policy["quorum"]
        if (self.log, list(self.witnesses), self.quorum) != named:
            raise BrokenSeal("other keys than the policy's")


def policy_in_force(payload: bytes, closing: Mapping[str, Any]) -> dict[str, Any]:
    """The policy that was in force when a lot closed, by the facts of its `LotClosed` entry.

    Who signed it need not be asked: the log holds its hash.
    """
    if b64u(sha256(payload)) != closing["policy_digest"]:
        raise BrokenSeal("another policy than was in force")
    told = strict_json(payload, POLICY_MAX)
    if not isinstance(told, dict) or told["v"] != POLICY:
        raise BrokenSeal("not a policy")
    return told


@dataclass(frozen=True, slots=True)
class PaperKeys:
    """Who vouches for some papers, and by which keys they are signed."""

    vouchers: Vouchers
    signers: dict[str, bytes]
    relying_party: RelyingParty | None


def keys_beside(folder: Path) -> PaperKeys:
    """The keys that lie beside the papers; `BrokenSeal` where the file is not just so."""
    keys = members(
        strict_json((folder / "keys.json").read_bytes()),
        ("log", "witnesses", "quorum", "signers"),
        optional=("relying_party",),
    )
    signers, party = keys["signers"], None
    if not isinstance(signers, dict):
        raise BrokenSeal("an object was expected")
    passkeys = any(keyid.startswith(WEBAUTHN) for keyid in signers)
    if passkeys != ("relying_party" in keys):
        raise BrokenSeal("passkeys sign for a domain, keys for none")
    if passkeys:
        told = members(keys["relying_party"], ("id", "origins"))
        origins = [text_of(one) for one in list_of(told["origins"], at_most=64)]
        if origins != sorted(set(origins)):
            raise BrokenSeal("the origins are in disorder")
        party = RelyingParty(text_of(told["id"]), frozenset(origins))
    return PaperKeys(
        Vouchers(
            text_of(keys["log"]),
            tuple(text_of(one) for one in list_of(keys["witnesses"], at_most=64)),
            count_of(keys["quorum"]),
        ),
        {keyid: unb64u(text_of(key), PUBLIC_KEY_SIZE) for keyid, key in signers.items()},
        party,
    )
