"""Scripts that run side by side on one machine take different graphics cards."""

import os
import signal
import subprocess
from types import SimpleNamespace

import pytest
import torch
import warm_python
from human_alignment.networks import devices

HOLDER = """
import os, sys
sys.path.append({scripts!r})
from human_alignment.networks import devices
print(devices._hold({card!r}), os.getpid(), flush=True)
input()
"""


@pytest.fixture
def cards(monkeypatch, tmp_path):
    """Let torch see two cards, and keep the locks of this test apart."""
    held = []
    monkeypatch.setattr(devices, "_HELD", held)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)  # so that TMPDIR is read again
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=f"card-{number}")
    )
    yield
    for file in held:
        file.close()


@pytest.fixture
def python():
    """A Python that starts quickly. Its own folder is not that of the locks, so it comes first."""
    return warm_python.program()


@pytest.fixture
def holder(root, python, cards, tmp_path):
    """Start a script that holds a card until it is killed; its program, and its own number."""
    started, script = [], tmp_path / "holder.py"

    def start(card):
        script.write_text(HOLDER.format(scripts=str(root / "workflow_scripts"), card=card))
        process = subprocess.Popen(
            [str(python), str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        held, number = process.stdout.readline().split()
        assert held == "True"
        return process, int(number)

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_card_that_another_process_holds_is_passed_over(holder):
    holder("card-0")
    assert devices.own_card("cuda") == "cuda:1"


def test_a_card_is_free_again_when_its_process_was_killed(holder):
    process, number = holder("card-0")
    os.kill(number, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert devices.own_card("cuda") == "cuda:0"


def test_where_every_card_is_held_the_first_is_shared(holder):
    holder("card-0")
    holder("card-1")
    assert devices.own_card("cuda") == "cuda:0"


@pytest.mark.parametrize("device", ["cpu", "cuda:1"])
def test_a_device_that_was_named_is_taken(cards, device):
    assert devices.own_card(device) == device
    assert devices.own_card("cuda") == "cuda:0"  # nothing was held


def test_without_a_card_the_device_is_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert devices.default_device() == "cpu"
    assert devices.own_card("cuda") == "cuda"
