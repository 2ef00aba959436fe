"""Two versions of the tender documents held side by side: every place, term, file and time.

The notice is the first version; each clarification or modification makes the next, for it is part
of the documents (招标投标法 23). Everything here is reckoned from what was signed, so that anybody
can reckon it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Final

from kernel.working_days import beijing_day
from trading.rules.changed_terms import Terms, changed_terms
from trading.rules.scheme_words import SchemeChange
from trading.rules.tender_file import TenderDocument, tender_file_document

_PIECES: Final = re.compile(r"[0-9][0-9,.]*|[A-Za-z]+|\s+|.", re.DOTALL)
_PIECES_MAX: Final = 1_000
"""Above so many pieces that differ, a text is shown as replaced: telling more would take long."""
_COMPARED_MAX: Final = 200
"""So many parts of a file are compared sign by sign; the rest are shown whole, old and new."""
_KEPT_MIN: Final = 2
"""Fewer signs in common between two changes than this are no help to a reader."""


class Edit(StrEnum):
    """What became of a piece of text."""

    KEPT = "kept"
    DELETED = "deleted"
    INSERTED = "inserted"


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text that was kept, deleted or inserted."""

    edit: Edit
    text: str


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file as one version has it: by its digest."""

    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A question as it was published, and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Version:
    """The tender documents as one notice left them.

    `notice` is the number of that notice among everything published about the lot. The times are
    the last ones in force while this version was.
    """

    number: int
    notice: int
    title: str
    text: str
    published_at: datetime
    may_affect_bids: bool
    words: Mapping[str, str]
    files: Mapping[str, KeptFile]
    answers: tuple[Answer, ...]
    documents_until: datetime
    bids_due_at: datetime
    terms: Terms


class SideBySide:
    """What changed, as its old and its new text."""

    __slots__ = ()
    segments: tuple[Segment, ...]

    @property
    def old_side(self) -> tuple[Segment, ...]:
        """The old text: what was kept and what was deleted."""
        return tuple(one for one in self.segments if one.edit is not Edit.INSERTED)

    @property
    def new_side(self) -> tuple[Segment, ...]:
        """The new text: what was kept and what was inserted."""
        return tuple(one for one in self.segments if one.edit is not Edit.DELETED)


@dataclass(frozen=True, slots=True)
class ChangedWords(SideBySide):
    """One place of the notice whose words differ."""

    place: str
    old: str
    new: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class ChangedTerm(SideBySide):
    """A term that the platform reckons with and that differs."""

    term: str
    old: str
    new: str
    segments: tuple[Segment, ...]
    scheme: tuple[SchemeChange, ...] = ()
    """Of a scoring method, which parts of it differ, in words."""


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One file that was added or took another's place; `old` is None for one that was added."""

    name: str
    old: KeptFile | None
    new: KeptFile


@dataclass(frozen=True, slots=True)
class ChangedPart(SideBySide):
    """A block, a line of the bill or a figure of a tender file; empty text where it is not there.

    `kind` is `block`, `item` or `term`; `number` is what the file numbers or names it by.
    """

    kind: str
    number: str
    title: str
    old: str
    new: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class ChangedContents:
    """What differs inside a tender file of blocks that took another's place."""

    name: str
    parts: tuple[ChangedPart, ...]


@dataclass(frozen=True, slots=True)
class MovedTime:
    """A time that moved, and by how many days of the calendar."""

    what: str
    old: datetime
    new: datetime

    @property
    def days(self) -> int:
        return (beijing_day(self.new) - beijing_day(self.old)).days


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything in which a later version differs from an earlier one."""

    old: Version
    new: Version
    words: tuple[ChangedWords, ...]
    files: tuple[ChangedFile, ...]
    times: tuple[MovedTime, ...]
    notices: tuple[Version, ...]
    terms: tuple[ChangedTerm, ...] = ()
    contents: tuple[ChangedContents, ...] = ()

    @property
    def may_affect_bids(self) -> bool:
        """Whether anything published in between may affect how bids are made."""
        return any(one.may_affect_bids for one in self.notices)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Every answer published in between, in order."""
        return tuple(answer for one in self.notices for answer in one.answers)


