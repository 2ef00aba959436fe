"""Electronic Bidding Measures 32: the opening record verifies offline, and no mutant of it does."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.access import PLATFORM
from kernel.crypto import merkle, sealing
from kernel.crypto.digests import b64u, canonical, sha256, strict_json
from kernel.crypto.envelope_header import head_of, header_bytes
from kernel.crypto.notes import Checkpoint, LogSigner
from kernel.crypto.receipts import leaf_data, verify_proof, write_proof
from kernel.crypto.signing import Envelope
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import LOG
from kernel.store.transaction import Store, transaction
from kernel.store.transparency_log import proof_of
from tests.conftest import TEMPLATE
from tests.kept_stores import WITNESSES, Lines, Tick, founded_store, settings_in, witnessed
from tests.log_story import write_export
from tests.opened_lots import (
    Hall,
    a_hall,
    an_entry,
    fallback_agreed,
    released,
    shares_given,
    window_ended,
)
from tests.prequalifications import an_agreement, an_archive, with_agreement
from tests.sealed_bids import SealedFile, a_bidder, a_tender, at
from tests.tampering import at as place_in
from tests.tampering import tampered
from trading import opening, opening_views
from trading.events import OpeningRecorded
from trading.rules.objection_outcome import ObjectionOutcome
from web.verifying import log_export, opening_record
from web.verifying.draw_transcript import TrustedLog

RECORD_TYPE = "application/vnd.ebid.opening-record.v1+json"
RECORD_MAX = 32 << 20
OPENED, ABSENT, ESCROWED, NO_SHEET, BADLY_DEALT, NO_BID = (0, 1, 2), 3, 4, 5, 6, 7

ABSENT_REASON = "投标人未在规定时间内解密，且未选择备用解密，视为撤销"
DEALT_REASON = "投标人加密时分发的密钥份额不能还原密钥，因投标人原因未能解密，视为撤销"
CLOSED_REASON = "投标文件与回执一致但不能解密，因投标人原因未能解密，视为撤销"
LOST_REASON = "平台保存的投标文件与回执不一致，责任在平台，视为撤回"


@dataclass(frozen=True, slots=True)
class Kept:
    """An export, what it came from, and the key with which its log signs."""

    folder: Path
    hall: Hall
    signer: LogSigner
    whole_log: Path
    names: list[str]


@pytest.fixture(scope="module")
async def kept(role_lines: Lines, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kept]:
    """An opening in which everything happened that can happen; made once."""
    folder, name = tmp_path_factory.mktemp("kept") / "opening", "kept_opening"
    settings = witnessed(settings_in(folder.parent / "store"))
    async with founded_store(role_lines, name, TEMPLATE, settings) as (store, tick):
        hall = await a_hall_opened(store, tick)
        await an_export(hall, store, settings, folder)
        signer = founding.read_keys(settings).log_signer
        whole_log = folder.parent / "log"
        async with (
            log_line(role_lines, name) as line,
            transaction(store, actor=PLATFORM, now=await hall.window_ends_at()) as tx,
        ):
            await write_export(line, whole_log, settings)
            # A platform that would have another record stand beside the first.
            tx.record(OpeningRecorded(hall.lot_id, record_digest=sha256(b"another record")))
        await tick()
        async with log_line(role_lines, name) as line:
            await write_export(line, folder.parent / "log-told-twice", settings)
        names = [entry.player.organisation for entry in hall.entries]
        yield Kept(folder, hall, signer, whole_log, names)
    await role_lines.drop(name)


@asynccontextmanager
async def log_line(lines: Lines, name: str) -> AsyncIterator[AsyncConnection]:
    async with lines.lent(LOG, name, pool_size=1) as engine, engine.connect() as line:
        yield line


EVERY = [10, pytest.param(1, marks=pytest.mark.soak)]
"""A tenth of the mutants belongs to every change; the soak tries them all."""


@pytest.fixture
def export(kept: Kept, tmp_path: Path) -> Path:
    """A copy of the export that a test may spoil."""
    return Path(shutil.copytree(kept.folder, tmp_path / "opening"))


# ── the opening ───────────────────────────────────────────────────────────────────────────────


def dealt_badly(file: SealedFile) -> SealedFile:
    """The same envelope, committed to another secret of the officials' than was dealt."""
    header = sealing.parse_header(file.header)
    keys: Any = strict_json(header.keys_bytes)
    for component in keys["components"]:
        if component["id"] == sealing.OFFICIALS:
            component["cmt"] = b64u(sha256(b"another secret"))
    spoilt = header_bytes(header.meta_bytes, canonical(keys))
    return replace(file, header=spoilt, head=head_of(spoilt))


