"""A run that a signal stops while a job runs says which signal it was."""

import os
import signal
import time

import pytest
from workflow_copy import Workflow

LOG = "logs/demo/prepare_digits.log"


@pytest.fixture
def running(root, study, tmp_path):
    """A run whose first job, of some seconds, has started; in a process group of its own."""
    workflow = Workflow(root, tmp_path)
    workflow.write({**study, "digits": study["digits"] | {"train_images": 1000}})
    process = workflow.start(
        process_group=0,
        # A shell that starts tests in the background has SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not (workflow.work / LOG).exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["snakemake alone", "jobs too"])
def test_the_closing_lines_name_the_signal(running, name, send):
    send(running.pid, getattr(signal, name))
    _, text = running.communicate(timeout=120)
    assert running.returncode != 0
    assert f"Study demo: stopped by a signal ({name}) after" in text, text
    assert "missing   no current scores of convnext_tiny/seed0, convnext_tiny_dcls/seed0" in text
    assert "failed jobs" not in text
    assert "Exception in" not in text
