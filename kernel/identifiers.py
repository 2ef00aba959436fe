"""Typed ids that the checker will not let you mix up, and the public codes of parties and deals.

The ids are random and say nothing. The public codes are the state's: a firm's unified social
credit code (统一社会信用代码, GB 32100-2015) and a deal's unified code (统一交易标识码), each with
its check characters.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final, NewType
from uuid import UUID

PartyId = NewType("PartyId", UUID)
OrganisationId = PartyId
"""Every party is an organisation; the second name is for readers."""

PersonId = NewType("PersonId", UUID)
SessionId = NewType("SessionId", UUID)
EntryId = NewType("EntryId", UUID)
ProjectId = NewType("ProjectId", UUID)
LotId = NewType("LotId", UUID)
UploadId = NewType("UploadId", UUID)
BidId = NewType("BidId", UUID)
DecisionId = NewType("DecisionId", UUID)
ObjectionId = NewType("ObjectionId", UUID)
ComplaintId = NewType("ComplaintId", UUID)
ExpertId = NewType("ExpertId", UUID)
DrawId = NewType("DrawId", UUID)
CommitteeId = NewType("CommitteeId", UUID)
SiteId = NewType("SiteId", UUID)
SeatId = NewType("SeatId", UUID)
ListingId = NewType("ListingId", UUID)
HoldId = NewType("HoldId", UUID)
LibraryEntryId = NewType("LibraryEntryId", UUID)

# GB 32100-2015: no I, O, S, V or Z, which could be read as digits.
USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))
_USCC_FORM: Final = re.compile(rf"[{USCC_ALPHABET}]{{2}}[0-9]{{6}}[{USCC_ALPHABET}]{{10}}")

# GB 11714: the organisation code that stands inside the credit code.
_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)

# ISO 7064 MOD 37-2.
_DEAL_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
_DEAL_SERIAL_MAX: Final = 999_999


def uscc_faults(code: str) -> list[str]:
    """Why a text cannot be a unified social credit code at all; empty where it can.

    Only the form is judged. The district digits are not looked up: most real codes carry districts
    that have since been merged or renamed.
    """
    faults = []
    if len(code) != 18:
        faults.append(f"统一社会信用代码应为18位，现为{len(code)}位")
    strange = sorted(set(code) - set(USCC_ALPHABET))
    if strange:
        faults.append(f"统一社会信用代码不得含有字符 {' '.join(strange)}")
    if not faults and not _USCC_FORM.fullmatch(code):
        faults.append("统一社会信用代码第3至8位应为登记机关行政区划数字")
    return faults


def uscc_doubts(code: str) -> list[str]:
    """What speaks against a well-formed code: check characters that do not fit.

    A doubt warns and does not block, since some codes of the first pilot years were issued with
    check characters that do not fit the standard.
    """
    if uscc_faults(code):
        return []
    doubts = []
    due = uscc_check_character(code[:17])
    if code[17] != due:
        doubts.append(f"统一社会信用代码校验码应为{due}，现为{code[17]}")
    due = organisation_check_character(code[8:16])
    if code[16] != due:
        doubts.append(f"主体标识码校验码应为{due}，现为{code[16]}")
    return doubts


def uscc_check_character(stem: str) -> str:
    """The 18th character for the first 17 of a credit code (GB 32100-2015)."""
    if len(stem) != 17 or set(stem) - set(USCC_ALPHABET):
        raise ValueError("the stem of a credit code has 17 characters of its alphabet")
    total = sum(
        USCC_ALPHABET.index(character) * weight
        for character, weight in zip(stem, _USCC_WEIGHTS, strict=True)
    )
    return USCC_ALPHABET[(31 - total % 31) % 31]


def organisation_check_character(stem: str) -> str:
    """The ninth character for the first eight of an organisation code (GB 11714)."""
    if not re.fullmatch(r"[0-9A-Z]{8}", stem):
        raise ValueError("the stem of an organisation code has 8 digits or capital letters")
    total = sum(
        int(character, 36) * weight
        for character, weight in zip(stem, _ORGANISATION_WEIGHTS, strict=True)
    )
    return "0123456789X0"[11 - total % 11]


def unified_deal_code(*, kind: str, platform_uscc: str, on: date, serial: int) -> str:
    """The unified code of a deal: kind, platform's credit code, day, serial, check character.

    Forty characters: `A01-<18>-20260301-000001-K`. `ValueError` where a part does not fit.
    """
    if not re.fullmatch(r"[A-Z][0-9]{2}", kind):
        raise ValueError("a kind of deal is a letter and two digits")
    if uscc_faults(platform_uscc):
        raise ValueError("the platform's credit code is malformed")
    if not 0 < serial <= _DEAL_SERIAL_MAX:
        raise ValueError("a serial runs from 1 to 999999")
    parts = (kind, platform_uscc, f"{on:%Y%m%d}", f"{serial:06d}")
    return "-".join((*parts, mod_37_2_check_character("".join(parts))))


def is_unified_deal_code(code: str) -> bool:
    """Whether a text has the form and the check character of a unified deal code."""
    form = r"[A-Z][0-9]{2}-[0-9A-Z]{18}-[0-9]{8}-[0-9]{6}-[0-9A-Z*]"
    if not re.fullmatch(form, code):
        return False
    stem, _, check = code.rpartition("-")
    return mod_37_2_check_character(stem.replace("-", "")) == check


def mod_37_2_check_character(stem: str) -> str:
    """The check character of digits and capital letters under ISO 7064 MOD 37-2."""
    if not re.fullmatch(r"[0-9A-Z]*", stem):
        raise ValueError("only digits and capital letters have a check character")
    carried = 0
    for character in stem:
        carried = (carried + _DEAL_ALPHABET.index(character)) * 2 % 37
    return _DEAL_ALPHABET[(1 - carried) % 37]
