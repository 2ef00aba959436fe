"""Checking a draw: every label's place again, from what was fixed before anyone could know it.

A transcript is one JSON file. It names nobody: experts are labels, and the names behind those that
were called come out when the law lets them. What was fixed first is proven by where it stands in
the log: the closing, the announcement with the pool and the exclusions, the commitments, the
shares and the countersignature, the nonces, in this order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kernel.crypto import fair_draw, merkle, signing
from kernel.crypto.digests import b64u, canonical, labelled, sha256, strict_json, unb64, unb64u
from kernel.crypto.receipts import verify_proof
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal
from web.verifying.verdicts import Verdict

TRANSCRIPT_MAX = 64 << 20
TAKEN = "accepted"


@dataclass(frozen=True, slots=True)
class _Logged:
    index: int
    kind: str
    facts: dict[str, Any]


def eligibility_leaf(salt: bytes, label: bytes, grounds: list[str]) -> bytes:
    """What is committed to of one expert's exclusion: its grounds, or that there are none."""
    return labelled("ebid/1/draw/eligibility", salt, label, canonical(grounds))


def calls_digest(calls: list[dict[str, Any]]) -> bytes:
    """The digest under which the list of calls is logged when the draw is complete."""
    return labelled("ebid/1/draw/calls", canonical(calls))


def verify(content: bytes) -> Verdict:
    """Everything a transcript claims, checked; nothing of the platform is asked."""
    verdict = Verdict()
    told = verdict.holds("the transcript can be read", lambda: _object(content))
    if told is None:
        return verdict
    announcement = verdict.holds("the announcement", lambda: unb64(told["announcement"]))
    if announcement is None:
        return verdict
    announced = verdict.holds("the announcement can be read", lambda: _object(announcement))
    logged = verdict.holds("every step stands in the witnessed log", lambda: _logged(told))
    if announced is None or logged is None:
        return verdict
    _check_order(verdict, told, announced, announcement, logged)
    _check_pool(verdict, told, announced)
    _check_nonces(verdict, told, announced, announcement, logged)
    _check_calls(verdict, told, announced, announcement, logged)
    return verdict


def _object(content: bytes) -> dict[str, Any]:
    told = strict_json(content, TRANSCRIPT_MAX)
    if not isinstance(told, dict):
        raise BrokenSeal("not an object")
    return told


def _logged(told: Mapping[str, Any]) -> dict[str, _Logged]:
    keys = told["keys"]
    found = {}
    for name, proof in told["proofs"].items():
        proven = verify_proof(proof, log_vkey=keys["log"], witness_vkeys=tuple(keys["witnesses"]))
        if len(proven.checkpoint.cosignatures) < int(keys["quorum"]):
            raise BrokenSeal(f"{name} is not witnessed")
        record = _object(proven.record)
        found[name] = _Logged(proven.index, record["kind"], record["facts"])
    return found


def _check_order(
    verdict: Verdict,
    told: Mapping[str, Any],
    announced: Mapping[str, Any],
    announcement: bytes,
    logged: Mapping[str, _Logged],
) -> None:
    parties = sorted(party["name"] for party in announced["parties"])
    stages = [
        [("close", "LotClosed")],
        [("announced", "DrawAnnounced")],
        [(f"committed/{name}", "DrawCommitted") for name in parties],
        [(f"dealt/{name}", "NonceSharesDealt") for name in told["dealers"]]
        + [("eligibility", "EligibilityCountersigned")],
        [(f"revealed/{name}", "NonceRevealed") for name in parties],
        [("completed", "DrawCompleted")],
    ]
    wanted = {name for stage in stages for name, _ in stage}
    if not verdict.check("every step is proven, and nothing else", set(logged) == wanted):
        return
    verdict.check(
        "every proof is about its step",
        all(
            logged[name].kind == kind
            and (kind == "LotClosed" or logged[name].facts["draw_id"] == announced["draw"])
            for stage in stages
            for name, kind in stage
        ),
    )
    places = [[logged[name].index for name, _ in stage] for stage in stages if stage]
    verdict.check(
        "the steps were logged in the order that makes the draw fair",
        all(max(a) < min(b) for a, b in zip(places, places[1:], strict=False)),
    )
    verdict.check(
        "the announcement is the one that was logged",
        unb64u(logged["announced"].facts["announcement"]) == announcement,
    )


def _check_pool(verdict: Verdict, told: Mapping[str, Any], announced: Mapping[str, Any]) -> None:
    labels = [unb64u(one["label"]) for one in told["pool"]]
    verdict.check("no expert stands in the pool twice", len(set(labels)) == len(labels))
    verdict.check(
        "the pool is the one announced",
        len(labels) == announced["pool"]["size"]
        and b64u(fair_draw.pool_root(labels)) == announced["pool"]["root"],
    )
    ordered = sorted(told["pool"], key=lambda one: unb64u(one["label"]))
    leaves = [
        merkle.leaf_hash(
            labelled(
                "ebid/1/draw/member",
                unb64u(one["label"]),
                canonical(one["strata"]),
                unb64u(one["eligibility"]),
            )
        )
        for one in ordered
    ]
    verdict.check(
        "the strata and exclusions are the ones announced",
        b64u(merkle.root(leaves)) == announced["pool"]["members_root"],
    )


