"""Signed statements: DSSE 1.0, RFC 7638, ECDSA vectors of Wycheproof, WebAuthn assertions."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.crypto.digests import Malformed, b64, b64u, canonical, sha256
from kernel.crypto.signing import (
    Envelope,
    PrivateKey,
    RelyingParty,
    Signature,
    loaded_public_key,
    p256_keyid,
    pae,
    passkey_challenge,
    passkey_keyid,
    passkey_signature,
    thumbprint,
    verify,
    verify_one,
    verify_raw,
)
from kernel.errors import BrokenSeal

VECTORS = Path(__file__).parents[1] / "vectors"
KIND = "application/vnd.ebid.submission.v1+json"
STATEMENT = canonical({"lot": "001", "price": "128460000.00"})
KEY = PrivateKey.from_scalar(sha256(b"a test key"))
OTHER = PrivateKey.from_scalar(sha256(b"another test key"))
HOME = RelyingParty("localhost", frozenset({"http://localhost:8000"}))

DSSE_X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
DSSE_Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
DSSE_D = 97358161215184420915383655311931858321456579547487070936769975997791359926199
DSSE_SIGNATURE = (
    "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
)


class Authenticator:
    """A passkey in software, which answers as the standard asks and can be told to misbehave."""

    def __init__(self) -> None:
        self.key = PrivateKey.generate()
        self.credential_id = b"credential-1"
        self.flags = 0x01 | 0x04
        self.rp_id = HOME.rp_id
        self.client: dict[str, object] = {
            "type": "webauthn.get",
            "origin": "http://localhost:8000",
            "crossOrigin": False,
        }

    def sign(self, payload_type: str, payload: bytes) -> Envelope:
        challenge = b64u(passkey_challenge(payload_type, payload))
        client = json.dumps({"challenge": challenge} | self.client).encode()
        data = sha256(self.rp_id.encode()) + bytes([self.flags]) + (7).to_bytes(4, "big")
        signature = self.key.key_handle.sign(data + sha256(client), ec.ECDSA(hashes.SHA256()))
        signed = passkey_signature(
            self.credential_id,
            authenticator_data=data,
            client_data_json=client,
            signature=signature,
        )
        return Envelope(payload_type, payload, (signed,))

    @property
    def keys(self) -> dict[str, bytes]:
        return {passkey_keyid(self.credential_id): self.key.public_bytes}


def test_the_published_example_verifies() -> None:
    kind, body = "http://example.com/HelloWorld", b"hello world"
    assert pae(kind, body) == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    key = PrivateKey.from_scalar(DSSE_D.to_bytes(32, "big"))
    assert key.public_bytes == b"\x04" + DSSE_X.to_bytes(32, "big") + DSSE_Y.to_bytes(32, "big")
    signature = Signature(key.keyid, base64.b64decode(DSSE_SIGNATURE))
    envelope = Envelope(kind, body, (signature,))
    assert verify(envelope, keys={key.keyid: key.public_bytes}) == {key.keyid}


def test_lengths_are_counted_in_bytes() -> None:
    assert pae("类", "项目".encode()) == "DSSEv1 3 类 6 项目".encode()


def test_a_thumbprint_is_the_one_of_the_jwk_with_its_members_in_order() -> None:
    x, y = KEY.public_bytes[1:33], KEY.public_bytes[33:]
    jwk = f'{{"crv":"P-256","kty":"EC","x":"{b64u(x)}","y":"{b64u(y)}"}}'
    assert thumbprint(KEY.public_bytes) == b64u(sha256(jwk.encode())) == KEY.kid
    assert p256_keyid(KEY.public_bytes) == KEY.keyid == "p256:" + KEY.kid
    vector = json.loads((VECTORS / "envelope-v1.json").read_text())
    assert thumbprint(bytes.fromhex(vector["bidder_pk"])) == vector["bidder_kid"]


def _ecdsa_cases() -> list[Any]:
    name = "ecdsa_secp256r1_sha256_p1363_test.json"
    groups = json.loads((VECTORS / "wycheproof" / name).read_text())["testGroups"]
    return [
        pytest.param(bytes.fromhex(group["publicKey"]["uncompressed"]), case, id=str(case["tcId"]))
        for group in groups
        for case in group["tests"]
    ]


@pytest.mark.parametrize(("public", "case"), _ecdsa_cases())
def test_ecdsa_vectors(public: bytes, case: dict[str, str]) -> None:
    message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
    if case["result"] == "valid":
        verify_raw(public, message, signature)
    else:
        with pytest.raises(BrokenSeal):
            verify_raw(public, message, signature)


def test_an_envelope_comes_back_with_all_its_signatures() -> None:
    envelope = KEY.sign(KIND, STATEMENT).also_signed(OTHER.signature(KIND, STATEMENT))
    again = Envelope.from_bytes(envelope.to_bytes())
    assert again == envelope
    keys = {KEY.keyid: KEY.public_bytes, OTHER.keyid: OTHER.public_bytes}
    assert verify(again, keys=keys) == {KEY.keyid, OTHER.keyid}
    assert verify(again, keys={OTHER.keyid: OTHER.public_bytes}) == {OTHER.keyid}
    verify_one(again, KEY.keyid, KEY.public_bytes)


def test_an_unknown_signer_counts_for_nothing() -> None:
    envelope = KEY.sign(KIND, STATEMENT)
    with pytest.raises(BrokenSeal):
        verify(envelope, keys={})
    with pytest.raises(BrokenSeal):
        verify(envelope, keys={OTHER.keyid: OTHER.public_bytes})


def test_one_wrong_signature_by_a_known_key_spoils_the_rest() -> None:
    envelope = KEY.sign(KIND, STATEMENT).also_signed(Signature(OTHER.keyid, bytes(64)))
    keys = {KEY.keyid: KEY.public_bytes, OTHER.keyid: OTHER.public_bytes}
    with pytest.raises(BrokenSeal):
        verify(envelope, keys=keys)


def test_a_key_must_be_the_one_its_id_names() -> None:
    envelope = KEY.sign(KIND, STATEMENT)
    with pytest.raises(BrokenSeal):
        verify(envelope, keys={KEY.keyid: OTHER.public_bytes})
    renamed = replace(envelope, signatures=(Signature(OTHER.keyid, envelope.signatures[0].sig),))
    with pytest.raises(BrokenSeal):
        verify(renamed, keys={OTHER.keyid: KEY.public_bytes})


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_type_and_payload_cannot_trade_bytes(data: st.DataObject) -> None:
    kind = data.draw(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
    payload = data.draw(st.binary())
    other_kind, other_payload = data.draw(st.tuples(st.text(max_size=8), st.binary(max_size=8)))
    same = (kind, payload) == (other_kind, other_payload)
    assert (pae(kind, payload) == pae(other_kind, other_payload)) is same


def test_every_flipped_byte_of_an_envelope_is_noticed() -> None:
    written = KEY.sign(KIND, STATEMENT).to_bytes()
    keys = {KEY.keyid: KEY.public_bytes}
    for place in range(len(written)):
        altered = bytearray(written)
        altered[place] ^= 1
        with pytest.raises(BrokenSeal):
            verify(Envelope.from_bytes(bytes(altered)), keys=keys)


GOOD = json.loads(KEY.sign(KIND, STATEMENT).to_bytes())


@pytest.mark.parametrize(
    "wrong",
    [
        {**GOOD, "extra": 1},
        {**GOOD, "signatures": []},
        {**GOOD, "signatures": GOOD["signatures"] * 2},
        {**GOOD, "signatures": [{**GOOD["signatures"][0], "extra": 1}]},
        {**GOOD, "signatures": [{"sig": b64(b"x")}]},
        {**GOOD, "signatures": [{"keyid": "", "sig": b64(b"x")}]},
        {**GOOD, "signatures": [{"keyid": "p256:项", "sig": b64(b"x")}]},
        {**GOOD, "signatures": [{"keyid": "a", "sig": ""}]},
        {**GOOD, "signatures": [{"keyid": str(n), "sig": "AAAA"} for n in range(33)]},
        {**GOOD, "signatures": {}},
        {**GOOD, "payloadType": ""},
        {**GOOD, "payloadType": "a\nb"},
        {**GOOD, "payloadType": "a" * 201},
        {**GOOD, "payload": "AA"},
        {**GOOD, "payload": 5},
        {"payload": ""},
        [GOOD],
    ],
)
def test_an_envelope_of_another_form_is_refused(wrong: object) -> None:
    with pytest.raises(Malformed):
        Envelope.from_bytes(json.dumps(wrong).encode())


def test_an_envelope_larger_than_allowed_is_refused() -> None:
    written = KEY.sign(KIND, bytes(2000)).to_bytes()
    with pytest.raises(Malformed):
        Envelope.from_bytes(written, max_bytes=2000)
    with pytest.raises(Malformed):
        Envelope.from_bytes(b"{" + written)


def test_a_passkey_signs_a_statement() -> None:
    passkey = Authenticator()
    envelope = Envelope.from_bytes(passkey.sign(KIND, STATEMENT).to_bytes())
    assert verify(envelope, keys=passkey.keys, relying_party=HOME) == set(passkey.keys)


def test_a_passkey_verifies_only_against_a_relying_party() -> None:
    passkey = Authenticator()
    with pytest.raises(BrokenSeal):
        verify(passkey.sign(KIND, STATEMENT), keys=passkey.keys)


@pytest.mark.parametrize(
    "misbehaviour",
    [
        {"client": {"type": "webauthn.create"}},
        {"client": {"challenge": b64u(bytes(32))}},
        {"client": {"origin": "http://localhost:8001"}},
        {"client": {"origin": "http://localhost:8000/"}},
        {"client": {"crossOrigin": True}},
        {"flags": 0x01},
        {"flags": 0x04},
        {"flags": 0x00},
        {"rp_id": "example.org"},
    ],
)
def test_a_passkey_that_signed_otherwise_is_refused(misbehaviour: dict[str, Any]) -> None:
    passkey = Authenticator()
    passkey.client |= misbehaviour.get("client", {})
    passkey.flags = misbehaviour.get("flags", passkey.flags)
    passkey.rp_id = misbehaviour.get("rp_id", passkey.rp_id)
    with pytest.raises(BrokenSeal):
        verify(passkey.sign(KIND, STATEMENT), keys=passkey.keys, relying_party=HOME)


def test_a_passkeys_answer_belongs_to_one_statement_and_one_key() -> None:
    passkey = Authenticator()
    envelope = passkey.sign(KIND, STATEMENT)
    stranger = dict.fromkeys(passkey.keys, OTHER.public_bytes)
    for wrong, keys in (
        (replace(envelope, payload=STATEMENT + b" "), passkey.keys),
        (replace(envelope, payload_type=KIND + "x"), passkey.keys),
        (envelope, stranger),
    ):
        with pytest.raises(BrokenSeal):
            verify(wrong, keys=keys, relying_party=HOME)


def test_every_flipped_byte_of_a_passkeys_answer_is_noticed() -> None:
    passkey = Authenticator()
    envelope = passkey.sign(KIND, STATEMENT)
    (signed,) = envelope.signatures
    for place in range(len(signed.sig)):
        altered = bytearray(signed.sig)
        altered[place] ^= 1
        mutant = replace(envelope, signatures=(Signature(signed.keyid, bytes(altered)),))
        with pytest.raises(BrokenSeal):
            verify(mutant, keys=passkey.keys, relying_party=HOME)


@pytest.mark.parametrize("sig", [b"{}", b"[]", b"\xff", b'{"authenticator_data":1}'])
def test_a_passkeys_answer_of_another_form_is_refused(sig: bytes) -> None:
    passkey = Authenticator()
    envelope = Envelope(KIND, STATEMENT, (Signature(next(iter(passkey.keys)), sig),))
    with pytest.raises(BrokenSeal):
        verify(envelope, keys=passkey.keys, relying_party=HOME)


def test_client_data_that_is_no_object_is_refused() -> None:
    passkey = Authenticator()
    signed = passkey_signature(
        passkey.credential_id, authenticator_data=bytes(37), client_data_json=b"[]", signature=b"s"
    )
    with pytest.raises(BrokenSeal):
        verify(Envelope(KIND, STATEMENT, (signed,)), keys=passkey.keys, relying_party=HOME)


def test_a_key_id_of_an_unknown_scheme_is_refused() -> None:
    envelope = Envelope(KIND, STATEMENT, (Signature("sm2:abc", bytes(64)),))
    with pytest.raises(BrokenSeal):
        verify(envelope, keys={"sm2:abc": KEY.public_bytes}, relying_party=HOME)


def test_a_private_key_comes_back_from_pem() -> None:
    assert PrivateKey.from_pem(KEY.to_pem()).keyid == KEY.keyid
    locked = KEY.to_pem(password=b"a long passphrase")
    assert PrivateKey.from_pem(locked, password=b"a long passphrase").kid == KEY.kid
    for password in (None, b"wrong"):
        with pytest.raises(Malformed):
            PrivateKey.from_pem(locked, password=password)


def test_other_keys_than_p256_are_refused() -> None:
    encoding = serialization.Encoding.PEM
    form, lock = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    p384 = ec.generate_private_key(ec.SECP384R1())
    for key in (p384, ed25519.Ed25519PrivateKey.generate()):
        with pytest.raises(Malformed):
            PrivateKey.from_pem(key.private_bytes(encoding, form, lock))
    for scalar in (bytes(32), b"\xff" * 32, b"\x01"):
        with pytest.raises(Malformed):
            PrivateKey.from_scalar(scalar)
    with pytest.raises(Malformed):
        PrivateKey(p384)


@pytest.mark.parametrize("public", [b"", bytes(65), b"\x04" + bytes(64), KEY.public_bytes[:64]])
def test_bytes_that_are_no_point_of_the_curve_are_refused(public: bytes) -> None:
    with pytest.raises(Malformed):
        loaded_public_key(public)


def test_a_private_key_does_not_show_itself() -> None:
    assert repr(KEY) == f"PrivateKey({KEY.keyid})"
    assert not hasattr(KEY, "__dict__")
