"""Checking an opening: every announced price again, from the sealed sheet and the secrets.

An export is a folder: `keys.json` (the log's and the witnesses' verifier keys, the quorum, the
public keys of those who signed, and, where a passkey signed, for whom), the signed `policy.dsse`,
`timetable.dsse` and `record.dsse`, the sealed sheets under `sheets/`, and proofs that the opening's
steps stand in the log, as `*.tlog-proof`: `close`, `window-closed`, `fallback-host` and
`fallback-supervisor` where custodians stood in for an absent bidder, `opened`, `objection-N` and
`answer-N` for the record's N-th objection, and `recorded`. No private key is needed: the secrets of
the opened sheets stand in the record. Nothing else may lie in it.

The log, the witnesses and their quorum are those of the policy, whose hash every bidder sealed into
the envelopes and the log holds since the closing; whoever checks should know them from elsewhere
and can say so.

Whoever signs the record cannot change it afterwards: `recorded` holds its digest. What was opened,
under which name and with which outcome, stands in the log under `opened`; the host and the platform
together cannot say otherwise later without a second entry that every reader of the log sees.

Outcomes follow from the same rule by which the platform decides. That a bid was revoked although
its bidder released is shown: by shares that were badly dealt, or by a sheet that its own secrets do
not open, or that cannot be read out. Three things are the platform's word alone: that a whole
bid (a trade secret, never exported) does not decrypt, that stored bytes were lost, and who bids
together, for the agreement lies in the bid. The first two are listed in what was found, for the
bidder to disprove with its recovery file and its own copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from kernel.crypto import sealing, signing
from kernel.crypto.digests import (
    b64u,
    list_of,
    members,
    sha256,
    strict_json,
    text_of,
    unb64u,
)
from kernel.crypto.envelope_header import share_commitment
from kernel.crypto.receipts import verify_proof
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal
from trading.rules.decryption_outcome import (
    Decryption,
    DecryptionFacts,
    Outcome,
    decryption_outcome,
)
from trading.rules.sheet_fields import read_sheet
from web.verifying.draw_transcript import TrustedLog
from web.verifying.verdicts import Verdict
from web.verifying.vouchers import PaperKeys, Vouchers, keys_beside

RECORD = "ebid-opening-record/1"
STATEMENT_MAX = 64 * 1024 * 1024
LIST_MAX = 1 << 16
PROOF = ".tlog-proof"
PAPERS = ("record", "policy", "timetable")
SIDES = ("host", "supervisor")
KINDS = ("sheet", "bid")

ALWAYS = {
    "close": "LotClosed",
    "window-closed": "ReleaseWindowClosed",
    "opened": "BidsOpened",
    "recorded": "OpeningRecorded",
}
"""The proofs that every export has, and what each is the proof of."""


@dataclass(frozen=True, slots=True)
class _Logged:
    """An entry proven to stand in the log."""

    index: int
    id: str
    kind: str
    subject: str
    at: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Paper:
    """A signed document: its payload's digest, the whole file's, what it says, and who signed."""

    digest: str
    file_digest: str
    told: dict[str, Any]
    signed_by: frozenset[str]


def verify(folder: Path, *, trusted: TrustedLog | None = None) -> Verdict:
    """Everything an opening record claims, checked; nothing of the platform is asked."""
    verdict = Verdict()
    keys = verdict.holds("the keys can be read", lambda: keys_beside(folder))
    if keys is None:
        return verdict
    verdict.of_log(keys.vouchers.log)
    verdict.holds("the keys are the ones you trust", lambda: keys.vouchers.check_trusted(trusted))
    verdict.holds("nothing else lies beside the papers", lambda: _nothing_else(folder))
    papers: dict[str, _Paper | None] = {
        name: verdict.holds(f"the {name} is signed", lambda name=name: _paper(folder, name, keys))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        for name in PAPERS
    }
    logged = verdict.holds(
        "every step stands in the witnessed log", lambda: _logged(folder, keys.vouchers)
    )
    if logged is None or not verdict.ok:
        return verdict
    opening = verdict.holds(
        "the record has the form of a record",
        lambda: _Opening(folder, keys, {name: one for name, one in papers.items() if one}, logged),
    )
    if opening is None:
        return verdict
    for what, claim in opening.claims():
        verdict.holds(what, claim)
    verdict.found.update(opening.found)
    return verdict


def _nothing_else(folder: Path) -> None:
    papers = {"keys.json", "sheets", *(f"{name}.dsse" for name in PAPERS)}
    more = sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in papers and not path.name.endswith(PROOF)
    )
    _require(not more, f"{', '.join(more[:3])} belongs to no opening record")


def _paper(folder: Path, name: str, keys: PaperKeys) -> _Paper:
    content = (folder / f"{name}.dsse").read_bytes()
    kind = {"record": "opening-record", "policy": "opening-policy"}.get(name, name)
    envelope = Envelope.from_bytes(content, max_bytes=STATEMENT_MAX)
    _require(envelope.payload_type == f"application/vnd.ebid.{kind}.v1+json", "another kind")
    known = signing.verify(envelope, keys=keys.signers, relying_party=keys.relying_party)
    _require(len(known) == len(envelope.signatures), "a signature by a key you do not know")
    told = _dict(strict_json(envelope.payload, STATEMENT_MAX))
    _require(told["v"] == f"ebid-{kind}/1", "another kind")
    return _Paper(b64u(sha256(envelope.payload)), b64u(sha256(content)), told, known)


def _logged(folder: Path, vouchers: Vouchers) -> dict[str, _Logged]:
    found = {}
    for path in sorted(folder.glob(f"*{PROOF}")):
        proven = verify_proof(
            path.read_text(), log_vkey=vouchers.log, witness_vkeys=vouchers.witnesses
        )
        if len(proven.checkpoint.cosignatures) < vouchers.quorum:
            raise BrokenSeal(f"too few witnesses cosigned {path.name}")
        record = members(
            strict_json(proven.record, STATEMENT_MAX),
            ("v", "id", "kind", "subject", "at", "role", "operator", "facts"),
        )
        found[path.name.removesuffix(PROOF)] = _Logged(
            proven.index,
            text_of(record["id"]),
            text_of(record["kind"]),
            text_of(record["subject"]),
            text_of(record["at"]),
            _dict(record["facts"]),
        )
    return found


class _Opening:
    """A record whose signatures and proofs are in order, and what it claims."""

    def __init__(
        self,
        folder: Path,
        keys: PaperKeys,
        papers: Mapping[str, _Paper],
        logged: Mapping[str, _Logged],
    ) -> None:
        self.folder, self.keys, self.papers, self.logged = folder, keys, papers, logged
        self.record = _record(papers["record"].told)
        self.bids: list[dict[str, Any]] = self.record["bids"]
        self.found: dict[str, Any] = {
            "lot": self.record["lot"],
            "opened": sum(_was_opened(bid) for bid in self.bids),
            "not_opened": sum(not _was_opened(bid) for bid in self.bids),
            "objections": len(self.record["objections"]),
            "on_the_platforms_word": [],
        }
        if "unannounced" in self.record:
            self.found["unannounced"] = sum(
                _was_opened(bid) and bid["announced"] is None for bid in self.bids
            )
        window = logged["window-closed"].facts
        self.released: list[str] = window["released"]
        self.missing: list[str] = window["missing"]
        self.escrowed: list[str] = window["escrowed"]

    def claims(self) -> Sequence[tuple[str, Any]]:
        """Each thing that must hold, and what raises where it does not."""
        return [
            ("the record is the one whose digest the log holds", self.check_recorded),
            ("the steps are this lot's, each in its place", self.check_steps),
            ("policy and timetable are this lot's, and were in force", self.check_papers),
            ("log and witnesses are the ones the policy names", self.check_vouchers),
            ("every key shown signed one of the papers", self.check_signers),
            ("the record lists exactly the bids of the closing", self.check_list),
            ("every bidder released or was missing when the window ended", self.check_window),
            ("the record says of each bid what was read out", self.check_read_out),
            ("the objections are those raised, with their answers", self.check_objections),
            ("the sheets are those whose secrets are shown", self.check_sheets),
            *(
                (f"{bid['name']}: {bid['outcome']}", lambda bid=bid: self.check_bid(bid))
                for bid in self.bids
            ),
        ]

    def check_recorded(self) -> None:
        facts = members(self.logged["recorded"].facts, ("record_digest",))
        _require(facts["record_digest"] == self.papers["record"].file_digest, "another record")

    def check_steps(self) -> None:
        kinds = dict(ALWAYS)
        for number in range(1, len(self.record["objections"]) + 1):
            kinds[f"objection-{number}"] = "OpeningObjectionRaised"
            kinds[f"answer-{number}"] = "OpeningObjectionAnswered"
        sides = {f"fallback-{side}": "FallbackAgreed" for side in SIDES}
        kinds |= {name: sides[name] for name in sides if self.escrowed or name in self.logged}
        _require(set(self.logged) == set(kinds), "a step is missing, or there is one too many")
        for name, one in self.logged.items():
            _require(one.kind == kinds[name], f"{name} is a step of another kind")
            _require(one.subject == self.record["lot"], f"{name} is a step of another lot")
        _require(
            self.logged["close"].id == self.record["close_entry"]
            and self.logged["window-closed"].id == self.record["window_closed_entry"],
            "the record names other entries",
        )
        at = {name: one.index for name, one in self.logged.items()}
        _require(
            at["close"] < at["window-closed"] < at["opened"] < at["recorded"],
            "the steps were not taken in this order",
        )
        # What happens between two of these may stand in the log in any order.
        for side in SIDES:
            name = f"fallback-{side}"
            if name in self.logged:
                _require(self.logged[name].facts["side"] == side, "the other side's agreement")
                # Where nobody needed it, either side may also have signed too late for anything.
                _require(not self.escrowed or at[name] < at["opened"], "agreed afterwards")
        for number in range(1, len(self.record["objections"]) + 1):
            _require(at[f"objection-{number}"] < at["recorded"], "an objection raised afterwards")
            _require(at[f"answer-{number}"] < at["recorded"], "an objection answered afterwards")

    def check_papers(self) -> None:
        lot, project = self.record["lot"], self.record["project"]
        policy, timetable = self.papers["policy"], self.papers["timetable"]
        for paper in (policy, timetable):
            _require(paper.told["lot"] == lot, "a paper of another lot")
            _require(paper.told["project"] == project, "a paper of another project")
        _require(self.record["policy"] == policy.digest, "the record names another policy")
        _require(self.record["timetable"] == timetable.digest, "the record names another timetable")
        for facts in (self.logged["close"].facts, self.logged["window-closed"].facts):
            _require(facts["policy_digest"] == policy.digest, "another policy was in force")
            _require(facts["timetable_digest"] == timetable.digest, "another timetable ruled")

    def check_vouchers(self) -> None:
        self.keys.vouchers.check_policy(self.papers["policy"].told)

    def check_signers(self) -> None:
        signed = frozenset[str]().union(*(paper.signed_by for paper in self.papers.values()))
        _require(set(self.keys.signers) == signed, "a key nobody used")

    def check_list(self) -> None:
        closing = self.logged["close"].facts["bids"]
        _require(
            [(bid["bidder"], bid["seq"]) for bid in self.bids]
            == [(bid["bidder"], bid["seq"]) for bid in closing],
            "other bids, or in another order",
        )
        for bid, counted in zip(self.bids, closing, strict=True):
            sealed = {envelope["envelope"]: envelope for envelope in counted["envelopes"]}
            for kind in KINDS:
                for fact in ("head", "payload_root", "payload_size"):
                    _require(
                        bid[kind][fact] == sealed[kind][fact],
                        f"{bid['name']}: {fact} of the {kind} differs from the closing",
                    )

    def check_window(self) -> None:
        bidders = [bid["bidder"] for bid in self.bids]
        _require(sorted(bidders) == sorted(self.released + self.missing), "other bidders")
        _require(set(self.escrowed) <= set(self.missing), "escrow stood in for one who was there")

    def check_read_out(self) -> None:
        opened = self.logged["opened"]
        _require(opened.at == self.record["opened_at"], "opened at another time")
        shown = [
            {
                "bidder": bid["bidder"],
                "name": bid["name"],
                "outcome": bid["outcome"],
                "reason": bid["reason"],
                "article": bid["article"],
                "sheet": bid["announced"],
                **({"members": bid["members"]} if "members" in bid else {}),
            }
            for bid in self.bids
        ]
        _require(opened.facts["bids"] == shown, "something else was read out")

    def check_objections(self) -> None:
        for number, one in enumerate(self.record["objections"], start=1):
            raised, answered = self.logged[f"objection-{number}"], self.logged[f"answer-{number}"]
            facts = raised.facts
            _require(
                (facts["objection_id"], facts["bidder_id"], facts["words"], raised.at)
                == (one["id"], one["bidder"], one["words"], one["raised_at"]),
                "another objection was raised",
            )
            _require(
                (
                    answered.facts["objection_id"],
                    answered.facts["answer"],
                    answered.facts.get("outcome"),
                )
                == (one["id"], one["answer"], one.get("outcome")),
                "another answer was given",
            )

    def check_sheets(self) -> None:
        shown = sorted(
            f"{bid['sheet']['head']}.ebid" for bid in self.bids if "secrets" in bid["sheet"]
        )
        folder = self.folder / "sheets"
        there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        _require(there == shown, "a sheet is missing, or there is one too many")

    def check_bid(self, bid: dict[str, Any]) -> None:
        """The outcome follows from the rule, and what the rule was told can be seen."""
        _require("members" not in bid or _was_opened(bid), "who bids together was in no bid")
        released = bid["bidder"] in self.released
        if not released and bid["bidder"] not in self.escrowed:
            _require(self._is(bid, _outcome(released=False, escrowed=False)), "another outcome")
            _nothing_shown(bid)
        elif self._is_unannounced(bid, released=released):
            self._check_unannounced(bid)
        elif bid["announced"] is not None:
            _require(self._is(bid, _outcome(released=released)), "another outcome")
            self._check_opened(bid, released=released)
        elif self._is(bid, _outcome(released=released, badly_dealt=True)):
            self._check_badly_dealt(bid)
        elif self._is(bid, _outcome(released=released, intact=False)):
            _nothing_shown(bid)
            self._believe(bid)
        else:
            self._check_unreadable(bid, released=released)

    def _is_unannounced(self, bid: dict[str, Any], *, released: bool) -> bool:
        """Whether the bid was opened in a procedure that reads no price out."""
        return "unannounced" in self.record and self._is(bid, _outcome(released=released))

    def _check_unannounced(self, bid: dict[str, Any]) -> None:
        """It was opened; of its secrets digests are shown, for nobody may tell what it says."""
        _require(bid["announced"] is None, "a price that may not be told")
        _require("secrets" not in bid["sheet"], "secrets of a sheet that may not be told")
        _require("badly_dealt" not in bid, "shares of a bid that opened")
        officials = {sealing.OFFICIALS} if self.papers["policy"].told["officials"] else set()
        due = {sealing.BIDDER} | officials
        for kind in KINDS:
            _require(_digests(bid, kind) == due, "the secrets are others")

    def _check_opened(self, bid: dict[str, Any], *, released: bool) -> None:
        header, sheet = self._opened_sheet(bid)
        if not released:
            _require(header.component(sealing.BIDDER).shamir is not None, "it chose no escrow")
        _require(sheet == bid["announced"], "the announced sheet is not the sealed one")
        _require("badly_dealt" not in bid, "shares of a bid that opened")
        components = {component.id for component in header.components}
        _require(_digests(bid) == components, "the secrets of the whole bid are others")

    def _check_badly_dealt(self, bid: dict[str, Any]) -> None:
        """Shares that match their commitments and do not give the secret: the bidder's doing."""
        dealt = members(bid["badly_dealt"], ("envelope", "component", "header", "shares"))
        _require(not _shown(bid), "secrets of a bid whose secrets cannot be had")
        raw = unb64u(text_of(dealt["header"]))
        header = self._header(bid, text_of(dealt["envelope"]), raw)
        _require(header.to_bytes() == raw, "more than a header")
        way = header.component(text_of(dealt["component"])).shamir
        committed = {one.commitment for one in way.shares} if way else set()
        shares = [unb64u(text_of(one), 33) for one in list_of(dealt["shares"], at_most=LIST_MAX)]
        _require(
            shares == sorted(set(shares), key=lambda share: share[-1]), "the shares are in disorder"
        )
        for share in shares:
            commitment = share_commitment(header.bind, text_of(dealt["component"]), share)
            _require(commitment in committed, "a share that was not dealt")
        try:
            sealing.combine(header, text_of(dealt["component"]), shares)
        except sealing.BadDealing:
            return
        raise BrokenSeal("its shares give its secret: it could have been opened")

    def _check_unreadable(self, bid: dict[str, Any], *, released: bool) -> None:
        _require("badly_dealt" not in bid, "shares of a bid that was dealt well")
        _require(self._is(bid, _outcome(released=released, opens=False)), "another outcome")
        if "secrets" not in bid["sheet"]:
            officials = {sealing.OFFICIALS} if self.papers["policy"].told["officials"] else set()
            _require(_digests(bid) == {sealing.BIDDER} | officials, "no secrets were had of it")
            self._believe(bid)
            return
        _require("secret_digests" not in bid["bid"], "secrets of a bid nobody need open")
        try:
            self._opened_sheet(bid)
        except _Unreadable:
            return
        raise BrokenSeal("its secrets give its sheet: it could have been opened")

    def _opened_sheet(self, bid: dict[str, Any]) -> tuple[sealing.EnvelopeHeader, dict[str, Any]]:
        """The sheet opened with the secrets shown; `_Unreadable` where just that is impossible."""
        shown = bid["sheet"]
        container = (self.folder / "sheets" / f"{shown['head']}.ebid").read_bytes()
        header = self._header(bid, "sheet", container)
        digest = sealing.PayloadDigest()
        digest.update(container[header.payload_offset :])
        _require(
            (b64u(digest.root), digest.size) == (shown["payload_root"], shown["payload_size"]),
            "the payload is another",
        )
        secrets = {name: unb64u(one, 32) for name, one in _dict(shown["secrets"]).items()}
        _require(set(secrets) == {one.id for one in header.components}, "other secrets than it has")
        key = sealing.file_key(header, secrets)
        try:
            return header, read_sheet(sealing.open_sheet(container, key))
        except BrokenSeal as fault:
            raise _Unreadable(str(fault)) from None

    def _header(self, bid: dict[str, Any], kind: str, content: bytes) -> sealing.EnvelopeHeader:
        header = sealing.parse_header(content)
        _require(b64u(header.head) == bid[kind]["head"], "another envelope lies under this head")
        _require(b64u(header.policy_hash) == self.record["policy"], "sealed under another policy")
        meta = header.meta
        _require(
            (meta["bidder"], meta["lot"], meta["project"], meta["envelope"])
            == (bid["bidder"], self.record["lot"], self.record["project"], kind),
            "it was sealed by another bidder, or for something else",
        )
        return header

    def _is(self, bid: Mapping[str, Any], outcome: Outcome) -> bool:
        return (bid["outcome"], bid["reason"], bid["article"]) == (
            str(outcome.decryption),
            outcome.reason,
            str(outcome.article),
        )

    def _believe(self, bid: Mapping[str, Any]) -> None:
        self.found["on_the_platforms_word"].append(bid["name"])


