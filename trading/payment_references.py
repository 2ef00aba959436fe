"""The random numbers (缴款码) under which securities are paid; they say nothing of the payer."""

from __future__ import annotations

import re
from typing import Final

from kernel.identifiers import mod_37_2_check_character

REFERENCE: Final = re.compile(r"[0-9A-F]{16}[0-9A-Z*]", re.ASCII)


def new_reference(entropy: bytes) -> str:
    """Eight random bytes as sixteen characters, and a check character against slips of the pen."""
    stem = entropy.hex().upper()
    return stem + mod_37_2_check_character(stem)


def is_reference(text: str) -> bool:
    """Whether a text has the form and the check character of a number to pay under."""
    return bool(REFERENCE.fullmatch(text)) and text[-1] == mod_37_2_check_character(text[:-1])
