"""Checking an award: who was named, out of which candidates, and that nothing came too early.

An export is a folder: `keys.json` (the log's and the witnesses' verifier keys, the quorum, the
public keys of those who signed, and, where a passkey signed, for whom), `policy.json` (the lot's
opening policy, byte for byte), the signed `candidates.dsse` and `award.dsse`, and proofs that the
steps stand in the log: `close.tlog-proof`, `candidates.tlog-proof` and `award.tlog-proof`.

Where awards fell away, those before the newest lie there as `award-1`, `award-2` …, each with its
`annulment-1` and, if its winner gave it up, that winner's `renunciation-1`; an `annulment` without
a number is the newest one's. A candidate whom its bid bound no longer is shown by its signed
`refusal-1.dsse`, numbered by its rank, or, if it never answered, by the request in the log,
`asked-1.tlog-proof`; a member's signed vote is `vote-1-2.dsse`, by award and by place in the
minutes. A candidate whom the committee examined again and found unfit is shown by the request,
`recheck-1.dsse`, by what members signed, `opinion-1-2.dsse`, by examination and member, and by the
conclusion in the log, `recheck-1.tlog-proof`. Nothing else may lie in the folder.

Log, witnesses and quorum are those of the policy, whose hash the log holds since the closing. That
the ranking is the committee's, and who sits in it, shows its report, whose digest both papers name
and which `sunbid verify evaluation` checks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
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
from trading.rules.split_award import (
    Contender,
    decision_refusals,
    minutes_in,
    party_in,
    split_in,
)
from web.verifying.award_chain import (
    LIST_MAX,
    Chain,
    Link,
    Logged,
    Paper,
    object_in,
    require,
)
from web.verifying.draw_transcript import TrustedLog
from web.verifying.verdicts import Verdict
from web.verifying.vouchers import PaperKeys, Vouchers, keys_beside, policy_in_force

PAPER_MAX = 4 << 20
PAPERS = ("candidates", "award")
STEPS = ("close", "candidates", "award")
STEP_KINDS = {
    "close": "LotClosed",
    "candidates": "CandidatesPublished",
    "award": "AwardPublished",
    "annulment": "AwardAnnulled",
    "asked": "ValidityExtensionAsked",
    "recheck": "RecheckConcluded",
}
PAPER_KINDS = {
    "candidates": "candidates",
    "award": "award",
    "annulment": "award-annulment",
    "renunciation": "award-renunciation",
    "refusal": "validity-answer",
    "vote": "award-vote",
    "recheck": "candidate-recheck",
    "opinion": "recheck-opinion",
}
RANKED = ("bidder", "name", "rank", "price", "total")
MEMBER = ("organisation", "name", "lead", "signed")
REJECTED = ("bidder", "name", "ground", "article", "page")
FILES = frozenset(
    {"keys.json", "policy.json"}
    | {f"{name}.dsse" for name in PAPERS}
    | {f"{name}.tlog-proof" for name in STEPS}
)
"""What is always there."""

MORE = re.compile(
    r"(?:award-N|(?:annulment|renunciation)(?:-N)?|refusal-N|vote-N-N"
    r"|recheck-N|opinion-N-N)\.dsse"
    r"|(?:award-N|annulment(?:-N)?|asked-N|recheck-N)\.tlog-proof".replace("N", "[1-9][0-9]{0,2}")
)
"""What may be there besides, if something in the papers asks for it."""


def verify(folder: Path, *, trusted: TrustedLog | None = None) -> Verdict:
    """Everything the papers of an award claim, checked; nothing of the platform is asked."""
    verdict = Verdict()
    keys = verdict.holds("the keys can be read", lambda: keys_beside(folder))
    if keys is None:
        return verdict
    verdict.of_log(keys.vouchers.log)
    verdict.holds("the keys are the ones you trust", lambda: keys.vouchers.check_trusted(trusted))
    verdict.holds("the papers are all there, and nothing else", lambda: _all_there(folder))
    papers = verdict.holds("every paper is signed", lambda: _papers(folder, keys))
    logged = verdict.holds(
        "every step stands in the witnessed log", lambda: _logged(folder, keys.vouchers)
    )
    if not verdict.ok:
        return verdict
    chain = verdict.holds("the awards lie one after another", lambda: Chain(papers, logged))
    if chain is None:
        return verdict
    award = _Award(folder, keys, chain)
    for what, claim in award.claims():
        verdict.holds(what, claim)
    verdict.holds("what was found", lambda: verdict.found.update(award.found()))
    if verdict.ok:
        verdict.warnings += chain.warnings(award.candidates_told())
    return verdict


class _Award:
    """Papers whose signatures and proofs are in order, and what they claim."""

    def __init__(self, folder: Path, keys: PaperKeys, chain: Chain) -> None:
        self.folder, self.keys, self.chain = folder, keys, chain
        self.papers, self.logged = chain.papers, chain.logged
        self.candidates = chain.papers["candidates"]

    def claims(self) -> Sequence[tuple[str, Any]]:
        """Each thing that must hold, and what raises where it does not."""
        return [
            ("the steps are one lot's, one after another", self.check_steps),
            ("log and witnesses are the ones the lot's policy names", self.check_vouchers),
            ("every key shown signed one of the papers", self.check_signers),
            ("all papers are the ones whose digests the log holds", self.check_digests),
            ("no paper is missing, and none belongs to nothing", self.chain.check_files),
            ("each award follows from what made the last one fall", self.check_chain),
            ("candidates and ranking are those that were published", self.check_candidates),
            ("the ranking is in order, and the candidates are its first", self.check_ranking),
            ("the award names one of the candidates, as published", self.check_winners),
            ("whoever was bound no longer refused, or never answered", self.check_lapses),
            ("whoever was found unfit was so by the committee's majority", self.check_findings),
            ("whoever was ranked before was set aside, with a document", self.check_passed_over),
            ("a split award was decided by the published method", self.check_decisions),
            ("the votes that members signed are those of the minutes", self.chain.check_votes),
            ("the candidates were published until their days were over", self.check_days),
        ]

    def check_steps(self) -> None:
        lot = self.logged["close"].subject
        for name, one in self.logged.items():
            require(one.kind == STEP_KINDS[_stem(name)], f"{name} is a step of another kind")
            require(one.subject == lot, f"{name} is a step of another lot")
        steps = [self.logged["close"], self.logged["candidates"], *self.chain.steps()]
        if self._of_another_report():
            # Candidates that were published again came after the awards that fell before.
            steps = [self.logged["close"], *self.chain.steps()]
            require(
                self.logged["candidates"].index < self.chain.newest.logged.index, "published late"
            )
        places = [one.index for one in steps]
        require(places == sorted(set(places)), "the steps were not taken in this order")
        moments = [parse_instant(one.at) for one in steps]
        require(moments == sorted(moments), "the steps were not taken in this order")

    def check_chain(self) -> None:
        self.chain.check(self.logged["close"].subject)

    def check_lapses(self) -> None:
        self.chain.check_lapses(self.candidates_told())

    def check_findings(self) -> None:
        self.chain.check_findings(self.candidates_told(), after=self.logged["candidates"].index)

    def check_vouchers(self) -> None:
        policy = policy_in_force(
            (self.folder / "policy.json").read_bytes(), self.logged["close"].facts
        )
        require(policy["lot"] == self.logged["close"].subject, "the policy of another lot")
        require(policy["project"] == self.candidates.told["project"], "of another project")
        self.keys.vouchers.check_policy(policy)

    def check_signers(self) -> None:
        signed = {one for paper in self.papers.values() for one in paper.signed_by}
        require(set(self.keys.signers) == signed, "a key nobody used")

    def check_digests(self) -> None:
        notice = self.logged["candidates"].facts
        require(notice["statement_digest"] == self.candidates.digest, "another notice was logged")
        require(notice["report_digest"] == self.candidates.told["report"], "of another report")
        for link in self.chain.links:
            facts, told = link.logged.facts, link.award.told
            require(facts["statement_digest"] == link.award.digest, "another award was logged")
            # An award need not name the report again: its candidates' notice does.
            named = told.get("report", facts["report_digest"])
            require(facts["report_digest"] == named, "an award of another report")
        newest = self.chain.newest.logged.facts
        require(newest["report_digest"] == notice["report_digest"], "an award of another report")

    def check_candidates(self) -> None:
        facts, told = self.logged["candidates"].facts, self.candidates.told
        require([_ranked(one) for one in told["candidates"]] == facts["candidates"], "others")
        require(told["ranking"] == facts["ranking"], "another ranking")
        require(told["rejected"] == facts["rejected"], "other rejections")
        for one in facts["rejected"]:
            _together(members(one, REJECTED, optional=("members",)))

    def check_ranking(self) -> None:
        ranking = self.logged["candidates"].facts["ranking"]
        require(
            [one["rank"] for one in ranking] == list(range(1, len(ranking) + 1)),
            "ranks are missing",
        )
        for one in ranking:
            _together(members(one, RANKED, optional=("members",)))
        totals = [Decimal(text_of(one["total"])) for one in ranking]
        require(totals == sorted(totals, reverse=True), "a lower total is ranked before")
        named = [one["bidder"] for one in ranking]
        named += [one["bidder"] for one in self.logged["candidates"].facts["rejected"]]
        require(len(named) == len(set(named)), "a bidder stands twice")
        candidates = self.logged["candidates"].facts["candidates"]
        require(bool(candidates), "nobody is recommended")
        require(candidates == ranking[: len(candidates)], "the candidates are not the first")

    def check_winners(self) -> None:
        for link in self._judged():
            self._check_winner(link)
        unpriced = [one["price"] is None for one in self.logged["candidates"].facts["ranking"]]
        require(len(set(unpriced)) == 1, "some prices are told and others are not")

    def _check_winner(self, link: Link) -> None:
        facts, told = link.logged.facts, link.award.told
        require(told["winner"] == facts["winner_id"], "another winner was logged")
        require(told["winner"] not in self.chain.out_before(link), "it had lost the award before")
        winner = self._winner(link)
        require(
            (facts["rank"], facts["winner"]) == (winner["rank"], winner["name"]),
            "the winner's rank or name is another",
        )
        # An award that was logged before consortia were named says nothing of them.
        together = winner.get("members", [])
        require(facts.get("members", together) == together, "other members won")
        # After talks nobody is told what the others asked for, and the award alone names a price.
        price = winner["price"]
        require(
            price is None or Decimal(price) == Decimal(facts["price"]),
            "the winner's price is another",
        )

    def check_passed_over(self) -> None:
        for link in self._judged():
            self._check_passed_over(link)

    def _check_passed_over(self, link: Link) -> None:
        aside = {
            one["bidder"]: text_of(one["document"])
            for one in list_of(link.award.told.get("set_aside", []), at_most=LIST_MAX)
            if isinstance(one, dict)
        }
        gone = self.chain.out_before(link)
        gone |= {one["bidder"] for one in [*link.lapsed, *link.unfit]}
        before = self._winner(link)["rank"] - 1
        # Where the award is split, `check_decisions` asks for more than the ranking.
        split = "award_method" in self.candidates.told
        for better in () if split else self.candidates_told()[:before]:
            document = aside.get(better["bidder"], "")
            require(
                better["bidder"] in gone or bool(document.strip()),
                f"{better['name']} was passed over without a document",
            )
        winner = self._winner(link)["bidder"]
        require(winner not in aside, "the winner was set aside")
        require(winner not in gone, "the winner was bound no longer, or found unfit")

    def check_decisions(self) -> None:
        for link in self._judged():
            lapsed = {one["bidder"] for one in link.lapsed}
            check_decision(
                self.candidates.told,
                link.award.told,
                self.candidates_told(),
                out=self.chain.out_before(link) | {one["bidder"] for one in link.unfit},
                # An award that was logged before lapses were told says itself who had left.
                left=lapsed if "lapsed" in link.logged.facts else None,
            )

    def check_days(self) -> None:
        until = parse_instant(self.logged["candidates"].facts["until"])
        published = parse_instant(self.logged["candidates"].at)
        require(published < until, "they were never published")
        first = parse_instant(self._judged()[0].logged.at)
        require(first >= until, "the award came too early")

    def found(self) -> dict[str, Any]:
        """What a reader wants to know once everything holds."""
        newest = self.chain.newest
        facts = newest.logged.facts
        return {
            "lot": self.logged["close"].subject,
            "winner": facts["winner"],
            "rank": facts["rank"],
            "price": facts["price"],
            "report": facts["report_digest"],
            "candidates": len(self.candidates_told()),
            "published": self.logged["candidates"].at,
            "awarded": newest.logged.at,
            "awards": len(self.chain.links),
            "in_force": self.chain.in_force,
            "log": self.keys.vouchers.log,
        }

    def candidates_told(self) -> list[dict[str, Any]]:
        """The candidates as they were published."""
        found: list[dict[str, Any]] = self.logged["candidates"].facts["candidates"]
        return found

    def _judged(self) -> list[Link]:
        """The awards out of these candidates; of those before only the order is checked here."""
        report = self.candidates.told["report"]
        return [one for one in self.chain.links if one.logged.facts["report_digest"] == report]

    def _of_another_report(self) -> bool:
        return len(self._judged()) < len(self.chain.links)

    def _winner(self, link: Link) -> dict[str, Any]:
        winner = link.award.told["winner"]
        found = [one for one in self.candidates_told() if one["bidder"] == winner]
        require(len(found) == 1, "the winner is none of the candidates")
        return found[0]


def check_decision(
    notice: Mapping[str, Any],
    award: Mapping[str, Any],
    candidates: Sequence[Mapping[str, Any]],
    *,
    out: Collection[str] = (),
    left: Collection[str] | None = None,
) -> None:
    """`BrokenSeal` unless the award is what the method of its notice makes of its minutes.

    `out` are those who lost the award before or were found unfit, `left` those whom their bids bind
    no longer.
    """
    split = split_in(notice["award_method"]) if "award_method" in notice else None
    minutes = minutes_in(award["minutes"]) if "minutes" in award else None
    if split is None and minutes is None:
        return
    aside = list_of(award.get("set_aside", []), at_most=LIST_MAX)
    minutes_left = () if minutes is None else minutes.left
    refusals = decision_refusals(
        split,
        minutes,
        party_in(award["winner"]),
        candidates=[
            Contender(party_in(one["bidder"]), one["name"], one["rank"], Decimal(one["price"]))
            for one in candidates
        ],
        set_aside={party_in(object_in(one)["bidder"]) for one in aside} | set(map(party_in, out)),
        left=minutes_left if left is None else set(map(party_in, left)),
    )
    require(not refusals, "; ".join(one.code for one in refusals))


# ── reading ───────────────────────────────────────────────────────────────────────────────────


def _all_there(folder: Path) -> None:
    there = {path.name for path in folder.iterdir()}
    wrong = FILES - there | {name for name in there - FILES if not MORE.fullmatch(name)}
    require(not wrong, f"too many or too few: {', '.join(sorted(wrong)[:3])}")


def _papers(folder: Path, keys: PaperKeys) -> dict[str, Paper]:
    return {path.stem: _paper(path, keys) for path in sorted(folder.glob("*.dsse"))}


def _paper(path: Path, keys: PaperKeys) -> Paper:
    content, kind = path.read_bytes(), PAPER_KINDS[_stem(path.stem)]
    envelope = Envelope.from_bytes(content, max_bytes=PAPER_MAX)
    require(envelope.payload_type == f"application/vnd.ebid.{kind}.v1+json", "another kind")
    known = signing.verify(envelope, keys=keys.signers, relying_party=keys.relying_party)
    require(len(known) == len(envelope.signatures), "a signature by a key you do not know")
    told = object_in(strict_json(envelope.payload, PAPER_MAX))
    require(told["v"] == f"ebid-{kind}/1", "another kind")
    return Paper(b64u(sha256(content)), told, known)


def _logged(folder: Path, vouchers: Vouchers) -> dict[str, Logged]:
    found = {}
    for path in sorted(folder.glob("*.tlog-proof")):
        proven = verify_proof(
            path.read_text(), log_vkey=vouchers.log, witness_vkeys=vouchers.witnesses
        )
        witnessed = len(proven.checkpoint.cosignatures) >= vouchers.quorum
        require(witnessed, f"{path.stem} is not witnessed")
        record = object_in(strict_json(proven.record, PAPER_MAX))
        found[path.stem] = Logged(
            proven.index,
            text_of(record["kind"]),
            str(UUID(text_of(record["subject"]))),
            text_of(record["at"]),
            object_in(record["facts"]),
        )
    return found


def _stem(name: str) -> str:
    """What a file is, without the numbers that say which."""
    return name.partition("-")[0]


def _ranked(one: Mapping[str, Any]) -> dict[str, Any]:
    """A candidate's place and members, without the words that its publisher wrote about it."""
    together = {"members": one["members"]} if "members" in one else {}
    return {name: one[name] for name in RANKED} | together


def _together(one: Mapping[str, Any]) -> None:
    """`Malformed` unless a consortium's members, where there are any, are named as they should."""
    for member in list_of(one.get("members", []), at_most=LIST_MAX):
        members(member, MEMBER)