def with_a_broken_bid(file: SealedFile) -> SealedFile:
    """The same envelope; where it holds the bid, with a byte of the payload changed."""
    if file.kind == "sheet":
        return file
    payload = bytes([file.payload[0] ^ 1]) + file.payload[1:]
    digest = sealing.PayloadDigest()
    digest.update(payload)
    return replace(file, payload=payload, root=digest.root)


async def a_hall_opened(store: Store, tick: Tick) -> Hall:
    """Three bids open at once; of the others each has its own story, in the order above."""
    tender = await a_tender(store)
    lead, member = await a_bidder(store), await a_bidder(store)
    agreement = an_agreement(tender.lot.project_id, tender.lot.lot_id, [lead, member])
    together = an_archive(with_agreement(agreement))
    entries = [await an_entry(store, tender, "700000.00", bid=together, player=lead)]
    entries += [await an_entry(store, tender, f"{n}00000.00") for n in (8, 9, 6)]
    entries.append(await an_entry(store, tender, "650000.00", escrow=True))
    entries.append(await an_entry(store, tender, "0", sheet=b"not a sheet at all"))
    entries.append(await an_entry(store, tender, "660000.00", spoil=dealt_badly))
    entries.append(await an_entry(store, tender, "670000.00", spoil=with_a_broken_bid))
    await tick()
    hall = await a_hall(store, tender, entries)
    for number, entry in enumerate(entries):
        if number not in (ABSENT, ESCROWED):
            await released(hall, entry)
    await window_ended(hall)
    await fallback_agreed(hall, tender.cast.agency)
    await fallback_agreed(hall, tender.cast.supervisor)
    for number in (0, 1, 3):
        await shares_given(hall, tender.cast.custodians[number])
    then, agency = await hall.window_ends_at(), tender.cast.agency
    await opening.proceed(at(store, then), hall.lot_id)
    for number, (words, answer) in enumerate(
        [("请说明解密顺序。", "先投标人，后保管人。"), ("请复核报价。", "已复核，无误。")]
    ):
        async with transaction(store, actor=entries[number].player.actor, now=then) as tx:
            objection = await opening.object_on_the_spot(tx, hall.lot_id, words)
        async with transaction(store, actor=agency.actor, now=then) as tx:
            await opening.answer_on_the_spot(
                tx, hall.lot_id, objection, answer, outcome=ObjectionOutcome.PARTLY
            )
    for _ in range(2):
        # The second time changes nothing: the log holds one digest of one record.
        async with transaction(store, actor=agency.actor, now=then) as tx:
            draft = await opening.draft_record(tx, hall.lot_id)
            raw = agency.key.sign(RECORD_TYPE, draft).to_bytes()
            await opening.sign_record(tx, hall.lot_id, raw)
    await tick()
    return hall


async def an_export(hall: Hall, store: Store, settings: Settings, folder: Path) -> None:
    (folder / "sheets").mkdir(parents=True)
    async with transaction(store, actor=PLATFORM) as tx:
        record = await opening_views.published_record(tx, hall.lot_id)
        for head in record.sheets:
            content = await opening_views.sealed_sheet(tx, hall.lot_id, head)
            (folder / "sheets" / f"{b64u(head)}.ebid").write_bytes(content)
        for name, entry in record.entries.items():
            proof = await proof_of(tx.session, entry, quorum=2)
            assert proof is not None
            (folder / f"{name}.tlog-proof").write_text(proof)
    (folder / "record.dsse").write_bytes(record.record)
    (folder / "policy.dsse").write_bytes(record.policy)
    (folder / "timetable.dsse").write_bytes(record.timetable)
    assert record.relying_party is None
    keys = {
        "log": founding.read_keys(settings).log_signer.vkey,
        "witnesses": [one.vkey for one in WITNESSES],
        "quorum": 2,
        "signers": {keyid: b64u(key) for keyid, key in record.signers.items()},
    }
    (folder / "keys.json").write_text(json.dumps(keys))


