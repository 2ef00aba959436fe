"""The sealed envelope: Electronic Bidding Measures 26, 27, 30, 31; C2SP chunks, RFC 9180.

Sealed by whom, for whom and under which policy is bound into every byte: whatever is altered,
copied, cut or doubled must fail before anything of the bid is seen.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import tracemalloc
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.crypto import merkle, threshold
from kernel.crypto.digests import Malformed, b64u, canonical, sha256, strict_json, unb64u
from kernel.crypto.envelope_header import (
    EnvelopeHeader,
    head_of,
    header_bytes,
    share_commitment,
    wrap_info,
)
from kernel.crypto.recovery_file import generated_passphrase
from kernel.crypto.sealed_payload import (
    CHUNK_SIZE,
    PADDING_UNITS,
    PART_SIZE,
    PREAMBLE_SIZE,
    PayloadDigest,
    PayloadKey,
    PayloadOpener,
    RandomAccess,
    encrypted,
    opened,
    padded_size,
    payload_size_of,
    plaintext_size_of,
    plausible_payload_size,
)
from kernel.crypto.sealing import (
    BadDealing,
    NotEnoughShares,
    PolicyKeys,
    RecoveryEntry,
    Sealed,
    SealingSecrets,
    ShareHolders,
    check_secret,
    check_share,
    combine,
    drawn_secrets,
    envelope_meta,
    file_key,
    header_from_prefix,
    open_sheet,
    open_stream,
    opener,
    parse_header,
    random_access,
    read_recovery,
    rewrap,
    seal,
    structural_faults,
    unwrap,
    unwrap_shares,
    write_recovery,
)
from kernel.crypto.signing import PrivateKey
from kernel.errors import BrokenSeal
from kernel.randomness import random_bytes

VECTORS = Path(__file__).parents[1] / "vectors"
VECTOR = json.loads((VECTORS / "envelope-v1.json").read_text())

BIDDER_KEY = PrivateKey.generate()
OFFICIALS = [PrivateKey.generate() for _ in range(4)]
REGULATOR = OFFICIALS[3]
PUBLIC = tuple(key.public_bytes for key in OFFICIALS)
POLICY = PolicyKeys(
    sha256(b"the opening policy"),
    officials=ShareHolders(3, PUBLIC),
    escrow=ShareHolders(4, (*PUBLIC, REGULATOR.public_bytes)),
)
META = envelope_meta(
    project="E3502000001",
    lot="001",
    envelope="sheet",
    bidder="b-17",
    nonce=bytes(range(16)),
    created="2026-11-22T01:00:00Z",
)
SHEET = canonical({"v": "ebid-sheet/1", "price": "128460000.00", "currency": "CNY"})
EXPECTED: dict[str, str] = {name: META[name] for name in ("project", "lot", "bidder", "envelope")}


def sealed_up(
    content: bytes = SHEET,
    *,
    meta: dict[str, str] = META,
    policy: PolicyKeys = POLICY,
    escrow: bool = True,
    pad_to: int | None = None,
) -> tuple[bytes, Sealed]:
    sink = io.BytesIO()
    done = seal(
        io.BytesIO(content),
        sink,
        meta=meta,
        policy=policy,
        bidder_keys=[BIDDER_KEY.public_bytes],
        secrets=drawn_secrets(random_bytes),
        entropy=random_bytes,
        escrow=escrow,
        pad_to=pad_to,
    )
    return sink.getvalue(), done


CONTAINER, SEALED = sealed_up()
HEADER = parse_header(CONTAINER)
PAYLOAD = CONTAINER[HEADER.payload_offset :]
SHEET_KEY = PayloadKey(SEALED.file_key, HEADER.bind, "sheet")


def official_share(header: EnvelopeHeader, number: int) -> bytes:
    return unwrap(header, "officials", OFFICIALS[number].kid, OFFICIALS[number])


def escrow_shares(header: EnvelopeHeader, key: PrivateKey) -> tuple[bytes, ...]:
    return unwrap_shares(header, "bidder", key.kid, key)


def open_in_full(container: bytes) -> bytes:
    """The whole opening as the hall does it, every holder taking part and every check made."""
    header = parse_header(container)
    size = len(container) - header.payload_offset
    faults = structural_faults(header, policy=POLICY, **EXPECTED, payload_size=size)
    if faults:
        raise BrokenSeal(str(faults))
    bidder = unwrap(header, "bidder", BIDDER_KEY.kid, BIDDER_KEY)
    shares = [official_share(header, n) for n in range(4)]
    for share, holder in zip(shares, OFFICIALS, strict=True):
        check_share(header, "officials", holder.kid, share)
    escrowed = list(itertools.chain(*(escrow_shares(header, key) for key in OFFICIALS)))
    if combine(header, "bidder", escrowed) != bidder:
        raise BrokenSeal("escrow")
    secrets = {"bidder": bidder, "officials": combine(header, "officials", shares)}
    return open_sheet(container, file_key(header, secrets))


def edited(container: bytes, edit: Callable[[dict[str, Any]], None]) -> bytes:
    """The container with its keys text changed by the one who sealed it."""
    header = parse_header(container)
    keys: dict[str, Any] = json.loads(header.keys_bytes)
    edit(keys)
    return header_bytes(header.meta_bytes, canonical(keys)) + container[header.payload_offset :]


# The format, against other implementations


def test_the_prototypes_envelope_has_every_value_it_was_published_with() -> None:
    container = bytes.fromhex(VECTOR["container"])
    header = parse_header(container)
    assert header.meta_bytes.decode() == VECTOR["meta"]
    assert header.bind.hex() == VECTOR["bind"]
    assert header.head.hex() == VECTOR["head"]
    assert header.policy_hash.hex() == VECTOR["policy_sha256"]
    assert header.component("bidder").commitment.hex() == VECTOR["cmt_bidder"]
    assert header.component("officials").commitment.hex() == VECTOR["cmt_officials"]
    assert header.to_bytes() + bytes.fromhex(VECTOR["payload"]) == container


def test_the_prototypes_envelope_opens_by_bidder_and_officials_and_by_escrow() -> None:
    container = bytes.fromhex(VECTOR["container"])
    header = parse_header(container)
    bidder = PrivateKey.from_scalar(bytes.fromhex(VECTOR["bidder_sk"]))
    holders = [PrivateKey.from_scalar(bytes.fromhex(one)) for one in VECTOR["custodian_sk"]]
    assert bidder.kid == VECTOR["bidder_kid"]
    assert [one.kid for one in holders] == VECTOR["custodian_kid"]

    secret = unwrap(header, "bidder", bidder.kid, bidder)
    shares = [unwrap(header, "officials", one.kid, one) for one in holders]
    officials = combine(header, "officials", shares[1:3])
    escrow = [unwrap(header, "bidder", one.kid, one) for one in holders]

    assert secret.hex() == VECTOR["secret_bidder"]
    assert officials.hex() == VECTOR["secret_officials"]
    assert combine(header, "bidder", escrow) == secret
    key = file_key(header, {"bidder": secret, "officials": officials})
    assert key.hex() == VECTOR["file_key"]
    assert open_sheet(container, key, padded=False).decode() == VECTOR["plaintext"]


class VectorKey(PayloadKey):
    """A key whose context is the vector's own instead of an envelope's."""

    @property
    def context(self) -> bytes:
        return self.bind


def _chunked_cases() -> list[Any]:
    name = "c2sp_chunked_encryption_aes_256_gcm_test.json"
    groups = json.loads((VECTORS / "wycheproof" / name).read_text())["testGroups"]
    return [
        pytest.param(case, id=f"{case['tcId']} {case['comment']}")
        for group in groups
        for case in group["tests"]
    ]


@pytest.mark.parametrize("case", _chunked_cases())
def test_chunked_encryption_vectors_by_stream_and_by_random_access(case: dict[str, str]) -> None:
    sealed = zlib.decompress(bytes.fromhex(case["ct"]))
    file_key, context = bytes.fromhex(case["key"]), bytes.fromhex(case["ctx"])
    if len(file_key) != 32:
        with pytest.raises(Malformed):
            VectorKey(file_key, context, "sheet")
        return
    key = VectorKey(file_key, context, "sheet")

    def by_stream() -> bytes:
        return b"".join(opened([sealed], key, padded=False))

    def by_random_access() -> bytes:
        with RandomAccess(io.BytesIO(sealed), key, padded=False) as content:
            return content.read()

    for opening in (by_stream, by_random_access):
        if case["result"] == "valid":
            content = opening()
            assert len(content) == int(case["msgLength"])
            assert hashlib.sha512(content).hexdigest() == case["msgSha512"]
        else:
            with pytest.raises(BrokenSeal):
                opening()


# Opening, and not opening


def test_a_sealed_sheet_opens_with_everybody() -> None:
    assert open_in_full(CONTAINER) == SHEET


def test_what_sealing_reports_is_what_the_container_holds() -> None:
    parts = [PAYLOAD[at : at + PART_SIZE] for at in range(0, len(PAYLOAD), PART_SIZE)]
    assert (SEALED.head, SEALED.bind) == (HEADER.head, HEADER.bind)
    assert SEALED.head == head_of(CONTAINER[: SEALED.header_size])
    assert SEALED.header_size == HEADER.payload_offset
    assert SEALED.payload_size == len(PAYLOAD) == payload_size_of(PADDING_UNITS["sheet"])
    assert SEALED.payload_sha256 == sha256(PAYLOAD)
    assert SEALED.payload_root == merkle.root([merkle.leaf_hash(part) for part in parts])
    assert open_sheet(CONTAINER, SEALED.file_key) == SHEET
    assert SEALED.secrets.bidder.hex() not in repr(SEALED)
    assert str(SEALED.file_key) not in repr(SEALED)


@pytest.mark.parametrize("chosen", list(itertools.combinations(range(4), 3)))
def test_any_three_of_four_officials_suffice(chosen: tuple[int, ...]) -> None:
    shares = [official_share(HEADER, n) for n in chosen]
    assert combine(HEADER, "officials", shares) == SEALED.secrets.officials


def test_two_officials_do_not_suffice_however_often_they_repeat_themselves() -> None:
    first, second = official_share(HEADER, 0), official_share(HEADER, 1)
    for shares in ([first, second], [first, second, first, second], [first], []):
        with pytest.raises(NotEnoughShares) as refused:
            combine(HEADER, "officials", shares)
        assert (refused.value.good, refused.value.needed) == (len(set(shares)), 3)


def test_one_of_two_officials_does_not_suffice() -> None:
    policy = replace(POLICY, officials=ShareHolders(2, PUBLIC[:2]))
    header = parse_header(sealed_up(policy=policy)[0])
    with pytest.raises(NotEnoughShares):
        combine(header, "officials", [official_share(header, 0)])
    both = [official_share(header, n) for n in (0, 1)]
    assert len(combine(header, "officials", both)) == 32


def test_no_escrow_is_reached_without_the_regulator_who_holds_two_shares() -> None:
    others = [share for key in OFFICIALS[:3] for share in escrow_shares(HEADER, key)]
    regulators = escrow_shares(HEADER, REGULATOR)
    assert len(others) == 3
    assert len(set(regulators)) == 2
    with pytest.raises(NotEnoughShares):
        combine(HEADER, "bidder", others)
    assert combine(HEADER, "bidder", [*others[:2], *regulators]) == SEALED.secrets.bidder
    with pytest.raises(NotEnoughShares):
        combine(HEADER, "bidder", [*others[:2], regulators[0], regulators[0]])
    with pytest.raises(BrokenSeal, match="2 shares"):
        unwrap(HEADER, "bidder", REGULATOR.kid, REGULATOR)


def test_a_wrong_share_is_left_aside_and_names_its_holder() -> None:
    shares = [official_share(HEADER, n) for n in range(3)]
    wrong = bytes([shares[0][0] ^ 1]) + shares[0][1:]
    with pytest.raises(BrokenSeal, match=OFFICIALS[0].kid):
        check_share(HEADER, "officials", OFFICIALS[0].kid, wrong)
    with pytest.raises(BrokenSeal, match=OFFICIALS[0].kid):
        check_share(HEADER, "officials", OFFICIALS[0].kid, shares[1])
    with pytest.raises(NotEnoughShares):
        combine(HEADER, "officials", [wrong, *shares[1:]])
    assert combine(HEADER, "officials", [wrong, *shares]) == SEALED.secrets.officials


def test_shares_of_one_component_are_nothing_to_another() -> None:
    shares = [official_share(HEADER, n) for n in range(4)]
    with pytest.raises(NotEnoughShares):
        combine(HEADER, "bidder", shares)


def test_whoever_holds_nothing_gets_nothing() -> None:
    stranger = PrivateKey.generate()
    for kid, key in (
        (stranger.kid, stranger),
        (OFFICIALS[0].kid, stranger),
        (OFFICIALS[0].kid, OFFICIALS[1]),
    ):
        with pytest.raises(BrokenSeal):
            unwrap(HEADER, "officials", kid, key)
    with pytest.raises(BrokenSeal):
        unwrap(HEADER, "bidder", BIDDER_KEY.kid, stranger)
    with pytest.raises(BrokenSeal):
        unwrap(HEADER, "time", BIDDER_KEY.kid, BIDDER_KEY)


def test_every_secret_is_needed_and_every_secret_is_checked() -> None:
    assert SEALED.secrets.officials is not None
    secrets = {"bidder": SEALED.secrets.bidder, "officials": SEALED.secrets.officials}
    assert file_key(HEADER, secrets) == SEALED.file_key
    swapped = {"bidder": secrets["officials"], "officials": secrets["bidder"]}
    for wrong in ({"bidder": secrets["bidder"]}, swapped, secrets | {"officials": b""}):
        with pytest.raises(BrokenSeal):
            file_key(HEADER, wrong)
    with pytest.raises(BrokenSeal):
        check_secret(HEADER, "bidder", secrets["officials"])


def test_another_file_key_fails_before_anything_is_read() -> None:
    other = sealed_up()[1].file_key
    with pytest.raises(BrokenSeal):
        opener(HEADER, other).update(PAYLOAD[:100])
    with pytest.raises(BrokenSeal):
        random_access(io.BytesIO(PAYLOAD), HEADER, other)


# Copying, altering, cutting, doubling


def test_an_envelope_copied_under_another_bidders_name_is_worthless() -> None:
    meta = canonical(META | {"bidder": "b-99"})
    copied = parse_header(header_bytes(meta, HEADER.keys_bytes) + PAYLOAD)
    with pytest.raises(BrokenSeal):
        unwrap(copied, "bidder", BIDDER_KEY.kid, BIDDER_KEY)
    with pytest.raises(BrokenSeal):
        official_share(copied, 0)
    with pytest.raises(BrokenSeal):
        b"".join(open_stream(io.BytesIO(PAYLOAD), copied, SEALED.file_key))
    faults = structural_faults(copied, policy=POLICY, **EXPECTED, payload_size=len(PAYLOAD))
    assert faults == ["wrong_bidder"]


def test_keys_moved_from_another_envelope_do_not_open_this_one() -> None:
    other = parse_header(sealed_up(meta=META | {"nonce": b64u(bytes(16))})[0])
    mixed = header_bytes(HEADER.meta_bytes, other.keys_bytes) + PAYLOAD
    with pytest.raises(BrokenSeal):
        open_in_full(mixed)


def _flipped(data: bytes, places: Iterator[int] | range) -> Iterator[bytes]:
    for place in places:
        altered = bytearray(data)
        altered[place] ^= 1
        yield bytes(altered)


def test_every_flipped_byte_of_the_header_is_noticed() -> None:
    for mutant in _flipped(CONTAINER, range(HEADER.payload_offset)):
        with pytest.raises(BrokenSeal):
            open_in_full(mutant)


def test_flipped_bytes_of_the_payload_are_noticed() -> None:
    places = [*range(0, 80), *range(80, len(PAYLOAD), 997), len(PAYLOAD) - 1]
    for mutant in _flipped(PAYLOAD, iter(places)):
        with pytest.raises(BrokenSeal):
            b"".join(open_stream(io.BytesIO(mutant), HEADER, SEALED.file_key))
        with (
            pytest.raises(BrokenSeal),
            random_access(io.BytesIO(mutant), HEADER, SEALED.file_key) as content,
        ):
            content.read()
            for number in range(5):
                content.raw._chunk(number)  # type: ignore[attr-defined]  # read what padding hides


def test_chunks_cannot_be_dropped_swapped_or_doubled() -> None:
    size = CHUNK_SIZE + 16
    preamble, body = PAYLOAD[:PREAMBLE_SIZE], PAYLOAD[PREAMBLE_SIZE:]
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    mutants = [chunks[:-1], [*chunks, chunks[-1]]]
    for n in range(len(chunks) - 1):
        mutants += [
            [*chunks[:n], *chunks[n + 1 :]],
            [*chunks[: n + 1], *chunks[n:]],
            [*chunks[:n], chunks[n + 1], chunks[n], *chunks[n + 2 :]],
        ]
    for mutant in mutants:
        with pytest.raises(BrokenSeal):
            b"".join(opened([preamble, *mutant], SHEET_KEY))


@pytest.mark.parametrize("cut", [0, 10, 56, 72, 1000, 16456, 16472, -17, -16, -1])
def test_a_payload_cut_short_is_noticed(cut: int) -> None:
    cut_short = PAYLOAD[:cut]
    with pytest.raises(BrokenSeal):
        b"".join(open_stream(io.BytesIO(cut_short), HEADER, SEALED.file_key))
    with pytest.raises(BrokenSeal):
        random_access(io.BytesIO(cut_short), HEADER, SEALED.file_key)


def test_members_of_the_keys_cannot_be_dropped_swapped_or_doubled() -> None:
    def drop_official(keys: dict[str, Any]) -> None:
        keys["components"][1]["ways"][0]["to"].pop()

    def double_official(keys: dict[str, Any]) -> None:
        to = keys["components"][1]["ways"][0]["to"]
        to.append(to[0])

    def swap_shares(keys: dict[str, Any]) -> None:
        to = keys["components"][1]["ways"][0]["to"]
        to[0]["ct"], to[1]["ct"] = to[1]["ct"], to[0]["ct"]

    def swap_components(keys: dict[str, Any]) -> None:
        keys["components"].reverse()

    def drop_component(keys: dict[str, Any]) -> None:
        keys["components"].pop()

    def double_component(keys: dict[str, Any]) -> None:
        keys["components"].append(keys["components"][0])

    def drop_wrap(keys: dict[str, Any]) -> None:
        keys["components"][0]["ways"].pop(0)

    def double_wrap(keys: dict[str, Any]) -> None:
        keys["components"][0]["ways"].append(keys["components"][0]["ways"][0])

    def swap_commitments(keys: dict[str, Any]) -> None:
        first, second = keys["components"]
        first["cmt"], second["cmt"] = second["cmt"], first["cmt"]

    for edit in (
        drop_official,
        double_official,
        swap_shares,
        swap_components,
        drop_component,
        double_component,
        drop_wrap,
        double_wrap,
        swap_commitments,
    ):
        with pytest.raises(BrokenSeal):
            open_in_full(edited(CONTAINER, edit))


# Dealing badly


def redealt(shares: list[bytes], *, commitments: list[bytes] | None = None) -> EnvelopeHeader:
    """The header with these shares sealed to the officials in place of the good ones."""

    def edit(keys: dict[str, Any]) -> None:
        to = keys["components"][1]["ways"][0]["to"]
        committed = commitments or [
            share_commitment(HEADER.bind, "officials", share) for share in shares
        ]
        for one, key, share, commitment in zip(to, OFFICIALS, shares, committed, strict=True):
            info = wrap_info(HEADER.bind, HEADER.policy_hash, "officials", key.kid)
            one["ct"] = b64u(threshold.seal_for(key.public_bytes, share, info=info))
            one["cmt"] = b64u(commitment)

    return parse_header(edited(CONTAINER, edit))


def test_shares_of_another_secret_are_the_bidders_fault() -> None:
    shares = list(threshold.deal(random_bytes(32), 4, 3, random_bytes))
    header = redealt(shares)
    kept = [official_share(header, n) for n in range(4)]
    assert kept == shares
    with pytest.raises(BadDealing):
        combine(header, "officials", kept)
    with pytest.raises(NotEnoughShares):
        combine(header, "officials", kept[:2])


def test_shares_with_one_x_are_the_bidders_fault_once_enough_have_come() -> None:
    assert SEALED.secrets.officials is not None
    slopes = [random_bytes(32), random_bytes(32)]
    polynomial = [SEALED.secrets.officials, *slopes]
    good = [threshold.share_at(x, polynomial) for x in (1, 2, 3)]
    alike = [threshold.share_at(1, [random_bytes(32)]), threshold.share_at(2, [random_bytes(32)])]
    header = redealt([good[0], good[1], *alike])
    kept = [official_share(header, n) for n in range(4)]
    with pytest.raises(BadDealing):
        combine(header, "officials", kept)

    same = redealt([good[0], good[0], good[0], good[1]])
    with pytest.raises(BadDealing):
        combine(same, "officials", [official_share(same, n) for n in range(4)])


def test_a_share_at_zero_never_counts() -> None:
    assert SEALED.secrets.officials is not None
    at_zero = SEALED.secrets.officials + b"\0"
    polynomial = [SEALED.secrets.officials, random_bytes(32), random_bytes(32)]
    good = [threshold.share_at(x, polynomial) for x in (1, 2, 3)]
    header = redealt([at_zero, *good])
    assert combine(header, "officials", good) == SEALED.secrets.officials
    with pytest.raises(BadDealing):
        combine(header, "officials", [at_zero, *good[:2]])


def test_a_share_sealed_other_than_committed_is_the_bidders_fault_not_the_holders() -> None:
    shares = [official_share(HEADER, n) for n in range(4)]
    commitments = [share_commitment(HEADER.bind, "officials", share) for share in shares]
    header = redealt([bytes(33), *shares[1:]], commitments=commitments)
    with pytest.raises(BadDealing):
        official_share(header, 0)
    assert official_share(header, 1) == shares[1]


# Re-wrapping


def test_a_rewrapped_envelope_opens_for_its_new_holders_without_a_new_payload() -> None:
    successors = [PrivateKey.generate() for _ in range(3)]
    keys = tuple(key.public_bytes for key in successors)
    policy = PolicyKeys(sha256(b"policy, version 2"), officials=ShareHolders(2, keys))
    fresh = rewrap(
        HEADER,
        policy=policy,
        bidder_keys=[BIDDER_KEY.public_bytes],
        secrets=SEALED.secrets,
        entropy=random_bytes,
    )
    header = parse_header(fresh + PAYLOAD)
    assert (header.bind, header.meta_bytes) == (HEADER.bind, HEADER.meta_bytes)
    assert header.head != HEADER.head
    shares = [unwrap(header, "officials", one.kid, one) for one in successors[:2]]
    secrets = {
        "bidder": unwrap(header, "bidder", BIDDER_KEY.kid, BIDDER_KEY),
        "officials": combine(header, "officials", shares),
    }
    assert open_sheet(fresh + PAYLOAD, file_key(header, secrets)) == SHEET
    assert not structural_faults(header, policy=policy, **EXPECTED, payload_size=len(PAYLOAD))


def test_a_share_wrapped_under_one_policy_does_not_open_under_another() -> None:
    def other_policy(keys: dict[str, Any]) -> None:
        keys["policy"] = b64u(sha256(b"policy, version 2"))

    moved = parse_header(edited(CONTAINER, other_policy))
    with pytest.raises(BrokenSeal):
        official_share(moved, 0)
    with pytest.raises(BrokenSeal):
        unwrap(moved, "bidder", BIDDER_KEY.kid, BIDDER_KEY)


def test_rewrapping_with_other_secrets_or_other_components_is_refused() -> None:
    common: dict[str, Any] = {"bidder_keys": [BIDDER_KEY.public_bytes], "entropy": random_bytes}
    with pytest.raises(BrokenSeal):
        rewrap(HEADER, policy=POLICY, secrets=drawn_secrets(random_bytes), **common)
    with pytest.raises(ValueError, match="seal the bid anew"):
        rewrap(HEADER, policy=replace(POLICY, officials=None), secrets=SEALED.secrets, **common)


# What intake refuses without opening


def faults(container: bytes = CONTAINER, **changed: Any) -> list[str]:
    header_end = parse_header(container).payload_offset
    facts: dict[str, Any] = {
        **EXPECTED,
        "policy": POLICY,
        "payload_size": len(container) - header_end,
        **changed,
    }
    return structural_faults(container, **facts)


def test_a_good_envelope_has_no_faults() -> None:
    assert faults() == []
    assert faults(sealed_up(escrow=False)[0]) == []


@pytest.mark.parametrize("name", ["project", "lot", "bidder", "envelope"])
def test_an_envelope_meant_for_elsewhere_is_refused(name: str) -> None:
    elsewhere: dict[str, Any] = {name: "another"}
    assert faults(**elsewhere) == [f"wrong_{name}"]


def test_an_envelope_under_another_policy_is_refused() -> None:
    assert faults(policy=replace(POLICY, policy_hash=bytes(32))) == ["wrong_policy_hash"]


def test_an_envelope_sealed_to_the_wrong_custodians_is_refused() -> None:
    others = tuple(PrivateKey.generate().public_bytes for _ in range(4))
    strangers = replace(POLICY, officials=ShareHolders(3, others), escrow=None)
    wrong = sealed_up(policy=strangers, escrow=False)[0]
    assert faults(wrong) == ["kid_not_in_policy", "threshold_mismatch"]
    for holders in (ShareHolders(2, PUBLIC), ShareHolders(3, PUBLIC[:3])):
        weaker = sealed_up(policy=replace(POLICY, officials=holders))[0]
        assert faults(weaker) == ["threshold_mismatch"]


def test_an_escrow_that_leaves_the_regulator_out_or_is_not_allowed_is_refused() -> None:
    twice_the_first = ShareHolders(4, (*PUBLIC, PUBLIC[0]))
    wrong = sealed_up(policy=replace(POLICY, escrow=twice_the_first))[0]
    assert faults(wrong) == ["threshold_mismatch"]
    assert faults(policy=replace(POLICY, escrow=None)) == ["escrow_not_allowed"]


def test_an_envelope_without_officials_or_with_too_many_components_is_refused() -> None:
    low_value = replace(POLICY, officials=None)
    assert faults(policy=low_value) == ["wrong_components"]
    simple = sealed_up(policy=low_value, escrow=False)[0]
    assert faults(simple) == ["wrong_components"]
    assert faults(simple, policy=low_value) == []


def test_ways_that_go_round_the_threshold_are_refused() -> None:
    def wrap_to_one(keys: dict[str, Any]) -> None:
        keys["components"][1]["ways"] = [keys["components"][0]["ways"][0]]

    def besides(keys: dict[str, Any]) -> None:
        keys["components"][1]["ways"].append(keys["components"][0]["ways"][0])

    def escrow_only(keys: dict[str, Any]) -> None:
        keys["components"][0]["ways"].pop(0)

    assert faults(edited(CONTAINER, wrap_to_one)) == ["threshold_mismatch"]
    assert faults(edited(CONTAINER, besides)) == ["threshold_mismatch"]
    assert faults(edited(CONTAINER, escrow_only)) == ["bidder_key_missing"]


@pytest.mark.parametrize("size", [-1, 0, 56, 72, len(PAYLOAD) - 1, len(PAYLOAD) + 1, 73, 16456])
def test_a_payload_of_a_size_no_padded_payload_has_is_refused(size: int) -> None:
    assert faults(payload_size=size) == ["implausible_size"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04 a plain ZIP file", "wrong_magic"),
        (b"%PDF-1.7", "wrong_magic"),
        (b"", "truncated_header"),
        (CONTAINER[:7], "truncated_header"),
        (CONTAINER[:15], "truncated_header"),
        (CONTAINER[: HEADER.payload_offset - 1], "truncated_header"),
        (b"EBIDENV1" + b"\xff" * 8, "header_too_large"),
        (header_bytes(bytes(65537), b""), "header_too_large"),
        (header_bytes(b"", bytes(262145)), "header_too_large"),
        (header_bytes(b"", b""), "wrong_meta"),
        (header_bytes(b"[]", b"{}"), "wrong_meta"),
        (header_bytes(HEADER.meta_bytes, b"{}"), "wrong_keys"),
    ],
)
def test_bytes_that_are_no_envelope_are_refused_with_the_reason(data: bytes, code: str) -> None:
    found = structural_faults(data, policy=POLICY, **EXPECTED, payload_size=65672)
    assert found == [code]


@pytest.mark.parametrize(
    "change",
    [
        {"v": "ebid-envelope/2"},
        {"suite": "ebid-1-SM"},
        {"envelope": "letter"},
        {"nonce": b64u(bytes(15))},
        {"nonce": "***"},
        {"created": "yesterday"},
        {"lot": 1},
        {"extra": "1"},
    ],
)
def test_a_meta_that_is_not_as_specified_is_refused(change: dict[str, object]) -> None:
    data = header_bytes(canonical({**META, **change}), HEADER.keys_bytes)
    with pytest.raises(Malformed) as refused:
        parse_header(data)
    assert refused.value.code == "wrong_meta"


def test_a_meta_with_a_name_twice_or_missing_is_refused() -> None:
    doubled = HEADER.meta_bytes[:-1] + b',"lot":"001"}'
    missing = canonical({name: value for name, value in META.items() if name != "lot"})
    for meta in (doubled, missing):
        with pytest.raises(Malformed):
            parse_header(header_bytes(meta, HEADER.keys_bytes))


@pytest.mark.parametrize(
    "path_and_value",
    [
        (("policy",), "short"),
        (("components",), []),
        (("components",), {}),
        (("components", 0, "id"), ""),
        (("components", 0, "id"), "Bidder"),
        (("components", 0, "cmt"), b64u(bytes(31))),
        (("components", 0, "ways"), []),
        (("components", 0, "ways", 0, "type"), "other"),
        (("components", 0, "ways", 0, "kid"), "short"),
        (("components", 0, "ways", 0, "ct"), b64u(bytes(112))),
        (("components", 0, "ways", 1, "t"), 1),
        (("components", 0, "ways", 1, "t"), 6),
        (("components", 0, "ways", 1, "t"), True),
        (("components", 0, "ways", 1, "t"), "4"),
        (("components", 0, "ways", 1, "to", 0, "cmt"), 5),
        (("components", 0, "ways", 1, "to", 0), {}),
    ],
)
def test_keys_that_are_not_as_specified_are_refused(path_and_value: tuple[Any, object]) -> None:
    path, value = path_and_value

    def edit(keys: dict[str, Any]) -> None:
        place: Any = keys
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    with pytest.raises(Malformed) as refused:
        parse_header(edited(CONTAINER, edit))
    assert refused.value.code == "wrong_keys"


def test_a_header_is_known_from_any_prefix_that_holds_it() -> None:
    whole = HEADER.to_bytes()
    assert all(header_from_prefix(whole[:n]) is None for n in range(0, len(whole), 11))
    assert header_from_prefix(whole[:-1]) is None
    assert header_from_prefix(whole) == header_from_prefix(whole + PAYLOAD[:5]) == HEADER
    for wrong in (b"X", b"EBIDENV2", b"EBIDX"):
        with pytest.raises(Malformed):
            header_from_prefix(wrong)


# Payloads, padding, parts


@given(st.integers(0, 2**40))
def test_sizes_and_plausibility_agree(size: int) -> None:
    assert plaintext_size_of(payload_size_of(size)) == size
    assert plausible_payload_size(payload_size_of(size))
    found = plaintext_size_of(size)
    assert found is None or payload_size_of(found) == size


@pytest.mark.parametrize("size", [-1, 0, 55, 56, 71, 56 + 16400, 56 + 16400 + 15])
def test_a_size_no_payload_can_have_is_not_plausible(size: int) -> None:
    assert not plausible_payload_size(size)


KEY = PayloadKey(bytes(32), bytes(32), "sheet")
TAILS = st.sampled_from([b"", b"\0", b"\x80", b"\x80\0", b"\x80\0\0", b"\0\x80", b"\0" * 70_000])


@settings(max_examples=40, deadline=None)
@given(
    st.binary(max_size=64),
    TAILS,
    st.sampled_from([0, 1, 16383, 16384, 16385, 65534, 65535, 65536, 131071]),
    st.integers(1, 70_000),
)
def test_content_comes_back_whatever_it_ends_with(
    start: bytes, tail: bytes, filling: int, step: int
) -> None:
    content = start + b"\x80" * (filling % 3) + bytes(filling) + tail
    ciphertext = b"".join(piece for piece, _ in encrypted(io.BytesIO(content), KEY, pad_to=65536))
    assert len(ciphertext) == payload_size_of(padded_size(len(content), 65536))
    pieces = (ciphertext[at : at + step] for at in range(0, len(ciphertext), step))
    assert b"".join(opened(pieces, KEY)) == content
    with RandomAccess(io.BytesIO(b"head" + ciphertext), KEY, offset=4) as access:
        assert access.size == len(content)
        assert access.read() == content
        access.seek(-min(5, len(content)), io.SEEK_END)
        assert access.read() == content[-5:]


def encrypted_as_it_is(plain: bytes) -> bytes:
    """A payload whose maker did not pad it as is asked."""
    from cryptography.cobblestone import Cobblestone256Encryptor

    encryptor = Cobblestone256Encryptor(KEY.file_key, KEY.context)
    return encryptor.update(plain) + encryptor.finalize()


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        bytes(65536),
        b"a" * 65536,
        b"\x80" + bytes(65534),
        b"\x80" + bytes(65536),
        b"\x80" + bytes((8 << 20) + 65535),
        b"a" * 65535 + b"\x81",
    ],
)
def test_content_that_is_not_padded_as_specified_is_refused(plain: bytes) -> None:
    ciphertext = encrypted_as_it_is(plain)
    with pytest.raises(BrokenSeal, match="not padded"):
        b"".join(opened([ciphertext], KEY))
    with pytest.raises(BrokenSeal, match="not padded"):
        RandomAccess(io.BytesIO(ciphertext), KEY)


def test_members_of_a_sealed_zip_are_read_without_the_rest() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("price.json", '{"total":"123456.78"}')
        archive.writestr("big.bin", random_bytes(300_000))
        archive.writestr("technical.pdf", b"%PDF" + random_bytes(50_000))
    container, done = sealed_up(packed.getvalue(), meta=META | {"envelope": "bid"})
    header = parse_header(container)
    counted = CountingFile(container)
    with zipfile.ZipFile(
        random_access(counted, header, done.file_key, offset=header.payload_offset)
    ) as archive:
        assert archive.namelist() == ["price.json", "big.bin", "technical.pdf"]
        padding_scan = counted.bytes_read
        assert archive.read("price.json") == b'{"total":"123456.78"}'
        assert counted.bytes_read - padding_scan < 100_000
        assert len(archive.read("technical.pdf")) == 50_004


class CountingFile(io.BytesIO):
    """A file that counts how much is read of it."""

    bytes_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        return data


def test_a_file_of_content_behaves_like_a_file() -> None:
    with RandomAccess(io.BytesIO(PAYLOAD), SHEET_KEY) as file:
        assert file.readable()
        assert file.seekable()
        assert file.seek(4) == file.tell() == 4
        assert file.seek(2, io.SEEK_CUR) == 6
        assert file.read(3) == SHEET[6:9]
        assert file.seek(10, io.SEEK_END) == len(SHEET) + 10
        assert file.read() == b""
        with pytest.raises(ValueError, match="before the beginning"):
            file.seek(-1)


@pytest.mark.parametrize("size", [0, 1, PART_SIZE - 1, PART_SIZE, PART_SIZE + 1, 2 * PART_SIZE])
def test_a_digest_counts_parts_however_the_bytes_arrive(size: int) -> None:
    data = bytes(size)
    digest = PayloadDigest()
    for at in range(0, size, 3_000_001):
        digest.update(data[at : at + 3_000_001])
    parts = [data[at : at + PART_SIZE] for at in range(0, size, PART_SIZE)]
    assert digest.size == size
    assert digest.sha256 == sha256(data)
    assert digest.part_leaves == [merkle.leaf_hash(part) for part in parts]
    assert digest.root == merkle.root(digest.part_leaves)


class Zeros(io.RawIOBase):
    """So many zero bytes, none of them in memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        taken = min(size, self.left)
        self.left -= taken
        return bytes(taken)


