"""The shapes of an objection and a complaint as a form sends them to be checked before signing.

They have the members of the statement that would be signed, so that a check and the act judge the
same thing.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from trading.petitions import EVIDENCE_MAX, TITLE_MAX, WORDS_MAX
from trading.rules.complaint_window import ComplaintAbout
from trading.rules.objection_window import ObjectionKind


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EvidenceDraft(_Shape):
    """One piece of evidence; `file` is the digest (base64url) of one that was kept before."""

    title: str = Field(max_length=TITLE_MAX, examples=["招标公告第三章截图"])
    text: str = Field(default="", max_length=WORDS_MAX)
    name: str | None = Field(default=None, max_length=200, examples=["截图.png"])
    file: str | None = Field(default=None, max_length=43)


class ObjectionDraft(_Shape):
    """An objection as it would be signed now."""

    about: ObjectionKind
    request: str = Field(max_length=WORDS_MAX, examples=["请修改业绩加分条件"])
    grounds: str = Field(max_length=WORDS_MAX, examples=["业绩加分与项目规模不相称"])
    evidence: list[EvidenceDraft] = Field(default_factory=list, max_length=EVIDENCE_MAX)
    interest: str = Field(default="", max_length=WORDS_MAX)

    def said(self) -> dict[str, Any]:
        """The members of the statement."""
        return self.model_dump(mode="json", exclude_none=True)


class ComplaintDraft(_Shape):
    """A complaint as it would be signed now."""

    about: ComplaintAbout
    known_on: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-03-30"])
    request: str = Field(default="", max_length=WORDS_MAX)
    grounds: str = Field(default="", max_length=WORDS_MAX)
    evidence: list[EvidenceDraft] = Field(default_factory=list, max_length=EVIDENCE_MAX)
    contact: str = Field(default="", max_length=200)
    interest: str = Field(default="", max_length=WORDS_MAX)
    objection: UUID | None = None
    elsewhere: bool = False

    def said(self) -> dict[str, Any]:
        """The members of the statement."""
        return self.model_dump(mode="json", exclude_none=True)
