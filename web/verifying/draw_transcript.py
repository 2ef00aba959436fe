"""Checking a draw: every label's place again, from what was fixed before anyone could know it.

A transcript is one JSON file. It names nobody: experts are labels. What was fixed first is proven
by where it stands in the log: the closing, the announcement with the pool and the exclusions, the
commitments, the shares and the countersignature, the nonces, in this order. Rounds that came to
nothing are proven too, so that nobody can have drawn again in silence.

The log and the witnesses are those of the announcement; whoever checks should know them from
elsewhere and can say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID

from expert_pool import draw_commitments
from expert_pool.rules.calling_order import CallOutcome, walk
from kernel.crypto import fair_draw, signing
from kernel.crypto.digests import (
    b64u,
    canonical,
    count_of,
    list_of,
    members,
    parse_instant,
    sha256,
    strict_json,
    text_of,
    unb64,
    unb64u,
)
from kernel.crypto.receipts import verify_proof
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal
from web.verifying.verdicts import Verdict

TRANSCRIPT = "ebid-draw-transcript/1"
TRANSCRIPT_MAX = 64 << 20
LIST_MAX = 1 << 20
CALLS = ("PrequalificationAnnounced", "PrequalificationAmended")
"""The entries that fix until when applications for a prequalification are taken and released."""

_PARTS = (
    "v",
    "announcement",
    "keys",
    "proofs",
    "pool",
    "commitments",
    "countersignature",
    "nonces",
    "prk",
    "calls",
    "left",
)
_CALL = (
    "stratum",
    "place",
    "label",
    "outcome",
    "evidence",
    "grounds",
    "eligibility_salt",
)


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """The log and the witnesses that whoever checks knows from elsewhere."""

    log: str
    witnesses: tuple[str, ...]
    quorum: int


@dataclass(frozen=True, slots=True)
class _Logged:
    index: int
    id: str
    kind: str
    subject: str
    facts: dict[str, Any]


def verify(content: bytes, *, trusted: TrustedLog | None = None) -> Verdict:
    """Everything a transcript claims, checked; nothing of the platform is asked."""
    verdict = Verdict()
    told = verdict.holds("the transcript can be read", lambda: _transcript(content))
    if told is None:
        return verdict
    announcement = verdict.holds("the announcement", lambda: unb64(told["announcement"]))
    if announcement is None:
        return verdict
    announced = verdict.holds("the announcement can be read", lambda: _object(announcement))
    if announced is None:
        return verdict
    verdict.holds("the keys are the announced ones", lambda: _same_keys(told, announced, trusted))
    logged = verdict.holds("every step stands in the witnessed log", lambda: _logged(told))
    if logged is None or not verdict.ok:
        return verdict
    verdict.of_log(told["keys"]["log"])
    draw = verdict.holds(
        "the announcement is a draw's", lambda: _Draw(told, announcement, announced, logged)
    )
    if draw is None:
        return verdict
    for what, claim in draw.claims():
        verdict.holds(what, claim)
    verdict.holds("what was found", lambda: verdict.found.update(draw.found()))
    return verdict


def closes(announced: Mapping[str, Any], kind: str, facts: Mapping[str, Any]) -> bool:
    """Whether an entry says whom those drawn must avoid: that the bids are closed, or until when
    the applications that they review could be released, which was before anyone committed.
    """
    round_reviewed = announced.get("review_round")
    if round_reviewed is None:
        return kind == "LotClosed"
    if kind not in CALLS or facts["round"] != round_reviewed:
        return False
    return parse_instant(facts["window_until"]) < parse_instant(announced["commit_by"])


class _Draw:
    """A transcript whose form and proofs are in order, and what it claims."""

    def __init__(
        self,
        told: dict[str, Any],
        announcement: bytes,
        announced: dict[str, Any],
        logged: Mapping[str, _Logged],
    ) -> None:
        self.told, self.announced, self.logged = told, announced, logged
        self.announcement, self.digest = announcement, sha256(announcement)
        self.parties = sorted(party["name"] for party in announced["parties"])
        self.rounds = range(1, int(announced["round"]))
        self.closing = logged["close"].kind if "close" in logged else "LotClosed"

    def claims(self) -> Iterable[tuple[str, Any]]:
        """Each thing that must hold, and what raises where it does not."""
        return [
            ("every step is proven, and nothing else", self.check_steps),
            ("the steps were logged in the order that makes the draw fair", self.check_order),
            ("every earlier round is proven void", self.check_rounds),
            ("the pool, its strata and exclusions are the ones announced", self.check_pool),
            ("every party signed its commitment", self.check_commitments),
            ("a supervisor countersigned the exclusions", self.check_countersignature),
            ("every nonce is the one committed to", self.check_nonces),
            ("the key follows from the nonces", self.check_key),
            ("the calls are the ones that were logged", self.check_calls_logged),
            ("every exclusion shown is the one committed to", self.check_exclusions),
            ("everybody was called in order, or passed over with a reason", self.check_walk),
        ]

    # ── the log ──

    def stages(self) -> list[list[tuple[str, str]]]:
        """The steps by name and kind, those that may stand in any order together."""
        return [
            [("close", self.closing)],
            [("announced", "DrawAnnounced")],
            [(f"committed/{name}", "DrawCommitted") for name in self.parties],
            [(f"dealt/{name}", "NonceSharesDealt") for name in self.parties]
            + [("eligibility", "EligibilityCountersigned")],
            [(f"revealed/{name}", "NonceRevealed") for name in self.parties],
            [("completed", "DrawCompleted")],
        ]

    def check_steps(self) -> None:
        """Exactly the steps there must be, each about this draw and this party."""
        wanted = {name: kind for stage in self.stages() for name, kind in stage}
        for number in self.rounds:
            wanted[f"round/{number}/announced"] = "DrawAnnounced"
            wanted[f"round/{number}/voided"] = "DrawVoided"
        _require(set(self.logged) == set(wanted), "a step is missing or one too many")
        close = self.logged["close"]
        _require(closes(self.announced, close.kind, close.facts), "nothing was closed by it")
        for name, kind in wanted.items():
            step = self.logged[name]
            _require(step.kind == kind, f"{name} is a {step.kind}")
            _require(step.subject == self.announced["lot"], f"{name} is about another lot")
            if name != "close" and not name.startswith("round/"):
                _require(step.facts["draw_id"] == self.announced["draw"], f"{name}: another draw")
            if "/" in name and not name.startswith("round/"):
                _require(step.facts["party"] == name.partition("/")[2], f"{name}: another party")
        _require(self.logged["close"].id == self.announced["close_entry"], "another closing")
        logged = self.logged["announced"].facts
        _require(unb64u(logged["announcement"]) == self.announcement, "another announcement")
        _require(logged["round"] == self.announced["round"], "another round")

    def check_order(self) -> None:
        """Every stage is over before the next begins."""
        places = [[self.logged[name].index for name, _ in stage] for stage in self.stages()]
        for before, after in pairwise(places):
            _require(max(before) < min(after), "a step came too early")

    def check_rounds(self) -> None:
        """Each earlier round was void before the next was announced, and who failed sat out."""
        at_fault: set[str] = set()
        steps = [self.logged["close"]]
        for number in self.rounds:
            opened = self.logged[f"round/{number}/announced"]
            ended = self.logged[f"round/{number}/voided"]
            _require(opened.facts["round"] == number, f"round {number} is another one")
            _require(ended.facts["draw_id"] == opened.facts["draw_id"], "another round was void")
            told = _object(unb64u(opened.facts["announcement"]))
            _require(told["close_entry"] == self.announced["close_entry"], "another closing")
            named = {one["name"]: one["organisation"] for one in told["parties"]}
            at_fault = {named[name] for name in ended.facts["at_fault"]}
            steps += [opened, ended]
        steps.append(self.logged["announced"])
        places = [step.index for step in steps]
        _require(places == sorted(set(places)), "the rounds do not follow each other")
        back = at_fault & {one["organisation"] for one in self.announced["parties"]}
        _require(not back, "a party took part that had to sit out")

    # ── the pool ──

    def check_pool(self) -> None:
        """The labels, each once and in order, with what was committed to of them."""
        pool = self.told["pool"]
        labels = [unb64u(one["label"], 32) for one in pool]
        _require(labels == sorted(set(labels)), "the labels are not in order, or one stands twice")
        announced = self.announced["pool"]
        _require(len(labels) == announced["size"], "the pool has another size")
        _require(b64u(fair_draw.pool_root(labels)) == announced["root"], "another pool")
        rows = [
            (label, one["strata"], unb64u(one["eligibility"], 32))
            for label, one in zip(labels, pool, strict=True)
        ]
        root = b64u(draw_commitments.members_root(rows))
        _require(root == announced["members_root"], "other strata or exclusions")

    # ── the nonces ──

    def check_commitments(self) -> None:
        """Every party's signed commitment is the one that was logged."""
        _require(sorted(self.told["commitments"]) == self.parties, "a party too few or too many")
        signed_by: set[str] = set()
        for name in self.parties:
            fixed = self.logged[f"committed/{name}"].facts
            said, keyids = self._statement(self.told["commitments"][name], fixed)
            signed_by |= keyids
            for what in ("commitment", "share_key", "party"):
                _require(said[what] == fixed[what], f"{name} signed another {what}")
            _require(said["v"] == "ebid-draw-commit/1", "not a commitment")
        _, keyids = self._statement(self.told["countersignature"], self.logged["eligibility"].facts)
        _require(set(self.told["keys"]["signers"]) == signed_by | keyids, "a key nobody used")

    def check_countersignature(self) -> None:
        """The supervisor signed the announced exclusions."""
        fixed = self.logged["eligibility"].facts
        said, _ = self._statement(self.told["countersignature"], fixed)
        root = self.announced["pool"]["members_root"]
        _require(said["v"] == "ebid-draw-eligibility/1", "not a countersignature")
        _require(said["party"] == self.announced["supervisor"], "it is not the supervisor's")
        _require(said["members_root"] == fixed["members_root"] == root, "of other exclusions")

    def _statement(
        self, packed: object, fixed: Mapping[str, Any]
    ) -> tuple[dict[str, Any], frozenset[str]]:
        raw = unb64(packed)
        _require(b64u(sha256(raw)) == fixed["statement_digest"], "another statement was logged")
        envelope = Envelope.from_bytes(raw)
        keyids = signing.verify(envelope, keys=self.told["keys"]["signers"])
        said = _object(envelope.payload)
        _require(said["draw"] == self.announced["draw"], "signed for another draw")
        return said, keyids

    def check_nonces(self) -> None:
        """Every nonce matches its commitment and is the one that was logged."""
        _require(sorted(self.told["nonces"]) == self.parties, "a party too few or too many")
        for name in self.parties:
            nonce = unb64u(self.told["nonces"][name], fair_draw.NONCE_SIZE)
            committed = unb64u(self.logged[f"committed/{name}"].facts["commitment"], 32)
            fair_draw.check_reveal(self.digest, name, nonce, committed)
            logged = self.logged[f"revealed/{name}"].facts["nonce"]
            _require(logged == self.told["nonces"][name], f"another nonce of {name} was logged")

    def key(self) -> bytes:
        """The draw's key."""
        return fair_draw.prk(
            self.digest, {name: unb64u(nonce) for name, nonce in self.told["nonces"].items()}
        )

    def check_key(self) -> None:
        """The stated key is the derived one."""
        _require(b64u(self.key()) == self.told["prk"], "another key is stated")

    # ── the calls ──

    def check_calls_logged(self) -> None:
        """The list of calls is the one whose digest was logged when the draw was complete."""
        digest = draw_commitments.calls_digest(self.told["calls"], self.told["left"])
        fixed = self.logged["completed"].facts
        _require(b64u(digest) == fixed["calls_digest"], "other calls were logged")
        seats = sum(int(one["seats"]) for one in self.announced["strata"])
        _require((fixed["seats"], fixed["passed"]) == (seats, len(self.told["calls"])), "counts")

    def check_exclusions(self) -> None:
        """Whoever was passed over for a ground had it before the draw, and who was called had none.

        An answer is bound to what proves it: the expert's own signature, a delivery, a decision.
        """
        committed = {one["label"]: one["eligibility"] for one in self.told["pool"]}
        for call in self.told["calls"]:
            opened = draw_commitments.eligibility(
                unb64u(call["eligibility_salt"]), unb64u(call["label"]), call["grounds"]
            )
            _require(b64u(opened) == committed[call["label"]], "an exclusion was not committed to")
        proven = Counter(call["label"] for call in self.told["calls"] if _is_proven(call))
        for label in (*self.told["left"], *self._seated()):
            _require(proven[label] == 1, "an answer stands without what proves it")

    def check_walk(self) -> None:
        """Going down the lists again leads to the same calls, in the same order."""
        key, pool = self.key(), self.told["pool"]
        grounds = {unb64u(one["label"]): () for one in pool}
        for call in self.told["calls"]:
            grounds[unb64u(call["label"])] = tuple(call["grounds"])
        outcomes = {
            call["label"]: CallOutcome(call["outcome"])
            for call in self.told["calls"]
            if call["outcome"] != CallOutcome.SEATED_ELSEWHERE
        }
        strata = [one["name"] for one in self.announced["strata"]]
        walked = walk(
            {
                name: fair_draw.ranking(
                    key, name, [unb64u(one["label"]) for one in pool if name in one["strata"]]
                )
                for name in strata
            },
            numbers={one["name"]: int(one["seats"]) for one in self.announced["strata"]},
            grounds=grounds,
            left=[(unb64u(label), outcomes[label]) for label in self.told["left"]],
        )
        expected = [
            (step.stratum, step.place, b64u(step.label), _final(step.outcome))
            for step in walked.steps
        ]
        shown = [
            (call["stratum"], call["place"], call["label"], call["outcome"])
            for call in self.told["calls"]
        ]
        _require(expected == shown, "the calls do not follow from the lists")
        _require(not any(walked.open_seats.values()), "a seat was never taken")

    def _seated(self) -> list[str]:
        return [
            call["label"] for call in self.told["calls"] if call["outcome"] == CallOutcome.ACCEPTED
        ]

    def found(self) -> dict[str, Any]:
        """What the transcript says, for whoever reads the verdict."""
        calls = self.told["calls"]
        return {
            "draw": self.announced["draw"],
            "lot": self.announced["lot"],
            "round": self.announced["round"],
            "log": self.announced["log"],
            "witnesses": self.announced["witnesses"],
            "pool": len(self.told["pool"]),
            "seated": len(self._seated()),
            "outcomes": dict(Counter(call["outcome"] for call in calls)),
            "reasons": dict(Counter(ground for call in calls for ground in call["grounds"])),
            "recovered": [
                name for name in self.parties if self.logged[f"revealed/{name}"].facts["recovered"]
            ],
        }