class Nowhere(io.RawIOBase):
    """A sink that keeps only what it needs to open the payload again: nothing."""

    size = 0

    def write(self, data: Any, /) -> int:
        self.size += len(data)
        return len(data)


def assert_memory_stays_small(size: int) -> None:
    sink = Nowhere()
    heard: list[int] = []
    source: Any = Zeros(size)
    target: Any = sink
    tracemalloc.start()
    try:
        done = seal(
            source,
            target,
            meta=META | {"envelope": "bid"},
            policy=POLICY,
            bidder_keys=[BIDDER_KEY.public_bytes],
            secrets=drawn_secrets(random_bytes),
            entropy=random_bytes,
            progress=heard.append,
        )
        _, sealing_peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        key = PayloadKey(done.file_key, done.bind, "bid")
        pieces = (piece for piece, _ in encrypted(source_again(size), key, pad_to=1 << 20))
        assert sum(map(len, opened(pieces, key))) == size
        _, opening_peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sink.size == done.header_size + done.payload_size
    assert done.payload_size == payload_size_of(padded_size(size, 1 << 20))
    assert heard == sorted(heard)
    assert heard[-1] == size
    assert max(sealing_peak, opening_peak) < 8 << 20


def source_again(size: int) -> BinaryIO:
    zeros: Any = Zeros(size)
    return zeros  # type: ignore[no-any-return]  # a source needs `read` only


