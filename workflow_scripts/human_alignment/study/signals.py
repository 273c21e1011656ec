"""Which signals a run received. Snakemake ends on them in order, but does not tell its hooks."""

import _thread
import signal
import threading
from collections.abc import Callable

WATCHED = (signal.SIGINT, signal.SIGTERM)  # those on which Snakemake still runs `onerror`


def note_signals(received: list[str]) -> None:
    """Append the name of each signal that arrives from now on, then let its handler act as before.

    To be called once Snakemake has set its handlers: in `onstart`. Signals that are ignored, or
    that end the process at once, are left alone. Outside the main thread, where Python allows no
    handlers, nothing is noted.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in WATCHED:
        handler = signal.getsignal(number)
        if callable(handler):
            signal.signal(number, _noting(handler, received))


def _noting(handler: Callable, received: list[str]) -> Callable:
    """A handler that notes the signal's name before another one acts.

    The handler of SIGTERM acts in a thread of its own. Snakemake's waits for a lock that the main
    thread holds while it looks after a job that has ended: there it would wait for ever. To start a
    `threading.Thread` takes locks too, so this is a thread of the lower level.
    """

    def note(number: int, frame: object) -> None:
        received.append(signal.Signals(number).name)
        if number == signal.SIGTERM:
            _thread.start_new_thread(handler, (number, frame))
        else:
            handler(number, frame)

    return note


def cause_of_stop(received: list[str]) -> str:
    """How a run ended that did not complete, for the closing lines."""
    if not received:
        return "stopped by failed jobs"
    return f"stopped by a signal ({', '.join(dict.fromkeys(received))})"
