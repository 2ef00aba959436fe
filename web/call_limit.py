"""How often one neighbourhood may ask for what costs us something and needs no sign-in.

Counted in this process's memory and by address only, never by person: nobody can use up another's
tries and lock a rival out before a deadline. Whoever asks too often learns when to come back.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fastapi import Request

from kernel.clock import monotonic_s
from kernel.errors import TooMuch
from web.request_scope import address_of, neighbourhood_of

BURST: Final = 240
PER_SECOND: Final = 4.0
NEIGHBOURHOODS_MAX: Final = 20_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


class CallLimit:
    """A bucket of tries for each neighbourhood, which fills up again by itself."""

    def __init__(self, *, burst: int = BURST, per_second: float = PER_SECOND) -> None:
        self._burst = burst
        self._per_second = per_second
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, neighbourhood: str, *, now_s: float) -> float:
        """Use one try: 0 where there was one, else the seconds until there is."""
        bucket = self._buckets.pop(neighbourhood, None) or _Bucket(self._burst, now_s)
        self._buckets[neighbourhood] = bucket
        if len(self._buckets) > NEIGHBOURHOODS_MAX:
            self._buckets.popitem(last=False)
        refilled = bucket.left + (now_s - bucket.at_s) * self._per_second
        bucket.left, bucket.at_s = min(refilled, float(self._burst)), now_s
        if bucket.left >= 1:
            bucket.left -= 1
            return 0.0
        return (1 - bucket.left) / self._per_second


async def limited(request: Request) -> None:
    """A dependency of routes that anyone may call: `TooMuch` beyond the limit."""
    state = request.app.state
    if not hasattr(state, "call_limit"):
        state.call_limit = CallLimit()
    limit: CallLimit = state.call_limit
    wait_s = limit.take(neighbourhood_of(address_of(request)), now_s=monotonic_s())
    if wait_s > 0:
        raise TooMuch("too many requests from one place", retry_after=timedelta(seconds=wait_s))
