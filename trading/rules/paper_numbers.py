"""The numbers that papers of a lot are known by, and how one is read back.

A project's code is unique and a lot's number is unique in its project, so that a paper of which a
lot has one is numbered by both, with letters for its kind: `JC2026-GC-0001-2-TZ`. Where an award
fell away, the notice of the next one ends with its place: `JC2026-GC-0001-2-TZ2`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_FORM: Final = re.compile(
    r"(?P<code>.{1,200})-(?P<lot>[1-9][0-9]{0,5})-(?P<kind>[A-Z]{2})(?P<place>[2-9]|[1-9][0-9])?"
)


class PaperKind(StrEnum):
    """A paper of a lot: the award notice, the contract, the settlement."""

    AWARD_NOTICE = "TZ"
    CONTRACT = "HT"
    SETTLEMENT = "JS"


@dataclass(frozen=True, slots=True)
class PaperNumber:
    """A paper's number, taken apart."""

    project_code: str
    lot_number: int
    kind: PaperKind
    place: int = 1
    """Which of the lot's award notices it is; of every other paper there is one."""

    def __str__(self) -> str:
        place = "" if self.place == 1 else str(self.place)
        return f"{self.project_code}-{self.lot_number}-{self.kind}{place}"


def read_paper_number(text: str) -> PaperNumber | None:
    """The number that a text writes; None where no paper is numbered so."""
    found = _FORM.fullmatch(text.strip())
    if found is None or found["kind"] not in list(PaperKind):
        return None
    kind, place = PaperKind(found["kind"]), int(found["place"] or 1)
    if place > 1 and kind is not PaperKind.AWARD_NOTICE:
        return None
    return PaperNumber(found["code"], int(found["lot"]), kind, place)
