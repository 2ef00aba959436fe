"""C2SP signed-note, tlog-checkpoint, tlog-cosignature and tlog-witness."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernel.crypto.digests import Malformed, b64, sha256
from kernel.crypto.merkle import EMPTY_ROOT
from kernel.crypto.notes import (
    Checkpoint,
    LogSigner,
    NoteSignature,
    SignedNote,
    VerifierKey,
    WitnessSigner,
    open_checkpoint,
    open_note,
    parse_decimal,
    parse_vkey,
    read_cosignatures,
    read_offer,
    verify_ed25519,
    write_offer,
)
from kernel.errors import BrokenSeal

VECTORS = Path(__file__).parents[1] / "vectors"
LOG = LogSigner("demo.example/log", sha256(b"a test log"))
NORTH = WitnessSigner("north.example/w", sha256(b"a test witness"))
SOUTH = WitnessSigner("south.example/w", sha256(b"another test witness"))
CHECKPOINT = Checkpoint(LOG.name, 64, sha256(b"a root"))
SEEN = 1_795_309_206
NOTE = LOG.sign(CHECKPOINT) + NORTH.cosign(CHECKPOINT, SEEN) + SOUTH.cosign(CHECKPOINT, SEEN + 2)
WITNESSES = [NORTH.vkey, SOUTH.vkey]

GO_EXAMPLE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_EXAMPLE_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_EXAMPLE_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6"
    "KE6RyyBwJnAM=\n"
)


def test_the_example_of_the_go_package_verifies() -> None:
    key = parse_vkey(GO_EXAMPLE_KEY)
    assert (key.name, key.algorithm, key.vkey) == ("PeterNeumann", 1, GO_EXAMPLE_KEY)
    note = GO_EXAMPLE_TEXT + "\n" + GO_EXAMPLE_LINE
    assert open_note(note, GO_EXAMPLE_KEY) == GO_EXAMPLE_TEXT
    assert SignedNote.parse(note).to_text() == note
    with pytest.raises(BrokenSeal):
        open_note(note.replace("cryptography", "Cryptography"), GO_EXAMPLE_KEY)


def test_keys_and_cosignatures_are_those_the_prototype_made() -> None:
    vector = json.loads((VECTORS / "receipt-v1.json").read_text())
    note = vector["proof"].partition("\n\n")[2]
    checkpoint = Checkpoint.parse(SignedNote.parse(note).text)
    log = LogSigner(checkpoint.origin, sha256(vector["log_seed"].encode()))
    assert log.vkey == vector["log_vkey"]
    lines = [
        WitnessSigner(parse_vkey(vkey).name, sha256(seed.encode())).cosign(checkpoint, at)
        for vkey, seed, at in zip(
            vector["witness_vkeys"], vector["witness_seeds"], vector["cosigned_at"], strict=True
        )
    ]
    assert log.sign(checkpoint) + "".join(lines) == note


def _ed25519_cases() -> list[Any]:
    groups = json.loads((VECTORS / "wycheproof" / "ed25519_test.json").read_text())["testGroups"]
    return [
        pytest.param(bytes.fromhex(group["publicKey"]["pk"]), case, id=str(case["tcId"]))
        for group in groups
        for case in group["tests"]
    ]


@pytest.mark.parametrize(("public", "case"), _ed25519_cases())
def test_ed25519_vectors(public: bytes, case: dict[str, str]) -> None:
    message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
    if case["result"] == "valid":
        verify_ed25519(public, signature, message)
    else:
        with pytest.raises(BrokenSeal):
            verify_ed25519(public, signature, message)


def test_a_checkpoint_opens_with_the_times_of_known_witnesses() -> None:
    opened = open_checkpoint(NOTE, LOG.vkey, WITNESSES)
    assert (opened.origin, opened.size, opened.root) == (LOG.name, 64, CHECKPOINT.root)
    assert opened.cosignatures == {NORTH.name: SEEN, SOUTH.name: SEEN + 2}
    assert open_checkpoint(NOTE, LOG.vkey, [NORTH.vkey]).cosignatures == {NORTH.name: SEEN}
    assert open_checkpoint(NOTE, LOG.vkey, []).cosignatures == {}


def test_a_line_by_an_unknown_key_counts_for_nothing() -> None:
    impostor = WitnessSigner(NORTH.name, sha256(b"not the witness"))
    note = LOG.sign(CHECKPOINT) + impostor.cosign(CHECKPOINT, SEEN)
    assert open_checkpoint(note, LOG.vkey, WITNESSES).cosignatures == {}


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = LogSigner("demo.example/other", sha256(b"another log"))
    same_name = LogSigner(LOG.name, sha256(b"another log"))
    body = Checkpoint("demo.example/other", 64, CHECKPOINT.root).to_text()
    borrowed = SignedNote(body, (SignedNote.parse(NOTE).signatures[0],)).to_text()
    for vkey, note in (
        (other.vkey, NOTE),
        (same_name.vkey, NOTE),
        (LOG.vkey, borrowed),
        (NORTH.vkey, NOTE),
    ):
        with pytest.raises(BrokenSeal):
            open_checkpoint(note, vkey, [])
    with pytest.raises(ValueError, match="own checkpoints"):
        other.sign(CHECKPOINT)


def test_a_witness_is_no_log_and_a_log_no_witness() -> None:
    cosigned_only = CHECKPOINT.to_text() + "\n" + NORTH.cosign(CHECKPOINT, SEEN)
    with pytest.raises(BrokenSeal):
        open_checkpoint(cosigned_only, LOG.vkey, WITNESSES)
    with pytest.raises(Malformed):
        open_checkpoint(NOTE, LOG.vkey, [LOG.vkey])


def test_one_institution_does_not_count_twice() -> None:
    same_key = WitnessSigner("alias.example/w", sha256(b"a test witness"))
    same_name = WitnessSigner(NORTH.name, sha256(b"a third key"))
    for other in (same_key, same_name, NORTH):
        with pytest.raises(Malformed):
            open_checkpoint(NOTE, LOG.vkey, [NORTH.vkey, other.vkey])


def test_every_flipped_byte_of_a_checkpoint_is_noticed() -> None:
    full = open_checkpoint(NOTE, LOG.vkey, WITNESSES)
    written = NOTE.encode()
    for place in range(len(written)):
        altered = bytearray(written)
        altered[place] ^= 1
        try:
            opened = open_checkpoint(altered.decode(), LOG.vkey, WITNESSES)
        except (BrokenSeal, UnicodeDecodeError):
            continue
        # What became an unknown key's line is ignored, as the format asks: a witness is missing.
        assert len(opened.cosignatures) == 1
        assert opened.cosignatures.items() < full.cosignatures.items()


def test_lines_may_be_swapped_or_missing_but_not_doubled() -> None:
    text, _, _ = NOTE.partition("\n\n")
    lines = NOTE.removeprefix(text + "\n\n").splitlines(keepends=True)
    swapped = text + "\n\n" + "".join(reversed(lines))
    assert open_checkpoint(swapped, LOG.vkey, WITNESSES) == open_checkpoint(
        NOTE, LOG.vkey, WITNESSES
    )
    with pytest.raises(BrokenSeal):
        open_checkpoint(text + "\n\n" + "".join(lines[1:]), LOG.vkey, WITNESSES)
    for line in lines:
        with pytest.raises(Malformed):
            open_checkpoint(NOTE + line, LOG.vkey, WITNESSES)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— name AAAAAAA=",
        "\n\n— name AAAAAAA=\n",
        "text\n\n- name AAAAAAA=\n",
        "text\n\n— name  AAAAAAA=\n",
        "text\n\n— na+me AAAAAAA=\n",
        "text\n\n— na\u00a0me AAAAAAA=\n",
        "text\n\n— name AAAA\n",
        "text\n\n— name AAAAAAA\n",
        "text\n\n— name AAAAAAA= \n",
        "text\r\n\n— name AAAAAAA=\n",
        "te\txt\n\n— name AAAAAAA=\n",
        "text\n\n— name AAAAAAA=\n\n",
        "text\n\n" + "".join(f"— n{n} AAAAAAA=\n" for n in range(65)),
    ],
)
def test_a_note_of_another_form_is_refused(note: str) -> None:
    with pytest.raises(Malformed):
        SignedNote.parse(note)


def test_a_note_may_have_blank_lines_in_its_text() -> None:
    note = "one\n\ntwo\n\n— name AAAAAAA=\n"
    assert SignedNote.parse(note).text == "one\n\ntwo\n"
    assert SignedNote.parse(note).to_text() == note


@pytest.mark.parametrize(
    "text",
    [
        "log\n1\n",
        f"log\n01\n{b64(EMPTY_ROOT)}\n",
        f"log\n-1\n{b64(EMPTY_ROOT)}\n",
        f"log\n{2**63}\n{b64(EMPTY_ROOT)}\n",
        f"log\n1\n{b64(EMPTY_ROOT)}\nextension\n",
        f"log\n1\n{b64(EMPTY_ROOT[:31])}\n",
        f"my log\n1\n{b64(EMPTY_ROOT)}\n",
        f"\n1\n{b64(EMPTY_ROOT)}\n",
        f"log\n1\n{b64(EMPTY_ROOT)}",
    ],
)
def test_a_checkpoint_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        Checkpoint.parse(text)


@pytest.mark.parametrize("digits", ["", "+1", " 1", "1 ", "1_0", "०", "00", "9" * 20])
def test_numbers_have_one_spelling(digits: str) -> None:
    with pytest.raises(Malformed):
        parse_decimal(digits)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        NORTH.vkey.replace("north", "forth"),
        NORTH.vkey.replace("+", "-", 1),
        NORTH.vkey + "A",
        VerifierKey("name", 2, bytes(32)).vkey,
        VerifierKey("a b", 1, bytes(32)).vkey,
        NORTH.vkey.replace(NORTH.key.id.hex(), NORTH.key.id.hex().upper()),
    ],
)
def test_a_verifier_key_of_another_form_is_refused(vkey: str) -> None:
    with pytest.raises(Malformed):
        parse_vkey(vkey)


def test_an_offer_comes_back() -> None:
    proof = [sha256(b"1"), sha256(b"2")]
    offer = read_offer(write_offer(8, proof, NOTE).encode())
    assert (offer.old_size, offer.proof, offer.note) == (8, tuple(proof), NOTE)
    first = read_offer(write_offer(0, [], NOTE).encode())
    assert (first.old_size, first.proof, first.note) == (0, (), NOTE)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 8\n",
        b"old 08\n\n" + NOTE.encode(),
        b"new 8\n\n" + NOTE.encode(),
        b"old 8\nAAAA\n\n" + NOTE.encode(),
        write_offer(8, [bytes(32)] * 64, NOTE).encode(),
        b"old 8\n\n\xff",
        b"old 8\n\n" + b"a" * (300 << 10),
    ],
)
def test_an_offer_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_offer(body)


def test_the_answer_to_an_offer_gives_the_known_witnesses_lines() -> None:
    body = (NORTH.cosign(CHECKPOINT, SEEN) + "— stranger.example AAAAAAA=\n").encode()
    (only,) = read_cosignatures(body, checkpoint=CHECKPOINT, witness_vkeys=WITNESSES)
    assert (only.witness, only.at_unix) == (NORTH.name, SEEN)
    assert only.line == NORTH.cosign(CHECKPOINT, SEEN)
    other = Checkpoint(LOG.name, 65, CHECKPOINT.root)
    with pytest.raises(BrokenSeal):
        read_cosignatures(body, checkpoint=other, witness_vkeys=WITNESSES)
    with pytest.raises(Malformed):
        read_cosignatures(b"", checkpoint=CHECKPOINT, witness_vkeys=WITNESSES)


def test_a_cosignature_without_a_time_or_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="its time"):
        NORTH.cosign(CHECKPOINT, 0)
    key = Ed25519PrivateKey.from_private_bytes(sha256(b"a test witness"))
    text = CHECKPOINT.to_text()
    timeless = key.sign(f"cosignature/v1\ntime 0\n{text}".encode())
    for blob in (bytes(8) + timeless, timeless):
        line = NoteSignature(NORTH.name, NORTH.key.id, blob).line
        with pytest.raises(BrokenSeal):
            open_checkpoint(LOG.sign(CHECKPOINT) + line, LOG.vkey, WITNESSES)


def test_a_signers_name_has_no_spaces_and_its_key_32_bytes() -> None:
    for name in ("", "a b", "a+b"):
        with pytest.raises(Malformed):
            LogSigner(name, bytes(32))
    with pytest.raises(Malformed):
        WitnessSigner("name", bytes(31))
