"""The program at a committee member's seat: it keeps the seat's key, the line, and what is secret.

The member's own key signs what the member says; the seat's key signs that it was said here, and
that the line still stands. Marks are queued until the platform has acknowledged each of them, so
that a line that is cut neither loses one nor doubles one. A sheet and its nonce stay in this folder
until all have committed. Before a report is signed everything in it is reckoned again.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from evaluation.rules.qualification_votes import VERSION as REVIEW_REPORT
from evaluation.rules.qualification_votes import follows
from evaluation.rules.ranking import result_document
from evaluation.rules.recomputation import recompute
from evaluation.rules.score_commitment import (
    Mark,
    ScoreSheet,
    commitment,
    parse_sheet,
    sheet_document,
)
from kernel.clock import machine_clock
from kernel.crypto.digests import b64, b64u, canonical, instant_text, sha256, strict_json, unb64u
from kernel.crypto.signing import PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.randomness import Entropy, random_bytes, random_id
from web.client import Client, Problem, Unreachable
from web.custodian_work import Unconvinced

RENEW_S: Final = 4.0
"""A lease lasts fifteen seconds, so that two renewals may fail before a member counts as gone."""

ANSWER_S: Final = 6.0
"""A renewal that has no answer by then is given up, so that the next one is still in time."""

RETRY_S: Final = 0.3
NONCE_SIZE: Final = 32
REPORT_MAX: Final = 64 << 20
PRIVATE: Final = 0o600
NOT_NOW: Final = frozenset({"not_at_seat", "suspended"})
"""Grounds that say nothing against a mark, only that none is taken at the moment."""

PASSING: Final = frozenset({401, 429})
"""Statuses, besides the platform's own faults, that say nothing about what was asked."""


@dataclass(slots=True)
class QueuedEdit:
    """A mark on its way: made upon a version of its cell, known by an id of its own."""

    edit_id: str
    bid: str
    item: str
    score: str | None
    base_version: int


