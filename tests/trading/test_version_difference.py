"""Two versions of the documents side by side: Bidding Law 23."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from kernel.working_days import BEIJING
from trading.rules.changed_terms import Terms
from trading.rules.tender_file import BillItem, Block, BlockKind, FileTerms, TenderDocument
from trading.rules.version_difference import (
    Answer,
    ChangedWords,
    Edit,
    KeptFile,
    Version,
    contents_difference,
    difference,
    segments,
    version_at,
)

AT = datetime(2026, 3, 2, 9, 0, tzinfo=BEIJING)
DUE_AT = datetime(2026, 3, 23, 9, 30, tzinfo=BEIJING)
FIRST = Version(
    number=1,
    notice=1,
    title="一标段",
    text="",
    published_at=AT,
    may_affect_bids=False,
    words={"schedule": "总工期540日历天", "place": "滨江新区"},
    files={"清单.xml": KeptFile(b"a" * 32, 10)},
    answers=(),
    documents_until=AT + timedelta(days=7),
    bids_due_at=DUE_AT,
    terms=Terms(Decimal("128460000.00"), Decimal("800000.00"), (), (), b"s" * 32),
)
SECOND = replace(
    FIRST,
    number=2,
    notice=2,
    title="第1号澄清",
    published_at=AT + timedelta(days=8),
    may_affect_bids=True,
    words={**FIRST.words, "schedule": "总工期600日历天"},
    files={"清单.xml": KeptFile(b"b" * 32, 12), "图纸.pdf": KeptFile(b"c" * 32, 9)},
    answers=(Answer("工期？", "延长。"),),
    bids_due_at=DUE_AT + timedelta(days=3, hours=1),
    terms=replace(FIRST.terms, ceiling_price=None),
)
THIRD = replace(
    SECOND,
    number=3,
    notice=4,
    title="第2号澄清",
    published_at=AT + timedelta(days=9),
    may_affect_bids=False,
    answers=(Answer("地点？", "不变。"),),
)
ALL = (FIRST, SECOND, THIRD)


def test_a_difference_names_places_terms_files_times_and_answers() -> None:
    found = difference(ALL, 1, 2)
    assert [(one.place, one.old, one.new) for one in found.words] == [
        ("schedule", "总工期540日历天", "总工期600日历天")
    ]
    assert [(one.name, one.old is None) for one in found.files] == [
        ("清单.xml", False),
        ("图纸.pdf", True),
    ]
    assert [(one.what, one.days) for one in found.times] == [("bids_due_at", 3)]
    assert [(one.term, one.old, one.new) for one in found.terms] == [
        ("ceiling_price", "128460000.00", "不设")
    ]
    assert found.answers == SECOND.answers
    assert found.may_affect_bids


def test_several_versions_are_taken_together() -> None:
    found = difference(ALL, 1, 3)
    assert [one.number for one in found.notices] == [2, 3]
    assert [one.question for one in found.answers] == ["工期？", "地点？"]
    assert found.may_affect_bids
    last = difference(ALL, 2, 3)
    assert (last.words, last.files, last.times) == ((), (), ())
    assert not last.may_affect_bids


def test_nothing_differs_from_itself() -> None:
    found = difference(ALL, 3, 3)
    assert (found.words, found.files, found.times, found.notices) == ((), (), (), ())
    assert not found.may_affect_bids


def test_a_version_is_in_force_from_its_very_instant() -> None:
    moment = timedelta(microseconds=1)
    assert version_at(ALL, SECOND.published_at - moment) is FIRST
    assert version_at(ALL, SECOND.published_at) is SECOND
    assert version_at(ALL, THIRD.published_at + timedelta(days=90)) is THIRD


def test_inside_a_tender_file_blocks_lines_and_figures_are_compared() -> None:
    def file(*blocks: Block, quantity: str = "3000", fee: str = "0") -> TenderDocument:
        bill = (BillItem("12", "挖土方", "m³", Decimal(quantity)),)
        return TenderDocument(blocks, bill, FileTerms(documents_fee=Decimal(fee)))

    kept = Block(BlockKind.NOTICE, "1", "公告", "不变")
    gone = Block(BlockKind.CONTRACT, "6", "合同", "旧格式")
    old = Block(BlockKind.INSTRUCTIONS, "2.1", "工期", "工期540日")
    new = replace(old, text="工期600日", essential=True)
    come = Block(BlockKind.BILL, "7", "补充清单", "见附件")
    found = contents_difference(
        "招标文件.json", file(kept, old, gone), file(kept, new, come, quantity="3200", fee="10")
    )
    assert [(one.kind, one.number, bool(one.old), bool(one.new)) for one in found.parts] == [
        ("block", "2.1", True, True),
        ("block", "7", False, True),
        ("item", "12", True, True),
        ("term", "documents_fee", True, True),
        ("block", "6", True, False),
    ]
    assert [(one.edit, one.text) for one in found.parts[2].segments][:2] == [
        (Edit.DELETED, "3000"),
        (Edit.INSERTED, "3200"),
    ]
    assert contents_difference("招标文件.json", file(kept), file(kept)).parts == ()


def test_numbers_change_whole() -> None:
    assert [(one.edit, one.text) for one in segments("总工期540日历天", "总工期600日历天")] == [
        (Edit.KEPT, "总工期"),
        (Edit.DELETED, "540"),
        (Edit.INSERTED, "600"),
        (Edit.KEPT, "日历天"),
    ]


def test_a_long_text_that_is_new_altogether_is_replaced_at_once() -> None:
    old, new = "甲乙丙丁" * 1000, "戊己庚辛" * 1000
    assert [(one.edit, len(one.text)) for one in segments(old, new)] == [
        (Edit.DELETED, 4000),
        (Edit.INSERTED, 4000),
    ]


@given(
    some.text(alphabet="工期ab1 ，\n", max_size=60), some.text(alphabet="工期ab1 ，\n", max_size=60)
)
def test_each_side_is_the_text_it_came_from(old: str, new: str) -> None:
    changed = ChangedWords("schedule", old, new, segments(old, new))
    assert "".join(one.text for one in changed.old_side) == old
    assert "".join(one.text for one in changed.new_side) == new
    edits = [one.edit for one in changed.segments]
    assert all(one is not other for one, other in pairwise(edits))
