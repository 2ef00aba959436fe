"""What becomes of a bid at the opening, and whose fault it is if it does not open.

A bid that does not decrypt by its bidder's own fault is deemed revoked (视为撤销): it was there at
the deadline, and its security may be kept. One that does not decrypt for another cause is deemed
withdrawn (视为撤回): its security goes back, and whoever caused it owes damages. The other bids go
on either way (电子招标投标办法 31).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kernel.statute import E_BIDDING_MEASURES, Article, under


class Decryption(StrEnum):
    """What became of one bid."""

    OPENED = "opened"
    OPENED_BY_CUSTODIANS = "opened_by_custodians"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class DecryptionFacts:
    """What is known of one bid when its release window is over.

    `released`: its bidder gave the sealed secret of every envelope. `escrow_chosen`: its header
    deals the bidder's secret to custodians as well, and the policy allows it. `fallback_agreed`:
    host and supervisor both signed for that. `shares_sufficient`: enough custodians gave shares of
    all that is to be opened. `platform_incident`: a recorded fault of the platform fell into the
    window. `bytes_intact`: what is stored is what the receipt names. `badly_dealt`: shares agree
    with their commitments and do not rebuild the secret. `payload_opens`: the right secrets
    decrypt it.
    """

    released: bool
    escrow_chosen: bool
    fallback_agreed: bool
    platform_incident: bool
    bytes_intact: bool
    badly_dealt: bool
    payload_opens: bool
    shares_sufficient: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a bid, in words for the record, with the article."""

    decryption: Decryption
    article: Article
    reason: str

    @property
    def readable(self) -> bool:
        """Whether the bid was opened and can be read out."""
        return self.decryption in (Decryption.OPENED, Decryption.OPENED_BY_CUSTODIANS)


@under(E_BIDDING_MEASURES[30], E_BIDDING_MEASURES[31], rule=("OP-02", "OP-03"))
def decryption_outcome(facts: DecryptionFacts) -> Outcome:
    """What becomes of the bid; the platform's faults are judged before the bidder's."""
    if not facts.bytes_intact:
        return _withdrawn("平台保存的投标文件与回执不一致，责任在平台，视为撤回")
    if not facts.released and not facts.escrow_chosen:
        if facts.platform_incident:
            return _withdrawn("解密期间平台发生故障，非因投标人原因未能解密，视为撤回")
        return _revoked("投标人未在规定时间内解密，且未选择备用解密，视为撤销")
    if not facts.released and not facts.fallback_agreed:
        return _waiting("等待招标人与监督部门共同启动备用解密")
    if not facts.shares_sufficient:
        return _waiting("等待密钥保管人提交足够的解密份额")
    if facts.badly_dealt:
        return _revoked("投标人加密时分发的密钥份额不能还原密钥，因投标人原因未能解密，视为撤销")
    if not facts.payload_opens:
        return _revoked("投标文件与回执一致但不能解密，因投标人原因未能解密，视为撤销")
    if facts.released:
        return Outcome(Decryption.OPENED, E_BIDDING_MEASURES[30], "已解密")
    return Outcome(
        Decryption.OPENED_BY_CUSTODIANS,
        E_BIDDING_MEASURES[31],
        "投标人未解密，按招标文件规定由密钥保管人备用解密",
    )


def _revoked(reason: str) -> Outcome:
    return Outcome(Decryption.REVOKED, E_BIDDING_MEASURES[31], reason)


def _withdrawn(reason: str) -> Outcome:
    return Outcome(Decryption.WITHDRAWN, E_BIDDING_MEASURES[31], reason)


def _waiting(reason: str) -> Outcome:
    return Outcome(Decryption.WAITING, E_BIDDING_MEASURES[30], reason)
