"""What a bidder signs when it submits: which sealed envelopes make up its bid now.

A submission names the one it replaces, so that none can be slipped in between or played again; one
without envelopes takes the bid back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kernel.crypto.digests import Malformed, count_of, list_of, members, text_of, unb64u
from kernel.crypto.statement_kinds import said_in
from kernel.refusals import Refusal
from kernel.statute import E_BIDDING_MEASURES, under

ENVELOPES_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class NamedEnvelope:
    """One envelope as a submission names it."""

    kind: str
    head: bytes
    payload_size: int
    payload_root: bytes


@dataclass(frozen=True, slots=True)
class Submission:
    """What a bidder signed: which envelopes make up its bid now, or none to withdraw it.

    `replaces` is the digest of the submission before, None for the first.
    """

    project_id: str
    lot_id: str
    bidder_id: str
    seq: int
    policy: bytes
    envelopes: tuple[NamedEnvelope, ...]
    replaces: bytes | None

    @property
    def withdraws(self) -> bool:
        """Whether it takes the bid back."""
        return not self.envelopes


def submission_in(payload: Mapping[str, Any]) -> Submission:
    """The submission that a payload states, or `Malformed`."""
    found = said_in("submission", payload)
    envelopes = []
    for item in list_of(found["envelopes"], at_most=ENVELOPES_MAX):
        one = members(item, ("envelope", "head", "payload_size", "payload_root"))
        envelopes.append(
            NamedEnvelope(
                text_of(one["envelope"]),
                unb64u(one["head"], 32),
                count_of(one["payload_size"]),
                unb64u(one["payload_root"], 32),
            )
        )
    if len({one.kind for one in envelopes}) != len(envelopes):
        raise Malformed("an envelope is named twice", code="envelope_twice")
    seq = count_of(found["seq"])
    if not 0 < seq < 1 << 31:
        raise Malformed("submissions are numbered from 1", code="sequence")
    return Submission(
        text_of(found["project"]),
        text_of(found["lot"]),
        text_of(found["bidder"]),
        seq,
        unb64u(found["policy"], 32),
        tuple(envelopes),
        None if found["replaces"] is None else unb64u(found["replaces"], 32),
    )


@under(E_BIDDING_MEASURES[27], E_BIDDING_MEASURES[40])
def replacement_refusals(
    submission: Submission, *, last_sequence: int, last_submission: bytes | None
) -> list[Refusal]:
    """A submission follows the one before it, so that none can be slipped in between."""
    refusals = []
    if submission.seq > last_sequence + 1:
        following = last_sequence + 1
        reason = f"本单位在本标段的下一次递交序号应为{following}，不是{submission.seq}，拒收"
        facts = {"sequence": str(submission.seq), "following": str(following)}
        refusals.append(Refusal("wrong_sequence", E_BIDDING_MEASURES[40], reason, facts))
    if submission.replaces != last_submission:
        reason = "递交声明所替换的不是本单位在本标段的上一次递交，拒收；请重新载入后再签名"
        refusals.append(Refusal("wrong_previous", E_BIDDING_MEASURES[40], reason))
    return refusals
