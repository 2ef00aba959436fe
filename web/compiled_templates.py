"""Templates, compiled once and kept where Python keeps its compiled modules.

To compile them all takes seconds, for each language and manner in which a process speaks, though
what comes of it is the same.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.metadata import version
from importlib.util import cache_from_source
from pathlib import Path

from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket


class KeptTemplates(FileSystemBytecodeCache):
    """Compiled templates in a folder; one that cannot be used only makes each start slower."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take a template that was compiled before, where there is one."""
        with suppress(OSError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template that was compiled just now, where there is room for it."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


def kept_for(templates: Path) -> KeptTemplates | None:
    """The compiled templates of this folder; None where Python is told to keep nothing.

    They are trusted like the compiled modules, which whoever can write there could change as well.
    """
    if sys.dont_write_bytecode:
        return None
    folder = Path(cache_from_source(str(templates / "templates.py"))).parent
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return KeptTemplates(str(folder), f"%s.jinja-{version('jinja2')}")
