"""What an addendum changes of the terms that the platform itself reckons with.

Ceiling price, bid security, opening sheet and evaluation scheme seal, open and score bids. An
addendum states a term that it changes whole, as the first notice did, and what changes is judged by
the rules of a first notice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from kernel.crypto.digests import Malformed, b64u, list_of, members, text_of, unb64u
from kernel.money import parse_yuan, yuan_text
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    under,
)
from trading.rules.notice_contents import NoticeContents, price_refusals, security_refusals
from trading.rules.procedures import SecurityForm, Switches
from trading.rules.sheet_fields import SheetKind, sheet_refusals

FIELDS_TOLD_MAX: Final = 64
NONE_SET: Final = "不设"

TERM_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ceiling_price": "最高投标限价",
        "bid_security": "投标保证金",
        "security_forms": "投标保证金形式",
        "sheet_fields": "开标一览表",
        "scheme": "评标办法",
    }
)
"""What each term is called, by the notice's name for it; every one of them affects bids."""

FORM_NAMES: Final[Mapping[SecurityForm, str]] = MappingProxyType(
    {
        SecurityForm.CASH: "现金",
        SecurityForm.TRANSFER: "转账",
        SecurityForm.CHEQUE: "支票",
        SecurityForm.DRAFT: "汇票或者本票",
        SecurityForm.BANK_GUARANTEE: "银行保函",
        SecurityForm.SURETY_BOND: "担保机构保函",
        SecurityForm.INSURANCE: "保证保险",
    }
)

KIND_NAMES: Final[Mapping[SheetKind, str]] = MappingProxyType(
    {SheetKind.MONEY: "金额", SheetKind.COUNT: "整数", SheetKind.TEXT: "文字"}
)


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms in force; `scheme` is the digest of the evaluation scheme."""

    ceiling_price: Decimal | None
    bid_security: Decimal
    security_forms: tuple[SecurityForm, ...]
    sheet_fields: tuple[Mapping[str, Any], ...]
    scheme: bytes | None

    def told(self) -> dict[str, object]:
        """The terms as a notice states them."""
        return {
            "ceiling_price": None if self.ceiling_price is None else yuan_text(self.ceiling_price),
            "bid_security": yuan_text(self.bid_security),
            "security_forms": [str(form) for form in self.security_forms],
            "sheet_fields": [dict(field) for field in self.sheet_fields],
            "scheme": None if self.scheme is None else b64u(self.scheme),
        }

    def words(self, term: str) -> str:
        """One term for a reader, the scheme by its digest."""
        match term:
            case "ceiling_price":
                return NONE_SET if self.ceiling_price is None else yuan_text(self.ceiling_price)
            case "bid_security":
                return yuan_text(self.bid_security)
            case "security_forms":
                return "、".join(FORM_NAMES[form] for form in self.security_forms)
            case "sheet_fields":
                return "\n".join(
                    f"{field['label']}（{KIND_NAMES[SheetKind(field['kind'])]}）"
                    for field in self.sheet_fields
                )
            case _:
                return "" if self.scheme is None else self.scheme.hex()


def _ceiling_in(value: object) -> Decimal | None:
    return None if value is None else _yuan_in(value)


def _yuan_in(value: object) -> Decimal:
    try:
        return parse_yuan(text_of(value))
    except ValueError:
        raise Malformed("an amount like 1234.50 was expected", code="amount") from None


def _forms_in(value: object) -> tuple[SecurityForm, ...]:
    told = [text_of(one) for one in list_of(value, at_most=len(SecurityForm))]
    if not set(told) <= set(SecurityForm) or len(set(told)) < len(told):
        raise Malformed(f"forms of a security are {', '.join(SecurityForm)}", code="forms")
    return tuple(SecurityForm(one) for one in told)


def _fields_in(value: object) -> tuple[Mapping[str, Any], ...]:
    fields = []
    for item in list_of(value, at_most=FIELDS_TOLD_MAX):
        told = members(item, ("key", "label", "kind"))
        if text_of(told["kind"]) not in set(SheetKind) or not text_of(told["label"]).isprintable():
            raise Malformed("a field has a readable label and a known kind", code="sheet_fields")
        fields.append({name: text_of(told[name]) for name in ("key", "label", "kind")})
    return tuple(fields)


def _scheme_in(value: object) -> bytes | None:
    return None if value is None else unb64u(value, 32)


_READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "ceiling_price": _ceiling_in,
    "bid_security": _yuan_in,
    "security_forms": _forms_in,
    "sheet_fields": _fields_in,
    "scheme": _scheme_in,
}


def stated_terms(notice: Mapping[str, Any]) -> Terms:
    """The terms that a first notice states, or `Malformed`."""
    return Terms(**{name: read(notice.get(name)) for name, read in _READERS.items()})


def terms_in(value: object, in_force: Terms) -> Terms:
    """The terms in force with those in their place that an addendum states, or `Malformed`.

    It names only what it changes, and puts no scheme aside without another.
    """
    told = members(value, (), optional=TERM_NAMES)
    found = replace(in_force, **{name: _READERS[name](said) for name, said in told.items()})
    if set(changed_terms(in_force, found)) != told.keys() or not told:
        raise Malformed("a term that is no change", code="no_change")
    if found.scheme is None and in_force.scheme is not None:
        raise Malformed("a scheme is changed and never dropped", code="scheme")
    return found


def changed_terms(old: Terms, new: Terms) -> tuple[str, ...]:
    """The names of the terms that differ, in the order of the notice."""
    return tuple(name for name in TERM_NAMES if getattr(old, name) != getattr(new, name))


@under(
    BIDDING_LAW[36],
    BIDDING_REGULATION[26],
    BIDDING_REGULATION[27],
    PROCUREMENT_REGULATION[33],
    PROCUREMENT_TENDER_MEASURES[12],
    rule=("NO-14", "NO-15", "NO-16", "NO-17", "OP-02"),
)
def changed_terms_refusals(
    changed: Sequence[str], new: Terms, contents: NoticeContents, switches: Switches
) -> list[Refusal]:
    """Every ground of a first notice against the terms that change; `contents` holds the new ones.

    What stays was judged when it was published, by the law of that day, and is not judged again.
    """
    refusals = []
    if "ceiling_price" in changed:
        refusals += price_refusals(contents, switches)
    if {"bid_security", "security_forms"} & set(changed):
        refusals += security_refusals(contents, switches)
    if "sheet_fields" in changed:
        refusals += sheet_refusals(new.sheet_fields)
    return refusals
