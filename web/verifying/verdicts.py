"""What a verification came to: one line for each thing that was checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kernel.errors import BrokenSeal

MALFORMED = (
    BrokenSeal,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
)
"""What reading something that was not made by us can raise."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked, and whether it held."""

    what: str
    passed: bool
    detail: str = ""


@dataclass(slots=True)
class Verdict:
    """Everything that was checked of one artefact."""

    checks: list[Check] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What holds, and yet is worth less than a reader would think."""
    found: dict[str, Any] = field(default_factory=dict)
    demo: bool = False
    """Whether it comes from a demonstration, so that nothing in it has any effect."""

    @property
    def ok(self) -> bool:
        """Whether everything held, and anything was checked at all."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def of_log(self, vkey: str) -> None:
        """Note which log it rests on: the origin of a demonstration's begins with `demo.`."""
        self.demo = vkey.startswith("demo.")

    def check(self, what: str, passed: bool, detail: str = "") -> bool:
        """Note one check; whether it held."""
        self.checks.append(Check(what, passed, detail))
        return passed

    def holds(self, what: str, claim: Callable[[], object]) -> Any:
        """Note that a claim holds when it raises nothing; what it returned, or None."""
        try:
            answer = claim()
        except MALFORMED as error:
            self.check(what, False, f"{type(error).__name__}: {error}")
            return None
        self.check(what, True)
        return answer

    def plain(self) -> dict[str, Any]:
        """The verdict as JSON."""
        return {
            "ok": self.ok,
            "demo": self.demo,
            "checks": [
                {"what": check.what, "passed": check.passed, "detail": check.detail}
                for check in self.checks
            ],
            "warnings": self.warnings,
            "found": self.found,
        }
