"""The command ``crystalgym``, the same program as the Rust one."""

from __future__ import annotations

import sys

from crystalgym._crystalgym import command_line


def main() -> None:
    sys.exit(command_line(["crystalgym", *sys.argv[1:]]))