def test_memory_does_not_grow_with_the_bid() -> None:
    assert_memory_stays_small(24 << 20)


@pytest.mark.soak
def test_memory_does_not_grow_with_a_large_bid() -> None:
    assert_memory_stays_small(512 << 20)


def test_a_bid_may_be_padded_further_but_only_by_its_own_unit() -> None:
    container, done = sealed_up(pad_to=1 << 20)
    assert done.payload_size == payload_size_of(1 << 20)
    assert faults(container) == []
    assert open_sheet(container, done.file_key) == SHEET
    for wrong in (0, 1000, 65535, 16 << 20):
        with pytest.raises(ValueError, match="padding"):
            sealed_up(pad_to=wrong)


def test_two_sheets_of_different_lengths_have_one_size() -> None:
    sizes = Counter(len(sealed_up(b"x" * n)[0]) for n in (0, 1, 1000, 65535))
    assert len(sizes) == 1


def test_sealing_asks_for_what_it_needs() -> None:
    with pytest.raises(ValueError, match="escrow"):
        sealed_up(policy=replace(POLICY, escrow=None))
    common: dict[str, Any] = {"meta": META, "entropy": random_bytes}
    for keys, secrets in (
        ([], drawn_secrets(random_bytes)),
        ([BIDDER_KEY.public_bytes], SealingSecrets(bytes(32))),
        ([BIDDER_KEY.public_bytes], SealingSecrets(bytes(31), bytes(32))),
    ):
        with pytest.raises(ValueError, match=r"key|secret"):
            seal(
                io.BytesIO(),
                io.BytesIO(),
                policy=POLICY,
                bidder_keys=keys,
                secrets=secrets,
                **common,
            )
    with pytest.raises(Malformed):
        sealed_up(meta=META | {"created": "now"})
    crowd = tuple(PUBLIC[0] for _ in range(255))
    big = replace(POLICY, officials=ShareHolders(2, crowd), escrow=ShareHolders(2, crowd))
    assert len(sealed_up(policy=big)[0]) < 350_000


