"""What an objection and a complaint are both made of: a request, its grounds, and the evidence.

Each stands in the signed statement as a part of its own, so that whoever answers knows what is
asked, and on what it rests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kernel.crypto.digests import list_of, members, text_of
from trading.drafting import clean_text

WORDS_MAX: Final = 5000
TITLE_MAX: Final = 200
EVIDENCE_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence: what it is, and what it shows or where it is found."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Petition:
    """What is asked for, why, and what shows it."""

    request: str
    grounds: str
    evidence: tuple[Evidence, ...]

    def evidence_kept(self) -> list[dict[str, str]]:
        """The evidence as a row keeps it."""
        return [{"title": one.title, "text": one.text} for one in self.evidence]

    def in_words(self) -> str:
        """All of it as one text, for where it is read out."""
        lines = [f"请求：{self.request}", f"事实和理由：{self.grounds}"]
        lines += [f"证据：{one.title}（{one.text}）" for one in self.evidence]
        return "\n".join(lines)


def petition_in(payload: Mapping[str, Any], *, blank: bool = False) -> Petition:
    """The parts of a statement; `Malformed` where they are none.

    `blank` lets request and grounds be empty, for where a rule with its article says so.
    """
    items = list_of(payload["evidence"], at_most=EVIDENCE_MAX)
    return Petition(
        _words(payload["request"], blank=blank),
        _words(payload["grounds"], blank=blank),
        tuple(_evidence_in(item) for item in items),
    )


def words_in(value: object) -> str:
    """A text that may be empty."""
    return _words(value, blank=True)


def _words(value: object, *, blank: bool) -> str:
    if blank and not text_of(value).strip():
        return ""
    return clean_text(value, at_most=WORDS_MAX)


def _evidence_in(item: object) -> Evidence:
    told = members(item, {"title", "text"})
    return Evidence(clean_text(told["title"], at_most=TITLE_MAX), words_in(told["text"]))
