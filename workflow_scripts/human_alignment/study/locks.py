"""What to type where a killed run has left the lock of the working folder.

Snakemake ends with an exception on a lock, before any of its hooks, and names one option. The note
here stands above that message and names the whole command.
"""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

LOCKS = ".snakemake/locks"  # where Snakemake keeps them, in the working folder


def lock_note(arguments: Sequence[str], folder: Path | str = ".") -> str:
    """The note; empty where the folder has no lock, or where the command does not look at it.

    arguments: of the snakemake command, without its name.  folder: the working folder.
    """
    locks = Path(folder) / LOCKS
    if {"--unlock", "--nolock"} & set(arguments) or not (locks.is_dir() and os.listdir(locks)):
        return ""
    command = shlex.join(["snakemake", *arguments, "--unlock"])
    return (
        "note: this folder is locked: another run works in it, or was killed. If none works, type\n"
        f"  {command}\nand then your command again"
    )