def difference(versions: Sequence[Version], old: int, new: int) -> Difference:
    """How version `new` differs from version `old`; the earlier one comes first."""
    before, after = versions[old - 1], versions[new - 1]
    words = tuple(
        ChangedWords(
            place, before.words.get(place, ""), text, segments(before.words.get(place, ""), text)
        )
        for place, text in after.words.items()
        if before.words.get(place, "") != text
    )
    files = tuple(
        ChangedFile(name, before.files.get(name), file)
        for name, file in after.files.items()
        if before.files.get(name) != file
    )
    times = tuple(
        MovedTime(what, getattr(before, what), getattr(after, what))
        for what in ("documents_until", "bids_due_at")
        if getattr(before, what) != getattr(after, what)
    )
    terms = tuple(
        changed_term(name, before.terms.words(name), after.terms.words(name))
        for name in changed_terms(before.terms, after.terms)
    )
    return Difference(before, after, words, files, times, tuple(versions[old:new]), terms)


def changed_term(name: str, old: str, new: str) -> ChangedTerm:
    """A term that differs, with how its new text comes of the old one."""
    return ChangedTerm(name, old, new, segments(old, new))


def contents_difference(name: str, old: TenderDocument, new: TenderDocument) -> ChangedContents:
    """What differs between two tender files of blocks: blocks, lines of the bill, figures."""
    before, after = _parts(old), _parts(new)
    changed: list[ChangedPart] = []
    for key in [*after, *(one for one in before if one not in after)]:
        (was_title, was), (title, now) = before.get(key, ("", "")), after.get(key, ("", ""))
        if (was_title, was) != (title, now):
            whole = len(changed) >= _COMPARED_MAX
            found = _replaced(was, now) if whole else segments(was, now)
            changed.append(ChangedPart(*key, title or was_title, was, now, found))
    return ChangedContents(name, tuple(changed))


def _parts(file: TenderDocument) -> dict[tuple[str, str], tuple[str, str]]:
    """Everything a tender file says, by its kind and number: a title, and the text."""
    found = {
        ("block", block.number): (
            block.title,
            f"{block.text}\n（实质性要求）" if block.essential else block.text,
        )
        for block in file.blocks
    }
    found |= {
        ("item", item.number): (item.name, f"{item.quantity.normalize():f} {item.unit}")
        for item in file.bill
    }
    terms = tender_file_document(file)["terms"]
    assert isinstance(terms, dict)
    for name, value in terms.items():
        text = "、".join(map(str, value)) if isinstance(value, list) else str(value)
        found["term", name] = (name, "" if value is None else text)
    return found


def version_at(versions: Sequence[Version], instant: datetime) -> Version:
    """The version in force at an instant; what was published at that very instant is in force."""
    return [one for one in versions if one.published_at <= instant][-1]


def segments(old: str, new: str) -> tuple[Segment, ...]:
    """How the new text comes of the old one, numbers and foreign words whole."""
    before, after = _PIECES.findall(old), _PIECES.findall(new)
    head = _alike(before, after)
    tail = _alike(before[head:][::-1], after[head:][::-1])
    left = before[head : len(before) - tail]
    right = after[head : len(after) - tail]
    found = [
        Segment(Edit.KEPT, "".join(before[:head])),
        *_middle(left, right),
        Segment(Edit.KEPT, "".join(before[len(before) - tail :])),
    ]
    return tuple(_joined(one for one in found if one.text))


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for mine, yours in zip(one, other, strict=False):
        if mine != yours:
            break
        count += 1
    return count


def _middle(left: list[str], right: list[str]) -> Iterator[Segment]:
    if len(left) + len(right) > _PIECES_MAX:
        yield from _replaced("".join(left), "".join(right))
        return
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for what, from_, to, from_new, to_new in matcher.get_opcodes():
        gone, come = "".join(left[from_:to]), "".join(right[from_new:to_new])
        if what == "equal" and len(gone) >= _KEPT_MIN:
            yield Segment(Edit.KEPT, gone)
        else:
            yield Segment(Edit.DELETED, gone)
            yield Segment(Edit.INSERTED, come)


def _replaced(old: str, new: str) -> tuple[Segment, ...]:
    both = (Segment(Edit.DELETED, old), Segment(Edit.INSERTED, new))
    return tuple(one for one in both if one.text)


def _joined(found: Iterator[Segment]) -> Iterator[Segment]:
    """Neighbours of one kind made one; between two kept pieces, first what went, then what came."""
    gone = come = ""
    kept = ""
    for one in found:
        if one.edit is Edit.KEPT:
            if gone or come:
                yield from _changed(kept, gone, come)
                kept = gone = come = ""
            kept += one.text
        elif one.edit is Edit.DELETED:
            gone += one.text
        else:
            come += one.text
    yield from _changed(kept, gone, come)


def _changed(kept: str, gone: str, come: str) -> Iterator[Segment]:
    for edit, text in ((Edit.KEPT, kept), (Edit.DELETED, gone), (Edit.INSERTED, come)):
        if text:
            yield Segment(edit, text)
