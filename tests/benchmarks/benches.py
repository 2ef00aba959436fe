"""Benchmarks: each against a named limit or peer in the same run.

The machines are noisy, so only ratios count: the platform and its peer are measured in turns, the
median of the pairs' ratios is reported with its spread, and every benchmark asserts that the work
it claims was done.
"""

from __future__ import annotations

import asyncio
import io
import re
import statistics
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress

from kernel.clock import monotonic_s
from kernel.crypto import sealing
from kernel.crypto.signing import PrivateKey
from kernel.randomness import random_bytes
from tests.benchmarks.checkups import checkups
from tests.benchmarks.notices import HUNDRED, NOTICES, thousand_notices
from tests.benchmarks.submits import submits

PAIRS = 5
MIB = 1 << 20
SEALED = 64 * MIB


@dataclass(frozen=True, slots=True)
class Result:
    """One figure, what it is against, and whether it meets its target (None where none is set)."""

    name: str
    value: float
    unit: str
    against: str
    ratio: float
    spread: tuple[float, float]
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the ratio reaches the target."""
        return None if self.target is None else self.ratio >= self.target

    def plain(self) -> dict[str, object]:
        """The result as JSON; the spread of its ratios is in the table."""
        return {
            "name": self.name,
            "value": round(self.value, 2),
            "unit": self.unit,
            "against": self.against,
            "ratio": round(self.ratio, 3),
            "target": self.target,
            "met": self.met,
        }

    def row(self) -> Sequence[object]:
        """The result as a line of the table."""
        low, high = self.spread
        return (
            self.name,
            f"{self.value:,.1f}",
            self.unit,
            self.against,
            f"{self.ratio:.3f} ({low:.3f}–{high:.3f})",
            "—" if self.target is None else f"{self.target:.2f}",
            {None: "—", True: "yes", False: "NO"}[self.met],
        )


Pair = Callable[[], Awaitable[tuple[float, float]]]


async def in_turns(
    name: str, unit: str, against: str, pair: Pair, *, target: float | None = None
) -> Result:
    """Measure a pair several times; the median of the ratios and of the platform's own figure."""
    pairs = [await pair() for _ in range(PAIRS)]
    ratios = [own / other for own, other in pairs]
    return Result(
        name,
        statistics.median(own for own, _ in pairs),
        unit,
        against,
        statistics.median(ratios),
        (min(ratios), max(ratios)),
        target,
    )


def openssl_speed(algorithm: str) -> float:
    """MiB/s of `openssl speed` for 16 KiB blocks, in one second."""
    done = subprocess.run(
        ["openssl", "speed", "-evp", algorithm, "-bytes", "16384", "-seconds", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"([0-9.]+)k\s*$", done.stdout, flags=re.MULTILINE)
    if not found:
        raise ValueError("openssl speed printed no figure")
    return float(found[-1]) * 1000 / MIB


def _seal_once(content: bytes, policy: sealing.PolicyKeys, key: PrivateKey) -> tuple[float, bytes]:
    meta = sealing.envelope_meta(
        project="bench",
        lot="bench",
        envelope="bid",
        bidder="bench",
        nonce=random_bytes(16),
        created="2026-01-01T00:00:00Z",
    )
    sink = io.BytesIO()
    began = monotonic_s()
    sealed = sealing.seal(
        io.BytesIO(content),
        sink,
        meta=meta,
        policy=policy,
        bidder_keys=[key.public_bytes],
        secrets=sealing.drawn_secrets(random_bytes),
        entropy=random_bytes,
    )
    took = monotonic_s() - began
    container = sink.getvalue()
    assert sealed.payload_size > len(content)
    header = sealing.parse_header(container)
    opening = monotonic_s()
    file = io.BytesIO(container)
    file.seek(header.payload_offset)
    size = sum(len(piece) for piece in sealing.open_stream(file, header, sealed.file_key))
    opened = monotonic_s() - opening
    assert size == len(content)
    return 2 * len(content) / MIB / (took + opened), sealed.payload_sha256


async def seal_and_open() -> Result:
    """Seal and open 64 MiB against OpenSSL's own AES-256-GCM."""
    custodians = [PrivateKey.generate() for _ in range(4)]
    keys = tuple(key.public_bytes for key in custodians)
    policy = sealing.PolicyKeys(bytes(32), sealing.ShareHolders(3, keys))
    bidder, content = PrivateKey.generate(), random_bytes(SEALED)

    async def pair() -> tuple[float, float]:
        own, _ = await asyncio.to_thread(_seal_once, content, policy, bidder)
        return own, await asyncio.to_thread(openssl_speed, "aes-256-gcm")

    return await in_turns("seal-open", "MiB/s", "openssl speed aes-256-gcm, 16 KiB", pair)


async def submits_against_pgbench() -> Result:
    """Whole submits without HTTP, each until its receipt is in hand, against pgbench on the same
    Postgres.
    """
    async with submits(PAIRS + 1) as pair:
        await pair()  # the first one warms both up and is not counted
        return await in_turns(
            "submits", "submits/s, no HTTP", "pgbench TPC-B transactions/s, 8 clients", pair
        )


async def checkups_against_passing() -> Result:
    """The check-up of a tender file of 300 blocks against the same request, let pass unjudged.

    It may take three times as long: a third of the requests a second.
    """
    async with checkups() as pair:
        await pair()  # the first one warms both up and is not counted
        return await in_turns(
            "checkup",
            "files of 300 blocks/s",
            "the same request, let pass unjudged",
            pair,
            target=1 / 3,
        )


async def notices_stay_flat() -> Result:
    """A thousand notices published back to back: the last hundred's p95 against the first's.

    It may be 1.3 times as long: the first takes at least 1/1.3 of it.
    """
    measured = await thousand_notices()
    return Result(
        "notices",
        measured.hundreds_ms[-1],
        f"ms, p95 of the last {HUNDRED} of {NOTICES}",
        f"p95 of the first {HUNDRED} in the same run",
        measured.first_against_last,
        measured.spread,
        1 / 1.3,
    )


BENCHES: dict[str, Callable[[], Awaitable[Result]]] = {
    "seal-open": seal_and_open,
    "submits": submits_against_pgbench,
    "checkup": checkups_against_passing,
    "notices": notices_stay_flat,
}


async def measure(names: Sequence[str], *, talk: Console) -> list[Result]:
    """Run the named benchmarks one after another."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise ValueError(f"no such benchmark: {', '.join(unknown)}")
    results = []
    with Progress(console=talk, transient=True) as progress:
        task = progress.add_task("Measuring", total=len(names))
        for name in names:
            progress.update(task, description=f"Measuring {name}")
            results.append(await BENCHES[name]())
            progress.advance(task)
    return results
