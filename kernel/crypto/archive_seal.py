"""What a log's platform vouches for of an archive package: that this is the manifest of that lot.

A signed note (c2sp.org/signed-note) by the log's own key under another name than the log's, so that
its key id differs and it can never pass for a checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from kernel.crypto.digests import Malformed, b64, unb64
from kernel.crypto.merkle import HASH_SIZE
from kernel.crypto.notes import (
    ED25519,
    LogSigner,
    SignedNote,
    VerifierKey,
    open_note,
    parse_vkey,
)
from kernel.errors import BrokenSeal

_HEADING = "sunbid-archive/1"
_SUFFIX = "/archive"


@dataclass(frozen=True, slots=True)
class ArchiveSeal:
    """The lot whose archive it is, and the SHA-256 of the manifest's bytes."""

    origin: str
    lot_id: UUID
    manifest_digest: bytes

    def to_text(self) -> str:
        """The lines that are signed."""
        lines = [self.origin + _SUFFIX, _HEADING, str(self.lot_id), b64(self.manifest_digest)]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> ArchiveSeal:
        """The seal of these lines; `Malformed` for anything `to_text` would write otherwise."""
        lines = text.split("\n")
        if len(lines) != 5 or lines[1] != _HEADING:
            raise Malformed("not the seal of an archive")
        try:
            lot_id = UUID(lines[2])
        except ValueError:
            raise Malformed("not the seal of a lot's archive") from None
        found = cls(lines[0].removesuffix(_SUFFIX), lot_id, unb64(lines[3], HASH_SIZE))
        if found.to_text() != text:
            raise Malformed("a seal is written in one way only")
        return found

    def signed(self, signer: LogSigner) -> str:
        """The seal as a note under the log's key; `ValueError` for another log's."""
        if self.origin != signer.name:
            raise ValueError("a log seals its own archives only")
        text = self.to_text()
        return SignedNote(text, (signer.sign_as(signer.name + _SUFFIX, text),)).to_text()


def open_seal(note: str, log_vkey: str) -> ArchiveSeal:
    """The seal of a note that this log signed; `BrokenSeal` for everything else."""
    log = parse_vkey(log_vkey)
    key = VerifierKey(log.name + _SUFFIX, log.algorithm, log.public)
    if log.algorithm != ED25519 or len(SignedNote.parse(note).signatures) != 1:
        raise BrokenSeal("a seal has its log's signature and no other")
    found = ArchiveSeal.parse(open_note(note, key.vkey))
    if found.origin != log.name:
        raise BrokenSeal("the seal of another log")
    return found
