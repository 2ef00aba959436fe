"""The check-up before publication (先体检再发布): every violation at once, with rule and place.

Everything the platform would refuse or warn of is put into one list: what notice, timetable,
prices, securities, structure, contract form and scoring say, and what the words of the file seem to
demand. Each entry names its rule, its article, the place in the file and how firmly it stands.

Conditions that are only found in words are no verdict. Whoever publishes may answer each of them;
the answer is published beside the notice, for everybody to read and for the supervisor to judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Final

from kernel.refusals import Caution, Refusal
from kernel.statute import Article, Regime, Severity
from kernel.working_days import Calendar, beijing_day
from trading.rules.fair_competition import PATTERNS, severity_of, word_findings
from trading.rules.notice_contents import NoticeContents, notice_refusals, security_cautions
from trading.rules.procedures import Switches
from trading.rules.rule_book import Bound
from trading.rules.tender_file import (
    BlockKind,
    TenderDocument,
    contract_form_refusals,
    place_of,
    procurement_refusals,
    structure_refusals,
    terms_refusals,
)
from trading.rules.tender_templates import gap_refusals
from trading.rules.timetable import Timetable, timetable_cautions, timetable_refusals

ANSWER_MIN: Final = 10
"""How many characters an answer to a finding has at least: a nod is no reason."""

WORD_CODES: Final = frozenset(pattern.code for pattern in PATTERNS)

_NOTICE, _RULES, _CONTRACT = BlockKind.NOTICE, BlockKind.INSTRUCTIONS, BlockKind.CONTRACT

# Under which rule, and in which kind of block, each ground stands. Where the two families of law
# have rules of their own, the second name is procurement's.
GROUNDS: Final[Mapping[str, tuple[tuple[str, str], BlockKind]]] = MappingProxyType(
    {
        "bidding_too_short": (("NO-09", "NO-09"), _NOTICE),
        "notice_too_short": (("NO-05", "NO-05"), _NOTICE),
        "documents_too_short": (("NO-04", "NO-05"), _NOTICE),
        "times_out_of_order": (("NO-04", "NO-05"), _NOTICE),
        "deadline_in_the_past": (("NO-09", "NO-09"), _NOTICE),
        "calendar_missing": (("NO-09", "NO-09"), _NOTICE),
        "validity_missing": (("NO-13", "NO-13"), _RULES),
        "no_release_window": (("OP-02", "OP-02"), BlockKind.OPENING),
        "publicity_too_short": (("AW-01", "AW-01"), _RULES),
        "notice_lacks": (("NO-02", "NO-02"), _NOTICE),
        "organisation_unverified": (("PL-07", "PL-07"), _NOTICE),
        "agency_not_authorised": (("PL-07", "PL-07"), _NOTICE),
        "authorisation_expired": (("PL-07", "PL-07"), _NOTICE),
        "authorisation_other_lot": (("PL-07", "PL-07"), _NOTICE),
        "authorisation_other_act": (("PL-07", "PL-07"), _NOTICE),
        "no_estimate": (("NO-17", "NO-17"), _NOTICE),
        "ceiling_not_stated": (("NO-17", "NO-17"), _NOTICE),
        "ceiling_not_positive": (("NO-17", "NO-17"), _NOTICE),
        "ceiling_above_budget": (("NO-17", "NO-17"), _NOTICE),
        "minimum_price": (("NO-17", "NO-17"), _RULES),
        "security_too_high": (("NO-14", "NO-15"), _RULES),
        "security_negative": (("NO-14", "NO-15"), _RULES),
        "security_in_cash": (("NO-15", "NO-15"), _RULES),
        "guarantee_refused": (("NO-16", "NO-16"), _RULES),
        "security_above_sector_cap": (("NO-14", "NO-15"), _RULES),
        "block_missing": (("NO-23", "NO-24"), _RULES),
        "no_scheme": (("NO-23", "NO-24"), BlockKind.EVALUATION),
        "no_documents": (("NO-23", "NO-24"), _NOTICE),
        "papers_not_mended": (("NO-12", "NO-12"), _NOTICE),
        "sheet_lacks_price": (("OP-02", "OP-02"), BlockKind.OPENING),
        "sheet_fields_repeat": (("OP-02", "OP-02"), BlockKind.OPENING),
        "sheet_field_malformed": (("OP-02", "OP-02"), BlockKind.OPENING),
        **dict.fromkeys(
            (
                *("custodian_named_twice", "custodian_key_missing", "custodian_key_shared"),
                *("officials_threshold", "escrow_threshold", "regulator_dispensable"),
                *("one_party_opens_alone", "one_party_opens_escrow"),
            ),
            (("OP-02", "OP-02"), BlockKind.OPENING),
        ),
        "barred": (("PL-07", "PL-07"), _NOTICE),
        "must_be_tendered": (("SC-01", "SC-01"), _NOTICE),
        "estimate_unstated": (("SC-02", "SC-02"), _NOTICE),
        "may_have_to_be_tendered": (("SC-03", "SC-03"), _NOTICE),
        "split": (("SC-04", "SC-04"), _NOTICE),
        "must_be_open": (("SC-05", "SC-05"), _NOTICE),
        "no_invitation_document": (("SC-05", "SC-05"), _NOTICE),
        **dict.fromkeys(
            (
                *("too_few_invited", "not_drawn", "choice_too_small", "too_few_witnesses"),
                *("no_record", "not_together"),
            ),
            (("SC-07", "SC-08"), _NOTICE),
        ),
        **dict.fromkeys(
            ("may_not_split", "no_award_factors", "no_award_committee"),
            (("AW-20", "AW-20"), BlockKind.EVALUATION),
        ),
        "lots_drawn": (("AW-21", "AW-21"), BlockKind.EVALUATION),
        "no_split_basis": (("AW-04", "AW-04"), BlockKind.EVALUATION),
        "split_on_pilot_rules": (("AW-22", "AW-22"), BlockKind.EVALUATION),
        **dict.fromkeys(("no_sole_supplier", "no_sole_grounds"), (("NB-06", "NB-06"), _NOTICE)),
        "few_opinions": (("NB-14", "NB-14"), _NOTICE),
        "more_than_one": (("SC-07", "NB-09"), _NOTICE),
        "no_exemption_document": (("SC-06", "SC-06"), _NOTICE),
        "gap_left": (("NO-23", "NO-23"), _RULES),
        "no_template": (("NO-23", "NO-23"), _RULES),
        "bill_empty": (("NO-23", "NO-24"), BlockKind.BILL),
        "bill_number_twice": (("NO-23", "NO-24"), BlockKind.BILL),
        "no_budget": (("NO-24", "NO-24"), _NOTICE),
        "credit_unstated": (("NO-24", "NO-24"), BlockKind.QUALIFICATION),
        "nothing_marked": (("NO-24", "NO-24"), BlockKind.QUALIFICATION),
        "performance_security_too_high": (("AW-14", "AW-14"), _CONTRACT),
        "signed_too_late": (("AW-11", "AW-11"), _CONTRACT),
        "platform_fee": (("NO-25", "NO-25"), _RULES),
        "documents_fee": (("NO-25", "NO-25"), _NOTICE),
        "selective_visit": (("NO-19", "NO-19"), _RULES),
        "several_reserves": (("NO-18", "NO-18"), _RULES),
        "reserve_open": (("NO-18", "NO-18"), _RULES),
        "reserve_decides": (("NO-18", "NO-18"), BlockKind.EVALUATION),
        "price_in_first_stage": (("NO-20", "NO-20"), _RULES),
        "security_in_first_stage": (("NO-20", "NO-20"), _RULES),
    }
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One entry of the check-up; `words` are what was found, where it was found in words.

    `answered` is what the publisher says to it, for a finding in words alone.
    """

    rule: str
    code: str
    article: Article
    severity: Severity
    place: str
    says: str
    words: str = ""
    answered: str = ""

    @property
    def stops(self) -> bool:
        """Whether nothing can be published while it stands."""
        return self.severity is Severity.BLOCK and not self.answered

    @property
    def key(self) -> str:
        """By what an answer names it: what was found where, in which words."""
        return f"{self.code}@{self.place}:{self.words}"

    def as_json(self) -> dict[str, str]:
        """The entry for programs."""
        return {
            "rule": self.rule,
            "code": self.code,
            "article": str(self.article),
            "severity": str(self.severity),
            "place": self.place,
            "says": self.says,
            "words": self.words,
            "answered": self.answered,
            "key": self.key,
        }


