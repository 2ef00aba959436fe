"""Where a notice is published, that every medium says the same, and how soon it appears."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    NOTICE_MEASURES,
    Provenance,
    Severity,
    under,
)

MEDIUM_HOURS: Final = 12
SIGNING_ARTICLE: Final = NOTICE_MEASURES.read_as(10, Provenance.MEMORY)


@under(BIDDING_REGULATION[15], E_BIDDING_MEASURES[17], rule="NO-01")
def media_refusals(
    own_digest: bytes, digests: Mapping[str, bytes], *, mandatory: bool, charged: bool
) -> list[Refusal]:
    """A notice that another medium shows with other words, or that a medium charges for.

    `digests` are those of the notice's text as each medium shows it.
    """
    refusals = []
    for medium, digest in digests.items():
        if digest != own_digest:
            reason = f"“{medium}”发布的公告内容与本平台不一致"
            facts = {"medium": medium}
            refusals.append(Refusal("media_differ", BIDDING_REGULATION[15], reason, facts))
    if mandatory and charged:
        reason = "发布依法必须招标项目的公告不得收取费用"
        refusals.append(Refusal("notice_charged", BIDDING_REGULATION[15], reason))
    return refusals


@under(SIGNING_ARTICLE, rule="NO-03", severity=Severity.WARN)
def medium_cautions(
    *, signed: bool, handed_over_at: datetime, shown_at: datetime | None, now: datetime
) -> list[Caution]:
    """A notice nobody signed for, or that a medium has not shown within twelve hours."""
    cautions = []
    if not signed:
        reason = "公告文本应当由招标人或者其代理机构电子签名"
        cautions.append(Caution("notice_unsigned", SIGNING_ARTICLE, reason))
    if (shown_at or now) - handed_over_at > timedelta(hours=MEDIUM_HOURS):
        reason = f"媒介应当自收到之日起{MEDIUM_HOURS}小时内发布"
        cautions.append(Caution("medium_late", SIGNING_ARTICLE, reason))
    return cautions