# ── reading ───────────────────────────────────────────────────────────────────────────────────


def _transcript(content: bytes) -> dict[str, Any]:
    """A transcript that has exactly the form it must have; its signers' keys as bytes."""
    told: dict[str, Any] = members(strict_json(content, TRANSCRIPT_MAX), _PARTS)
    _require(told["v"] == TRANSCRIPT, "not a draw's transcript")
    keys = members(told["keys"], ("log", "witnesses", "quorum", "signers"))
    signers = {text_of(keyid): unb64u(key, 65) for keyid, key in _dict(keys["signers"]).items()}
    told["keys"] = {
        "log": text_of(keys["log"]),
        "witnesses": [text_of(one) for one in list_of(keys["witnesses"], at_most=64)],
        "quorum": count_of(keys["quorum"]),
        "signers": signers,
    }
    for part in ("proofs", "commitments", "nonces"):
        told[part] = {name: text_of(one) for name, one in _dict(told[part]).items()}
    for one in list_of(told["pool"], at_most=LIST_MAX):
        member = members(one, ("label", "strata", "eligibility"))
        _texts(member["strata"])
        text_of(member["label"])
    for one in list_of(told["calls"], at_most=LIST_MAX):
        call = members(one, _CALL)
        _texts(call["grounds"])
        for part in ("stratum", "label", "outcome", "evidence"):
            text_of(call[part])
    _texts(told["left"])
    return told


