"""The check-up before publication finds what was put into a file, and nothing in a clean one."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import pytest

from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW, Provenance, Severity
from kernel.working_days import STATE_CALENDAR
from tests.tender_files import a_clean_patient, a_flawed_patient
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure
from trading.rules.rule_book import RULE_BOOK
from trading.rules.tender_checkup import (
    GROUNDS,
    WORD_CODES,
    Patient,
    Violation,
    checked,
    stopping,
)
from trading.rules.tender_file import Block, BlockKind

OPEN = (
    Procedure.OPEN_TENDER_MANDATORY,
    Procedure.OPEN_TENDER_VOLUNTARY,
    Procedure.PROCUREMENT_OPEN_TENDER,
)


def check(patient: Patient) -> list[Violation]:
    return checked(patient, calendar=STATE_CALENDAR)


@pytest.mark.parametrize(("kind", "procedure"), list(product(WorkKind, OPEN)))
def test_a_file_made_of_its_template_is_clean(kind: WorkKind, procedure: Procedure) -> None:
    assert check(a_clean_patient(kind, procedure)) == []


def test_all_forty_violations_are_found_each_with_its_rule_and_place_and_no_other() -> None:
    patient, seeded = a_flawed_patient("works")
    found = [{"rule": one.rule, "code": one.code, "place": one.place} for one in check(patient)]
    assert len(seeded) == 40
    assert found == seeded


def test_every_violation_cites_an_article_of_its_rule_and_stands_as_firmly_as_we_know_it() -> None:
    patient, _ = a_flawed_patient("works")
    for one in check(patient):
        assert one.rule in RULE_BOOK, one.code
        assert patient.bound in RULE_BOOK[one.rule].binds
        assert (one.article.provenance is Provenance.MEMORY) is (one.severity is Severity.WARN)


def test_every_ground_of_the_table_belongs_to_a_rule_of_the_book() -> None:
    for code, (rules, kind) in GROUNDS.items():
        assert set(rules) <= set(RULE_BOOK), code
        assert kind in BlockKind
    assert not {"brand", "ownership"} - WORD_CODES


def test_they_stand_in_the_order_of_the_file() -> None:
    patient, _ = a_flawed_patient("works")
    places = [tuple(map(int, one.place.split("."))) for one in check(patient)]
    assert places == sorted(places)


def test_an_answer_lets_a_finding_in_words_pass_and_stands_beside_it() -> None:
    clean = a_clean_patient(WorkKind.WORKS, Procedure.OPEN_TENDER_MANDATORY)
    worded = Block(BlockKind.CONTRACT, "6.9", "部件", "更换部件应当采用原设备三江品牌。")
    patient = replace(clean, file=replace(clean.file, blocks=(*clean.file.blocks, worded)))
    [found] = check(patient)
    assert (found.code, found.stops) == ("brand", True)
    assert stopping(check(replace(patient, answers={found.key: "是"}))) == [found]
    answer = "既有电梯的更换部件，必须与原设备兼容"
    [answered] = check(replace(patient, answers={found.key: answer}))
    assert (answered.answered, answered.stops) == (answer, False)
    assert stopping([answered]) == []


def test_a_figure_that_breaks_the_law_cannot_be_answered_away() -> None:
    patient, _ = a_flawed_patient("works")
    figures = [one for one in check(patient) if one.code not in WORD_CODES]
    answers = {one.key: "因为我们认为这样更好一些" for one in figures}
    still = [one for one in check(replace(patient, answers=answers)) if one.code not in WORD_CODES]
    assert [one.stops for one in still] == [one.stops for one in figures]


def test_what_was_found_elsewhere_stands_in_the_list_too() -> None:
    clean = a_clean_patient(WorkKind.WORKS, Procedure.OPEN_TENDER_MANDATORY)
    ground = Refusal("weights_sum", BIDDING_LAW[40], "权重之和应当为100")
    [found] = check(replace(clean, elsewhere=(ground,)))
    assert (found.code, found.place, found.stops) == ("weights_sum", "4.1", True)


def test_a_violation_is_told_to_programs_in_plain_words() -> None:
    patient, _ = a_flawed_patient("works")
    told = [one.as_json() for one in check(patient)]
    assert json.loads(json.dumps(told)) == told
    assert all(one["article"].startswith("《") for one in told)