@dataclass(slots=True)
class SeatWork:
    """One member at one seat of one committee; nobody else uses the folder."""

    client: Client
    seat_key: PrivateKey
    folder: Path
    committee_id: str = ""
    seat_id: str = ""
    entropy: Entropy = random_bytes
    queue: deque[QueuedEdit] = field(default_factory=deque)
    conflicts: list[tuple[QueuedEdit, dict[str, Any]]] = field(default_factory=list)
    """Edits that met another version, or were made upon one that did, each with the cell as the
    platform has it."""

    turned_down: list[tuple[QueuedEdit, Problem]] = field(default_factory=list)
    """Edits that the law's bounds did not let pass, each with the grounds."""

    present: bool = False
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    _counter: int = 0
    _sittings: int = 0
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            told = json.loads(self._file("edits.json").read_text())
            self.queue.extend(QueuedEdit(**one) for one in told["queue"])
            self.versions = {(bid, item): version for bid, item, version in told["versions"]}
        with suppress(FileNotFoundError):
            self._counter = int(json.loads(self._file("lease.json").read_text())["counter"])

    # ── sitting down and staying ──

    def seat_statement(self, site_id: str, number: int) -> bytes:
        """The seat's own statement of its key, for the keeper of the site to register."""
        return self._by_seat(
            "seat",
            {"site": site_id, "number": number, "public_key": b64u(self.seat_key.public_bytes)},
        )

    async def sign_in(self, *, no_conflict: bool = True) -> None:
        """Sit down, or be identified anew; then keep the line."""
        declaration = self.client.statement(
            "evaluation-sign-in",
            {
                "committee": self.committee_id,
                "seat": self.seat_id,
                "no_conflict": no_conflict,
                "discipline": True,
            },
        )
        presence = self._by_seat(
            "seat-presence",
            {
                "committee": self.committee_id,
                "seat": self.seat_id,
                "declaration": b64u(sha256(declaration)),
            },
        )
        await self.client.post(
            self._path("sign-ins"),
            {"declaration": b64(declaration), "presence": b64(presence)},
        )
        self.present = True
        self._sittings += 1
        self._keep_up()

    async def renew(self) -> None:
        """Tell the platform that the line stands."""
        self._counter += 1
        # The platform takes no number twice, not even from a program that was started again.
        self._keep("lease.json", {"counter": self._counter})
        lease = self._by_seat(
            "seat-lease",
            {"committee": self.committee_id, "seat": self.seat_id, "counter": self._counter},
        )
        await self.client.post_signed(self._path("leases"), lease)

    async def leave(self) -> None:
        """Get up: the others stop reading at once."""
        await self.close()
        await self.client.delete(self._path("leases/mine"))

    async def close(self) -> None:
        """Stop keeping the line and sending marks."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        self.present = False

    def _keep_up(self) -> None:
        for name, keep in (("lease", self._keep_lease), ("edits", self._send_edits)):
            if name not in self._tasks or self._tasks[name].done():
                self._tasks[name] = asyncio.create_task(keep())

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            if not self.present:
                continue
            sitting = self._sittings
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self.renew()
            except (Unreachable, TimeoutError):
                continue
            except Problem as problem:
                # The lease has ended; the member has to be identified anew, by its own key. Where
                # that has just happened, this no was about the lease before.
                if not _passing(problem) and sitting == self._sittings:
                    self.present = False

    # ── marking ──

    def mark(self, bid: str, item: str, score: str | None) -> None:
        """Put a mark into the queue; it is sent in its turn, for as long as that takes."""
        base = self.versions.get((bid, item), 0)
        self.versions[bid, item] = base + 1
        self.queue.append(QueuedEdit(str(random_id()), bid, item, score, base))
        self._keep_queue()

    async def all_sent(self, *, patience_s: float = 60.0) -> None:
        """Return once every mark was acknowledged, met a conflict, or was turned down."""
        async with asyncio.timeout(patience_s):
            while self.queue:
                await asyncio.sleep(RETRY_S / 3)

    async def send_next(self) -> bool:
        """Send the first mark in the queue; whether it is done with."""
        edit = self.queue[0]
        try:
            cell = await self.client.put(
                self._path(f"bids/{edit.bid}/marks/{edit.item}"),
                {
                    "edit_id": edit.edit_id,
                    "score": edit.score,
                    "base_version": edit.base_version,
                },
            )
        except Unreachable:
            return False
        except Problem as problem:
            if _passing(problem) or problem.codes & NOT_NOW:
                return False
            self.turned_down.append((edit, problem))
            self._take_back(edit)
        else:
            if not cell["saved"]:
                self._set_aside(edit, cell)
        self.queue.popleft()
        self._keep_queue()
        return True

    def _set_aside(self, edit: QueuedEdit, cell: dict[str, Any]) -> None:
        """A conflict, and whatever waits that was made upon it: the member chooses."""
        later = [one for one in self._behind() if (one.bid, one.item) == (edit.bid, edit.item)]
        for one in later:
            self.queue.remove(one)
        self.conflicts += [(one, cell) for one in (edit, *later)]
        self.versions[edit.bid, edit.item] = int(cell["version"])

    def _behind(self) -> list[QueuedEdit]:
        return list(self.queue)[1:]

    def _take_back(self, edit: QueuedEdit) -> None:
        """What was turned down made no version, so what follows it in its cell counts one less."""
        self.versions[edit.bid, edit.item] -= 1
        for later in self._behind():
            if (later.bid, later.item) == (edit.bid, edit.item):
                later.base_version -= 1

    async def _send_edits(self) -> None:
        while True:
            if not (self.present and self.queue and await self.send_next()):
                await asyncio.sleep(RETRY_S)

    # ── committing and revealing ──

    async def commit(self, *, reason: str = "", ground: str | None = None) -> int:
        """Commit to the marks as the platform has them, once it has them all; which round it is."""
        await self.all_sent()
        own = await self.client.get(self._path("marks"))
        number = 1 + max((int(one["round"]) for one in own["rounds"]), default=0)
        due = set(own["bids"])
        sheet = ScoreSheet(
            UUID(self.committee_id),
            UUID(own["member"]),
            number,
            tuple(
                Mark(cell["bid"], cell["item"], Decimal(cell["score"]))
                for cell in own["cells"]
                if cell["score"] is not None and cell["bid"] in due
            ),
        )
        nonce = self.entropy(NONCE_SIZE)
        committed = commitment(sheet, nonce)
        # Kept before it is committed to, and under a name of its own: whoever loses a sheet, or
        # writes another over it when no answer came, could never show it.
        self._keep(_sheet_name(committed), {"sheet": sheet_document(sheet), "nonce": b64u(nonce)})
        said: dict[str, object] = {
            "committee": self.committee_id,
            "member": own["member"],
            "round": number,
            "commitment": b64u(committed),
            "reason": reason,
        }
        if ground is not None:
            said["ground"] = ground
        await self.client.post_statement(self._path("commitments"), "scores-commit", said)
        return number

    async def reveal(self) -> None:
        """Show every sheet that was committed to and not shown yet, the first round first."""
        own = await self.client.get(self._path("marks"))
        for one in own["rounds"]:
            if not one["revealed"]:
                await self.client.post(self._path("reveals"), self._kept_sheet(one))

    # ── signing ──

    async def sign_report(self, *, dissent: str = "", refused: bool = False) -> dict[str, Any]:
        """Sign the report, after reckoning it again; `Unconvinced` where it does not hold."""
        content = await self.client.read(self._path("report"))
        report: Any = strict_json(content, REPORT_MAX)
        reviews = report.get("v") == REVIEW_REPORT
        own = await self.client.get(self._path("applications" if reviews else "marks"))
        if reviews:
            self._check_review(report, own)
        else:
            self._check(content, own)
        signed: dict[str, Any] = await self.client.post_statement(
            self._path("report/signatures"),
            "report-signature",
            {
                "committee": self.committee_id,
                "member": own["member"],
                "report": b64u(sha256(content)),
                "dissent": dissent,
                "refused": refused,
            },
        )
        return signed

    def _check_review(self, report: Any, own: dict[str, Any]) -> None:
        """`Unconvinced` unless the findings follow, and rest on what the member itself found."""
        if not follows(report):
            raise Unconvinced("what the report says most members found does not follow from it")
        told = [one["findings"] for one in report["opinions"] if one["member"] == own["member"]]
        if told != [own["own"]]:
            raise Unconvinced("the report tells other findings in our name")

    def _check(self, content: bytes, own: dict[str, Any]) -> None:
        """`Unconvinced` unless the result follows, and rests on the member's own last sheet."""
        report: Any = strict_json(content, REPORT_MAX)
        if result_document(recompute(report["record"])) != report["result"]:
            raise Unconvinced("the report's result does not follow from its sheets")
        for one in own["rounds"]:
            kept = self._kept_sheet(one)
            sheet = parse_sheet(kept["sheet"])
            if b64u(commitment(sheet, unb64u(kept["nonce"]))) != one["commitment"]:
                raise Unconvinced("the platform tells of a commitment that is not ours")
            shown = [entry["sheet"] for entry in report["record"]["sheets"]]
            if one["revealed"] and kept["sheet"] not in shown:
                raise Unconvinced("the report leaves out a sheet of ours")

    # ── within ──

    def _by_seat(self, kind: str, payload: dict[str, object]) -> bytes:
        said = {
            "v": f"ebid-{kind}/1",
            "signed_at": instant_text(machine_clock()),
            **payload,
        }
        return self.seat_key.sign(payload_type(kind), canonical(said)).to_bytes()

    def _path(self, rest: str) -> str:
        return f"/api/v1/committees/{self.committee_id}/{rest}"

    def _file(self, name: str) -> Path:
        return self.folder / name

    def _kept_sheet(self, told: dict[str, Any]) -> dict[str, Any]:
        """The sheet and nonce of a round the platform tells of; `Unconvinced` without them."""
        try:
            kept = self._file(_sheet_name(unb64u(told["commitment"]))).read_text()
        except FileNotFoundError:
            raise Unconvinced("the platform tells of a commitment that is not ours") from None
        found: dict[str, Any] = json.loads(kept)
        return found

    def _keep_queue(self) -> None:
        self._keep(
            "edits.json",
            {
                "queue": [asdict(one) for one in self.queue],
                "versions": [
                    [bid, item, version] for (bid, item), version in self.versions.items()
                ],
            },
        )

    def _keep(self, name: str, told: object) -> None:
        """Write a file that only this user reads, whole or not at all."""
        path = self._file(name)
        fresh = path.with_suffix(".new")
        fresh.touch(mode=PRIVATE)
        with fresh.open("w") as file:
            json.dump(told, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def _sheet_name(committed: bytes) -> str:
    return f"sheet-{committed.hex()}.json"


def _passing(problem: Problem) -> bool:
    """Whether the platform said no to the moment and not to what was asked."""
    return problem.status in PASSING or problem.status >= 500
