"""A lot's awards one after another: what made each fall, who was out and why, who voted how.

Each award after the first names the annulment of the one before it, and each annulment the award
that it annuls, so that none can be left out or put in later. Whoever gave an award up signed that
under a key of its own, as did whoever would not be bound longer, and each member who voted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kernel.crypto.digests import list_of, parse_instant, text_of
from kernel.errors import BrokenSeal
from trading.rules.award_annulment import AnnulmentGround

LIST_MAX: Final = 1 << 16
UNSIGNED: Final = "{who} did not sign the own vote; it rests on the tenderee's word"
SILENT: Final = "that {who} never answered the request to be bound longer, only the platform says"


@dataclass(frozen=True, slots=True)
class Paper:
    """A signed statement: the digest of the whole file, what it says, and who signed."""

    digest: str
    told: dict[str, Any]
    signed_by: frozenset[str]


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry proven to stand in the log."""

    index: int
    kind: str
    subject: str
    at: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """One award of the lot, and the names of its paper and of those that belong to it."""

    number: int
    suffix: str
    award: Paper
    logged: Logged
    annulment: Paper | None
    annulled: Logged | None
    renunciation: Paper | None

    @property
    def lapsed(self) -> list[dict[str, Any]]:
        """Those whom their bids bound no longer, as the log told with the award."""
        return [object_in(one) for one in list_of(self.logged.facts.get("lapsed", []), at_most=99)]

    @property
    def unfit(self) -> list[dict[str, Any]]:
        """Those whom the committee had found unfit, as the log told with the award."""
        return [object_in(one) for one in list_of(self.logged.facts.get("unfit", []), at_most=99)]

    @property
    def votes(self) -> list[dict[str, Any]]:
        """The votes of its minutes, in their order."""
        minutes = self.award.told.get("minutes", {})
        return [object_in(one) for one in list_of(minutes.get("votes", []), at_most=LIST_MAX)]


