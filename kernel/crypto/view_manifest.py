"""What a log vouches for beside its tree: which entries one circle of readers may open, in order.

A checkpoint fixes every leaf, and not which of them a reader is shown opened. A view's manifest
does: the view, how many of its entries stand in the tree of a size, and a digest over them in their
order. It is a signed note (c2sp.org/signed-note) by the log's own key under another name than the
log's, so that its key id differs and it can never pass for a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kernel.crypto.digests import Malformed, b64, labelled, unb64
from kernel.crypto.merkle import HASH_SIZE
from kernel.crypto.notes import (
    ED25519,
    LogSigner,
    SignedNote,
    VerifierKey,
    open_note,
    parse_decimal,
    parse_vkey,
)
from kernel.errors import BrokenSeal

WITNESSES_MAX = 64
_HEADING = "sunbid-log-view/1"
_SUFFIX = "/view"


@dataclass(frozen=True, slots=True)
class ViewManifest:
    """A view of a log as far as one tree holds it.

    `digest` is `entries_digest` of its entries. Before leaf `whole_until` the view leaves nothing
    out: every leaf there is one of its entries or a filler. `witnesses` and `quorum` are those that
    the log's own platform waits for.
    """

    origin: str
    view: str
    size: int
    entries: int
    digest: bytes
    whole_until: int
    witnesses: tuple[str, ...]
    quorum: int

    def to_text(self) -> str:
        """The lines that are signed."""
        lines = [
            _name(self.origin),
            _HEADING,
            self.view,
            str(self.size),
            str(self.entries),
            b64(self.digest),
            str(self.whole_until),
            str(self.quorum),
            *self.witnesses,
        ]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> ViewManifest:
        """The manifest of these lines; `Malformed` for anything `to_text` would write otherwise."""
        name, *lines = text.split("\n")
        if not 8 <= len(lines) <= 8 + WITNESSES_MAX or lines[0] != _HEADING or lines[-1]:
            raise Malformed("not the manifest of a view")
        origin = name.removesuffix(_SUFFIX)
        view, size, entries, digest, whole_until, quorum, *witnesses = lines[1:-1]
        found = cls(
            origin=origin,
            view=view,
            size=parse_decimal(size),
            entries=parse_decimal(entries),
            digest=unb64(digest, HASH_SIZE),
            whole_until=parse_decimal(whole_until),
            witnesses=tuple(witnesses),
            quorum=parse_decimal(quorum),
        )
        if found.to_text() != text:
            raise Malformed("a manifest is written in one way only")
        return found

    def signed(self, signer: LogSigner) -> str:
        """The manifest as a note under the log's key; `ValueError` for another log's."""
        if self.origin != signer.name:
            raise ValueError("a log vouches for its own views only")
        text = self.to_text()
        signature = signer.sign_as(_name(signer.name), text)
        return SignedNote(text, (signature,)).to_text()


def open_manifest(note: str, log_vkey: str) -> ViewManifest:
    """The manifest of a note that this log signed; `BrokenSeal` for everything else."""
    log = parse_vkey(log_vkey)
    key = VerifierKey(_name(log.name), log.algorithm, log.public)
    if log.algorithm != ED25519 or len(SignedNote.parse(note).signatures) != 1:
        raise BrokenSeal("a manifest has its log's signature and no other")
    found = ViewManifest.parse(open_note(note, key.vkey))
    if found.origin != log.name:
        raise BrokenSeal("the manifest of another log's view")
    return found


def entries_digest(entries: Iterable[tuple[int, int, str]]) -> bytes:
    """The digest over a view's entries in their order, each as (number, index, id).

    Record and salt need not enter: the leaf at the index commits to both.
    """
    lines = (f"{number} {index} {entry_id}\n".encode() for number, index, entry_id in entries)
    return labelled("ebid/1/log-view", *lines)


def _name(origin: str) -> str:
    return origin + _SUFFIX
