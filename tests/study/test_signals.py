"""Signals are noted, and handled as before."""

import signal
import threading

import pytest
from human_alignment.study.signals import cause_of_stop, note_signals


@pytest.fixture
def handled():
    """Signals that reached the handlers there were; afterwards the old handlers are back."""
    old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    reached = []
    signal.signal(signal.SIGTERM, lambda number, frame: reached.append(number))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield reached
    for number, handler in old.items():
        signal.signal(number, handler)


def test_a_signal_is_noted_and_handled(handled):
    received = []
    note_signals(received)
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert received == ["SIGTERM", "SIGINT"]
    assert handled == [signal.SIGTERM]


def test_an_ignored_signal_stays_ignored(handled):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    received = []
    note_signals(received)
    signal.raise_signal(signal.SIGINT)
    assert received == []


def test_outside_the_main_thread_nothing_is_noted(handled):
    received, failed = [], []

    def call():
        try:
            note_signals(received)
        except ValueError as error:
            failed.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    signal.raise_signal(signal.SIGTERM)
    assert (received, failed, handled) == ([], [], [signal.SIGTERM])


def test_what_stopped_a_run():
    assert cause_of_stop([]) == "stopped by failed jobs"
    assert cause_of_stop(["SIGTERM"]) == "stopped by a signal (SIGTERM)"
    assert cause_of_stop(["SIGINT", "SIGTERM", "SIGINT"]) == (
        "stopped by a signal (SIGINT, SIGTERM)"
    )
