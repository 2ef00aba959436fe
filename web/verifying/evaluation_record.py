"""Checking an evaluation: every total again, from the sheets that were committed to and revealed.

The file holds the report as its members signed it, their signed commitments and signatures, and
proofs of every step from the log. Marks and prices make the ranking, or they do not; commitments
stand before all reveals in the log, or they do not. No name is needed for any of it.

Log, witnesses and quorum are those of the lot's opening policy, which is in the file and whose hash
the log holds since the closing; whoever checks should know them from elsewhere and can say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from evaluation.rules.ranking import EvaluationResult, result_document
from evaluation.rules.recomputation import recompute
from evaluation.rules.rejection_grounds import GROUNDS, RejectionGround
from evaluation.rules.report_contents import (
    ReportPart,
    ReportSignature,
    report_refusals,
    signing_state,
)
from evaluation.rules.scheme_document import parse_scheme, scheme_document
from kernel.crypto import signing
from kernel.crypto.digests import (
    b64u,
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
from kernel.crypto.signing import WEBAUTHN, Envelope, RelyingParty
from kernel.errors import BrokenSeal, Refused
from kernel.money import parse_yuan
from kernel.statute import Regime
from trading.rules.price_talks import Pause, moved_by, price_commitment
from trading.rules.procedures import TALKED
from web.verifying.draw_transcript import TrustedLog
from web.verifying.verdicts import Verdict
from web.verifying.vouchers import Vouchers, policy_in_force

RECORD = "ebid-evaluation-record/1"
REPORT = "ebid-report/1"
RECORD_MAX = 64 << 20
LIST_MAX = 1 << 16
SIGNED_MAX = 8 << 20
NOT_BY_THE_COMMITTEE: Final = ("priced/", "opened/", "suspended/", "resumed/")
PAUSED: Final = ("suspended", "resumed")
"""The steps between which a lot stood still, each with its number."""


@dataclass(frozen=True, slots=True)
class _Logged:
    index: int
    kind: str
    subject: str
    facts: dict[str, Any]
    at: datetime


def verify(content: bytes, *, trusted: TrustedLog | None = None) -> Verdict:
    """Everything an evaluation record claims, checked; nothing of the platform is asked."""
    verdict = Verdict()
    told = verdict.holds("the record can be read", lambda: _record(content))
    if told is None:
        return verdict
    report = verdict.holds("the report can be read", lambda: _report(told))
    if report is None:
        return verdict
    verdict.of_log(told["vouchers"].log)
    verdict.holds(
        "the keys are the ones you trust", lambda: told["vouchers"].check_trusted(trusted)
    )
    logged = verdict.holds("every step stands in the witnessed log", lambda: _logged(told))
    if logged is None or not verdict.ok:
        return verdict
    result = verdict.holds("the result follows from the sheets", lambda: _again(report))
    if result is None:
        return verdict
    evaluation = verdict.holds(
        "the report names its members", lambda: _Evaluation(told, report, logged, result)
    )
    if evaluation is None:
        return verdict
    for what, claim in evaluation.claims():
        verdict.holds(what, claim)
    verdict.holds("what was found", lambda: verdict.found.update(evaluation.found()))
    return verdict


class _Evaluation:
    """A record whose form and proofs are in order, and what it claims."""

    def __init__(
        self,
        told: dict[str, Any],
        report: dict[str, Any],
        logged: Mapping[str, _Logged],
        result: EvaluationResult,
    ) -> None:
        self.told, self.logged, self.result = told, logged, result
        self.parts, self.record = report["parts"], report["record"]
        self.digest = sha256(unb64(told["report"]))
        self.numbers = {
            text_of(one["member"]): count_of(one["number"]) for one in self.parts["members"]
        }

    def claims(self) -> Iterable[tuple[str, Any]]:
        """Each thing that must hold, and what raises where it does not."""
        return [
            ("log and witnesses are the ones the lot's policy names", self.check_vouchers),
            ("the report was handed back to the lot, after everything else", self.check_end),
            ("the members are those whose marks count", self.check_members),
            ("the report says what the law demands", self.check_contents),
            ("standards, comparison and ranking are those reckoned", self.check_ranking),
            (
                "every last price was sealed before any was opened",
                self.check_prices,
            ),
            ("every rejection has its ground, page and majority", self.check_rejections),
            ("every sheet was committed to by its member's signature", self.check_commitments),
            ("everyone had committed before anyone revealed", self.check_order),
            ("every member answered this very report, and it is adopted", self.check_signatures),
        ]

    def check_vouchers(self) -> None:
        close, lot = self.logged["close"], self.parts["basic_data"]["lot"]
        _require((close.kind, close.subject) == ("LotClosed", lot), "the closing of another lot")
        later = [one.index for name, one in self.logged.items() if name != "close"]
        _require(close.index < min(later), "a step before the closing")
        policy = policy_in_force(unb64(text_of(self.told["policy"])), close.facts)
        _require(policy["lot"] == lot, "the policy of another lot")
        self.told["vouchers"].check_policy(policy)

    def check_end(self) -> None:
        end = self.logged["handed_back"]
        basic = self.parts["basic_data"]
        _require(end.kind == "ReportHandedBack", "the last step is no report")
        _require(end.subject == basic["lot"], "it was handed back to another lot")
        _require(end.facts["committee_id"] == self.record["committee"], "another committee's")
        _require(end.facts["report_digest"] == b64u(self.digest), "another report")
        _require(
            end.facts["candidates"] == len(self.result.candidates), "another number of candidates"
        )
        before = [one.index for name, one in self.logged.items() if name != "handed_back"]
        _require(all(index < end.index for index in before), "it came before another step")
        for name, one in self.logged.items():
            _require(one.subject == end.subject, "a step of another lot")
            _require(
                name in ("close", "called")
                or name.startswith(NOT_BY_THE_COMMITTEE)
                or one.facts["committee_id"] == self.record["committee"],
                "another committee's",
            )

    def check_members(self) -> None:
        listed = [text_of(one["member"]) for one in self.parts["members"]]
        _require(sorted(listed) == self.record["members"], "the lists of members differ")
        _require(len(set(self.numbers.values())) == len(listed), "two members have one number")
        for one in self.parts["members"]:
            members(
                one,
                ("member", "number", "capacity", "site", "seat", "succeeds", "name_commitment"),
            )
            unb64u(one["name_commitment"], 32)
        places = {(one["site"], one["seat"]) for one in self.parts["members"]}
        _require(len(places) == len(listed), "two members at one seat")
        sites = sorted({site for site, _ in places})
        _require(self.parts["basic_data"]["sites"] == sites, "other sites than the members'")

    def check_contents(self) -> None:
        candidates = [text_of(one["bid"]) for one in self.parts["candidates"]]
        refusals = report_refusals(
            [ReportPart(one) for one in self.parts],
            candidates,
            regime=Regime(self.record["regime"]),
        )
        _require(not refusals, "; ".join(one.reason for one in refusals))
        list_of(self.parts["clarifications"], at_most=LIST_MAX)
        opening = members(self.parts["opening_record"], ("digest",))
        unb64u(opening["digest"], 32)

    def check_ranking(self) -> None:
        lines = result_document(self.result)["lines"]
        standards = scheme_document(parse_scheme(self.parts["standards"]))
        _require(standards == self.record["scheme"], "other standards than those reckoned with")
        _require(self.parts["comparison"] == lines, "another comparison")
        bids = self._bids()
        ranking = [
            {**bids[line.bid], "rank": line.rank, "total": f"{line.total:f}"}
            for line in self.result.lines
            if line.rank is not None
        ]
        _require(self.parts["ranking"] == ranking, "another ranking")
        _require(
            self.parts["candidates"] == [bids[one] for one in self.result.candidates],
            "other candidates",
        )

    def check_prices(self) -> None:
        """After talks the price of every bid left is the one its supplier sealed, then opened."""
        talked = self.parts["basic_data"]["procedure"] in TALKED
        _require(talked == ("last_prices" in self.told), "last prices where none were asked for")
        if not talked:
            return
        told = {text_of(one["bid"]): one for one in self.told["last_prices"]}
        _require(len(told) == len(self.told["last_prices"]), "a last price stands twice")
        called = self.logged["called"]
        _require(called.kind == "LastPricesCalled", "a step of another kind")
        bids = self._bids()
        _require(set(bids) <= set(told), "a bid without its last price")
        for bid, one in told.items():
            self._check_last_price(one, self.logged[f"priced/{bid}"], called)
        opened_at = [self.logged[f"opened/{bid}"].index for bid in told]
        sealed_at = [self.logged[f"priced/{bid}"].index for bid in told]
        in_order = not told or max(sealed_at) < min(opened_at)
        _require(in_order, "a last price was sealed after another was opened")
        for bid, line in bids.items():
            opened = self._signed_as(told[bid], "opening_keyid", "opening", "last-price-opening")
            step = self.logged[f"priced/{bid}"]
            lot, supplier = UUID(step.subject), UUID(line["bidder"])
            price = parse_yuan(text_of(opened["price"]))
            found = price_commitment(lot, supplier, unb64u(text_of(opened["salt"])), price)
            _require(b64u(found) == step.facts["commitment"], "another price was sealed")
            logged = self.logged[f"opened/{bid}"]
            _require(
                (logged.kind, logged.facts["addressee_id"], logged.facts["commitment"])
                == ("LastPriceOpened", line["bidder"], step.facts["commitment"]),
                "the log knows another opening",
            )
            _require(step.facts["addressee_id"] == line["bidder"], "another supplier's price")
            _require(line["bidder"] in called.facts["asked"], "a supplier that was not asked")
            _require(Decimal(line["price"]) == price, "another price than the last one")

    def _check_last_price(self, one: Mapping[str, Any], step: _Logged, called: _Logged) -> None:
        said = self._signed(one, "last-price")
        _require(step.kind == "LastPriceHandedIn", "a step of another kind")
        _require(
            (said["lot"], said["seq"], said["commitment"])
            == (step.subject, step.facts["seq"], step.facts["commitment"]),
            "the log knows another last price",
        )
        received_at = parse_instant(step.facts["received_at"])
        before = [one for one in self._pauses() if one.until is None or one.until <= received_at]
        due_at = moved_by(parse_instant(called.facts["due_at"]), before, now=received_at)
        _require(parse_instant(step.facts["deadline"]) == due_at, "another deadline")
        _require(received_at < due_at, "a last price that came late")

    def _pauses(self) -> list[Pause]:
        """The times since the call in which the lot stood still, by the log's own entries."""
        pauses: list[Pause] = []
        ended_at = self.logged["called"].at
        for number in range(1, self._paused() + 1):
            begun, ended = (self.logged[f"{step}/{number}"] for step in PAUSED)
            _require(
                (begun.kind, ended.kind) == ("LotSuspended", "LotResumed"), "a step of another kind"
            )
            lot = self.logged["called"].subject
            _require({begun.subject, ended.subject} == {lot}, "another lot stood still")
            _require(ended_at <= begun.at <= ended.at, "suspensions out of order")
            ended_at = ended.at
            pauses.append(Pause(begun.at, ended_at))
        return pauses

    def _paused(self) -> int:
        return sum(name.startswith(f"{PAUSED[0]}/") for name in self.logged)

    def check_rejections(self) -> None:
        size = len(self.record["members"])
        carried = [one for one in self.record["motions"] if 2 * len(one["in_favour"]) > size]
        bids = self._bids(rejected=True)
        expected = [
            {
                **bids[one["bid"]],
                "ground": one["ground"],
                "article": str(GROUNDS[RejectionGround(one["ground"])][0]),
                "says": GROUNDS[RejectionGround(one["ground"])][1],
                "page": one["page"],
                "words": one["words"],
                "in_favour": len(one["in_favour"]),
                "members": size,
            }
            for one in carried
        ]
        _require(self.parts["rejections"] == expected, "other rejections than were voted")
        _require(
            self.logged["handed_back"].facts["rejected"] == len({one["bid"] for one in carried}),
            "another number of rejected bids",
        )

    def check_commitments(self) -> None:
        sheets = {
            (one["sheet"]["expert"], one["sheet"]["round"]): one for one in self.record["sheets"]
        }
        signed = {}
        owners: dict[str, str] = {}
        order = [(self.numbers[one["member"]], one["round"]) for one in self.told["commitments"]]
        _require(order == sorted(order), "the commitments are in disorder")
        for one in self.told["commitments"]:
            key = one["member"], one["round"]
            _require(key not in signed, "a commitment stands twice")
            _require(
                owners.setdefault(one["keyid"], one["member"]) == one["member"],
                "one key signed for two members",
            )
            said = signed[key] = self._signed(one, "scores-commit")
            _require(
                (said["committee"], said["member"], said["round"])
                == (self.record["committee"], one["member"], one["round"]),
                "a commitment to another sheet",
            )
            step = self.logged[f"committed/{self.numbers[one['member']]}/{one['round']}"]
            _require(
                step.kind == "ScoresCommitted"
                and step.facts["commitment"] == said["commitment"]
                and step.facts["reason"] == text_of(said.get("reason", "")).strip(),
                "the log knows another commitment",
            )
        # Where every bid was rejected nobody need reveal what was committed to.
        missing_one = self.result.candidates and set(signed) != set(sheets)
        _require(not missing_one and set(sheets) <= set(signed), "a sheet nobody committed to")
        for key, sheet in sheets.items():
            _require(signed[key]["commitment"] == sheet["commitment"], "another commitment")
            _require(
                text_of(signed[key].get("reason", "")).strip() == sheet["reason"],
                "another reason than was signed",
            )

    def check_order(self) -> None:
        revealed = {name: one for name, one in self.logged.items() if name.startswith("revealed/")}
        shown = {
            f"revealed/{self.numbers[one['sheet']['expert']]}/{one['sheet']['round']}": one
            for one in self.record["sheets"]
        }
        _require(set(revealed) == set(shown), "a sheet whose reveal is not in the log")
        for name, one in revealed.items():
            _require(one.kind == "ScoresRevealed", "a step of another kind")
            _require(
                one.facts["commitment"] == shown[name]["commitment"], "another sheet was revealed"
            )
        named = {
            f"committed/{self.numbers[one['member']]}/{one['round']}"
            for one in self.told["commitments"]
        }
        since = self._seated_since()
        steps = named | set(revealed) | {f"succeeded/{number}" for number in since}
        if "last_prices" in self.told:
            bids = [text_of(one["bid"]) for one in self.told["last_prices"]]
            steps |= {f"{step}/{bid}" for step in ("priced", "opened") for bid in bids} | {"called"}
            numbers = range(1, self._paused() + 1)
            steps |= {f"{step}/{number}" for step in PAUSED for number in numbers}
        _require(set(self.logged) == steps | {"close", "handed_back"}, "steps nobody took")
        for name, one in revealed.items():
            number = count_of(int(name.split("/")[1]))
            _require(one.index > since.get(number, -1), "a sheet shown before its member sat")
        for number in self.numbers.values():
            # What was shown before a successor came stands; from then on the same holds for all.
            met = [one.index for one in revealed.values() if one.index > since.get(number, -1)]
            _require(
                not met or self.logged[f"committed/{number}/1"].index < min(met),
                f"member {number} committed after a sheet was revealed",
            )

    def _seated_since(self) -> dict[int, int]:
        """Where in the log each member who succeeded another took its seat, by number."""
        found = {}
        for one in self.parts["members"]:
            if one["succeeds"] is None:
                continue
            number, left = count_of(one["number"]), count_of(one["succeeds"])
            step = self.logged[f"succeeded/{number}"]
            _require(step.kind == "MemberSucceeded", "a step of another kind")
            _require(
                (step.facts["left"], step.facts["number"]) == (left, number),
                "another member was succeeded",
            )
            _require(left not in self.numbers.values(), "who was succeeded still sits")
            found[number] = step.index
        return found

    def check_signatures(self) -> None:
        answers = []
        people = [UUID(one) for one in self.record["members"]]
        owners = {one["keyid"]: one["member"] for one in self.told["commitments"]}
        for one in self.told["signatures"]:
            said = self._signed(one, "report-signature")
            _require(
                (said["committee"], said["member"]) == (self.record["committee"], one["member"]),
                "a signature for another member",
            )
            _require(
                owners.setdefault(one["keyid"], one["member"]) == one["member"],
                "one key signed for two members",
            )
            answers.append(
                ReportSignature(
                    UUID(one["member"]),
                    unb64u(said["report"], 32),
                    text_of(said["dissent"]),
                    said["refused"] is True,
                )
            )
        order = [one["member"] for one in self.told["signatures"]]
        _require(order == sorted(set(order)), "the signatures are in disorder, or one stands twice")
        state = signing_state(answers, committee_members=people, report_digest=self.digest)
        _require(len(answers) == len(people) and state.is_complete(), "a member did not answer")
        _require(state.is_adopted(), "no majority stands behind the report")

    def found(self) -> dict[str, Any]:
        """What a reader wants to know once everything holds."""
        by_position = Counter(
            "dissents"
            if text_of(self._signed(one, "report-signature")["dissent"]).strip()
            else "signed"
            for one in self.told["signatures"]
        )
        return {
            "lot": self.parts["basic_data"]["lot"],
            "members": len(self.numbers),
            "sheets": len(self.record["sheets"]),
            "benchmark": _shown(self.result.benchmark),
            "ranking": [
                {"name": one["name"], "rank": one["rank"], "total": one["total"]}
                for one in self.parts["ranking"]
            ],
            "rejected": len(self.parts["rejections"]),
            "signatures": dict(by_position),
            "log": self.told["vouchers"].log,
        }

    def _bids(self, *, rejected: bool = False) -> dict[str, dict[str, Any]]:
        """What the report tells of each bid, its price being the one reckoned with."""
        prices = {one["bid"]: Decimal(one["price"]) for one in self.record["bids"]}
        rows = self.parts["rejections"] if rejected else self.parts["conforming_bids"]
        found = {}
        for row in rows:
            bid = {name: text_of(row[name]) for name in ("bid", "bidder", "name", "price")}
            _require(
                prices[bid["bid"]] == Decimal(bid["price"]), "another price than reckoned with"
            )
            found[bid["bid"]] = bid
        if not rejected:
            valid = {line.bid for line in self.result.lines if line.status != "rejected"}
            _require(set(found) == valid, "other bids conform than were reckoned with")
        return found

    def _signed(self, one: Mapping[str, Any], kind: str) -> dict[str, Any]:
        """What a statement of this kind says, signed by the key named beside it."""
        return self._signed_as(one, "keyid", "statement", kind)

    def _signed_as(
        self, one: Mapping[str, Any], keyid: str, statement: str, kind: str
    ) -> dict[str, Any]:
        keys = self.told["keys"]
        envelope = Envelope.from_bytes(unb64(text_of(one[statement])), max_bytes=SIGNED_MAX)
        _require(envelope.payload_type == f"application/vnd.ebid.{kind}.v1+json", "another kind")
        _require([text_of(one[keyid])] == [s.keyid for s in envelope.signatures], "another key")
        signing.verify(
            envelope,
            keys={one[keyid]: keys["signers"][one[keyid]]},
            relying_party=keys["relying_party"],
        )
        said = strict_json(envelope.payload, SIGNED_MAX)
        _require(isinstance(said, dict) and said.get("v") == f"ebid-{kind}/1", "another kind")
        assert isinstance(said, dict)
        return said