# ── forging ───────────────────────────────────────────────────────────────────────────────────


def record_in(folder: Path) -> dict[str, Any]:
    signed = Envelope.from_bytes((folder / "record.dsse").read_bytes(), max_bytes=RECORD_MAX)
    told: dict[str, Any] = json.loads(signed.payload)
    return told


class Forger:
    """The host, the platform and its witnesses together: they sign and log what they like."""

    def __init__(self, folder: Path, kept: Kept) -> None:
        self.folder, self._signer = folder, kept.signer
        self._host = kept.hall.tender.cast.agency.key
        self._places: dict[str, int] = {}
        self.entries: dict[str, dict[str, Any]] = {}
        self._salts: dict[str, bytes] = {}
        for path in folder.glob("*.tlog-proof"):
            proven = verify_proof(path.read_text(), log_vkey=kept.signer.vkey, witness_vkeys=())
            name = path.name.removesuffix(".tlog-proof")
            self._places[name], self._salts[name] = proven.index, proven.salt
            self.entries[name] = json.loads(proven.record)

    def signs(self, record: Any) -> None:
        """The host signs another record than was logged."""
        raw = self._host.sign(RECORD_TYPE, json.dumps(record, ensure_ascii=False).encode())
        (self.folder / "record.dsse").write_bytes(raw.to_bytes())

    def signs_and_logs(self, record: Any) -> None:
        """The platform logs the digest of what the host signed, in place of the true one."""
        self.signs(record)
        digest = b64u(sha256((self.folder / "record.dsse").read_bytes()))
        self.logs("recorded", {"record_digest": digest})

    def logs(self, name: str, facts: Mapping[str, Any]) -> None:
        """The platform grows a second log, in which this entry says something else."""
        self.entries[name] = {**self.entries[name], "facts": {**facts}}
        records = {place: name for name, place in self._places.items()}
        size = max(records) + 1
        leaves = [bytes(32)] * size
        for place, one in records.items():
            leaves[place] = leaf_data(self._salts[one], canonical(self.entries[one]))
        nodes = {(0, number): merkle.leaf_hash(leaf) for number, leaf in enumerate(leaves)}
        level = 0
        while any(one[0] == level for one in nodes):
            row = [number for at, number in nodes if at == level]
            for number in range((max(row) + 1) // 2):
                both = nodes[level, 2 * number], nodes[level, 2 * number + 1]
                nodes[level + 1, number] = merkle.node_hash(*both)
            level += 1

        def get(level: int, index: int) -> bytes:
            return nodes[level, index]

        checkpoint = Checkpoint(self._signer.name, size, merkle.root_of(size, get))
        note = self._signer.sign(checkpoint) + "".join(
            one.cosign(checkpoint, 1) for one in WITNESSES
        )
        proof = write_proof(
            record=canonical(self.entries[name]),
            salt=self._salts[name],
            index=self._places[name],
            path=merkle.inclusion_proof(get, self._places[name], size),
            note=note,
        )
        (self.folder / f"{name}.tlog-proof").write_text(proof)


@pytest.fixture
def forger(export: Path, kept: Kept) -> Forger:
    return Forger(export, kept)


def failed(folder: Path) -> list[str]:
    return [check.what for check in opening_record.verify(folder).checks if not check.passed]


# ── a true one ────────────────────────────────────────────────────────────────────────────────


async def test_the_exported_record_verifies_and_says_what_was_found(kept: Kept) -> None:
    verdict = opening_record.verify(kept.folder)
    assert [check for check in verdict.checks if not check.passed] == []
    assert verdict.found == {
        "lot": str(kept.hall.lot_id),
        "opened": 4,
        "not_opened": 4,
        "objections": 2,
        "on_the_platforms_word": [kept.names[NO_BID]],
    }
    shown = {bid["name"]: (bid["outcome"], bid["reason"]) for bid in record_in(kept.folder)["bids"]}
    assert {shown[kept.names[number]][0] for number in OPENED} == {"opened"}
    assert shown[kept.names[ABSENT]] == ("revoked", ABSENT_REASON)
    assert shown[kept.names[ESCROWED]][0] == "opened_by_custodians"
    assert shown[kept.names[NO_SHEET]] == ("revoked", CLOSED_REASON)
    assert shown[kept.names[BADLY_DEALT]] == ("revoked", DEALT_REASON)
    assert shown[kept.names[NO_BID]] == ("revoked", CLOSED_REASON)


async def test_nothing_by_which_a_revoked_bid_could_be_read_is_shown(kept: Kept) -> None:
    bids = {bid["name"]: bid for bid in record_in(kept.folder)["bids"]}
    for number in (ABSENT, BADLY_DEALT, NO_BID):
        bid = bids[kept.names[number]]
        assert bid["announced"] is None
        assert "secrets" not in bid["sheet"]
        assert "secrets" not in bid["bid"]
    dealt = bids[kept.names[BADLY_DEALT]]["badly_dealt"]
    assert dealt["component"] == sealing.OFFICIALS


async def test_whoever_knows_the_log_can_say_so(kept: Kept) -> None:
    keys = tuple(one.vkey for one in WITNESSES)

    def trusting(log: str, witnesses: tuple[str, ...], quorum: int) -> bool:
        known = TrustedLog(log, witnesses, quorum)
        return opening_record.verify(kept.folder, trusted=known).ok

    assert trusting(kept.signer.vkey, keys, 2)
    assert trusting(kept.signer.vkey, keys, 1)
    assert not trusting(kept.signer.vkey, keys, 3)
    assert not trusting(kept.signer.vkey, keys[:1], 2)
    assert not trusting(kept.signer.vkey[:-4] + "AAAA", keys, 2)


# ── tampering ─────────────────────────────────────────────────────────────────────────────────


async def test_a_flipped_byte_in_any_file_is_found(export: Path) -> None:
    dice = random.Random(32)
    for path in sorted(p for p in export.rglob("*") if p.is_file()):
        content = path.read_bytes()
        for place in {0, len(content) // 2, *(dice.randrange(len(content)) for _ in range(6))}:
            mutant = bytearray(content)
            mutant[place] ^= 1
            path.write_bytes(bytes(mutant))
            try:
                assert not opening_record.verify(export).ok, f"{path.name} at {place}"
            finally:
                path.write_bytes(content)


async def test_a_missing_file_is_found_and_one_too_many(export: Path) -> None:
    files = sorted(path for path in export.rglob("*") if path.is_file())
    assert len(files) == 4 + 10 + 5
    for path in files:
        content = path.read_bytes()
        path.unlink()
        assert not opening_record.verify(export).ok, path.name
        path.write_bytes(content)
    for one, more in (
        ("close.tlog-proof", "closed-again.tlog-proof"),
        ("record.dsse", "another.dsse"),
        ("keys.json", "more-keys.json"),
        ("record.dsse", "sheets/record.dsse"),
    ):
        shutil.copy(export / one, export / more)
        assert not opening_record.verify(export).ok, more
        (export / more).unlink()
    assert opening_record.verify(export).ok


async def test_every_member_of_the_keys_counts(export: Path) -> None:
    """Without knowing the keys from elsewhere: they are those of the policy, and of the papers."""
    path = export / "keys.json"
    told = json.loads(path.read_text())
    weakened = [
        *(("weakened", ("quorum", number), {**told, "quorum": number}) for number in (0, 1, 3)),
        ("weakened", ("witnesses",), {**told, "witnesses": [], "quorum": 0}),
        ("weakened", ("witnesses",), {**told, "witnesses": told["witnesses"][:1], "quorum": 1}),
        ("added", ("relying_party",), {**told, "relying_party": {"id": "x", "origins": []}}),
    ]
    for what, place, changed in [*tampered(told), *weakened]:
        path.write_text(json.dumps(changed))
        assert changed == told or not opening_record.verify(export).ok, (what, place)


async def test_a_platform_that_no_witness_watches_is_not_believed(export: Path, kept: Kept) -> None:
    """Even its policy may say that nobody need have seen anything."""
    for path in export.glob("*.tlog-proof"):
        head, blank, note = path.read_text().partition("\n\n")
        lines = [one for one in note.split("\n") if "witness" not in one]
        path.write_text(head + blank + "\n".join(lines))
    keys = json.loads((export / "keys.json").read_text())
    (export / "keys.json").write_text(json.dumps({**keys, "witnesses": [], "quorum": 0}))
    assert failed(export) == ["the keys can be read"]


async def test_each_step_shown_in_place_of_another_is_found(export: Path) -> None:
    proofs = {path: path.read_text() for path in export.glob("*.tlog-proof")}
    for path, proof in proofs.items():
        for other in proofs.values():
            if other != proof:
                path.write_text(other)
                assert not opening_record.verify(export).ok, path.name
        path.write_text(proof)


@pytest.mark.parametrize("step", EVERY)
async def test_every_field_entry_and_member_of_the_record_counts(
    forger: Forger, export: Path, step: int
) -> None:
    """Each mutant is signed again by the host, who may sign it; the log holds another digest."""
    missed, count = [], 0
    for what, path, changed in islice(tampered(record_in(export)), 0, None, step):
        forger.signs(changed)
        missed += [(what, path)] if opening_record.verify(export).ok else []
        count += 1
    assert missed == []
    assert count > 500 // step


@pytest.mark.parametrize("paper", ["policy", "timetable"])
async def test_every_field_of_the_papers_beside_the_record_counts(
    kept: Kept, export: Path, paper: str
) -> None:
    """Each mutant is signed again by the agency, who signed the paper when it was published."""
    path = export / f"{paper}.dsse"
    envelope = Envelope.from_bytes(path.read_bytes())
    agency = kept.hall.tender.cast.agency.key
    missed, count = [], 0
    for what, place, changed in tampered(json.loads(envelope.payload)):
        path.write_bytes(agency.sign(envelope.payload_type, canonical(changed)).to_bytes())
        missed += [] if failed(export) else [(what, place)]
        count += 1
    assert missed == []
    assert count > 20


def unprovable(what: str, path: tuple[Any, ...]) -> bool:
    """Whether only the digests of a whole bid's secrets changed: nothing else is known of them."""
    return what in ("flipped", "exchanged") and path[-2:-1] == ("secret_digests",)


@pytest.mark.parametrize("step", EVERY)
async def test_what_the_record_says_follows_from_elsewhere_too(
    forger: Forger, export: Path, step: int
) -> None:
    """Each mutant is signed by the host, and the platform logs the mutant's digest as the true one.

    Every field but one follows from other entries of the log, from the sheets or from the rule.
    """
    missed, count = [], 0
    for what, path, changed in islice(tampered(record_in(export)), 0, None, step):
        forger.signs_and_logs(changed)
        missed += [(what, path)] if opening_record.verify(export).ok else []
        count += 1
    assert [one for one in missed if not unprovable(*one)] == []
    assert count > 500 // step


# ── stories ───────────────────────────────────────────────────────────────────────────────────

Story = Callable[[dict[str, Any], list[str]], None]


def bid_of(record: dict[str, Any], name: str) -> dict[str, Any]:
    return next(bid for bid in record["bids"] if bid["name"] == name)


def names_swapped(record: dict[str, Any], names: list[str]) -> None:
    one, other = bid_of(record, names[0]), bid_of(record, names[1])
    one["name"], other["name"] = other["name"], one["name"]


def sheets_swapped(record: dict[str, Any], names: list[str]) -> None:
    one, other = bid_of(record, names[0]), bid_of(record, names[1])
    one["announced"], other["announced"] = other["announced"], one["announced"]


def closed_again(bid: dict[str, Any], outcome: str, reason: str) -> None:
    bid["outcome"], bid["reason"], bid["announced"] = outcome, reason, None
    bid["article"] = "《电子招标投标办法》第31条"
    bid["sheet"].pop("secrets", None)
    bid["bid"].pop("secret_digests", None)
    bid.pop("members", None)


def revoked_as_absent(record: dict[str, Any], names: list[str]) -> None:
    closed_again(bid_of(record, names[0]), "revoked", ABSENT_REASON)


def revoked_as_unreadable(record: dict[str, Any], names: list[str]) -> None:
    closed_again(bid_of(record, names[0]), "revoked", CLOSED_REASON)


def revoked_with_its_true_secrets(record: dict[str, Any], names: list[str]) -> None:
    bid = bid_of(record, names[0])
    secrets = bid["sheet"]["secrets"]
    closed_again(bid, "revoked", CLOSED_REASON)
    bid["sheet"]["secrets"] = secrets


def revoked_as_badly_dealt(record: dict[str, Any], names: list[str]) -> None:
    bid = bid_of(record, names[0])
    closed_again(bid, "revoked", DEALT_REASON)
    bid["badly_dealt"] = bid_of(record, names[BADLY_DEALT])["badly_dealt"]


def withdrawn_as_lost(record: dict[str, Any], names: list[str]) -> None:
    closed_again(bid_of(record, names[0]), "withdrawn", LOST_REASON)


def the_absent_opened(record: dict[str, Any], names: list[str]) -> None:
    absent, opened = bid_of(record, names[ABSENT]), bid_of(record, names[0])
    for member in ("outcome", "reason", "article", "announced"):
        absent[member] = opened[member]


def an_objection_dropped(record: dict[str, Any], names: list[str]) -> None:
    del record["objections"][1]


def an_objection_reworded(record: dict[str, Any], names: list[str]) -> None:
    record["objections"][0]["answer"] = "无此异议。"


def opened_at_another_time(record: dict[str, Any], names: list[str]) -> None:
    record["opened_at"] = record["objections"][0]["raised_at"].replace("2026", "2027")


STORIES: list[Story] = [
    names_swapped,
    sheets_swapped,
    revoked_as_absent,
    revoked_as_unreadable,
    revoked_with_its_true_secrets,
    revoked_as_badly_dealt,
    withdrawn_as_lost,
    the_absent_opened,
    an_objection_dropped,
    an_objection_reworded,
    opened_at_another_time,
]


def tidied(folder: Path, record: dict[str, Any]) -> None:
    """Take away the sheets and proofs that the forged record no longer needs."""
    shown = {f"{bid['sheet']['head']}.ebid" for bid in record["bids"] if "secrets" in bid["sheet"]}
    for path in (folder / "sheets").iterdir():
        if path.name not in shown:
            path.unlink()
    for number in range(len(record["objections"]) + 1, 3):
        for name in ("objection", "answer"):
            (folder / f"{name}-{number}.tlog-proof").unlink()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_a_story_the_host_signs_again_is_found(
    forger: Forger, export: Path, kept: Kept, story: Story
) -> None:
    record = record_in(export)
    story(record, kept.names)
    tidied(export, record)
    forger.signs(record)
    assert "the record is the one whose digest the log holds" in failed(export)


@pytest.mark.parametrize(
    "story",
    # A record that leaves an objection out contradicts nothing that it shows; but then the log
    # holds two records of one opening, which is found there.
    [story for story in STORIES if story is not an_objection_dropped],
    ids=lambda story: story.__name__,
)
async def test_a_story_the_platform_logs_as_the_record_is_found(
    forger: Forger, export: Path, kept: Kept, story: Story
) -> None:
    record = record_in(export)
    story(record, kept.names)
    tidied(export, record)
    forger.signs_and_logs(record)
    assert failed(export)


READ_OUT = {"bidder", "name", "outcome", "reason", "article"}


def read_out(record: dict[str, Any]) -> dict[str, Any]:
    """What the platform would have had to read out for this record."""
    return {
        "bids": [
            {name: bid[name] for name in (*READ_OUT, "members") if name in bid}
            | {"sheet": bid["announced"]}
            for bid in record["bids"]
        ]
    }


@pytest.mark.parametrize(
    "story",
    [
        sheets_swapped,
        revoked_as_absent,
        revoked_as_unreadable,
        revoked_with_its_true_secrets,
        revoked_as_badly_dealt,
        the_absent_opened,
    ],
    ids=lambda story: story.__name__,
)
async def test_an_outcome_that_was_already_read_out_falsely_is_found(
    forger: Forger, export: Path, kept: Kept, story: Story
) -> None:
    """Even if they say it from the first: a bid whose bidder released is not revoked by a word."""
    record = record_in(export)
    story(record, kept.names)
    tidied(export, record)
    forger.logs("opened", read_out(record))
    forger.signs_and_logs(record)
    # Nothing but the bids themselves tells that this is false.
    bids = {f"{bid['name']}: {bid['outcome']}" for bid in record["bids"]}
    assert failed(export)
    assert bids.issuperset(failed(export))


@pytest.mark.parametrize("lost", [True, False], ids=["stored bytes", "the whole bid"])
async def test_what_stands_on_the_platforms_word_is_listed(
    forger: Forger, export: Path, kept: Kept, lost: bool
) -> None:
    record = record_in(export)
    bid = bid_of(record, kept.names[0])
    digests = bid["bid"]["secret_digests"]
    closed_again(bid, *(("withdrawn", LOST_REASON) if lost else ("revoked", CLOSED_REASON)))
    if not lost:
        bid["bid"]["secret_digests"] = digests
    tidied(export, record)
    forger.logs("opened", read_out(record))
    forger.signs_and_logs(record)
    verdict = opening_record.verify(export)
    assert verdict.ok
    assert set(verdict.found["on_the_platforms_word"]) == {kept.names[0], kept.names[NO_BID]}


async def test_shares_that_could_not_give_the_secret_anyway_revoke_nobody(
    forger: Forger, export: Path, kept: Kept
) -> None:
    """Too few of them, none at all, or what is not what each custodian gave, prove nothing."""
    record = record_in(export)
    given: list[str] = bid_of(record, kept.names[BADLY_DEALT])["badly_dealt"]["shares"]
    assert len(given) == 3
    for shares in (given[:2], given[::-1], given * 2, list[str]()):
        changed = json.loads(json.dumps(record))
        bid_of(changed, kept.names[BADLY_DEALT])["badly_dealt"]["shares"] = shares
        forger.signs_and_logs(changed)
        assert failed(export) == [f"{kept.names[BADLY_DEALT]}: revoked"]


async def test_a_second_record_of_one_opening_is_found_in_the_whole_log(kept: Kept) -> None:
    assert log_export.verify(kept.whole_log).ok
    twice = log_export.verify(kept.whole_log.parent / "log-told-twice")
    assert [check.what for check in twice.checks if not check.passed] == [
        "no lot was closed, opened or recorded twice"
    ]


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b"\xff"])
async def test_what_is_no_record_is_told_politely(
    forger: Forger, export: Path, content: bytes
) -> None:
    (export / "record.dsse").write_bytes(content)
    assert failed(export)


@pytest.mark.parametrize("value", [None, 1, True, "x", [], {}, [[]], {"a": {}}], ids=repr)
async def test_a_part_of_another_kind_is_told_politely(
    forger: Forger, export: Path, value: object
) -> None:
    record = record_in(export)
    parts = [*((name,) for name in record), *(("bids", 0, name) for name in record["bids"][0])]
    for path in parts:
        if place_in(record, path) != value:
            changed = json.loads(json.dumps(record))
            place_in(changed, path[:-1])[path[-1]] = value
            forger.signs_and_logs(changed)
            assert failed(export), path