def test_an_opener_holds_back_only_what_may_be_padding() -> None:
    held = PayloadOpener(SHEET_KEY)
    assert held.update(PAYLOAD) + held.finish() == SHEET


# The recovery file

PASSPHRASE = generated_passphrase(bytes(range(10)))
ENTRIES = [
    RecoveryEntry(HEADER.meta_bytes, SEALED.secrets),
    RecoveryEntry(HEADER.meta_bytes, SealingSecrets(bytes(32))),
]
RECOVERY = write_recovery(ENTRIES, passphrase=PASSPHRASE, salt=bytes(16), nonce=bytes(12))


def test_a_recovery_file_opens_the_envelope_it_was_made_for() -> None:
    entries = read_recovery(RECOVERY, passphrase=PASSPHRASE)
    assert list(entries) == ENTRIES
    assert entries[0].bind == HEADER.bind
    check_secret(HEADER, "bidder", entries[0].secrets.bidder)
    assert SEALED.secrets.bidder.hex() not in repr(entries)


def test_a_passphrase_is_read_as_people_write_it() -> None:
    assert PASSPHRASE == "000G-40R4-0M30-E209"
    spoken = PASSPHRASE.lower().replace("-", " ").replace("0", "o")
    assert len(read_recovery(RECOVERY, passphrase=spoken)) == 2


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_a_passphrase_keeps_every_bit_of_its_entropy(first: bytes, second: bytes) -> None:
    assert (generated_passphrase(first) == generated_passphrase(second)) is (first == second)
    assert len(generated_passphrase(first)) == 19


