"""The sealed envelope: closed on the bidder's side, opened in the hall.

The file key is derived from all secrets of the envelope. The bidder's own secret is wrapped to the
bidder's keys and, if the bidder allows a remedy, shared in escrow; the officials' secret exists
only as shares, dealt by the bidder's own machine. So before the opening nobody can read a bid: not
the platform, which has neither; not the officials, who lack the bidder's; not the bidder after
having heard the others, for officials release last.

Every secret and every share is committed to in the header, so a wrong one is known, with its
holder's name, before it is used. What a header looks like is in `envelope_header`, what a payload
looks like in `sealed_payload`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kernel.crypto import threshold
from kernel.crypto.digests import Malformed, b64u, canonical
from kernel.crypto.envelope_header import (
    BIDDER,
    KEYS_MAX_BYTES,
    OFFICIALS,
    SECRET_SIZE,
    EnvelopeHeader,
    PolicyKeys,
    SealingSecrets,
    ShareHolders,
    bind_of,
    envelope_meta,
    head_of,
    header_bytes,
    header_from_prefix,
    meta_bytes,
    parse_header,
    secret_commitment,
    share_commitment,
    structural_faults,
    wrap_info,
)
from kernel.crypto.recovery_file import (
    RecoveryEntry,
    generated_passphrase,
    read_recovery,
    write_recovery,
)
from kernel.crypto.sealed_payload import (
    PADDING_MAX,
    PADDING_UNITS,
    PART_SIZE,
    PayloadDigest,
    PayloadKey,
    PayloadOpener,
    RandomAccess,
    encrypted,
    opened,
    payload_size_of,
    plausible_payload_size,
)
from kernel.crypto.signing import PrivateKey, thumbprint
from kernel.errors import BrokenSeal

__all__ = [
    "BIDDER",
    "OFFICIALS",
    "PADDING_UNITS",
    "PART_SIZE",
    "BadDealing",
    "EnvelopeHeader",
    "NotEnoughShares",
    "PayloadDigest",
    "PayloadKey",
    "PayloadOpener",
    "PolicyKeys",
    "RandomAccess",
    "RecoveryEntry",
    "Sealed",
    "SealingSecrets",
    "ShareHolders",
    "check_secret",
    "check_share",
    "combine",
    "dealt_shares_met",
    "drawn_secrets",
    "envelope_meta",
    "file_key",
    "generated_passphrase",
    "header_from_prefix",
    "open_sheet",
    "open_stream",
    "opener",
    "parse_header",
    "payload_size_of",
    "plausible_payload_size",
    "random_access",
    "read_recovery",
    "rewrap",
    "seal",
    "structural_faults",
    "unwrap",
    "unwrap_shares",
    "write_recovery",
]

_BLOCK = 64 << 10


class NotEnoughShares(BrokenSeal):
    """Fewer good shares than the threshold asks for: more may still come."""

    def __init__(self, *, good: int, needed: int) -> None:
        super().__init__(f"{good} good shares, {needed} needed")
        self.good = good
        self.needed = needed


class BadDealing(BrokenSeal):
    """Shares that match their commitments do not give the secret: who sealed dealt them badly."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a finished envelope is known by, and its secrets, which stay with the bidder."""

    head: bytes
    header_size: int
    payload_size: int
    payload_root: bytes
    payload_sha256: bytes
    bind: bytes
    file_key: bytes = field(repr=False)
    secrets: SealingSecrets


def drawn_secrets(entropy: Callable[[int], bytes]) -> SealingSecrets:
    """Fresh secrets for one envelope."""
    return SealingSecrets(entropy(SECRET_SIZE), entropy(SECRET_SIZE))


