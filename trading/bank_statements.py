"""What a bank tells of an account, and the form of the file in which it does.

There is no payment provider here. Whatever can hand over lines (`StatementSource`) will do; the one
that exists reads a CSV file, UTF-8, with exactly this head and one line for each payment:

    serial,received_at,amount,reference
    20260305000001,2026-03-05 10:22:31,800000.00,7F3A…K

`serial` is the bank's own number of the payment, `received_at` Beijing time, `amount` yuan as
`1234.50`, `reference` the number under which the payer paid. There is no column for the payer, and
a file that has more columns is turned away: until the opening nobody may learn from it who paid.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from kernel.crypto.digests import Malformed, sha256
from kernel.money import parse_yuan
from kernel.working_days import BEIJING

HEAD: Final = ("serial", "received_at", "amount", "reference")
LINES_MAX: Final = 10_000
FAULTS_MAX: Final = 20
_SERIAL: Final = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
REFERENCE_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One payment into the account, as the bank tells it; `number` is its line in the file."""

    number: int
    serial: str
    received_at: datetime
    amount: Decimal
    reference: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one line of a file."""

    line: int
    code: str
    words: str


class MalformedStatement(Malformed):
    """A file that is no bank statement; every faulty line is named, up to a limit."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        told = "；".join(f"第{one.line}行：{one.words}" for one in faults[:FAULTS_MAX])
        super().__init__(told, code="bank_statement")
        self.wrong = tuple(faults[:FAULTS_MAX])


@dataclass(frozen=True, slots=True)
class BankStatement:
    """The payments of an account as a bank told them; `digest` is that of the bytes it sent."""

    digest: bytes
    lines: tuple[StatementLine, ...]


class StatementSource(Protocol):
    """Whatever hands over the payments of an account; a machine's line to a bank is one more."""

    def read(self) -> BankStatement:
        """The payments; `MalformedStatement` names every one that cannot be taken in."""
        ...


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file in the form that this module describes."""

    raw: bytes

    def read(self) -> BankStatement:
        """The payments of the file."""
        return read_csv(self.raw)


def read_csv(raw: bytes) -> BankStatement:
    """The payments of a file; `MalformedStatement` names every line that has not the form."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MalformedStatement([Fault(1, "not_utf8", "文件不是 UTF-8 编码")]) from None
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: dict[str, StatementLine] = {}
    faults: list[Fault] = []
    try:
        if next(rows, None) != list(HEAD):
            words = f"表头应当是 {','.join(HEAD)}，不得有付款人等其他列"
            raise MalformedStatement([Fault(1, "head", words)])
        for row in rows:
            number = rows.line_num
            if number > LINES_MAX + 1:
                raise MalformedStatement([Fault(number, "too_many", f"最多{LINES_MAX}行")])
            found = _line_in(number, row) if row else None
            if isinstance(found, Fault):
                faults.append(found)
            elif found is not None and found.serial in lines:
                words = f"流水号与第{lines[found.serial].number}行重复"
                faults.append(Fault(number, "serial_twice", words))
            elif found is not None:
                lines[found.serial] = found
    except csv.Error:
        faults.append(Fault(max(rows.line_num, 1), "csv", "不是合格的 CSV 行"))
    if faults:
        raise MalformedStatement(faults)
    return BankStatement(sha256(raw), tuple(lines.values()))


def _line_in(number: int, row: list[str]) -> StatementLine | Fault:
    if len(row) != len(HEAD):
        return Fault(number, "columns", f"应当有{len(HEAD)}列，实有{len(row)}列")
    serial, received_at, amount, reference = row
    if not _SERIAL.fullmatch(serial):
        return Fault(number, "serial", "流水号应当是1至64位字母、数字或者连字符")
    moment = _moment_in(received_at)
    if moment is None:
        return Fault(number, "received_at", "到账时间应当形如 2026-03-05 10:22:31（北京时间）")
    try:
        paid = parse_yuan(amount)
    except ValueError:
        return Fault(number, "amount", "金额应当形如 1234.50，不带符号、千分位和空格")
    if paid == 0:
        return Fault(number, "amount", "金额应当大于零")
    if len(reference) > REFERENCE_MAX or not reference.isprintable():
        return Fault(number, "reference", f"缴款码不超过{REFERENCE_MAX}个字符")
    return StatementLine(number, serial, moment, Decimal(paid), reference.strip())


def _moment_in(text: str) -> datetime | None:
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=BEIJING)
    except ValueError:
        return None
