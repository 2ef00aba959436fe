"""Places: routers that tell at a glance whether a path is theirs.

A request is shown to one place after another, and each would try all of its routes in turn: six
hundred attempts, which take longer than most answers. One pattern for the whole place is enough to
send a stranger on.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from starlette.routing import Match

_NAMED = re.compile(r"\(\?P<\w+>")


class Place(APIRouter):
    """A router whose routes are tried only for a path that one of them leads to.

    Its routes carry their whole paths, and it is included under no prefix.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._known: tuple[int, re.Pattern[str]] = (0, re.compile(r"(?!)"))

    def matches(self, scope: Any) -> tuple[Match, Any]:
        """What the routes say; nothing for a path that none of them leads to."""
        if len(self.routes) != self._known[0]:
            self._known = len(self.routes), self._pattern()
        at_the_root = not scope.get("root_path")
        if at_the_root and self._known[1].match(scope["path"]) is None:
            return Match.NONE, {}
        return super().matches(scope)

    def _pattern(self) -> re.Pattern[str]:
        # Names may occur once in a pattern; which of them it was is found out by the route itself.
        paths: list[Any] = list(self.routes)
        return re.compile("|".join(_NAMED.sub("(?:", one.path_regex.pattern) for one in paths))