def _same_keys(
    told: Mapping[str, Any], announced: Mapping[str, Any], trusted: TrustedLog | None
) -> None:
    keys = told["keys"]
    shown = keys["log"], keys["witnesses"], keys["quorum"]
    fixed = announced["log"], announced["witnesses"], announced["quorum"]
    _require(shown == fixed, "other keys than the announcement's")
    if trusted is not None:
        _require(keys["log"] == trusted.log, "another log than the one you trust")
        known = set(keys["witnesses"]) <= set(trusted.witnesses)
        _require(known and keys["quorum"] >= trusted.quorum, "other witnesses than you trust")


def _logged(told: Mapping[str, Any]) -> dict[str, _Logged]:
    keys = told["keys"]
    found = {}
    for name, proof in told["proofs"].items():
        proven = verify_proof(proof, log_vkey=keys["log"], witness_vkeys=tuple(keys["witnesses"]))
        _require(len(proven.checkpoint.cosignatures) >= keys["quorum"], f"{name} is not witnessed")
        record = _object(proven.record)
        found[name] = _Logged(
            proven.index,
            text_of(record["id"]),
            text_of(record["kind"]),
            str(UUID(text_of(record["subject"]))),
            _dict(record["facts"]),
        )
    return found


def _is_proven(call: Mapping[str, Any]) -> bool:
    """Whether a call's outcome comes with the kind of evidence that it needs."""
    kind = str(call["evidence"]).partition(":")[0]
    match call["outcome"]:
        case CallOutcome.ACCEPTED | CallOutcome.DECLINED:
            return kind == "statement"
        case CallOutcome.NO_ANSWER:
            return kind == "delivered"
        case CallOutcome.BARRED_LATE:
            return kind == "decision"
        case CallOutcome.RECUSED | CallOutcome.ABSENT:
            return kind == "statement"  # he had accepted the seat he then gave up
    return False


def _final(outcome: CallOutcome) -> CallOutcome:
    """What a call that nobody gave back has become when the draw is complete."""
    return CallOutcome.ACCEPTED if outcome is CallOutcome.CALLED else outcome


def _dict(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BrokenSeal("an object was expected")
    return value


def _texts(value: object) -> list[str]:
    return [text_of(one) for one in list_of(value, at_most=LIST_MAX)]


def _object(content: bytes) -> dict[str, Any]:
    return _dict(strict_json(content, TRANSCRIPT_MAX))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenSeal(otherwise)


def packed(content: Mapping[str, Any]) -> bytes:
    """A transcript as the one file it is kept and sent as."""
    return canonical(dict(content))
