"""An evaluation's record, checked without the platform, and every way of tampering with it found.

Bidding Law 40; Bidding Regulation 49, 53. RFC 6962 (the steps), DSSE (commitments, signatures).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from kernel.crypto.digests import b64, canonical, strict_json, unb64
from kernel.store.transaction import transaction
from tests.committees_at_work import KeptCommittees, WorkRoom
from tests.kept_stores import store_over
from tests.tampering import at, tampered
from web.evaluation_papers import evaluation_papers
from web.log_proofs import proofs_of
from web.verifying.draw_transcript import TrustedLog
from web.verifying.evaluation_record import verify


async def record_of(room: WorkRoom) -> bytes:
    """The record as the platform gives it to the supervisor."""
    await room.draw.tick()
    async with transaction(room.store, actor=room.supervisor.actor, now=room.now) as tx:
        told = await evaluation_papers(tx, room.lot_id)
        proofs = await proofs_of(tx, told.entries)
    assert set(proofs) == set(told.entries)
    return canonical({**told.bundle, "proofs": proofs})


@dataclass(frozen=True, slots=True)
class Kept:
    """Records made once: of a whole evaluation, and of one in which a sheet was changed."""

    plain: bytes
    changed: bytes


@pytest.fixture(scope="module")
async def kept(kept_committees: KeptCommittees) -> Kept:
    made = []
    for changes in (False, True):
        async with (
            kept_committees.copied("tendering, scored") as (scored, settings, name),
            store_over(kept_committees.lines, name, settings) as (store, tick),
        ):
            room = scored.over(store, tick)
            await _evaluated(room, changes=changes)
            made.append(await record_of(room))
    return Kept(*made)


async def _evaluated(room: WorkRoom, *, changes: bool) -> None:
    if changes:
        sitter = room.sitters[2]
        for bid_id in [one.bid_id for one in await room.bids()]:
            await room.save(sitter, bid_id, "construction", "24.5", base_version=1)
        await room.commit(sitter, round=2, reason="漏看施工组织设计第三章")
        await room.reveal(sitter, round=2)
    digest = await room.compile()
    for sitter in room.sitters:
        dissent = "业绩的认定应当更严" if changes and sitter is room.sitters[0] else ""
        await room.sign(sitter, digest, dissent=dissent)


def fails(content: bytes | dict[str, Any]) -> bool:
    """Whether it is found out, without the checker itself breaking."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return not verify(raw).ok


# ── a true one ────────────────────────────────────────────────────────────────────────────────


async def test_a_true_record_verifies_and_says_what_was_found(kept: Kept) -> None:
    verdict = verify(kept.plain)
    assert [check for check in verdict.checks if not check.passed] == []
    assert verdict.found["members"] == verdict.found["sheets"] == 5
    assert verdict.found["rejected"] == 1
    assert [one["rank"] for one in verdict.found["ranking"]] == [1, 2, 3, 4, 5]
    assert verdict.found["signatures"] == {"signed": 5}


async def test_a_changed_sheet_and_a_dissent_verify_too(kept: Kept) -> None:
    verdict = verify(kept.changed)
    assert [check for check in verdict.checks if not check.passed] == []
    assert verdict.found["sheets"] == 6
    assert verdict.found["signatures"] == {"signed": 4, "dissents": 1}


async def test_whoever_knows_the_log_can_say_so(kept: Kept) -> None:
    keys = json.loads(kept.plain)["keys"]
    known = TrustedLog(keys["log"], tuple(keys["witnesses"]), 2)
    assert verify(kept.plain, trusted=known).ok
    for stranger in (
        replace(known, log=keys["log"][:-4] + "AAAA"),
        replace(known, witnesses=known.witnesses[:1]),
        replace(known, quorum=3),
    ):
        assert not verify(kept.plain, trusted=stranger).ok


async def test_no_name_of_a_member_stands_in_it(kept: Kept) -> None:
    told = json.loads(kept.changed)
    text = kept.changed.decode() + unb64(told["report"]).decode()
    for proof in told["proofs"].values():
        extra = json.loads(unb64(proof.split("\n")[1].removeprefix("extra ")))
        text += unb64(extra["record"]).decode()
    for one in (*told["commitments"], *told["signatures"]):
        text += unb64(json.loads(unb64(one["statement"]))["payload"]).decode()
    assert "专家" not in text
    assert "冯代表" not in text
    assert '"person' not in text


