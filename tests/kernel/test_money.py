"""Exact amounts, named roundings, and capital numerals (支付结算办法, 附一)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import (
    YUAN_MAX,
    cut_off,
    half_even,
    half_up,
    in_capitals,
    parse_yuan,
    rounded_up,
    yuan,
    yuan_text,
)

amounts = st.integers(0, int(YUAN_MAX * 100)).map(lambda fen: Decimal(fen) / 100)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", "0.00"),
        ("0.00", "0.00"),
        ("7", "7.00"),
        ("1234.50", "1234.50"),
        ("128460000.00", "128460000.00"),
        ("9999999999999999.99", "9999999999999999.99"),
    ],
)
def test_an_amount_is_read_exactly(text: str, amount: str) -> None:
    assert str(parse_yuan(text)) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "-1",
        "01",
        "1.5",
        "1.505",
        "1.",
        ".50",
        "1,000",
        "1e3",
        "1_000",
        "NaN",
        "Infinity",
        "１２",
        "¥12",
        "12345678901234567",
    ],
)
def test_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="written like"):
        parse_yuan(text)


@given(amounts)
def test_an_amount_survives_being_written(amount: Decimal) -> None:
    assert parse_yuan(yuan_text(amount)) == amount


@pytest.mark.parametrize("amount", ["0.001", "-0.01", "NaN", "Infinity", "10000000000000000"])
def test_no_amount_has_fractions_of_a_fen_or_is_out_of_range(amount: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        yuan(Decimal(amount))


@pytest.mark.parametrize(
    ("value", "up", "even", "cut", "more"),
    [
        ("0.125", "0.13", "0.12", "0.12", "0.13"),
        ("0.135", "0.14", "0.14", "0.13", "0.14"),
        ("0.1249999", "0.12", "0.12", "0.12", "0.13"),
        ("-0.125", "-0.13", "-0.12", "-0.12", "-0.13"),
        ("2", "2.00", "2.00", "2.00", "2.00"),
    ],
)
def test_roundings_do_what_their_names_say(
    value: str, up: str, even: str, cut: str, more: str
) -> None:
    exact = Decimal(value)
    assert str(half_up(exact)) == up
    assert str(half_even(exact)) == even
    assert str(cut_off(exact)) == cut
    assert str(rounded_up(exact)) == more


def test_a_long_fraction_is_rounded_once_and_not_by_the_context() -> None:
    assert half_up(Decimal("1234567890123456789012345678.4949999999999999999")) == Decimal(
        "1234567890123456789012345678.49"
    )


CAPITALS = {
    "0": "零元整",
    "0.01": "壹分",
    "0.05": "伍分",
    "0.10": "壹角",
    "0.58": "伍角捌分",
    "1": "壹元整",
    "10": "壹拾元整",
    "10.50": "壹拾元零伍角",
    "15": "壹拾伍元整",
    "100": "壹佰元整",
    "101": "壹佰零壹元整",
    "110": "壹佰壹拾元整",
    "325.04": "叁佰贰拾伍元零肆分",
    "1001": "壹仟零壹元整",
    "1010": "壹仟零壹拾元整",
    "1409.50": "壹仟肆佰零玖元伍角",
    "1680.32": "壹仟陆佰捌拾元零叁角贰分",
    "6007.14": "陆仟零柒元壹角肆分",
    "10000": "壹万元整",
    "10001": "壹万零壹元整",
    "16409.02": "壹万陆仟肆佰零玖元零贰分",
    "100000": "壹拾万元整",
    "101000": "壹拾万壹仟元整",
    "107000.53": "壹拾万柒仟元零伍角叁分",
    "240000": "贰拾肆万元整",
    "1000001": "壹佰万零壹元整",
    "10000000": "壹仟万元整",
    "100000000": "壹亿元整",
    "100000001": "壹亿零壹元整",
    "100010000": "壹亿零壹万元整",
    "110000000": "壹亿壹仟万元整",
    "128460000.00": "壹亿贰仟捌佰肆拾陆万元整",
    "1000005000": "壹拾亿零伍仟元整",
    "10000000000": "壹佰亿元整",
    "1000000000000": "壹万亿元整",
    "1234567890123.45": "壹万贰仟叁佰肆拾伍亿陆仟柒佰捌拾玖万零壹佰贰拾叁元肆角伍分",
    "9999999999999999.99": (
        "玖仟玖佰玖拾玖万玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"
    ),
}


@pytest.mark.parametrize(("amount", "words"), CAPITALS.items())
def test_capital_numerals_are_written_as_banks_write_them(amount: str, words: str) -> None:
    assert in_capitals(Decimal(amount)) == words


def spoken(words: str) -> Decimal:
    """The amount that capital numerals say, read back independently of how they were written."""
    digits = {character: value for value, character in enumerate("零壹贰叁肆伍陆柒捌玖")}
    units = {"拾": 10, "佰": 100, "仟": 1000}
    total = section = digit = 0
    fen = 0
    for character in words:
        if character in digits:
            digit = digits[character]
        elif character in units:
            section, digit = section + digit * units[character], 0
        elif character == "万":
            total, section, digit = total + (section + digit) * 10**4, 0, 0
        elif character == "亿":
            total, section, digit = (total + section + digit) * 10**8, 0, 0
        elif character == "元":
            total, section, digit = total + section + digit, 0, 0
        elif character == "角":
            fen, digit = fen + digit * 10, 0
        elif character == "分":
            fen, digit = fen + digit, 0
    return Decimal(total) + Decimal(fen) / 100


@given(amounts)
def test_capital_numerals_say_the_amount_and_no_nought_twice(amount: Decimal) -> None:
    words = in_capitals(amount)
    assert spoken(words) == amount
    assert "零零" not in words
    assert "亿万" not in words
