"""The command ``crystalgym``, the same program as the Rust one."""

from __future__ import annotations

import signal
import sys

from crystalgym._crystalgym import command_line


def main() -> None:
    # The command stops by itself at Ctrl-C; Python would raise once more after it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(command_line(["crystalgym", *sys.argv[1:]]))
