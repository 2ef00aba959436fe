"""The `sunbid` command as a process: everything is loaded before anybody looks for garbage.

Two thousand modules make a hundred thousand objects that stay until the end. A collector that looks
through them again and again while they come costs a quarter of the start, and a server that looks
through them later finds nothing either.
"""

import gc
from importlib import import_module

if __name__ == "__main__":
    gc.disable()
    command = import_module("web.command_line")
    gc.freeze()
    gc.enable()
    command.main(prog_name="sunbid")
