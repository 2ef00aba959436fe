"""Checking a receipt: the bid stood in the log, and witnesses saw it there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kernel.crypto.digests import Malformed, instant_text, parse_instant
from kernel.crypto.receipts import VerifiedProof, verify_proof, witnessed_before
from web.verifying.verdicts import Verdict


def verify(
    proof: str,
    *,
    log: str,
    witnesses: Sequence[str],
    quorum: int,
    deadline: datetime | None = None,
) -> Verdict:
    """Check a receipt: inclusion, the log's signature, and who saw it when.

    With the deadline known (given, or named by the record) the verdict also says whether the
    quorum cosigned before it; a last-second bid is proven by the witnessed cut instead, so that
    alone does not fail a receipt.
    """
    verdict = Verdict()
    proven = verdict.holds(
        "the record stands in the log under a signed checkpoint",
        lambda: verify_proof(proof, log_vkey=log, witness_vkeys=tuple(witnesses)),
    )
    if proven is None:
        return verdict
    record = verdict.holds("the record can be read", lambda: _entry(proven.record))
    if record is None:
        return verdict
    cosigned = proven.checkpoint.cosignatures
    verdict.check(
        f"at least {quorum} known witnesses cosigned",
        len(cosigned) >= quorum,
        f"{len(cosigned)} did",
    )
    verdict.holds(
        "its times can be read", lambda: _judge_times(verdict, proven, record, deadline, quorum)
    )
    verdict.found["record"] = record
    verdict.found["witnesses"] = dict(cosigned)
    return verdict


def _entry(record: bytes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(record)
    if not isinstance(told, dict) or not isinstance(told["facts"], dict):
        raise Malformed("not an entry of the journal")
    return told


def _judge_times(
    verdict: Verdict,
    proven: VerifiedProof,
    record: dict[str, Any],
    deadline: datetime | None,
    quorum: int,
) -> None:
    facts = record["facts"]
    if deadline is None and "deadline" in facts:
        deadline = parse_instant(facts["deadline"])
    if deadline is None:
        return
    verdict.found["deadline"] = instant_text(deadline)
    if "received_at" in facts:
        verdict.check(
            "the platform received it before the deadline",
            parse_instant(facts["received_at"]) < deadline,
        )
    verdict.found["proven"] = (
        "before the deadline"
        if witnessed_before(proven, deadline, quorum)
        else "in the witnessed cut"
    )
