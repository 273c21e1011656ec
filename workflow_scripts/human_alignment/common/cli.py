"""What every script shares: how it ends on bad input and how it shows progress."""

import atexit
import gc
import sys
from collections.abc import Callable, Iterable

from tqdm import tqdm


class UserError(Exception):
    """A problem that the user can solve. The message says what, where and how to solve it."""


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; turn an expected failure into one message and exit code 1.

    Other errors are mistakes in the code and keep their traceback.
    """
    _set_aside()
    atexit.register(_set_aside)
    try:
        main()
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def _set_aside() -> None:
    """Keep Python from looking for garbage in what there is now.

    After the imports this saves a twentieth of a script that draws, at its end a fifth of a short
    one.
    """
    if "triton" not in sys.modules:  # which prints what was not found, as leaks
        gc.freeze()


def progress(items: Iterable | None, total: int | None, description: str, unit: str) -> tqdm:
    """A progress bar on a terminal, a line every 30 s in a log file.

    Iterate over it, or pass no items and call its `update(count)`.
    """
    interval = 0.1 if sys.stderr.isatty() else 30.0
    return tqdm(items, total=total, desc=description, unit=unit, mininterval=interval)
