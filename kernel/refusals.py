"""What a rule answers: refusals, which turn an act down, and cautions, which only speak.

A rule gives every ground at once, as a legal notice must. An empty list means that nothing stands
in the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kernel.statute import Article, Provenance


@dataclass(frozen=True, slots=True)
class Refusal:
    """One ground on which the law refuses an act, worded for the person who is refused.

    `facts` holds what the words speak of, for programs: exact times, names of parts, a decision's
    number. An article known only from memory cannot refuse anything: `ValueError`.
    """

    code: str
    article: Article
    reason: str
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.article.provenance is Provenance.MEMORY:
            raise ValueError(f"{self.code} may not block: nobody has read {self.article}")

    def as_json(self) -> dict[str, object]:
        """The ground as it travels in a problem's body; `facts` only where there are any."""
        return _as_json(self.code, self.article, self.reason, self.facts)


@dataclass(frozen=True, slots=True)
class Caution:
    """Something doubtful that an act is warned of and not stopped by; any article may warn."""

    code: str
    article: Article
    reason: str
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)

    def as_json(self) -> dict[str, object]:
        """The caution in the same form as a refusal."""
        return _as_json(self.code, self.article, self.reason, self.facts)


def _as_json(
    code: str, article: Article, reason: str, facts: Mapping[str, str]
) -> dict[str, object]:
    told: dict[str, object] = {"code": code, "article": str(article), "reason": reason}
    if facts:
        told["facts"] = dict(facts)
    return told
