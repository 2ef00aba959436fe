"""Who holds the keys of a lot, and how many must come together to open its bids.

Until the deadline nobody may decrypt or extract a bid (电子招标投标办法 27). What makes this more
than a promise is arithmetic: no person and no organisation, the platform and the tenderee included,
holds enough to open anything alone, and what bidders put into escrow cannot be opened without the
regulator.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from kernel.refusals import Refusal
from kernel.statute import E_BIDDING_MEASURES, under

THRESHOLD_MIN = 2
ARTICLE = E_BIDDING_MEASURES[27]


@dataclass(frozen=True, slots=True)
class Holder:
    """One custodian: the person, the organisation, and what that key is dealt.

    `kid` is the registered key's id, empty while there is none.
    """

    person_id: UUID
    party_id: UUID
    name: str
    escrow_shares: int
    is_regulator: bool
    kid: str = ""


@dataclass(frozen=True, slots=True)
class Custody:
    """The holders of a lot's keys and the thresholds; no escrow threshold means no escrow."""

    holders: tuple[Holder, ...]
    officials_threshold: int
    escrow_threshold: int | None


@under(E_BIDDING_MEASURES[27])
def custody_refusals(custody: Custody) -> list[Refusal]:
    """Every ground on which the keys of a lot may not be held like this."""
    holders, threshold = custody.holders, custody.officials_threshold
    keys_of_party = Counter(holder.party_id for holder in holders)
    refusals = []
    if len({holder.person_id for holder in holders}) < len(holders):
        refusals.append(_no("custodian_named_twice", "同一人不得重复担任同一标段的密钥保管人"))
    if not THRESHOLD_MIN <= threshold <= len(holders):
        refusals.append(
            _no("officials_threshold", f"开标密钥须由 2 至 {len(holders)} 名保管人共同使用")
        )
    if keys_of_party and max(keys_of_party.values()) >= threshold:
        refusals.append(
            _no("one_party_opens_alone", "任何单位持有的密钥不得达到可以单独开启投标文件的数量")
        )
    if custody.escrow_threshold is not None:
        refusals += _escrow_refusals(custody, custody.escrow_threshold)
    return refusals


@under(E_BIDDING_MEASURES[27])
def key_refusals(custody: Custody) -> list[Refusal]:
    """Custodians whose keys are still missing, by name; and keys that two of them share."""
    refusals = [
        _no("custodian_key_missing", f"密钥保管人{holder.name}尚未登记公钥")
        for holder in custody.holders
        if not holder.kid
    ]
    kids = [holder.kid for holder in custody.holders if holder.kid]
    if len(set(kids)) < len(kids):
        refusals.append(_no("custodian_key_shared", "两名密钥保管人不得使用同一公钥"))
    return refusals


def _escrow_refusals(custody: Custody, threshold: int) -> list[Refusal]:
    shares: Counter[UUID] = Counter()
    for holder in custody.holders:
        shares[holder.party_id] += holder.escrow_shares
    total = shares.total()
    regulators = sum(one.escrow_shares for one in custody.holders if one.is_regulator)
    refusals = []
    if not custody.officials_threshold < threshold <= total:
        refusals.append(
            _no(
                "escrow_threshold",
                f"托管份额共 {total} 份，启用门槛须高于开标密钥门槛且不得超过份额总数",
            )
        )
    if shares and max(shares.values()) >= threshold:
        refusals.append(
            _no("one_party_opens_escrow", "任何单位持有的托管份额不得达到可以单独启用的数量")
        )
    if total - regulators >= threshold:
        refusals.append(
            _no("regulator_dispensable", "未经行政监督部门参与不得启用托管份额，其份额数不足")
        )
    return refusals


def _no(code: str, reason: str) -> Refusal:
    return Refusal(code, ARTICLE, reason)
