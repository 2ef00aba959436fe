"""What a log vouches for of a view: written in one way, by its own key, and never a checkpoint.

Formats: c2sp.org/signed-note; PROTOCOLS: one key for two kinds of note needs two key ids.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.crypto.notes import Checkpoint, LogSigner, SignedNote, open_checkpoint
from kernel.crypto.view_manifest import ViewManifest, entries_digest, open_manifest
from kernel.errors import BrokenSeal

SIGNER = LogSigner("demo.sunbid.test/log", bytes(32))
OTHER = LogSigner("demo.sunbid.test/log", bytes(31) + b"\1")
ENTRIES = [(1, 4, "a"), (2, 3, "b"), (3, 17, "c")]
MANIFEST = ViewManifest(
    origin=SIGNER.name,
    view="supervisors",
    size=24,
    entries=3,
    digest=entries_digest(ENTRIES),
    whole_until=0,
    witnesses=("w1", "w2"),
    quorum=2,
)


def test_a_manifest_is_opened_by_its_logs_key_and_says_what_was_signed() -> None:
    assert open_manifest(MANIFEST.signed(SIGNER), SIGNER.vkey) == MANIFEST
    alone = replace(MANIFEST, witnesses=(), quorum=0, view="all", whole_until=16)
    assert open_manifest(alone.signed(SIGNER), SIGNER.vkey) == alone


def test_it_is_no_checkpoint_and_a_checkpoint_is_no_manifest() -> None:
    """Not even one whose lines would fit: the name under which it is signed is another."""
    note = MANIFEST.signed(SIGNER)
    with pytest.raises(BrokenSeal):
        open_checkpoint(note, SIGNER.vkey, ())
    checkpoint = SIGNER.sign(Checkpoint(SIGNER.name, 24, bytes(32)))
    with pytest.raises(BrokenSeal):
        open_manifest(checkpoint, SIGNER.vkey)
    ids = {SignedNote.parse(one).signatures[0].key_id for one in (note, checkpoint)}
    assert len(ids) == 2
    for text in (f"{SIGNER.name}\n24\n", "something else\n"):
        with pytest.raises(ValueError, match="name of its own"):
            SIGNER.sign_as(f"{SIGNER.name}/view", text)
    with pytest.raises(ValueError, match="name of its own"):
        SIGNER.sign_as(SIGNER.name, f"{SIGNER.name}\n")


def test_another_logs_word_is_not_this_ones() -> None:
    with pytest.raises(BrokenSeal):
        open_manifest(MANIFEST.signed(OTHER), SIGNER.vkey)
    with pytest.raises(ValueError, match="own views only"):
        replace(MANIFEST, origin="demo.other.test/log").signed(SIGNER)


@given(place=st.integers(0, 10_000), bit=st.integers(0, 6))
def test_a_flipped_bit_anywhere_is_found(place: int, bit: int) -> None:
    note = bytearray(MANIFEST.signed(SIGNER).encode())
    note[place % len(note)] ^= 1 << bit
    with pytest.raises((BrokenSeal, UnicodeDecodeError)):
        open_manifest(bytes(note).decode(), SIGNER.vkey)


@pytest.mark.parametrize("text", ["", "\n", "x\n\n", MANIFEST.to_text(), "a\nb\nc\n\n— x AAAA\n"])
def test_what_is_no_manifest_is_told_politely(text: str) -> None:
    with pytest.raises(BrokenSeal):
        open_manifest(text, SIGNER.vkey)


def test_the_digest_is_of_the_entries_in_their_order() -> None:
    seen = {
        entries_digest(one)
        for one in (
            ENTRIES,
            ENTRIES[:-1],
            ENTRIES[1:],
            [ENTRIES[1], ENTRIES[0], ENTRIES[2]],
            [(1, 3, "b"), (2, 4, "a"), ENTRIES[2]],
            [*ENTRIES, ENTRIES[2]],
            [(1, 4, "x"), *ENTRIES[1:]],
            [],
        )
    }
    assert len(seen) == 8
