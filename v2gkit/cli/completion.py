"""`v2g completion`: a script by which a shell completes the commands, their options and what they choose from."""

import argparse
from pathlib import Path
from typing import Any

from v2gkit.cli.main import whole
from v2gkit.cli.parser import every
from v2gkit.output import put

WELL = 0
SHELLS = ("bash", "zsh")
EPILOG = """examples:
  v2g completion bash > ~/.local/share/bash-completion/completions/v2g
  v2g completion zsh > ~/.zfunc/_v2g             a folder of your $fpath
  source <(v2g completion bash)                  this shell alone

exit codes: 0 well, 2 wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g completion`."""
    parser.add_argument("shell", choices=SHELLS)


def run(options: argparse.Namespace) -> int:
    """Write the script to standard output; the exit code."""
    import shtab  # which not everybody has; the help does not need it

    parser = whole()
    for each in every(parser):
        for action in each._actions:
            if action.type is Path:
                file: Any = action
                file.complete = shtab.DIRECTORY if action.metavar in ("DIR", "FOLDER") else shtab.FILE
    put(shtab.complete(parser, shell=options.shell))
    return WELL
