"""Interrupted trainings end with the same bits; files that hold no state are refused."""

import os
import pickle
import random
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch
import warm_python
from human_alignment.common.cli import UserError
from human_alignment.training.batches import FileBatches
from human_alignment.training.checkpoint import Interruption, TrainingState
from human_alignment.training.trainer import Trainer
from small_training import SHORT, arguments, run, same_weights, write_folder

LONG = SHORT | {"steps": 12, "windows": [[12, [32]]], "ema": 0.9, "device_batch": 4}
STRONG = LONG | {"steps": 8, "mixup": 0.8, "drop_path": 0.2, "auto_augment": "rand-m9-mstd0.5-inc1",
                 "random_erasing": 0.25, "optimizer": "lamb"}  # fmt: skip


def interrupt(monkeypatch, step: int, number=signal.SIGTERM) -> None:
    """Have a signal arrive while a step is under way."""
    original = Trainer._learn

    def signalled(self, now, *batch):
        if now == step:
            signal.raise_signal(number)
        return original(self, now, *batch)

    monkeypatch.setattr(Trainer, "_learn", signalled)


def test_five_interruptions_change_no_bit(digits_to_train, tmp_path, monkeypatch):
    whole, whole_curve = run(digits_to_train, tmp_path, "whole", recipe=LONG)
    for step in sorted(random.Random(0).sample(range(11), 5)):
        number = signal.SIGUSR1 if step % 2 else signal.SIGTERM
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as left:
            interrupt(patch, step, number)
            run(digits_to_train, tmp_path, "parts", recipe=LONG)
        assert left.value.code == 75
        assert not (tmp_path / "parts.safetensors").exists()
    parts, curve = run(digits_to_train, tmp_path, "parts", recipe=LONG)
    assert parts.read_bytes() == whole.read_bytes()
    shown = ["step", "loss", "train_top1", "learning_rate", "position_spread", "epoch"]
    assert pd.read_csv(curve)[shown].equals(pd.read_csv(whole_curve)[shown])
    assert list(tmp_path.glob(".*")) == []  # no state is left


@pytest.mark.parametrize(
    "model, amp", [("micro_resnet50", "float16"), ("micro_caformer_s18_dcls", "none")]
)
def test_random_augmentation_and_depth_go_on_where_they_were(tmp_path, monkeypatch, model, amp):
    folder = write_folder(tmp_path / "train")
    recipe = STRONG | {"amp": amp}
    whole, _ = run(folder, tmp_path, "whole", recipe=recipe, model=model)
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        interrupt(patch, 4)
        run(folder, tmp_path, "parts", recipe=recipe, model=model)
    parts, _ = run(folder, tmp_path, "parts", "--workers", "1", recipe=recipe, model=model)
    assert same_weights(parts, whole)


def test_a_killed_training_goes_on_from_its_last_epoch(
    digits_to_train, tmp_path, monkeypatch, capsys
):
    whole, _ = run(digits_to_train, tmp_path, "whole", recipe=LONG)
    original = FileBatches.finish

    def killed(self, images):
        killed.calls += 1
        if killed.calls == 15:  # the eighth step; an epoch has five
            raise KeyboardInterrupt
        return original(self, images)

    killed.calls = 0
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FileBatches, "finish", killed)
        run(digits_to_train, tmp_path, "parts", recipe=LONG)
    parts, _ = run(digits_to_train, tmp_path, "parts", recipe=LONG)
    assert "going on after step 5" in capsys.readouterr().err
    assert parts.read_bytes() == whole.read_bytes()


def test_a_real_sigterm(digits_to_train, root, tmp_path):
    recipe = LONG | {"steps": 60, "windows": [[60, [32]]]}
    command = [str(warm_python.program()), str(root / "workflow_scripts" / "train_model.py")]
    command += arguments(digits_to_train, tmp_path / "parts.safetensors", recipe=recipe)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("step 6 "):
                process.send_signal(signal.SIGTERM)
                break
        said = process.stderr.read()
    assert process.returncode == 75, said
    assert "interrupted after step" in said
    parts, _ = run(digits_to_train, tmp_path, "parts", recipe=recipe)
    whole, _ = run(digits_to_train, tmp_path, "whole", recipe=recipe)
    assert parts.read_bytes() == whole.read_bytes()


