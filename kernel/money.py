"""Exact yuan, the roundings that have names, and amounts in capital numerals (大写).

An amount is a `Decimal` of yuan and fen and never a float. Nothing here rounds by itself: whoever
rounds says how.
"""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Context, Decimal
from typing import Final, NewType

Yuan = NewType("Yuan", Decimal)

FEN: Final = Decimal("0.01")
YUAN_MAX: Final = Decimal("9999999999999999.99")

_FORM: Final = re.compile(r"(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{2})?", re.ASCII)
_WIDE: Final = Context(prec=80)
_CAPITALS: Final = "零壹贰叁肆伍陆柒捌玖"
_PLACES: Final = ("", "拾", "佰", "仟")


def parse_yuan(text: str) -> Yuan:
    """The amount a text writes as `1234` or `1234.50`; `ValueError` for any other way to write it.

    One amount has at most these two spellings, so that what was signed is what was meant.
    """
    if not _FORM.fullmatch(text):
        raise ValueError("an amount is written like 1234.50, without sign, commas or spaces")
    return Yuan(Decimal(text).quantize(FEN, context=_WIDE))


def yuan(amount: Decimal | int) -> Yuan:
    """An amount that is already exact to the fen; `ValueError` where it is not, or out of range."""
    exact = Decimal(amount)
    if not exact.is_finite() or not 0 <= exact <= YUAN_MAX:
        raise ValueError("an amount lies between 0 and 9999999999999999.99 yuan")
    if exact != exact.quantize(FEN, context=_WIDE):
        raise ValueError("an amount has no fractions of a fen")
    return Yuan(exact.quantize(FEN, context=_WIDE))


def yuan_text(amount: Decimal) -> str:
    """The amount as programs exchange it, always with two places: `1234.50`."""
    return f"{yuan(amount):.2f}"


def half_up(value: Decimal, places: int = 2) -> Decimal:
    """Rounded to so many places, halves away from zero (四舍五入)."""
    return _rounded(value, places, ROUND_HALF_UP)


def half_even(value: Decimal, places: int = 2) -> Decimal:
    """Rounded to so many places, halves to the even neighbour (四舍六入五成双, GB/T 8170)."""
    return _rounded(value, places, ROUND_HALF_EVEN)


def cut_off(value: Decimal, places: int = 2) -> Decimal:
    """What is left when further places are dropped (舍去)."""
    return _rounded(value, places, ROUND_DOWN)


def rounded_up(value: Decimal, places: int = 2) -> Decimal:
    """Rounded away from zero wherever something would be dropped (进一)."""
    return _rounded(value, places, ROUND_UP)


def in_capitals(amount: Decimal) -> str:
    """The amount in capital numerals, as contracts and awards write it: 壹仟肆佰零玖元伍角.

    整 closes an amount in whole yuan. 零 stands where a place between is empty, and after 元 where
    the yuan end in nought or the jiao are missing (支付结算办法, 附一).
    """
    exact = yuan(amount)
    whole, fen = divmod(int(exact * 100), 100)
    if fen == 0:
        return f"{_capitals_of(whole)}元整"
    jiao, odd_fen = divmod(fen, 10)
    head = f"{_capitals_of(whole)}元" if whole else ""
    if whole and (whole % 10 == 0 or jiao == 0):
        head += "零"
    tail = (f"{_CAPITALS[jiao]}角" if jiao else "") + (f"{_CAPITALS[odd_fen]}分" if odd_fen else "")
    return head + tail


def _rounded(value: Decimal, places: int, how: str) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=how, context=_WIDE)


def _capitals_of(number: int) -> str:
    if number == 0:
        return "零"
    for zeros, name in ((8, "亿"), (4, "万")):
        high, low = divmod(number, 10**zeros)
        if high:
            link = "零" if 0 < low < 10 ** (zeros - 1) else ""
            return f"{_capitals_of(high)}{name}{link}{_capitals_of(low) if low else ''}"
    words = ""
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            words += _CAPITALS[digit] + _PLACES[place]
        elif words and number % 10**place and not words.endswith("零"):
            words += "零"
    return words