# ── tampering ─────────────────────────────────────────────────────────────────────────────────


async def test_every_field_entry_and_member_of_the_record_counts(kept: Kept) -> None:
    missed = [
        (what, path)
        for what, path, changed in tampered(json.loads(kept.changed))
        if not _same(what, path) and not fails(changed)
    ]
    assert missed == []


async def test_witnesses_cannot_be_weakened_beside_the_record(kept: Kept) -> None:
    """Without knowing them from elsewhere: they are those of the policy the bidders sealed to."""
    told = json.loads(kept.plain)
    keys = told["keys"]
    for weaker in (
        {"quorum": 0},
        {"quorum": 1},
        {"quorum": 3},
        {"quorum": 0, "witnesses": []},
        {"quorum": 1, "witnesses": keys["witnesses"][:1]},
        {"witnesses": keys["witnesses"][::-1]},
    ):
        assert fails({**told, "keys": {**keys, **weaker}}), weaker


async def test_a_policy_that_names_nobody_is_not_the_one_in_force(kept: Kept) -> None:
    told = json.loads(kept.plain)
    weaker = {"quorum": 1, "witnesses": told["keys"]["witnesses"][:1]}
    policy: Any = strict_json(unb64(told["policy"]))
    told["keys"] |= weaker
    told["policy"] = b64(canonical({**policy, **weaker}))
    failed = [check.what for check in verify(canonical(told)).checks if not check.passed]
    assert failed == ["log and witnesses are the ones the lot's policy names"]


def _same(what: str, path: tuple[Any, ...]) -> bool:
    """Whether only the order of a mapping changed that has none."""
    return what == "exchanged" and path[:1] == ("v",) and len(path) > 1


def missed_in_the_report(content: bytes, *, step: int) -> list[tuple[str, tuple[Any, ...]]]:
    """Which of every so-many changes of the report are not found."""
    told = json.loads(content)
    report = strict_json(unb64(told["report"]), 1 << 22)
    return [
        (what, path)
        for what, path, changed in islice(tampered(report), 0, None, step)
        if not fails({**told, "report": b64(canonical(changed))})
    ]


async def test_a_tenth_of_the_fields_of_the_report_counts(kept: Kept) -> None:
    assert missed_in_the_report(kept.changed, step=10) == []


@pytest.mark.soak
async def test_every_field_of_the_report_counts(kept: Kept) -> None:
    assert missed_in_the_report(kept.changed, step=1) == []


async def test_a_forger_who_also_rewrites_what_follows_is_found(kept: Kept) -> None:
    """The platform's own way to cheat: a mark, its result, and everything the report tells."""
    told = json.loads(kept.plain)
    report: Any = strict_json(unb64(told["report"]), 1 << 22)
    best, second = report["parts"]["ranking"][:2]
    best["rank"], second["rank"] = 2, 1
    report["parts"]["ranking"][:2] = second, best
    told["report"] = b64(canonical(report))
    verdict = verify(canonical(told))
    failed = {check.what for check in verdict.checks if not check.passed}
    assert "standards, comparison and ranking are those reckoned" in failed
    assert "the report was handed back to the lot, after everything else" in failed


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
async def test_a_flipped_bit_anywhere_in_the_file_is_found(
    kept: Kept, place: float, bit: int
) -> None:
    changed = bytearray(kept.plain)
    changed[int(place * len(changed))] ^= 1 << bit
    assert fails(bytes(changed))


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"{}", b"\xff", b'{"v":"ebid-evaluation-record/1"}']
)
def test_what_is_no_record_is_told_politely(content: bytes) -> None:
    assert fails(content)


@pytest.mark.parametrize("value", [None, 1, True, "x", [], {}, [[]], {"a": {}}], ids=repr)
async def test_a_part_of_another_kind_is_told_politely(kept: Kept, value: object) -> None:
    told = json.loads(kept.plain)
    for name in told:
        if told[name] != value:
            assert fails({**told, name: value})
        for inner in told[name] if isinstance(told[name], dict) else ():
            if at(told, (name, inner)) != value:
                assert fails({**told, name: {**told[name], inner: value}})
