"""The book of rules: every statutory rule of tendering that the platform answers for."""

from __future__ import annotations

import re
from datetime import date

import pytest

from kernel.statute import BIDDING_LAW, CONDUCT_OPINIONS, Provenance, Severity
from trading.rules.rule_book import (
    BOUND_NAMES,
    LEFT_OUT,
    RULE_BOOK,
    Bound,
    Entry,
    rules_binding,
)

CHAPTERS = {"SC": 14, "NO": 25, "BI": 13, "OP": 8, "AW": 19, "CO": 10, "PL": 16}
"""How many rules each chapter of the law on tendering has in our table of the law."""

BEYOND = {"AW-20", "AW-21", "AW-22", "AW-23"}
"""What the table of the law has no line for: the award that is split from the evaluation, and
procurement's next candidate where a supplier will not sign.
"""


def test_every_rule_of_every_chapter_is_in_the_book_or_left_out_for_a_reason() -> None:
    due = {f"{chapter}-{n:02d}" for chapter, last in CHAPTERS.items() for n in range(1, last + 1)}
    found = {one for one in RULE_BOOK if one[:2] in CHAPTERS}
    assert found | set(LEFT_OUT) == due | BEYOND
    assert not found & set(LEFT_OUT)
    assert all(LEFT_OUT.values())


@pytest.mark.parametrize("entry", RULE_BOOK.values(), ids=lambda entry: entry.id)
def test_an_entry_says_what_where_and_whom(entry: Entry) -> None:
    assert re.fullmatch(r"[A-Z]{2}-\d{2}", entry.id)
    assert len(entry.says) > 5
    assert entry.articles
    assert entry.binds


def test_what_is_known_from_memory_alone_never_refuses() -> None:
    unread = [one for one in RULE_BOOK.values() if one.provenance is Provenance.MEMORY]
    assert unread
    assert {one.severity for one in unread} == {Severity.WARN}


def test_an_entry_is_as_well_known_as_its_weakest_article() -> None:
    read = Entry("XX-01", "说明", (BIDDING_LAW[24],), frozenset(Bound))
    assert read.severity is Severity.BLOCK
    weaker = BIDDING_LAW.read_as(24, Provenance.MEMORY)
    assert Entry("XX-01", "说明", (BIDDING_LAW[24], weaker), read.binds).severity is Severity.WARN


def test_opinions_that_expire_bind_to_their_last_day_and_not_after() -> None:
    last = CONDUCT_OPINIONS.in_force_to
    assert last == date(2027, 8, 31)
    ids = {one.id for one in rules_binding(Bound.MANDATORY, on=last)}
    after = {one.id for one in rules_binding(Bound.MANDATORY, on=date(2027, 9, 1))}
    assert ids - after == {"SC-12", "SC-13", "AW-19", "AW-21"}
    assert after <= ids


def test_a_rule_binds_from_the_day_its_law_came_into_force() -> None:
    assert "NO-04" not in {one.id for one in rules_binding(Bound.MANDATORY, on=date(2012, 1, 31))}
    assert "NO-04" in {one.id for one in rules_binding(Bound.MANDATORY, on=date(2012, 2, 1))}


def test_each_kind_of_procedure_is_named_in_both_languages() -> None:
    assert set(BOUND_NAMES) == set(Bound)