def _check_nonces(
    verdict: Verdict,
    told: Mapping[str, Any],
    announced: Mapping[str, Any],
    announcement: bytes,
    logged: Mapping[str, _Logged],
) -> None:
    digest = sha256(announcement)
    parties = sorted(party["name"] for party in announced["parties"])
    signers = {keyid: unb64u(key) for keyid, key in told["keys"]["signers"].items()}

    def commitments() -> None:
        if sorted(told["commitments"]) != parties:
            raise BrokenSeal("a party's commitment is missing or one too many")
        for name in parties:
            envelope = Envelope.from_bytes(unb64(told["commitments"][name]))
            signing.verify(envelope, keys=signers)
            said, fixed = _object(envelope.payload), logged[f"committed/{name}"].facts
            for field in ("commitment", "share_key", "party"):
                if said[field] != fixed[field]:
                    raise BrokenSeal(f"{name} signed another {field} than was logged")

    def nonces() -> None:
        if sorted(told["nonces"]) != parties:
            raise BrokenSeal("a party's nonce is missing or one too many")
        for name in parties:
            nonce = unb64u(told["nonces"][name], fair_draw.NONCE_SIZE)
            committed = unb64u(logged[f"committed/{name}"].facts["commitment"])
            fair_draw.check_reveal(digest, name, nonce, committed)
            if logged[f"revealed/{name}"].facts["nonce"] != told["nonces"][name]:
                raise BrokenSeal(f"another nonce of {name} was logged")

    def countersigned() -> None:
        envelope = Envelope.from_bytes(unb64(told["countersignature"]))
        signing.verify(envelope, keys=signers)
        said = _object(envelope.payload)
        if said["members_root"] != announced["pool"]["members_root"]:
            raise BrokenSeal("other exclusions were countersigned")

    verdict.holds("every party signed its commitment", commitments)
    verdict.holds("every nonce is the one committed to", nonces)
    verdict.holds("a supervisor countersigned the exclusions", countersigned)


def _check_calls(
    verdict: Verdict,
    told: Mapping[str, Any],
    announced: Mapping[str, Any],
    announcement: bytes,
    logged: Mapping[str, _Logged],
) -> None:
    calls: list[dict[str, Any]] = told["calls"]
    verdict.check(
        "the calls are the ones that were logged",
        b64u(calls_digest(calls)) == logged["completed"].facts["calls_digest"],
    )
    key = verdict.holds(
        "the key follows from the nonces",
        lambda: fair_draw.prk(
            sha256(announcement),
            {name: unb64u(nonce) for name, nonce in told["nonces"].items()},
        ),
    )
    if key is None:
        return
    verdict.check("the key is the one stated", b64u(key) == told["prk"])
    members = {one["label"]: one for one in told["pool"]}
    seats = [(call["label"], call["stratum"]) for call in calls if call["outcome"] == TAKEN]
    seated = dict(seats)
    verdict.check("nobody was seated twice", len(seated) == len(seats))
    for stratum in announced["strata"]:
        verdict.holds(
            f"{stratum['name']}: called from the top, passed over only with a reason",
            lambda stratum=stratum: _walk(stratum, calls, members, key, seated),  # type: ignore[misc]  # mypy cannot infer a lambda's default
        )
    verdict.found["seated"] = len(seated)
    verdict.found["reasons"] = dict(
        Counter(ground for call in calls for ground in call.get("grounds", []))
    )


def _walk(
    stratum: Mapping[str, Any],
    calls: list[dict[str, Any]],
    members: Mapping[str, Mapping[str, Any]],
    key: bytes,
    seated: Mapping[str, str],
) -> None:
    name, wanted = stratum["name"], int(stratum["seats"])
    labels = [unb64u(one["label"]) for one in members.values() if name in one["strata"]]
    order = [b64u(label) for label in fair_draw.ranking(key, name, labels)]
    mine = [call for call in calls if call["stratum"] == name]
    if [call["label"] for call in mine] != order[: len(mine)]:
        raise BrokenSeal("the calls do not follow the ranking")
    if [call["place"] for call in mine] != list(range(1, len(mine) + 1)):
        raise BrokenSeal("a place was left out")
    taken = 0
    for call in mine:
        if taken == wanted:
            raise BrokenSeal("somebody was called after the last seat was taken")
        _check_outcome(call, members[call["label"]], seated)
        taken += call["outcome"] == TAKEN
    if taken != wanted:
        raise BrokenSeal(f"{taken} of {wanted} seats were taken")


def _check_outcome(
    call: Mapping[str, Any], member: Mapping[str, Any], seated: Mapping[str, str]
) -> None:
    opened = eligibility_leaf(
        unb64u(call["eligibility_salt"]), unb64u(call["label"]), list(call["grounds"])
    )
    if b64u(opened) != member["eligibility"]:
        raise BrokenSeal("the exclusion shown is not the one committed to")
    match call["outcome"]:
        case "excluded":
            if not call["grounds"]:
                raise BrokenSeal("an eligible expert was passed over")
        case "seated_elsewhere":
            if seated.get(call["label"], call["stratum"]) == call["stratum"]:
                raise BrokenSeal("an expert without a seat was passed over for having one")
        case "accepted" | "declined" | "no_answer" | "barred_late":
            if call["grounds"]:
                raise BrokenSeal("an excluded expert was called")
        case outcome:
            raise BrokenSeal(f"unknown outcome {outcome}")
