"""Receipts in the form of C2SP tlog-proof@v1, and the fillers that hide how much is logged."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.crypto import merkle
from kernel.crypto.digests import Malformed, b64, sha256, strict_json
from kernel.crypto.notes import Checkpoint, LogSigner, WitnessSigner
from kernel.crypto.receipts import (
    VerifiedProof,
    filler_commitment,
    filler_leaf,
    filler_record,
    filler_salt,
    leaf_data,
    verify_proof,
    witnessed_before,
    write_proof,
)
from kernel.errors import BrokenSeal

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "receipt-v1.json").read_text())
PROOF = VECTOR["proof"]
LATEST = datetime.fromtimestamp(max(VECTOR["cosigned_at"]), UTC)
SECOND = timedelta(seconds=1)


def check(text: str) -> VerifiedProof:
    return verify_proof(text, log_vkey=VECTOR["log_vkey"], witness_vkeys=VECTOR["witness_vkeys"])


def test_the_prototypes_receipt_verifies() -> None:
    proven = check(PROOF)
    assert proven.index == 5
    assert proven.salt.hex() == VECTOR["salt"]
    record = strict_json(proven.record)
    assert isinstance(record, dict)
    assert record["type"] == "bid-received"
    assert sorted(proven.checkpoint.cosignatures.values()) == VECTOR["cosigned_at"]


def test_a_receipt_is_written_as_the_prototype_writes_it() -> None:
    proven = check(PROOF)
    head, _, note = PROOF.partition("\n\n")
    path = [base64.b64decode(line) for line in head.split("\n")[3:]]
    again = write_proof(
        record=proven.record, salt=proven.salt, index=proven.index, path=path, note=note
    )
    assert again == PROOF


def test_a_bid_witnessed_at_the_very_deadline_is_late() -> None:
    proven = check(PROOF)
    assert witnessed_before(proven, LATEST + SECOND, 2)
    assert not witnessed_before(proven, LATEST, 2)
    assert not witnessed_before(proven, LATEST + SECOND / 2, 2)


@given(st.timedeltas(min_value=timedelta(-100), max_value=timedelta(100)), st.integers(1, 3))
def test_a_quorum_is_before_the_deadline_or_it_is_not(distance: timedelta, quorum: int) -> None:
    deadline = LATEST + distance
    ended = [datetime.fromtimestamp(at, UTC) + SECOND for at in VECTOR["cosigned_at"]]
    expected = sum(at <= deadline for at in ended) >= quorum
    assert witnessed_before(check(PROOF), deadline, quorum) is expected


def test_a_quorum_of_nobody_proves_nothing() -> None:
    with pytest.raises(ValueError, match="at least one"):
        witnessed_before(check(PROOF), LATEST + SECOND, 0)


def test_a_witness_of_whom_we_know_nothing_does_not_count() -> None:
    alone = verify_proof(
        PROOF, log_vkey=VECTOR["log_vkey"], witness_vkeys=VECTOR["witness_vkeys"][:1]
    )
    assert witnessed_before(alone, LATEST + SECOND, 1)
    assert not witnessed_before(alone, LATEST + SECOND, 2)


def test_every_flipped_byte_of_a_receipt_is_noticed() -> None:
    written = PROOF.encode()
    for bit in (1, 0x10):
        for place in range(len(written)):
            altered = bytearray(written)
            altered[place] ^= bit
            try:
                proven = check(altered.decode())
            except (BrokenSeal, UnicodeDecodeError):
                continue
            # Only a witness's name or key id was hit: the witness is missing, the rest is whole.
            assert not witnessed_before(proven, LATEST + SECOND, 2)
            assert proven.record == check(PROOF).record


def test_lines_of_a_receipt_cannot_be_dropped_swapped_or_doubled() -> None:
    lines = PROOF.splitlines(keepends=True)
    mutants = []
    for n in range(len(lines)):
        mutants += [[*lines[:n], *lines[n + 1 :]], [*lines[: n + 1], *lines[n:]]]
        if n:
            mutants.append([*lines[: n - 1], lines[n], lines[n - 1], *lines[n + 1 :]])
    for mutant in mutants:
        try:
            proven = check("".join(mutant))
        except BrokenSeal:
            continue
        signatures = [line for line in mutant if line.startswith("— ")]
        reordered = sorted(signatures) == sorted(line for line in lines if line.startswith("— "))
        assert reordered or not witnessed_before(proven, LATEST + SECOND, 2)


@pytest.mark.parametrize(
    "extra",
    [
        {"salt": b64(bytes(32))},
        {"salt": b64(bytes(31)), "record": ""},
        {"salt": b64(bytes(32)), "record": "", "more": 1},
        {"record": "", "salt": b64(bytes(32))},
        [],
    ],
)
def test_another_opening_of_the_leaf_is_refused(extra: object) -> None:
    text = json.dumps(extra, separators=(",", ":")).encode()
    lines = PROOF.split("\n")
    lines[1] = f"extra {b64(text)}"
    with pytest.raises(BrokenSeal):
        check("\n".join(lines))


@pytest.mark.parametrize(
    "mutant",
    [
        "",
        PROOF.replace("tlog-proof@v1", "tlog-proof@v2"),
        PROOF.replace("index 5", "index 05"),
        PROOF.replace("index 5", "index 4"),
        PROOF.replace("index 5", "index 7"),
        PROOF.replace("extra ", "extra  "),
        PROOF.replace("index 5\n", "index 5\n\n"),
        "x" * ((4 << 20) + 1),
    ],
)
def test_a_receipt_of_another_form_is_refused(mutant: str) -> None:
    with pytest.raises(BrokenSeal):
        check(mutant)


def test_a_receipt_with_spaces_in_its_opening_is_not_the_one_we_wrote() -> None:
    proven = check(PROOF)
    spaced = json.dumps({"salt": b64(proven.salt), "record": b64(proven.record)}).encode()
    lines = PROOF.split("\n")
    lines[1] = f"extra {b64(spaced)}"
    with pytest.raises(Malformed):
        check("\n".join(lines))


@given(st.data())
def test_every_leaf_of_a_log_has_a_receipt_that_verifies(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 40))
    index = data.draw(st.integers(0, size - 1))
    records = [b"record %d" % n for n in range(size)]
    salts = [sha256(b"salt", record) for record in records]
    hashes = [
        merkle.leaf_hash(leaf_data(salt, record))
        for salt, record in zip(salts, records, strict=True)
    ]
    nodes = {(level, at): value for level, at, value in merkle.new_nodes(0, hashes, _no_node)}

    def get(level: int, at: int) -> bytes:
        return nodes[level, at]

    log = LogSigner("demo.example/log", sha256(b"log"))
    witness = WitnessSigner("demo.example/w", sha256(b"witness"))
    checkpoint = Checkpoint(log.name, size, merkle.root(hashes))
    text = write_proof(
        record=records[index],
        salt=salts[index],
        index=index,
        path=merkle.inclusion_proof(get, index, size),
        note=log.sign(checkpoint) + witness.cosign(checkpoint, 1000),
    )
    proven = verify_proof(text, log_vkey=log.vkey, witness_vkeys=[witness.vkey])
    assert (proven.record, proven.index) == (records[index], index)
    assert proven.checkpoint.cosignatures == {witness.name: 1000}


def test_a_leaf_tells_nothing_without_its_salt_of_32_bytes() -> None:
    assert leaf_data(bytes(32), b"record") != leaf_data(bytes([1]) + bytes(31), b"record")
    with pytest.raises(ValueError, match="32 bytes"):
        leaf_data(b"", b"record")


def test_fillers_follow_from_their_run_s_key_and_their_place() -> None:
    key = sha256(b"a key")
    leaf = filler_leaf(3, key, 17)
    assert leaf == leaf_data(filler_salt(key, 17), filler_record(3))
    others = {filler_leaf(3, key, 18), filler_leaf(4, key, 17), filler_leaf(3, bytes(32), 17)}
    assert len(others | {leaf}) == 4


def test_a_filler_key_is_committed_to_for_its_run() -> None:
    key = sha256(b"a key")
    assert (
        len({filler_commitment(1, key), filler_commitment(2, key), filler_commitment(1, bytes(32))})
        == 3
    )
    with pytest.raises(ValueError, match="32 bytes"):
        filler_commitment(1, b"short")


def _no_node(level: int, index: int) -> bytes:
    raise AssertionError((level, index))