@dataclass(frozen=True, slots=True)
class Patient:
    """A tender as it would be published: file, notice, times, and what was found elsewhere.

    `elsewhere` holds grounds of other floors, such as of the evaluation scheme. `answers` are what
    the publisher says to findings in words, by their keys.
    """

    file: TenderDocument
    contents: NoticeContents
    timetable: Timetable
    switches: Switches
    bound: Bound
    elsewhere: Sequence[Refusal] = ()
    doubts_elsewhere: Sequence[Caution] = ()
    answers: Mapping[str, str] = field(default_factory=dict)


def checked(patient: Patient, *, calendar: Calendar) -> list[Violation]:
    """Every violation of a tender that is about to be published, in the order of the file."""
    file, switches = patient.file, patient.switches
    published_on = beijing_day(patient.timetable.published_at)
    refusals = [
        *notice_refusals(patient.contents, switches),
        *timetable_refusals(patient.timetable, switches, calendar=calendar),
        *file_grounds(file, switches),
        *patient.elsewhere,
    ]
    cautions = [
        *security_cautions(patient.contents),
        *timetable_cautions(patient.timetable, switches, calendar=calendar),
        *patient.doubts_elsewhere,
    ]
    found = [
        *(_from_ground(one, patient) for one in refusals),
        *(_from_ground(one, patient) for one in cautions),
        *_found_in_words(file, patient.bound, patient.answers, on=published_on),
    ]
    return sorted(found, key=_place)


