"""What each bid's opening sheet states, as the notice asks: the price, and what else is read out.

At the opening the bidder's name, the price and the other main contents are read out (招标投标法
36). So that a machine can read them out, the notice names them beforehand, each with its kind.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from kernel.crypto.digests import Malformed, strict_json, text_of
from kernel.money import parse_yuan
from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW, under

PRICE: Final = "price"
FIELDS_MAX: Final = 12
TEXT_MAX: Final = 500
SHEET_BYTES_MAX: Final = 65_536
LIBRARY: Final = "library"
OWN_MEMBERS: Final = frozenset({"v", "currency", LIBRARY})
"""What a sheet states besides the fields that the notice asks for; the last, what the bid refers to
in its bidder's library, by references with spaces between."""

REFERENCE: Final = re.compile(r"[A-Za-z0-9_-]{16}")

_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


class SheetKind(StrEnum):
    """How a field of the sheet is written: yuan as text, a whole number, or words."""

    MONEY = "money"
    COUNT = "count"
    TEXT = "text"


@under(BIDDING_LAW[36], rule="OP-02")
def sheet_refusals(fields: Sequence[Mapping[str, Any]]) -> list[Refusal]:
    """Every ground on which a sheet may not be asked for like this; it always states a price."""
    refusals = []
    keys = [field.get("key") for field in fields]
    if not any(field.get("key") == PRICE and field.get("kind") == "money" for field in fields):
        reason = "开标一览表应当包含投标价格"
        refusals.append(Refusal("sheet_lacks_price", BIDDING_LAW[36], reason))
    if len(set(keys)) < len(keys) or len(keys) > FIELDS_MAX:
        reason = f"开标一览表的项目不得重复，且不得超过{FIELDS_MAX}项"
        refusals.append(Refusal("sheet_fields_repeat", BIDDING_LAW[36], reason))
    for field in fields:
        if not _is_well_formed(field):
            reason = f"开标一览表的项目“{field.get('label', '')}”格式不正确"
            facts = {"key": str(field.get("key"))}
            refusals.append(Refusal("sheet_field_malformed", BIDDING_LAW[36], reason, facts))
    return refusals


def _is_well_formed(field: Mapping[str, Any]) -> bool:
    key, label, kind = field.get("key"), field.get("label"), field.get("kind")
    return (
        field.keys() == {"key", "label", "kind"}
        and isinstance(key, str)
        and bool(_KEY.fullmatch(key))
        and key not in OWN_MEMBERS
        and isinstance(label, str)
        and 0 < len(label) <= 60
        and kind in list(SheetKind)
    )


def read_sheet(content: bytes) -> dict[str, Any]:
    """The opening sheet in these bytes, if it can be read out at all; `Malformed` where it cannot.

    It states a price in yuan, and beside it only whole numbers and words without control
    characters, no more than a notice can ask for. Whether it states all that the notice asks is for
    those who evaluate it. Anybody can seal anything, so nothing is taken for granted here.
    """
    told = strict_json(content, SHEET_BYTES_MAX)
    if not isinstance(told, dict) or len(told) > FIELDS_MAX + len(OWN_MEMBERS):
        raise Malformed("an opening sheet is an object of a few members")
    try:
        parse_yuan(text_of(told.get(PRICE)))
    except ValueError:
        raise Malformed("an opening sheet states its price in yuan") from None
    for key, value in told.items():
        if not _KEY.fullmatch(key) or not (_fits(value, SheetKind.COUNT) or _is_said(value)):
            raise Malformed("an opening sheet states whole numbers and words")
    return told


def sheet_faults(sheet: Mapping[str, Any], fields: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why a sheet is not what the notice asks for, field by field; empty where it is."""
    labels = {field["key"]: field["label"] for field in fields}
    faults = [f"未填写“{labels[key]}”" for key in labels if key not in sheet]
    if not isinstance(sheet.get(LIBRARY, ""), str) or not all(
        REFERENCE.fullmatch(one) for one in str(sheet.get(LIBRARY, "")).split()
    ):
        faults.append("“library”应为信息库引用号，以空格分隔")
    faults += [f"多出“{key}”" for key in sorted(sheet.keys() - labels.keys() - OWN_MEMBERS)]
    for field in fields:
        if field["key"] in sheet and not _fits(sheet[field["key"]], SheetKind(field["kind"])):
            faults.append(f"“{field['label']}”的填写格式不正确")
    return faults


def _fits(value: object, kind: SheetKind) -> bool:
    match kind:
        case SheetKind.MONEY:
            try:
                return isinstance(value, str) and parse_yuan(value) > 0
            except ValueError:
                return False
        case SheetKind.COUNT:
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0
        case SheetKind.TEXT:
            return _is_said(value) and bool(str(value).strip())


def _is_said(value: object) -> bool:
    """Whether the words can be read out, and kept: no control characters among them."""
    return (
        isinstance(value, str)
        and len(value) <= TEXT_MAX
        and not any(unicodedata.category(character) == "Cc" for character in value)
    )


def references_in(sheet: Mapping[str, Any]) -> tuple[str, ...]:
    """What a sheet refers to in its bidder's library, each once, as far as it is a reference."""
    told = str(sheet.get(LIBRARY, "")).split()
    return tuple(dict.fromkeys(one for one in told if REFERENCE.fullmatch(one)))