class _Unreadable(BrokenSeal):
    """The right secrets do not give a sheet."""


def _outcome(
    *,
    released: bool,
    escrowed: bool = True,
    intact: bool = True,
    badly_dealt: bool = False,
    opens: bool = True,
) -> Outcome:
    """What the rule says of a bid, for whose escrow both sides have signed where it has one."""
    return decryption_outcome(
        DecryptionFacts(
            released=released,
            escrow_chosen=escrowed,
            fallback_agreed=True,
            platform_incident=False,
            bytes_intact=intact,
            badly_dealt=badly_dealt,
            payload_opens=opens,
        )
    )


def _was_opened(bid: Mapping[str, Any]) -> bool:
    return bid["announced"] is not None or "secret_digests" in bid["sheet"]


def _digests(bid: Mapping[str, Any], kind: str = "bid") -> set[str]:
    """Of which secrets of an envelope the digests are published."""
    digests = _dict(bid[kind]["secret_digests"])
    for digest in digests.values():
        unb64u(text_of(digest), 32)
    return set(digests)


def _shown(bid: Mapping[str, Any]) -> bool:
    return "secrets" in bid["sheet"] or any("secret_digests" in bid[kind] for kind in KINDS)


def _nothing_shown(bid: Mapping[str, Any]) -> None:
    nothing = bid["announced"] is None and "badly_dealt" not in bid and not _shown(bid)
    _require(nothing, "something of an unopened bid is shown")


