"""Signals are noted, and handled as before."""

import queue
import signal
import threading

import pytest
from human_alignment.study.signals import cause_of_stop, note_signals
from snakemake.scheduling.job_scheduler import JobScheduler


@pytest.fixture
def handled():
    """Signals that reached the handlers there were; afterwards the old handlers are back."""
    old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    reached = queue.SimpleQueue()
    signal.signal(signal.SIGTERM, lambda number, frame: reached.put(number))
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
    assert handled.get(timeout=20) == signal.SIGTERM


@pytest.mark.timeout(60)
def test_snakemake_ends_on_a_signal_that_comes_while_its_main_thread_holds_its_lock(handled):
    """As it does while it looks after a job that has ended."""
    scheduler = JobScheduler.__new__(JobScheduler)  # without a workflow
    scheduler._lock, scheduler._open_jobs = threading.Lock(), threading.Semaphore(0)
    signal.signal(signal.SIGTERM, scheduler.exit_gracefully)
    note_signals([])
    with scheduler._lock:
        signal.raise_signal(signal.SIGTERM)
    assert scheduler._open_jobs.acquire(timeout=20)
    assert scheduler._user_kill == "graceful"


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
    assert (received, failed) == ([], [])
    assert handled.get_nowait() == signal.SIGTERM


def test_what_stopped_a_run():
    assert cause_of_stop([]) == "stopped by failed jobs"
    assert cause_of_stop(["SIGTERM"]) == "stopped by a signal (SIGTERM)"
    assert cause_of_stop(["SIGINT", "SIGTERM", "SIGINT"]) == (
        "stopped by a signal (SIGINT, SIGTERM)"
    )