def test_a_recovery_file_with_a_wrong_passphrase_or_an_altered_byte_is_refused() -> None:
    with pytest.raises(BrokenSeal):
        read_recovery(RECOVERY, passphrase=generated_passphrase(bytes(10)))
    places = [RECOVERY.index(name) + 20 for name in (b'"ct"', b'"nonce"', b'"salt"')]
    places += [RECOVERY.index(b"600000"), RECOVERY.index(b"PBKDF2"), RECOVERY.index(b"ebid-")]
    for mutant in _flipped(RECOVERY, iter(places)):
        with pytest.raises(BrokenSeal):
            read_recovery(mutant, passphrase=PASSPHRASE)


@pytest.mark.parametrize(
    "change",
    [
        {"iterations": 599_999},
        {"iterations": 10_000_001},
        {"v": "ebid-recovery/2"},
        {"kdf": "none"},
        {"salt": ""},
        {"extra": 1},
    ],
)
def test_a_recovery_file_of_another_form_is_refused(change: dict[str, object]) -> None:
    found = strict_json(RECOVERY)
    assert isinstance(found, dict)
    with pytest.raises(Malformed):
        read_recovery(canonical(found | change), passphrase=PASSPHRASE)


def test_a_recovery_file_says_nothing_without_its_passphrase() -> None:
    assert b64u(SEALED.secrets.bidder).encode() not in RECOVERY
    assert b64u(HEADER.meta_bytes).encode() not in RECOVERY
    found = strict_json(RECOVERY)
    assert isinstance(found, dict)
    assert HEADER.meta_bytes not in unb64u(found["ct"])


def test_what_a_recovery_file_is_made_of_has_its_sizes() -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        generated_passphrase(bytes(9))
    for salt, nonce in ((bytes(15), bytes(12)), (bytes(16), bytes(11))):
        with pytest.raises(ValueError, match="16 bytes of salt"):
            write_recovery([], passphrase="x", salt=salt, nonce=nonce)