def test_another_recipe_data_set_or_seed_starts_anew_and_leaves_the_state_alone(
    digits_to_train, tmp_path, monkeypatch, capsys
):
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        interrupt(patch, 7)
        run(digits_to_train, tmp_path, recipe=LONG)
    (state,) = tmp_path.glob(".*.checkpoint")
    before = state.read_bytes()
    capsys.readouterr()
    for change in ({"recipe": LONG | {"learning_rate": 0.004}}, {"recipe": LONG, "seed": 1}):
        run(digits_to_train, tmp_path, **change)
        said = capsys.readouterr()
        assert f"{state} belongs to another recipe" in said.out
        assert "going on" not in said.err
        assert state.read_bytes() == before
    run(digits_to_train, tmp_path, recipe=LONG)
    assert "going on after step 8" in capsys.readouterr().err


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_a_state_is_never_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved = TrainingState(tmp_path / "a.safetensors", {"seed": 0})
    torch.save({"training": Evil()}, saved.path)
    for write in (
        lambda: torch.save({"training": Evil()}, saved.path),
        lambda: saved.path.write_bytes(pickle.dumps(Evil(), 2)),
        lambda: saved.path.write_bytes(b"PK\x03\x04 cut off"),
        lambda: saved.path.write_bytes(b""),
        lambda: torch.save({"step": 3}, saved.path),
        lambda: torch.save([3], saved.path),
    ):
        write()
        with pytest.raises(UserError, match="does not hold the state of a training; delete it"):
            saved.load()
    assert not (tmp_path / "executed").exists()


def test_a_state_renamed_to_another_trainings_name_is_refused(tmp_path):
    one, other = (TrainingState(tmp_path / "a.safetensors", {"seed": seed}) for seed in (0, 1))
    one.save({"step": 3})
    assert one.load() == {"step": 3}
    one.path.rename(other.path)
    assert one.load() is None
    assert one.others() == [other.path]
    with pytest.raises(UserError, match="belongs to another training"):
        other.load()


def test_a_full_disk_keeps_the_state_saved_before(root, tmp_path):
    """A limit on file size fails as a full disk does."""
    code = """
import resource, signal, sys, torch
sys.path.insert(0, sys.argv[1])
from human_alignment.training.checkpoint import TrainingState
saved = TrainingState(sys.argv[2], {"seed": 0})
saved.save({"step": 1})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    saved.save({"step": 2, "weights": torch.zeros(10000)})
except OSError as error:
    print(error)
print(saved.load())
"""
    scripts = str(root / "workflow_scripts")
    command = [sys.executable, "-c", code, scripts, str(tmp_path / "a.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "File too large" in done.stdout, done.stderr
    assert done.stdout.endswith("{'step': 1}\n")
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_kill_left_of_a_state_goes_with_it(tmp_path):
    state = TrainingState(tmp_path / "a.safetensors", {"seed": 1})
    state.save({"step": 1})
    state.path.with_name(f".{state.path.stem}.12.partial.checkpoint").touch()
    state.remove()
    assert list(tmp_path.iterdir()) == []


def test_time_between_saves(tmp_path):
    saved = TrainingState(tmp_path / "a.safetensors", {}, minutes=0.002)
    assert not saved.due()
    time.sleep(0.15)
    assert saved.due()
    saved.save({"step": 1})
    assert not saved.due()


def test_signals_do_what_they_did_after_the_training():
    before = signal.getsignal(signal.SIGTERM)
    with Interruption() as interrupted:
        assert not interrupted
        signal.raise_signal(signal.SIGTERM)
        assert interrupted
    assert signal.getsignal(signal.SIGTERM) is before