def file_grounds(file: TenderDocument, switches: Switches) -> Iterator[Refusal]:
    """Every ground in the file's structure, figures and gaps on which it may not be published."""
    yield from structure_refusals(file, switches)
    yield from gap_refusals(file)
    yield from procurement_refusals(file, switches)
    yield from contract_form_refusals(file, switches)
    yield from terms_refusals(file, switches)


def unanswered_grounds(
    file: TenderDocument, bound: Bound, answers: Mapping[str, str], *, on: date
) -> Iterator[Refusal]:
    """Every forbidden condition that its words seem to contain and that nobody has answered."""
    for one in _found_in_words(file, bound, answers, on=on):
        if one.stops:
            facts = {"rule": one.rule, "place": one.place, "words": one.words}
            yield Refusal(one.code, one.article, one.says, facts)


def answered_findings(
    file: TenderDocument, bound: Bound, answers: Mapping[str, str], *, on: date
) -> list[Violation]:
    """The findings in words to which the publisher has said something, with what was said."""
    if not answers:
        return []
    found = _found_in_words(file, bound, answers, on=on)
    return sorted((one for one in found if one.answered), key=_place)


def bound_of(switches: Switches) -> Bound:
    """Which rules of the book bind a procedure with these switches."""
    if switches.regime is Regime.PROCUREMENT:
        return Bound.PROCUREMENT
    return Bound.MANDATORY if switches.mandatory else Bound.VOLUNTARY


def stopping(violations: Iterable[Violation]) -> list[Violation]:
    """The violations with which nothing can be published."""
    return [one for one in violations if one.stops]


def _from_ground(ground: Refusal | Caution, patient: Patient) -> Violation:
    procurement = patient.bound is Bound.PROCUREMENT
    rules, kind = GROUNDS.get(ground.code, (("EV-02", "EV-02"), BlockKind.EVALUATION))
    severity = Severity.BLOCK if isinstance(ground, Refusal) else Severity.WARN
    place = ground.facts.get("place") or place_of(patient.file, kind)
    return Violation(
        rules[procurement], ground.code, ground.article, severity, place, ground.reason
    )


def _found_in_words(
    file: TenderDocument, bound: Bound, answers: Mapping[str, str], *, on: date
) -> Iterator[Violation]:
    """Each condition that the words seem to contain under the law of the day of publication."""
    for one in word_findings(file.passages(), bound, on=on):
        found = Violation(
            one.rule, one.code, one.article, severity_of(one), one.place, one.reason, one.words
        )
        answer = answers.get(found.key, "").strip()
        yield found if len(answer) < ANSWER_MIN else replace(found, answered=answer)


def _place(violation: Violation) -> tuple[tuple[int, ...], str, str]:
    steps = tuple(int(step) for step in violation.place.split(".") if step)
    return steps, violation.rule, violation.code