# ── reading ───────────────────────────────────────────────────────────────────────────────────


def _record(content: bytes) -> dict[str, Any]:
    told: dict[str, Any] = members(
        strict_json(content, RECORD_MAX),
        ("v", "report", "commitments", "signatures", "keys", "policy", "proofs"),
        optional=("last_prices",),
    )
    _require(told["v"] == RECORD, "not an evaluation's record")
    keys = members(
        told["keys"], ("log", "witnesses", "quorum", "signers"), optional=("relying_party",)
    )
    passkeys = any(keyid.startswith(WEBAUTHN) for keyid in _dict(keys["signers"]))
    _require(passkeys == ("relying_party" in keys), "passkeys sign for a domain, keys for none")
    told["vouchers"] = Vouchers(
        text_of(keys["log"]),
        tuple(text_of(one) for one in list_of(keys["witnesses"], at_most=64)),
        count_of(keys["quorum"]),
    )
    told["keys"] = {
        "signers": {
            text_of(keyid): unb64u(key, 65) for keyid, key in _dict(keys["signers"]).items()
        },
        "relying_party": _relying_party(keys["relying_party"]) if passkeys else None,
    }
    told["proofs"] = {name: text_of(one) for name, one in _dict(told["proofs"]).items()}
    for one in list_of(told["commitments"], at_most=LIST_MAX):
        members(one, ("member", "round", "keyid", "statement"))
    for one in list_of(told["signatures"], at_most=LIST_MAX):
        members(one, ("member", "keyid", "statement"))
    for one in list_of(told.get("last_prices", []), at_most=LIST_MAX):
        members(one, ("bid", "keyid", "statement", "opening_keyid", "opening"))
    used = {one["keyid"] for one in (*told["commitments"], *told["signatures"])}
    for one in told.get("last_prices", []):
        used |= {one["keyid"], one["opening_keyid"]}
    _require(used == set(told["keys"]["signers"]), "keys of others than those who signed")
    return told