def _record(told: dict[str, Any]) -> dict[str, Any]:
    """The record, having exactly the members of one."""
    members(
        told,
        (
            *("v", "project", "lot", "policy", "timetable", "close_entry", "window_closed_entry"),
            *("opened_at", "bids", "objections"),
        ),
        optional=("unannounced",),
    )
    _require(told.get("unannounced", True) is True, "unannounced is true or not there")
    for name in ("project", "lot", "close_entry", "window_closed_entry"):
        UUID(text_of(told[name]))
    envelope = ("head", "payload_root", "payload_size")
    for bid in list_of(told["bids"], at_most=LIST_MAX):
        found = members(
            bid,
            ("bidder", "name", "seq", "outcome", "reason", "article", "announced", *KINDS),
            optional=("badly_dealt", "members"),
        )
        for one in list_of(found.get("members", []), at_most=LIST_MAX):
            members(one, ("organisation", "name", "lead", "signed"))
        Decryption(text_of(found["outcome"]))
        sheet = members(found["sheet"], envelope, optional=("secrets", "secret_digests"))
        hidden = "secret_digests" in sheet
        _require(not hidden or "unannounced" in told, "the secrets of a sheet are shown")
        members(found["bid"], envelope, optional=("secret_digests",))
    for one in list_of(told["objections"], at_most=LIST_MAX):
        members(one, ("id", "bidder", "words", "raised_at", "answer"), optional=("outcome",))
    return told


def _dict(value: object) -> dict[str, Any]:
    _require(isinstance(value, dict), "an object was expected")
    assert isinstance(value, dict)
    return value


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenSeal(otherwise)
