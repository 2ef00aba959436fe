"""Checking a receipt: the bid stood in the log, and witnesses saw it there in time.

A receipt of the last second may be cosigned after the deadline. Then the cut speaks for it: what
the closing committed to, witnessed right after the deadline, and opened when the lot closed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from kernel.crypto.digests import Malformed, instant_text, parse_instant, unb64u
from kernel.crypto.receipts import VerifiedProof, verify_proof, witnessed_before
from trading.rules.closing_cut import intent_commitment, stands_in_cut
from web.verifying.verdicts import Verdict

CUT_WITNESSED_WITHIN: Final = timedelta(minutes=10)
"""How long after the deadline a cut may be cosigned and still show what had arrived by then."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The two proofs from the log that speak for a receipt of the last second."""

    closing: str
    """That the closing committed to what had arrived (`LotClosing`)."""
    closed: str
    """What it had committed to (`LotClosed`)."""


def verify(
    proof: str,
    *,
    log: str,
    witnesses: Sequence[str],
    quorum: int,
    deadline: datetime | None = None,
    cut: Cut | None = None,
) -> Verdict:
    """Check a receipt: inclusion, the log's signature, and who saw it when.

    With the deadline known (given, or named by the record) the quorum must have cosigned before it,
    or the bid must stand in the cut, which was cosigned within ten minutes of it.
    """
    verdict = Verdict()
    proven = verdict.holds(
        "the record stands in the log under a signed checkpoint",
        lambda: verify_proof(proof, log_vkey=log, witness_vkeys=tuple(witnesses)),
    )
    if proven is None:
        return verdict
    verdict.of_log(log)
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
        "its times can be read",
        lambda: _judge_times(
            verdict, proven, record, deadline, _Trusted(log, tuple(witnesses), quorum), cut
        ),
    )
    verdict.found["record"] = record
    verdict.found["witnesses"] = dict(cosigned)
    return verdict


def _entry(record: bytes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(record)
    if not isinstance(told, dict) or not isinstance(told["facts"], dict):
        raise Malformed("not an entry of the journal")
    return told


@dataclass(frozen=True, slots=True)
class _Trusted:
    log: str
    witnesses: tuple[str, ...]
    quorum: int


def _judge_times(
    verdict: Verdict,
    proven: VerifiedProof,
    record: dict[str, Any],
    deadline: datetime | None,
    trusted: _Trusted,
    cut: Cut | None,
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
    if witnessed_before(proven, deadline, trusted.quorum):
        verdict.found["proven"] = "before the deadline"
    elif cut is None:
        verdict.check(
            "the witnesses saw it before the deadline",
            False,
            "they did not; give --closing and --closed, the log's proofs of the cut",
        )
    else:
        verdict.check(
            f"it stands in the cut, cosigned within {CUT_WITNESSED_WITHIN} of the deadline",
            _stands(record, cut, deadline, trusted),
        )
        verdict.found["proven"] = "in the witnessed cut"


def _stands(record: dict[str, Any], cut: Cut, deadline: datetime, trusted: _Trusted) -> bool:
    """Whether the closing of the same lot had committed to this very submission."""
    closing = _proven(cut.closing, "LotClosing", record, trusted)
    closed = _proven(cut.closed, "LotClosed", record, trusted)
    facts, opened = record["facts"], _entry(closed.record)["facts"]
    commitment = intent_commitment(
        unb64u(facts["nonce"]), unb64u(facts["submission"]), parse_instant(facts["received_at"])
    )
    committed = _entry(closing.record)["facts"]
    return (
        parse_instant(committed["deadline"]) == deadline
        and witnessed_before(closing, deadline + CUT_WITNESSED_WITHIN, trusted.quorum)
        and stands_in_cut(
            commitment,
            salt=unb64u(opened["cut_salt"]),
            commitments=[unb64u(one) for one in opened["cut_commitments"]],
            digest=unb64u(committed["cut_digest"]),
        )
    )


def _proven(proof: str, kind: str, record: dict[str, Any], trusted: _Trusted) -> VerifiedProof:
    proven = verify_proof(proof, log_vkey=trusted.log, witness_vkeys=trusted.witnesses)
    told = _entry(proven.record)
    if (told["kind"], told["subject"]) != (kind, record["subject"]):
        raise Malformed(f"this is no proof of the {kind} of the same lot")
    if len(proven.checkpoint.cosignatures) < trusted.quorum:
        raise Malformed(f"too few witnesses cosigned the {kind}")
    return proven
