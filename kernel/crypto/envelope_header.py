"""The head of a sealed envelope: who sealed what for whom, and who can open it together.

Byte for byte (integers big-endian): "EBIDENV1", the lengths of `meta` and `keys` in four bytes
each, the two JSON texts, then the payload. `meta` says what is in the envelope; its digest, `bind`,
is part of every commitment and every wrapped secret, so that nothing can be moved to another
envelope. `keys` says how the file key is reached: it needs the secret of *every* component, and a
secret is had by *any one* of its component's ways: wrapped to a key, or shared among holders.

All JSON is read from the bytes received and never written again. `meta` is protected by the
payload's encryption, `keys` only by the bidder's signature over `head`: a header counts for nothing
without a submission statement.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from kernel.crypto.digests import (
    Malformed,
    b64u,
    canonical,
    count_of,
    labelled,
    list_of,
    members,
    parse_instant,
    strict_json,
    text_of,
    unb64u,
)
from kernel.crypto.sealed_payload import PADDING_UNITS, plaintext_size_of
from kernel.crypto.signing import thumbprint
from kernel.crypto.threshold import SEALING_OVERHEAD, SHARES_MAX, THRESHOLD_MIN
from kernel.errors import BrokenSeal

MAGIC = b"EBIDENV1"
VERSION = "ebid-envelope/1"
SUITE = "ebid-1-C256-P256"
META_MAX_BYTES = 1 << 16
KEYS_MAX_BYTES = 1 << 18
HEADER_MAX_BYTES = 16 + META_MAX_BYTES + KEYS_MAX_BYTES
SECRET_SIZE = 32
SHARE_SIZE = SECRET_SIZE + 1
NONCE_SIZE = 16
DIGEST_SIZE = 32
BIDDER: Final = "bidder"
OFFICIALS: Final = "officials"

_META = ("v", "suite", "project", "lot", "envelope", "bidder", "nonce", "created")
_COMPONENT_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_COMPONENTS_MAX = 8
_WAYS_MAX = 16


class ShareHolders(NamedTuple):
    """Who holds the shares of a secret, in order, and how many must come together.

    A public key (65 bytes) that stands twice holds two shares: that is how one holder is made
    indispensable.
    """

    t: int
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PolicyKeys:
    """What a signed opening policy says about keys, and the hash of its bytes."""

    policy_hash: bytes
    officials: ShareHolders | None
    escrow: ShareHolders | None = None


@dataclass(frozen=True, slots=True)
class SealingSecrets:
    """The secrets of one envelope: the bidder's, and the officials' where the policy has them."""

    bidder: bytes = field(repr=False)
    officials: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WrapWay:
    """A component's secret sealed to one key."""

    kid: str
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class DealtShare:
    """One share, sealed to its holder, and the commitment by which it is judged."""

    kid: str
    ciphertext: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class ShamirWay:
    """A component's secret in shares, of which `t` give it back."""

    t: int
    shares: tuple[DealtShare, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """One of the secrets the file key needs, its commitment, and the ways to it."""

    id: str
    commitment: bytes
    ways: tuple[WrapWay | ShamirWay, ...]

    @property
    def wraps(self) -> tuple[WrapWay, ...]:
        """The ways by one key."""
        return tuple(way for way in self.ways if isinstance(way, WrapWay))

    @property
    def shamir(self) -> ShamirWay | None:
        """The way by shares, if there is one."""
        return next((way for way in self.ways if isinstance(way, ShamirWay)), None)


@dataclass(frozen=True, slots=True)
class EnvelopeHeader:
    """An envelope's head as it was received; nothing in it is verified against anything."""

    meta: dict[str, str]
    meta_bytes: bytes
    keys_bytes: bytes
    components: tuple[Component, ...]
    policy_hash: bytes
    bind: bytes
    head: bytes

    @property
    def payload_offset(self) -> int:
        """Where in the container the payload begins."""
        return 16 + len(self.meta_bytes) + len(self.keys_bytes)

    def component(self, component_id: str) -> Component:
        """The component with that id; `BrokenSeal` where the envelope has none."""
        for component in self.components:
            if component.id == component_id:
                return component
        raise BrokenSeal(f"the envelope has no component {component_id}")

    def to_bytes(self) -> bytes:
        """The header's bytes, up to the payload."""
        return header_bytes(self.meta_bytes, self.keys_bytes)


def envelope_meta(
    *, project: str, lot: str, envelope: str, bidder: str, nonce: bytes, created: str
) -> dict[str, str]:
    """What is in an envelope: `created` is RFC 3339, the nonce 16 fresh bytes."""
    return {
        "v": VERSION,
        "suite": SUITE,
        "project": project,
        "lot": lot,
        "envelope": envelope,
        "bidder": bidder,
        "nonce": b64u(nonce),
        "created": created,
    }


def meta_bytes(meta: Mapping[str, str]) -> bytes:
    """The bytes of a new envelope's meta; `Malformed` where an opener would refuse it."""
    written = canonical(dict(meta))
    _parse_meta(written)
    return written


def header_bytes(meta: bytes, keys: bytes) -> bytes:
    """The header of these two texts."""
    lengths = len(meta).to_bytes(4, "big") + len(keys).to_bytes(4, "big")
    return MAGIC + lengths + meta + keys


def bind_of(meta: bytes) -> bytes:
    """The digest to which everything in the envelope is bound."""
    return labelled("ebid/1/meta", meta)


def head_of(header: bytes) -> bytes:
    """The digest of a whole header, which the bidder's submission names and signs."""
    return labelled("ebid/1/head", header)


def secret_commitment(bind: bytes, component_id: str, secret: bytes) -> bytes:
    """The commitment to a component's secret."""
    return labelled("ebid/1/cmt", bind, component_id.encode(), b"\0", secret)


def share_commitment(bind: bytes, component_id: str, share: bytes) -> bytes:
    """The commitment to one share of a component's secret."""
    return labelled("ebid/1/share", bind, component_id.encode(), b"\0", share)


def wrap_info(bind: bytes, policy_hash: bytes, component_id: str, kid: str) -> bytes:
    """What a wrapped secret or share is bound to."""
    prefix = f"ebid/1/wrap\0{component_id}\0{kid}\0".encode()
    return prefix + bind + policy_hash


def parse_header(data: bytes) -> EnvelopeHeader:
    """The header at the beginning of these bytes; the payload may follow or not.

    `Malformed`, with a code, where it is cut short, too large, or not exactly what is specified.
    """
    header = header_from_prefix(data)
    if header is None:
        raise Malformed("the envelope's header is cut short", code="truncated_header")
    return header


def header_from_prefix(data: bytes) -> EnvelopeHeader | None:
    """The header, or None while more bytes must arrive; what is wrong already is `Malformed`."""
    if not data.startswith(MAGIC[: len(data)]):
        raise Malformed("not a sealed envelope", code="wrong_magic")
    if len(data) < 16:
        return None
    meta_size = int.from_bytes(data[8:12], "big")
    keys_size = int.from_bytes(data[12:16], "big")
    if meta_size > META_MAX_BYTES or keys_size > KEYS_MAX_BYTES:
        raise Malformed("the envelope's header is too large", code="header_too_large")
    offset = 16 + meta_size + keys_size
    if len(data) < offset:
        return None
    meta_text, keys_text = bytes(data[16 : 16 + meta_size]), bytes(data[16 + meta_size : offset])
    meta = _parse_meta(meta_text)
    policy_hash, components = _parse_keys(keys_text)
    return EnvelopeHeader(
        meta=meta,
        meta_bytes=meta_text,
        keys_bytes=keys_text,
        components=components,
        policy_hash=policy_hash,
        bind=bind_of(meta_text),
        head=head_of(bytes(data[:offset])),
    )


def structural_faults(
    header: EnvelopeHeader | bytes,
    *,
    policy: PolicyKeys,
    project: str,
    lot: str,
    bidder: str,
    envelope: str,
    payload_size: int,
) -> list[str]:
    """Every reason, as a code, why this cannot be the sealed envelope it is said to be.

    Judged without opening anything: form, purpose, recipients, and whether the payload's size is
    one that a padded payload has. Bytes that are no header give the one code that says why.
    """
    if isinstance(header, bytes):
        try:
            header = parse_header(header)
        except Malformed as fault:
            return [fault.code]
    expected = {"project": project, "lot": lot, "bidder": bidder, "envelope": envelope}
    faults = [f"wrong_{name}" for name, value in expected.items() if header.meta[name] != value]
    if header.policy_hash != policy.policy_hash:
        faults.append("wrong_policy_hash")
    faults.extend(_recipient_faults(header, policy))
    size = plaintext_size_of(payload_size)
    if not size or size % PADDING_UNITS[header.meta["envelope"]]:
        faults.append("implausible_size")
    return faults


def _recipient_faults(header: EnvelopeHeader, policy: PolicyKeys) -> list[str]:
    ids = [component.id for component in header.components]
    wanted = [BIDDER] if policy.officials is None else [BIDDER, OFFICIALS]
    if ids != wanted:
        return ["wrong_components"]
    bidder = header.component(BIDDER)
    faults = [] if bidder.wraps else ["bidder_key_missing"]
    if bidder.shamir is not None:
        faults += (
            ["escrow_not_allowed"]
            if policy.escrow is None
            else _holder_faults(bidder.shamir, policy.escrow)
        )
    if policy.officials is not None:
        officials = header.component(OFFICIALS)
        if officials.wraps or officials.shamir is None:
            return [*faults, "threshold_mismatch"]
        faults += _holder_faults(officials.shamir, policy.officials)
    return list(dict.fromkeys(faults))


def _holder_faults(way: ShamirWay, holders: ShareHolders) -> list[str]:
    kids = Counter(share.kid for share in way.shares)
    wanted = Counter(thumbprint(key) for key in holders.keys)
    faults = []
    if kids.keys() - wanted.keys():
        faults.append("kid_not_in_policy")
    if way.t != holders.t or kids != wanted:
        faults.append("threshold_mismatch")
    return faults


def _parse_meta(data: bytes) -> dict[str, str]:
    try:
        found = members(strict_json(data, META_MAX_BYTES), _META)
        meta = {name: text_of(value) for name, value in found.items()}
        if meta["v"] != VERSION or meta["suite"] != SUITE:
            raise Malformed("another version or suite")
        if meta["envelope"] not in PADDING_UNITS:
            raise Malformed("an envelope of unknown kind")
        unb64u(meta["nonce"], NONCE_SIZE)
        parse_instant(meta["created"])
    except Malformed as fault:
        raise Malformed(f"the envelope's meta: {fault}", code="wrong_meta") from None
    return meta


def _parse_keys(data: bytes) -> tuple[bytes, tuple[Component, ...]]:
    try:
        found = members(strict_json(data, KEYS_MAX_BYTES), ("policy", "components"))
        policy_hash = unb64u(found["policy"], DIGEST_SIZE)
        listed = list_of(found["components"], at_most=_COMPONENTS_MAX)
        components = tuple(_parse_component(item) for item in listed)
        ids = [component.id for component in components]
        if not ids or len(set(ids)) != len(ids):
            raise Malformed("components are missing or repeated")
    except Malformed as fault:
        raise Malformed(f"the envelope's keys: {fault}", code="wrong_keys") from None
    return policy_hash, components


def _parse_component(value: object) -> Component:
    found = members(value, ("id", "cmt", "ways"))
    component_id = text_of(found["id"])
    if not _COMPONENT_ID.fullmatch(component_id):
        raise Malformed("a component's id")
    ways = tuple(_parse_way(way) for way in list_of(found["ways"], at_most=_WAYS_MAX))
    if not ways or sum(isinstance(way, ShamirWay) for way in ways) > 1:
        raise Malformed("a component has ways, and at most one of them by shares")
    wrapped_to = [way.kid for way in ways if isinstance(way, WrapWay)]
    if len(set(wrapped_to)) != len(wrapped_to):
        raise Malformed("a secret is wrapped twice to one key")
    return Component(component_id, unb64u(found["cmt"], DIGEST_SIZE), ways)


def _parse_way(value: object) -> WrapWay | ShamirWay:
    if isinstance(value, dict) and value.get("type") == "wrap":
        found = members(value, ("type", "kid", "ct"))
        return WrapWay(_kid(found["kid"]), unb64u(found["ct"], SECRET_SIZE + SEALING_OVERHEAD))
    found = members(value, ("type", "t", "to"))
    if found["type"] != "shamir":
        raise Malformed("a way of unknown type")
    shares = tuple(_parse_share(item) for item in list_of(found["to"], at_most=SHARES_MAX))
    t = count_of(found["t"])
    if not THRESHOLD_MIN <= t <= len(shares):
        raise Malformed("a threshold that cannot be")
    return ShamirWay(t, shares)


def _parse_share(value: object) -> DealtShare:
    found = members(value, ("kid", "ct", "cmt"))
    return DealtShare(
        _kid(found["kid"]),
        unb64u(found["ct"], SHARE_SIZE + SEALING_OVERHEAD),
        unb64u(found["cmt"], DIGEST_SIZE),
    )


def _kid(value: object) -> str:
    return b64u(unb64u(value, DIGEST_SIZE))