def _relying_party(value: object) -> RelyingParty:
    party = members(value, ("id", "origins"))
    origins = [text_of(one) for one in list_of(party["origins"], at_most=64)]
    _require(origins == sorted(set(origins)), "the origins are in disorder")
    return RelyingParty(text_of(party["id"]), frozenset(origins))


def _report(told: Mapping[str, Any]) -> dict[str, Any]:
    content = unb64(text_of(told["report"]))
    report: dict[str, Any] = members(
        strict_json(content, RECORD_MAX), ("v", "parts", "record", "result")
    )
    _require(report["v"] == REPORT, "not a report")
    _dict(report["parts"])
    return report


def _again(report: Mapping[str, Any]) -> EvaluationResult:
    try:
        result = recompute(_dict(report["record"]))
    except Refused as refused:
        reasons = "; ".join(one.reason for one in refused.refusals)
        raise BrokenSeal(f"the law does not allow what it records: {reasons}") from None
    _require(result_document(result) == report["result"], "the result is another")
    return result


def _logged(told: Mapping[str, Any]) -> dict[str, _Logged]:
    vouchers: Vouchers = told["vouchers"]
    found = {}
    for name, proof in told["proofs"].items():
        proven = verify_proof(proof, log_vkey=vouchers.log, witness_vkeys=vouchers.witnesses)
        _require(len(proven.checkpoint.cosignatures) >= vouchers.quorum, f"{name} is not witnessed")
        record = _dict(strict_json(proven.record, RECORD_MAX))
        found[name] = _Logged(
            proven.index,
            text_of(record["kind"]),
            str(UUID(text_of(record["subject"]))),
            _dict(record["facts"]),
            parse_instant(record["at"]),
        )
    return found


def _dict(value: object) -> dict[str, Any]:
    _require(isinstance(value, dict), "an object was expected")
    assert isinstance(value, dict)
    return value


def _shown(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenSeal(otherwise)
