"""What an objection and a complaint are both made of: a request, its grounds, and the evidence.

Each stands in the signed statement as a part of its own, so that whoever answers knows what is
asked, and on what it rests. A piece of evidence may name a file that its sender has kept before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from kernel.crypto.digests import Malformed, b64u, list_of, members, text_of, unb64u
from kernel.identifiers import LotId
from kernel.store.transaction import Transaction
from trading.drafting import clean_text, file_name
from trading.tables import EvidenceFileRow

WORDS_MAX: Final = 5000
TITLE_MAX: Final = 200
EVIDENCE_MAX: Final = 20
DIGEST_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence: what it is, what it shows or where it is found, and its file if it has
    one, by name and digest.
    """

    title: str
    text: str
    name: str = ""
    file: bytes | None = None

    def kept(self) -> dict[str, str]:
        """The piece as a row keeps it."""
        told = {"title": self.title, "text": self.text}
        return told if self.file is None else {**told, "name": self.name, "file": b64u(self.file)}


@dataclass(frozen=True, slots=True)
class Petition:
    """What is asked for, why, and what shows it."""

    request: str
    grounds: str
    evidence: tuple[Evidence, ...]

    def evidence_kept(self) -> list[dict[str, str]]:
        """The evidence as a row keeps it."""
        return [one.kept() for one in self.evidence]

    def in_words(self) -> str:
        """All of it as one text, for where it is read out."""
        lines = [f"请求：{self.request}", f"事实和理由：{self.grounds}"]
        for one in self.evidence:
            lines.append(f"证据：{one.title}（{one.text}）")
            if one.file is not None:
                lines.append(f"文件：{one.name}（SHA-256 {one.file.hex()}）")
        return "\n".join(lines)


def petition_in(payload: Mapping[str, Any], *, blank: bool = False) -> Petition:
    """The parts of a statement; `Malformed` where they are none.

    `blank` lets request and grounds be empty, for where a rule with its article says so.
    """
    return Petition(
        _words(payload["request"], blank=blank),
        _words(payload["grounds"], blank=blank),
        evidence_in(payload["evidence"]),
    )


def evidence_in(told: object) -> tuple[Evidence, ...]:
    """The pieces of evidence that a statement lists; `Malformed` where they are none."""
    return tuple(_evidence_in(item) for item in list_of(told, at_most=EVIDENCE_MAX))


async def require_kept(tx: Transaction, lot_id: LotId, petition: Petition) -> None:
    """`Malformed` where a petition names a file that its sender has not kept for this lot."""
    await require_files_kept(tx, lot_id, petition.evidence)


async def require_files_kept(tx: Transaction, lot_id: LotId, evidence: Sequence[Evidence]) -> None:
    """`Malformed` where a piece of evidence is a file that its sender has not kept for this lot."""
    for one in evidence:
        if one.file is None:
            continue
        if await tx.session.get(EvidenceFileRow, (lot_id, tx.actor.party, one.file)) is None:
            raise Malformed("a file of the evidence was not sent", code="evidence_unknown")


def day_in(told: object) -> date:
    """A day as a statement writes it, or `Malformed`."""
    try:
        return date.fromisoformat(text_of(told))
    except ValueError:
        raise Malformed("a day such as 2026-03-02 was expected") from None


def yes_or_no(told: object) -> bool:
    """What a statement says with true or false, or `Malformed`."""
    if not isinstance(told, bool):
        raise Malformed("true or false was expected")
    return told


def words_in(value: object) -> str:
    """A text that may be empty."""
    return _words(value, blank=True)


def _words(value: object, *, blank: bool) -> str:
    if blank and not text_of(value).strip():
        return ""
    return clean_text(value, at_most=WORDS_MAX)


def _evidence_in(item: object) -> Evidence:
    told = members(item, {"title", "text"}, optional={"name", "file"})
    title, text = clean_text(told["title"], at_most=TITLE_MAX), words_in(told["text"])
    if "file" not in told and "name" not in told:
        return Evidence(title, text)
    name, digest = text_of(told.get("name")), unb64u(told.get("file"), DIGEST_SIZE)
    return Evidence(title, text, file_name(name), digest)
