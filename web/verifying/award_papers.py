"""Checking an award: who was named, out of which candidates, and that nothing came too early.

An export is a folder: `keys.json` (the log's and the witnesses' verifier keys, the quorum, the
public keys of those who signed, and, where a passkey signed, for whom), `policy.json` (the lot's
opening policy, byte for byte), the signed `candidates.dsse` and `award.dsse`, and proofs that the
steps stand in the log: `close.tlog-proof`, `candidates.tlog-proof` and `award.tlog-proof`. Nothing
else may lie in it.

Log, witnesses and quorum are those of the policy, whose hash the log holds since the closing. That
the ranking is the committee's shows its report, whose digest both papers name and which `sunbid
verify evaluation` checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from kernel.crypto import signing
from kernel.crypto.digests import (
    b64u,
    list_of,
    members,
    parse_instant,
    sha256,
    strict_json,
    text_of,
)
from kernel.crypto.receipts import verify_proof
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal
from kernel.identifiers import PartyId
from trading.rules.split_award import (
    Contender,
    decision_refusals,
    minutes_in,
    split_in,
)
from web.verifying.draw_transcript import TrustedLog
from web.verifying.verdicts import Verdict
from web.verifying.vouchers import PaperKeys, Vouchers, keys_beside, policy_in_force

PAPER_MAX = 4 << 20
LIST_MAX = 1 << 16
PAPERS = ("candidates", "award")
STEPS = {"close": "LotClosed", "candidates": "CandidatesPublished", "award": "AwardPublished"}
RANKED = ("bidder", "name", "rank", "price", "total")
MEMBER = ("organisation", "name", "lead", "signed")
REJECTED = ("bidder", "name", "ground", "article", "page")
FILES = frozenset(
    {"keys.json", "policy.json"}
    | {f"{name}.dsse" for name in PAPERS}
    | {f"{name}.tlog-proof" for name in STEPS}
)


@dataclass(frozen=True, slots=True)
class _Paper:
    """A signed statement: the digest of the whole file, what it says, and who signed."""

    digest: str
    told: dict[str, Any]
    signed_by: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Logged:
    """An entry proven to stand in the log."""

    index: int
    kind: str
    subject: str
    at: str
    facts: dict[str, Any]


def verify(folder: Path, *, trusted: TrustedLog | None = None) -> Verdict:
    """Everything the papers of an award claim, checked; nothing of the platform is asked."""
    verdict = Verdict()
    keys = verdict.holds("the keys can be read", lambda: keys_beside(folder))
    if keys is None:
        return verdict
    verdict.holds("the keys are the ones you trust", lambda: keys.vouchers.check_trusted(trusted))
    verdict.holds("the papers are all there, and nothing else", lambda: _all_there(folder))
    candidates = verdict.holds(
        "the notice of the candidates is signed", lambda: _paper(folder, "candidates", keys)
    )
    award = verdict.holds("the award is signed", lambda: _paper(folder, "award", keys))
    logged = verdict.holds(
        "every step stands in the witnessed log", lambda: _logged(folder, keys.vouchers)
    )
    if not verdict.ok:
        return verdict
    papers = _Award(folder, keys, candidates, award, logged)
    for what, claim in papers.claims():
        verdict.holds(what, claim)
    verdict.holds("what was found", lambda: verdict.found.update(papers.found()))
    return verdict


class _Award:
    """Papers whose signatures and proofs are in order, and what they claim."""

    def __init__(
        self,
        folder: Path,
        keys: PaperKeys,
        candidates: _Paper,
        award: _Paper,
        logged: Mapping[str, _Logged],
    ) -> None:
        self.folder, self.keys, self.logged = folder, keys, logged
        self.candidates, self.award = candidates, award

    def claims(self) -> Sequence[tuple[str, Any]]:
        """Each thing that must hold, and what raises where it does not."""
        return [
            ("the steps are one lot's, one after another", self.check_steps),
            ("log and witnesses are the ones the lot's policy names", self.check_vouchers),
            ("every key shown signed one of the papers", self.check_signers),
            ("both papers are the ones whose digests the log holds", self.check_digests),
            ("candidates and ranking are those that were published", self.check_candidates),
            ("the ranking is in order, and the candidates are its first", self.check_ranking),
            ("the award names one of the candidates, as published", self.check_winner),
            ("whoever was ranked before was set aside, with a document", self.check_passed_over),
            ("a split award was decided by the published method", self.check_decision),
            ("the candidates were published until their days were over", self.check_days),
        ]

    def check_steps(self) -> None:
        lot = self.logged["close"].subject
        for name, one in self.logged.items():
            _require(one.kind == STEPS[name], f"{name} is a step of another kind")
            _require(one.subject == lot, f"{name} is a step of another lot")
        for paper in (self.candidates, self.award):
            _require(paper.told["lot"] == lot, "a paper of another lot")
        places = [self.logged[name].index for name in STEPS]
        _require(places == sorted(set(places)), "the steps were not taken in this order")

    def check_vouchers(self) -> None:
        policy = policy_in_force(
            (self.folder / "policy.json").read_bytes(), self.logged["close"].facts
        )
        _require(policy["lot"] == self.logged["close"].subject, "the policy of another lot")
        _require(policy["project"] == self.candidates.told["project"], "of another project")
        self.keys.vouchers.check_policy(policy)

    def check_signers(self) -> None:
        signed = self.candidates.signed_by | self.award.signed_by
        _require(set(self.keys.signers) == signed, "a key nobody used")

    def check_digests(self) -> None:
        for name, paper in (("candidates", self.candidates), ("award", self.award)):
            facts = self.logged[name].facts
            _require(facts["statement_digest"] == paper.digest, f"another {name} was logged")
            # An award need not name the report again: its candidates' notice does.
            named = paper.told.get("report", self.candidates.told["report"])
            _require(facts["report_digest"] == named, f"{name} of another report")

    def check_candidates(self) -> None:
        facts, told = self.logged["candidates"].facts, self.candidates.told
        _require([_ranked(one) for one in told["candidates"]] == facts["candidates"], "others")
        _require(told["ranking"] == facts["ranking"], "another ranking")
        _require(told["rejected"] == facts["rejected"], "other rejections")
        for one in facts["rejected"]:
            _together(members(one, REJECTED, optional=("members",)))

    def check_ranking(self) -> None:
        ranking = self.logged["candidates"].facts["ranking"]
        _require(
            [one["rank"] for one in ranking] == list(range(1, len(ranking) + 1)),
            "ranks are missing",
        )
        for one in ranking:
            _together(members(one, RANKED, optional=("members",)))
        totals = [Decimal(text_of(one["total"])) for one in ranking]
        _require(totals == sorted(totals, reverse=True), "a lower total is ranked before")
        named = [one["bidder"] for one in ranking]
        named += [one["bidder"] for one in self.logged["candidates"].facts["rejected"]]
        _require(len(named) == len(set(named)), "a bidder stands twice")
        candidates = self.logged["candidates"].facts["candidates"]
        _require(bool(candidates), "nobody is recommended")
        _require(candidates == ranking[: len(candidates)], "the candidates are not the first")

    def check_winner(self) -> None:
        facts, told = self.logged["award"].facts, self.award.told
        _require(told["winner"] == facts["winner_id"], "another winner was logged")
        winner = self._winner()
        _require(
            (facts["rank"], facts["winner"]) == (winner["rank"], winner["name"]),
            "the winner's rank or name is another",
        )
        # An award that was logged before consortia were named says nothing of them.
        together = winner.get("members", [])
        _require(facts.get("members", together) == together, "other members won")
        # After talks nobody is told what the others asked for, and the award alone names a price.
        price = winner["price"]
        _require(
            price is None or Decimal(price) == Decimal(facts["price"]),
            "the winner's price is another",
        )
        unpriced = [one["price"] is None for one in self.logged["candidates"].facts["ranking"]]
        _require(len(set(unpriced)) == 1, "some prices are told and others are not")

    def check_passed_over(self) -> None:
        aside = {
            one["bidder"]: text_of(one["document"])
            for one in list_of(self.award.told.get("set_aside", []), at_most=LIST_MAX)
            if isinstance(one, dict)
        }
        before = self._winner()["rank"] - 1
        # Where the award is split, `check_decision` asks for more than the ranking.
        split = "award_method" in self.candidates.told
        for better in () if split else self._candidates()[:before]:
            document = aside.get(better["bidder"], "")
            _require(bool(document.strip()), f"{better['name']} was passed over without a document")
        _require(self._winner()["bidder"] not in aside, "the winner was set aside")

    def check_decision(self) -> None:
        check_decision(self.candidates.told, self.award.told, self._candidates())

    def check_days(self) -> None:
        until = parse_instant(self.logged["candidates"].facts["until"])
        published = parse_instant(self.logged["candidates"].at)
        _require(published < until, "they were never published")
        _require(parse_instant(self.logged["award"].at) >= until, "the award came too early")

    def found(self) -> dict[str, Any]:
        """What a reader wants to know once everything holds."""
        facts = self.logged["award"].facts
        return {
            "lot": self.logged["close"].subject,
            "winner": facts["winner"],
            "rank": facts["rank"],
            "price": facts["price"],
            "report": facts["report_digest"],
            "candidates": len(self._candidates()),
            "published": self.logged["candidates"].at,
            "awarded": self.logged["award"].at,
            "log": self.keys.vouchers.log,
        }

    def _candidates(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.logged["candidates"].facts["candidates"]
        return found

    def _winner(self) -> dict[str, Any]:
        winner = self.award.told["winner"]
        found = [one for one in self._candidates() if one["bidder"] == winner]
        _require(len(found) == 1, "the winner is none of the candidates")
        return found[0]


def check_decision(
    notice: Mapping[str, Any], award: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]
) -> None:
    """`BrokenSeal` unless the award is what the method of its notice makes of its minutes."""
    split = split_in(notice["award_method"]) if "award_method" in notice else None
    minutes = minutes_in(award["minutes"]) if "minutes" in award else None
    if split is None and minutes is None:
        return
    aside = list_of(award.get("set_aside", []), at_most=LIST_MAX)
    refusals = decision_refusals(
        split,
        minutes,
        _party(award["winner"]),
        candidates=[
            Contender(_party(one["bidder"]), one["name"], one["rank"], Decimal(one["price"]))
            for one in candidates
        ],
        set_aside={_party(_dict(one)["bidder"]) for one in aside},
        left=() if minutes is None else minutes.left,
    )
    _require(not refusals, "; ".join(one.code for one in refusals))


# ── reading ───────────────────────────────────────────────────────────────────────────────────


def _all_there(folder: Path) -> None:
    there = {path.name for path in folder.iterdir()}
    _require(there == FILES, f"too many or too few: {', '.join(sorted(there ^ FILES)[:3])}")


def _paper(folder: Path, kind: str, keys: PaperKeys) -> _Paper:
    content = (folder / f"{kind}.dsse").read_bytes()
    envelope = Envelope.from_bytes(content, max_bytes=PAPER_MAX)
    _require(envelope.payload_type == f"application/vnd.ebid.{kind}.v1+json", "another kind")
    known = signing.verify(envelope, keys=keys.signers, relying_party=keys.relying_party)
    _require(len(known) == len(envelope.signatures), "a signature by a key you do not know")
    told = _dict(strict_json(envelope.payload, PAPER_MAX))
    _require(told["v"] == f"ebid-{kind}/1", "another kind")
    return _Paper(b64u(sha256(content)), told, known)


def _logged(folder: Path, vouchers: Vouchers) -> dict[str, _Logged]:
    found = {}
    for name in STEPS:
        proven = verify_proof(
            (folder / f"{name}.tlog-proof").read_text(),
            log_vkey=vouchers.log,
            witness_vkeys=vouchers.witnesses,
        )
        _require(len(proven.checkpoint.cosignatures) >= vouchers.quorum, f"{name} is not witnessed")
        record = _dict(strict_json(proven.record, PAPER_MAX))
        found[name] = _Logged(
            proven.index,
            text_of(record["kind"]),
            str(UUID(text_of(record["subject"]))),
            text_of(record["at"]),
            _dict(record["facts"]),
        )
    return found


def _party(told: object) -> PartyId:
    return PartyId(UUID(text_of(told)))


def _ranked(one: Mapping[str, Any]) -> dict[str, Any]:
    """A candidate's place and members, without the words that its publisher wrote about it."""
    together = {"members": one["members"]} if "members" in one else {}
    return {name: one[name] for name in RANKED} | together


def _together(one: Mapping[str, Any]) -> None:
    """`Malformed` unless a consortium's members, where there are any, are named as they should."""
    for member in list_of(one.get("members", []), at_most=LIST_MAX):
        members(member, MEMBER)


def _dict(value: object) -> dict[str, Any]:
    _require(isinstance(value, dict), "an object was expected")
    assert isinstance(value, dict)
    return value


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenSeal(otherwise)
