"""The scripts as commands of an installed package: `human-alignment-score-alignment`, say.

`pyproject.toml` installs the scripts as the package `human_alignment_scripts`, and for each script
a command that calls the attribute of this module with the script's name.
"""

import importlib
import importlib.util
from collections.abc import Callable

from . import cli

SCRIPTS = "human_alignment_scripts"


def __getattr__(name: str) -> Callable[[], None]:
    """A function that runs the installed script `name` on the process's command line.

    It ends on bad input as the script does: one message, exit code 1.
    Raises AttributeError where no such script is installed.
    """
    try:
        found = importlib.util.find_spec(f"{SCRIPTS}.{name}")
    except ModuleNotFoundError:  # the scripts are not installed at all
        found = None
    if found is None:
        raise AttributeError(f"no script {name!r} is installed in {SCRIPTS}")
    return lambda: cli.run(importlib.import_module(found.name).main)
