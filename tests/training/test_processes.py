"""Several processes learn what one does; how they are started."""

import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch
import warm_python
from human_alignment.common.cli import UserError
from human_alignment.networks.dcls import dcls_layers
from human_alignment.networks.weights import load_weights
from human_alignment.training import processes
from safetensors.torch import load_file
from small_training import SHORT, arguments, run

TWENTY = SHORT | {"steps": 20, "windows": [[20, [32]]], "drop_path": 0.1, "ema": 0.9}


def torchrun(root, given: list) -> subprocess.Popen:
    """Start two ranks; torchrun and ranks by a Python that has imported torch."""
    python = str(warm_python.program())
    script = str(root / "workflow_scripts" / "train_model.py")
    command = [python, *processes.torchrun(2, 1)[1:], script, *given]
    environment = os.environ | {"PYTHON_EXEC": python}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("device_batch", [None, 4])
def test_two_ranks_learn_what_one_process_does(digits_to_train, root, tmp_path, device_batch):
    """With pieces of four images, stochastic depth too is drawn alike; without, it is off."""
    recipe = TWENTY | ({"device_batch": 4} if device_batch else {"drop_path": 0.0})
    one, curve = run(digits_to_train, tmp_path, "one", recipe=recipe)
    two = torchrun(root, arguments(digits_to_train, tmp_path / "two.safetensors", recipe=recipe))
    _, said = two.communicate()
    assert two.returncode == 0, said
    curves = [pd.read_csv(path) for path in (curve, tmp_path / "two.csv")]
    assert list(curves[0]["step"]) == list(range(1, 21))
    assert (curves[0]["loss"] - curves[1]["loss"]).abs().max() < 1e-4
    assert curves[0]["train_top1"].equals(curves[1]["train_top1"])
    states = [load_file(path) for path in (one, tmp_path / "two.safetensors")]
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, atol=1e-3, rtol=0)
    model, _, _ = load_weights(tmp_path / "two.safetensors")  # refuses shared positions that differ
    assert len(dcls_layers(model)) == 5
    lines = [line for line in said.splitlines() if line.startswith("step ")]
    assert len(lines) == 20  # only the first rank prints


def test_two_ranks_interrupted_and_one_process_that_goes_on(digits_to_train, root, tmp_path):
    """torchrun hands the signal on; the first rank saves before any leaves; ranks are no state."""
    recipe = TWENTY | {"steps": 40, "device_batch": 4}
    given = arguments(digits_to_train, tmp_path / "parts.safetensors", recipe=recipe)
    with torchrun(root, given) as process:
        for line in process.stderr:
            if line.startswith("step 6 "):
                process.send_signal(signal.SIGUSR1)
                break
        said = process.stderr.read()
    assert process.returncode == 1, said  # torchrun's own code
    assert said.count("interrupted after step") == 1
    parts, _ = run(digits_to_train, tmp_path, "parts", recipe=recipe)
    whole, _ = run(digits_to_train, tmp_path, "whole", recipe=recipe)
    assert parts.read_bytes() == whole.read_bytes()


def test_the_command_of_one_node_and_of_several(monkeypatch):
    assert processes.torchrun(4, 1)[1:3] == ["-m", "torch.distributed.run"]
    assert {"--nproc-per-node=4", "--standalone"} < set(processes.torchrun(4, 1))
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    command = processes.torchrun(8, 2)
    assert command[:3] == ["srun", "--ntasks=2", "--ntasks-per-node=1"]
    assert {"--nproc-per-node=4", "--nnodes=2", "--rdzv-id=17"} < set(command)
    assert "--nproc-per-node=1" in processes.torchrun(0, 2)
    with pytest.raises(UserError, match="3 graphics cards cannot be divided among 2 nodes"):
        processes.torchrun(3, 2)


def test_the_script_becomes_torchrun_only_when_it_is_no_rank_yet(monkeypatch):
    started = []
    monkeypatch.setattr(os, "execvp", lambda file, command: started.append((file, command)))
    monkeypatch.setattr(sys, "argv", ["train_model.py", "--seed", "0"])
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for gpus, nodes in ((0, 1), (1, 1)):
        processes.launch(gpus, nodes)
    assert started == []
    processes.launch(2, 1)
    ((file, command),) = started
    assert file == command[0] == sys.executable
    assert command[-3:] == ["train_model.py", "--seed", "0"]
    monkeypatch.setenv("RANK", "0")
    processes.launch(2, 1)
    assert len(started) == 1
    with pytest.raises(
        UserError, match="8 graphics cards on 2 nodes were requested; this node has 2"
    ):
        processes.launch(8, 2)


def test_more_ranks_than_graphics_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with (
        pytest.raises(UserError, match="rank 1 of this node has no graphics card: 1 seen"),
        processes.joined("cuda"),
    ):
        pass