class Chain:
    """The awards of a lot in their order, with every paper and entry beside them."""

    def __init__(self, papers: Mapping[str, Paper], logged: Mapping[str, Logged]) -> None:
        self.papers, self.logged = papers, logged
        before = sum(name.startswith("award-") for name in papers)
        suffixes = [f"-{number}" for number in range(1, before + 1)] + [""]
        self.links = [self._link(number, suffix) for number, suffix in enumerate(suffixes, 1)]

    @property
    def newest(self) -> Link:
        """The last award that was made."""
        return self.links[-1]

    @property
    def in_force(self) -> bool:
        """Whether the newest award still stands."""
        return self.newest.annulment is None

    def out_before(self, link: Link) -> set[str]:
        """Who had won before this award and lost it."""
        return {one.award.told["winner"] for one in self.links[: link.number - 1]}

    def check(self, lot: str) -> None:
        """`BrokenSeal` unless each award follows from what became of the one before it."""
        for name, paper in self.papers.items():
            # An opinion names its committee, and the examination, whose request names the lot.
            if not name.startswith("opinion-"):
                require(paper.told["lot"] == lot, "a paper of another lot")
        for before, link in zip([None, *self.links], self.links, strict=False):
            due = None if before is None or before.annulment is None else before.annulment.digest
            require(before is None or due is not None, "an award that nobody annulled was replaced")
            require(link.award.told.get("after") == due, "an award follows another annulment")
            # An award that was logged before there were several says no number.
            require(link.logged.facts.get("number", 1) == link.number, "an award of another number")
            if link.annulment is not None:
                _check_annulment(link, link.annulment)

    def check_lapses(self, candidates: Sequence[Mapping[str, Any]]) -> None:
        """`BrokenSeal` unless each lapsed bid has a refusal, or a request that ran out."""
        places = {one["bidder"]: one["rank"] for one in candidates}
        newest = self.newest
        for one in newest.lapsed:
            at, award = parse_instant(one["at"]), newest.logged
            require(at <= parse_instant(award.at), "a bid lapsed only after the award")
            number = one["request"]
            if one["refusal"] is None:
                asked = self.logged[f"asked-{number}"]
                require(asked.facts["number"] == number, "another request")
                require(asked.index < award.index, "asked only after the award")
                require(parse_instant(asked.facts["answer_by"]) <= at, "it could still answer")
                continue
            refusal = self.papers[f"refusal-{places[one['bidder']]}"]
            require(refusal.digest == one["refusal"], "another refusal was logged")
            require(refusal.told["number"] == number, "a refusal of another request")
            require(refusal.told["agreed"] is False, "it agreed")
        for link in self.links[:-1]:
            require(all(one in newest.lapsed for one in link.lapsed), "a lapse was forgotten")

    def check_findings(self, candidates: Sequence[Mapping[str, Any]], *, after: int) -> None:
        """`BrokenSeal` unless more than half of the committee signed that each of them is unfit.

        That was after the candidates were published, which is `after` in the log, and before the
        award; and whoever was found unfit stays so while the same report is in force.
        """
        named = {one["bidder"] for one in candidates}
        newest = self.newest
        for one in newest.unfit:
            require(one["bidder"] in named, "somebody was found unfit who is no candidate")
            self._check_finding(one["bidder"], one["recheck"], after=after)
        for link in self._of_the_same_report():
            require(all(one in newest.unfit for one in link.unfit), "a finding was forgotten")
            for one in link.unfit:
                concluded = self.logged[f"recheck-{one['recheck']}"]
                require(concluded.index < link.logged.index, "found only after the award")

    def check_votes(self) -> None:
        """`BrokenSeal` unless each vote that was signed is the one that the minutes tell of."""
        for link in self.links:
            signers: set[str] = set()
            for name, vote in _signed_votes(link):
                paper = self.papers[name]
                require(paper.digest == vote["signed"], "another vote was signed")
                for what in ("member", "bidder"):
                    require(paper.told[what] == vote[what], f"the vote is of another {what}")
                report = link.logged.facts["report_digest"]
                require(paper.told["report"] == report, "a vote over another report")
                require(not signers & paper.signed_by, "two members voted with one key")
                signers |= paper.signed_by

    def check_files(self) -> None:
        """`BrokenSeal` where a paper or proof is missing, or belongs to nothing."""
        suffixes = [link.suffix for link in self.links]
        fallen = [link.suffix for link in self.links if link.annulment is not None]
        gave_up = [link.suffix for link in self.links if link.renunciation is not None]
        newest = self.newest
        refusals = {one["refusal"] for one in newest.lapsed} - {None}
        asked = {f"asked-{one['request']}" for one in newest.lapsed if one["refusal"] is None}
        papers = {"candidates"}
        papers |= {f"award{one}" for one in suffixes} | {f"annulment{one}" for one in fallen}
        papers |= {f"renunciation{one}" for one in gave_up}
        papers |= {name for link in self.links for name, _ in _signed_votes(link)}
        papers |= {
            name
            for name, paper in self.papers.items()
            if name.startswith("refusal-") and paper.digest in refusals
        }
        examined = {f"recheck-{one['recheck']}" for one in newest.unfit}
        papers |= examined | {name for one in newest.unfit for name, _ in self._opinions(one)}
        steps = {"close", "candidates"} | asked | examined
        steps |= {f"award{one}" for one in suffixes} | {f"annulment{one}" for one in fallen}
        require(papers == set(self.papers), "a paper is missing, or belongs to nothing")
        require(steps == set(self.logged), "a proof is missing, or belongs to nothing")

    def steps(self) -> list[Logged]:
        """The awards and annulments as the log tells of them, in the order in which they follow."""
        return [
            one for link in self.links for one in (link.logged, link.annulled) if one is not None
        ]

    def warnings(self, candidates: Sequence[Mapping[str, Any]]) -> list[str]:
        """What holds, and yet rests on somebody's word or no longer counts."""
        names = {one["bidder"]: one["name"] for one in candidates}
        found = [
            SILENT.format(who=names[one["bidder"]])
            for one in self.newest.lapsed
            if one["refusal"] is None
        ]
        found += [
            UNSIGNED.format(who=one["member"]) for one in self.newest.votes if "signed" not in one
        ]
        return found if self.in_force else ["the award was annulled and is not in force", *found]

    def _check_finding(self, bidder: str, number: int, *, after: int) -> None:
        concluded, request = self.logged[f"recheck-{number}"], self.papers[f"recheck-{number}"]
        report = self.newest.logged.facts["report_digest"]
        facts = {
            "number": number,
            "candidate_id": bidder,
            "ground": request.told["ground"],
            "confirmed": False,
            "report_digest": report,
            "request_digest": request.digest,
        }
        require(facts.items() <= concluded.facts.items(), "another finding was logged")
        require(concluded.index > after, "found before anybody was a candidate")
        require(request.told["candidate"] == bidder, "another candidate was examined")
        require(request.told["report"] == report, "examined over another report")
        signers = set(request.signed_by)
        unfit = 0
        for name, opinion in self._opinions({"recheck": number}):
            paper = self.papers[name]
            require(paper.digest == opinion["signed"], "another opinion was signed")
            require(paper.told["recheck"] == request.digest, "an opinion on another examination")
            require(paper.told["fit"] is opinion["fit"], "the opinion says something else")
            require(not signers & paper.signed_by, "one key signed twice")
            signers |= paper.signed_by
            unfit += paper.told["fit"] is False
        require(unfit == concluded.facts["unfit"], "another number found it unfit")
        require(unfit * 2 > concluded.facts["members"], "no majority found it unfit")

    def _opinions(self, one: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        number = one["recheck"]
        told = list_of(self.logged[f"recheck-{number}"].facts["opinions"], at_most=LIST_MAX)
        return [(f"opinion-{number}-{each['member']}", each) for each in map(object_in, told)]

    def _of_the_same_report(self) -> list[Link]:
        report = self.newest.logged.facts["report_digest"]
        return [one for one in self.links if one.logged.facts["report_digest"] == report]

    def _link(self, number: int, suffix: str) -> Link:
        return Link(
            number,
            suffix,
            self.papers[f"award{suffix}"],
            self.logged[f"award{suffix}"],
            self.papers.get(f"annulment{suffix}"),
            self.logged.get(f"annulment{suffix}"),
            self.papers.get(f"renunciation{suffix}"),
        )


def _check_annulment(link: Link, annulment: Paper) -> None:
    told, entry = annulment.told, link.annulled
    require(entry is not None, "the log does not tell of an annulment")
    assert entry is not None
    require(told["award"] == link.award.digest, "another award was annulled")
    facts = {
        "number": link.number,
        "winner_id": link.award.told["winner"],
        "ground": told["ground"],
        "award_digest": link.award.digest,
        "statement_digest": annulment.digest,
        "renunciation_digest": told.get("renunciation"),
    }
    require(facts.items() <= entry.facts.items(), "another annulment was logged")
    ground = AnnulmentGround(text_of(told["ground"]))
    require(bool(text_of(told["words"]).strip()), "an annulment without a reason")
    if ground is AnnulmentGround.GAVE_UP:
        _check_renunciation(link, told)
        return
    require("renunciation" not in told, "a renunciation on another ground")
    require(bool(list_of(told["evidence"], at_most=LIST_MAX)), "an annulment without evidence")
    if ground is AnnulmentGround.ILLEGAL_ACT_FOUND:
        require(bool(text_of(told["found_by"]).strip()), "no authority found it")


def _check_renunciation(link: Link, told: Mapping[str, Any]) -> None:
    paper = link.renunciation
    require(paper is not None, "the winner did not sign that it gives up")
    assert paper is not None
    require(paper.digest == told["renunciation"], "another renunciation")
    require(paper.told["award"] == link.award.digest, "it gave up another award")
    require(not paper.signed_by & link.award.signed_by, "the tenderee gave up for the winner")


def _signed_votes(link: Link) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, vote in enumerate(link.votes, 1):
        if "signed" in vote:
            yield f"vote-{link.number}-{place}", vote


def object_in(value: object) -> dict[str, Any]:
    """The JSON object that this is, or `BrokenSeal`."""
    require(isinstance(value, dict), "an object was expected")
    assert isinstance(value, dict)
    return value


def require(holds: bool, otherwise: str) -> None:
    """`BrokenSeal`, in these words, unless it holds."""
    if not holds:
        raise BrokenSeal(otherwise)