def seal(
    source: BinaryIO,
    sink: BinaryIO,
    *,
    meta: Mapping[str, str],
    policy: PolicyKeys,
    bidder_keys: Sequence[bytes],
    secrets: SealingSecrets,
    entropy: Callable[[int], bytes],
    escrow: bool = False,
    pad_to: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Sealed:
    """Seal what `source` holds into `sink`, in constant memory.

    `bidder_keys` are the 65-byte public keys that may release the bid; `escrow` lets the policy's
    escrow holders stand in for them. The content is padded to a multiple of `pad_to` bytes: the
    unit of its kind, or a multiple of that unit up to 8 MiB. `progress` hears how many bytes of
    content are done.
    """
    meta_text = meta_bytes(meta)
    bind = bind_of(meta_text)
    keys = _keys_text(bind, policy, secrets, bidder_keys, escrow=escrow, entropy=entropy)
    header = header_bytes(meta_text, keys)
    unit = PADDING_UNITS[meta["envelope"]]
    pad_to = unit if pad_to is None else pad_to
    if not 0 < pad_to <= PADDING_MAX or pad_to % unit:
        raise ValueError(f"padding to {pad_to} bytes, not to a multiple of {unit}")
    derived = _derived(bind, _by_component(policy, secrets))

    sink.write(header)
    digest = PayloadDigest()
    for piece, done in encrypted(
        source, PayloadKey(derived, bind, meta["envelope"]), pad_to=pad_to
    ):
        sink.write(piece)
        digest.update(piece)
        if progress is not None:
            progress(done)

    return Sealed(
        head=head_of(header),
        header_size=len(header),
        payload_size=digest.size,
        payload_root=digest.root,
        payload_sha256=digest.sha256,
        bind=bind,
        file_key=derived,
        secrets=secrets,
    )


def rewrap(
    header: EnvelopeHeader,
    *,
    policy: PolicyKeys,
    bidder_keys: Sequence[bytes],
    secrets: SealingSecrets,
    entropy: Callable[[int], bytes],
    escrow: bool = False,
) -> bytes:
    """A new header for the same payload: other holders, another policy, escrow added or dropped.

    `BrokenSeal` where the secrets are not this envelope's. The payload's key must stay, so a
    policy cannot gain or lose its officials this way: that is a `ValueError`.
    """
    by_component = _by_component(policy, secrets)
    if list(by_component) != [component.id for component in header.components]:
        raise ValueError("the payload's key would change: seal the bid anew")
    for component_id, secret in by_component.items():
        check_secret(header, component_id, secret)
    keys = _keys_text(header.bind, policy, secrets, bidder_keys, escrow=escrow, entropy=entropy)
    return header_bytes(header.meta_bytes, keys)


def unwrap(header: EnvelopeHeader, component_id: str, kid: str, private_key: PrivateKey) -> bytes:
    """What this key holds of a component: the whole secret, or its only share.

    `BrokenSeal` where it holds nothing, more than one share (`unwrap_shares` gives all), or
    something that was not sealed to it for this envelope under this policy.
    """
    component = header.component(component_id)
    for way in component.wraps:
        if way.kid == kid:
            secret = _unsealed(header, component_id, kid, private_key, way.ciphertext)
            check_secret(header, component_id, secret)
            return secret
    shares = unwrap_shares(header, component_id, kid, private_key)
    if len(shares) != 1:
        raise BrokenSeal(f"{kid} holds {len(shares)} shares of {component_id}")
    return shares[0]


def unwrap_shares(
    header: EnvelopeHeader, component_id: str, kid: str, private_key: PrivateKey
) -> tuple[bytes, ...]:
    """Every share of a component that is sealed to this key: two where the policy names it twice.

    `BadDealing` where a share opens but is not the one its commitment names: who sealed the
    envelope is at fault, not the holder.
    """
    way = header.component(component_id).shamir
    shares = []
    for dealt in way.shares if way else ():
        if dealt.kid != kid:
            continue
        share = _unsealed(header, component_id, kid, private_key, dealt.ciphertext)
        if share_commitment(header.bind, component_id, share) != dealt.commitment:
            raise BadDealing(f"the share sealed to {kid} is not the one committed to")
        shares.append(share)
    if not shares:
        raise BrokenSeal(f"{kid} holds nothing of {component_id}")
    return tuple(shares)


def check_secret(header: EnvelopeHeader, component_id: str, secret: bytes) -> None:
    """`BrokenSeal` unless this is the component's secret."""
    component = header.component(component_id)
    committed = secret_commitment(header.bind, component_id, secret)
    if len(secret) != SECRET_SIZE or committed != component.commitment:
        raise BrokenSeal(f"not the secret of {component_id} that was committed to")


def check_share(header: EnvelopeHeader, component_id: str, kid: str, share: bytes) -> None:
    """`BrokenSeal`, naming the holder, unless this is a share dealt to that holder."""
    way = header.component(component_id).shamir
    committed = share_commitment(header.bind, component_id, share)
    dealt = way.shares if way else ()
    if not any(one.kid == kid and one.commitment == committed for one in dealt):
        raise BrokenSeal(f"the share given by {kid} is not one that was dealt to it")


def dealt_shares_met(header: EnvelopeHeader, component_id: str, shares: Collection[bytes]) -> int:
    """How many of the component's dealt shares were given, whether or not they are of any use.

    As soon as these reach the threshold, `combine` gives the secret or `BadDealing`: a bidder who
    dealt the same share twice is not waited for.
    """
    way = header.component(component_id).shamir
    given = {share_commitment(header.bind, component_id, share) for share in shares}
    return sum(dealt.commitment in given for dealt in way.shares) if way is not None else 0


def combine(header: EnvelopeHeader, component_id: str, shares: Collection[bytes]) -> bytes:
    """The component's secret out of its shares, in any order and number.

    Only shares that match a commitment count, each x once. `NotEnoughShares` while too few do;
    `BadDealing` where the commitments are met and yet the secret is not reached: a wrong
    secret, an x dealt twice, or an x of zero.
    """
    component = header.component(component_id)
    way = component.shamir
    if way is None:
        raise BrokenSeal(f"{component_id} has no shares")
    committed = {dealt.commitment for dealt in way.shares}
    matching = [
        share for share in shares if share_commitment(header.bind, component_id, share) in committed
    ]
    distinct = {share[-1]: share for share in matching if share[-1] != 0}
    if len(distinct) < way.t:
        if dealt_shares_met(header, component_id, shares) >= way.t:
            raise BadDealing(f"the shares of {component_id} were not dealt with different x")
        raise NotEnoughShares(good=len(distinct), needed=way.t)
    secret = threshold.combine([distinct[x] for x in sorted(distinct)][: way.t])
    if secret_commitment(header.bind, component_id, secret) != component.commitment:
        raise BadDealing(f"the shares of {component_id} do not give the secret committed to")
    return secret


def file_key(header: EnvelopeHeader, secrets: Mapping[str, bytes]) -> bytes:
    """The payload's key from the secret of every component; `BrokenSeal` where one is wrong."""
    for component in header.components:
        if component.id not in secrets:
            raise BrokenSeal(f"the secret of {component.id} is missing")
        check_secret(header, component.id, secrets[component.id])
    return _derived(header.bind, {one.id: secrets[one.id] for one in header.components})


def opener(header: EnvelopeHeader, key: bytes, *, padded: bool = True) -> PayloadOpener:
    """Decrypts this envelope's payload as its bytes arrive."""
    return PayloadOpener(_payload_key(header, key), padded=padded)


def open_stream(
    payload: BinaryIO, header: EnvelopeHeader, key: bytes, *, padded: bool = True
) -> Iterator[bytes]:
    """The content, read from where `payload` stands (the payload's first byte) to its end.

    Act on nothing before the iterator is exhausted: only then is the payload known to be whole.
    """
    return opened(iter(lambda: payload.read(_BLOCK), b""), _payload_key(header, key), padded=padded)


def open_sheet(container: bytes, key: bytes, *, padded: bool = True) -> bytes:
    """The whole content of a small envelope, its padding removed."""
    header = parse_header(container)
    pieces = [container[header.payload_offset :]]
    return b"".join(opened(pieces, _payload_key(header, key), padded=padded))


def random_access(
    source: BinaryIO, header: EnvelopeHeader, key: bytes, *, offset: int = 0, padded: bool = True
) -> io.BufferedReader:
    """The content as a file one can seek in, for `zipfile`; the payload begins at `offset`."""
    raw = RandomAccess(source, _payload_key(header, key), offset=offset, padded=padded)
    return io.BufferedReader(raw)


def _payload_key(header: EnvelopeHeader, key: bytes) -> PayloadKey:
    return PayloadKey(key, header.bind, header.meta["envelope"])


def _by_component(policy: PolicyKeys, secrets: SealingSecrets) -> dict[str, bytes]:
    found = {BIDDER: secrets.bidder}
    if policy.officials is not None:
        if secrets.officials is None:
            raise ValueError("this policy has officials, and they need a secret")
        found[OFFICIALS] = secrets.officials
    if any(len(secret) != SECRET_SIZE for secret in found.values()):
        raise ValueError("a secret has 32 bytes")
    return found


def _derived(bind: bytes, secrets: Mapping[str, bytes]) -> bytes:
    info = b"ebid/1/file-key\0" + b"\0".join(one.encode() for one in secrets)
    return HKDF(hashes.SHA256(), 32, bind, info).derive(b"".join(secrets.values()))


def _keys_text(
    bind: bytes,
    policy: PolicyKeys,
    secrets: SealingSecrets,
    bidder_keys: Sequence[bytes],
    *,
    escrow: bool,
    entropy: Callable[[int], bytes],
) -> bytes:
    if not bidder_keys or (escrow and policy.escrow is None):
        raise ValueError("a bid needs a key of the bidder's, and escrow a policy that allows it")
    by_component = _by_component(policy, secrets)
    ways: dict[str, list[object]] = {
        BIDDER: [
            {"type": "wrap", **_wrapped(bind, policy, BIDDER, key, secrets.bidder)}
            for key in bidder_keys
        ]
    }
    if escrow and policy.escrow is not None:
        ways[BIDDER].append(
            _shared(bind, policy, BIDDER, secrets.bidder, holders=policy.escrow, entropy=entropy)
        )
    if policy.officials is not None:
        secret = by_component[OFFICIALS]
        ways[OFFICIALS] = [
            _shared(bind, policy, OFFICIALS, secret, holders=policy.officials, entropy=entropy)
        ]
    components = [
        {"id": one, "cmt": b64u(secret_commitment(bind, one, secret)), "ways": ways[one]}
        for one, secret in by_component.items()
    ]
    text = canonical({"policy": b64u(policy.policy_hash), "components": components})
    if len(text) > KEYS_MAX_BYTES:
        raise Malformed("too many holders for one header", code="header_too_large")
    return text


def _wrapped(
    bind: bytes, policy: PolicyKeys, component_id: str, key: bytes, secret: bytes
) -> dict[str, object]:
    kid = thumbprint(key)
    info = wrap_info(bind, policy.policy_hash, component_id, kid)
    return {"kid": kid, "ct": b64u(threshold.seal_for(key, secret, info=info))}


def _shared(
    bind: bytes,
    policy: PolicyKeys,
    component_id: str,
    secret: bytes,
    *,
    holders: ShareHolders,
    entropy: Callable[[int], bytes],
) -> dict[str, object]:
    dealt = threshold.deal(secret, len(holders.keys), holders.t, entropy)
    to = [
        {
            **_wrapped(bind, policy, component_id, key, share),
            "cmt": b64u(share_commitment(bind, component_id, share)),
        }
        for key, share in zip(holders.keys, dealt, strict=True)
    ]
    return {"type": "shamir", "t": holders.t, "to": to}


def _unsealed(
    header: EnvelopeHeader,
    component_id: str,
    kid: str,
    private_key: PrivateKey,
    ciphertext: bytes,
) -> bytes:
    info = wrap_info(header.bind, header.policy_hash, component_id, kid)
    return threshold.unseal(private_key, ciphertext, info=info)
