"""The form of a bank's statement: whole or not at all, and every faulty line named."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.bank_statements import HEAD, CsvFile, MalformedStatement, read_csv
from trading.payment_references import is_reference, new_reference

HEAD_LINE = ",".join(HEAD)
LINE = "20260305000001,2026-03-05 10:22:31,800000.00,0123456789ABCDEF0"


def a_file(*lines: str) -> bytes:
    return "\r\n".join((HEAD_LINE, *lines, "")).encode()


def faults(raw: bytes) -> list[tuple[int, str]]:
    with pytest.raises(MalformedStatement) as caught:
        read_csv(raw)
    assert caught.value.code == "bank_statement"
    return [(one.line, one.code) for one in caught.value.wrong]


def test_a_statement_is_read_to_the_fen_and_the_second() -> None:
    told = CsvFile(b"\xef\xbb\xbf" + a_file(LINE, "", LINE.replace("01,", "02,"))).read()
    assert [one.serial for one in told.lines] == ["20260305000001", "20260305000002"]
    assert told.lines[0].amount == Decimal("800000.00")
    assert told.lines[0].received_at == datetime(2026, 3, 5, 2, 22, 31, tzinfo=UTC)
    assert [one.number for one in told.lines] == [2, 4]
    assert read_csv(a_file()).lines == ()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (LINE + ",江城市政工程有限公司", "columns"),
        (LINE.replace("20260305000001", ""), "serial"),
        (LINE.replace("2026-03-05 10:22:31", "2026-02-30 10:22:31"), "received_at"),
        (LINE.replace("2026-03-05 10:22:31", "2026-03-05T10:22:31Z"), "received_at"),
        (LINE.replace("800000.00", '"800,000.00"'), "amount"),
        (LINE.replace("800000.00", "-1.00"), "amount"),
        (LINE.replace("800000.00", "0.00"), "amount"),
        (LINE.replace("800000.00", "8e5"), "amount"),
        (LINE.replace("F0", "F" * 60), "reference"),
        (LINE.replace("F0", "\0"), "reference"),
        ('20260305000001,"2026', "csv"),
    ],
)
def test_a_line_that_has_not_the_form_is_named_by_its_number(line: str, code: str) -> None:
    assert faults(a_file(LINE.replace("0001,", "0009,"), line)) == [(3, code)]


def test_every_faulty_line_is_named_and_the_same_payment_twice_too() -> None:
    assert faults(a_file(LINE, "x", LINE, "y,z")) == [
        (3, "columns"),
        (4, "serial_twice"),
        (5, "columns"),
    ]


def test_a_file_that_names_payers_or_is_no_text_is_turned_away_whole() -> None:
    assert faults(a_file(LINE).replace(b"reference", b"reference,payer")) == [(1, "head")]
    assert faults(b"") == [(1, "head")]
    assert faults("流水号".encode("gb18030")) == [(1, "not_utf8")]


@given(st.binary(max_size=200))
def test_whatever_is_sent_is_read_or_turned_away_in_words(raw: bytes) -> None:
    for content in (raw, HEAD_LINE.encode() + b"\n" + raw):
        with suppress(MalformedStatement):
            assert all(one.amount > 0 for one in read_csv(content).lines)


@given(st.binary(min_size=8, max_size=8), st.integers(0, 15), st.sampled_from("0123456789ABCDEF"))
def test_one_slip_of_the_pen_makes_no_other_number(entropy: bytes, place: int, other: str) -> None:
    number = new_reference(entropy)
    assert is_reference(number)
    slipped = number[:place] + other + number[place + 1 :]
    assert is_reference(slipped) == (slipped == number)
