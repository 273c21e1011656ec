"""A training without room for its weights: told before it begins, or not trained again."""

import shutil
from collections import namedtuple

import pytest
import train_model
from full_disk import full_disk
from human_alignment.common.cli import UserError
from human_alignment.training.trainer import Trainer
from small_training import run


def never(*_, **__):
    raise AssertionError("a step was trained")


def test_a_disk_that_is_full_after_the_training_costs_no_step(
    digits_to_train, tmp_path, monkeypatch
):
    whole, curve = run(digits_to_train, tmp_path, "whole")
    save = train_model.save_weights

    def on_a_full_disk(*arguments, **notes):
        with full_disk():
            save(*arguments, **notes)

    monkeypatch.setattr(train_model, "save_weights", on_a_full_disk)
    message = (
        r"File too large: '.*a\.safetensors'\n.*\.checkpoint keeps the training after step 6 of 6"
    )
    with pytest.raises(UserError, match=message):
        run(digits_to_train, tmp_path)
    assert not (tmp_path / "a.safetensors").exists()
    monkeypatch.setattr(train_model, "save_weights", save)
    monkeypatch.setattr(Trainer, "step", never)
    again, again_curve = run(digits_to_train, tmp_path)
    assert again.read_bytes() == whole.read_bytes()
    assert len(again_curve.read_text().splitlines()) == len(curve.read_text().splitlines())
    assert not list(tmp_path.glob(".*"))


def test_a_disk_without_room_for_the_state_either(digits_to_train, tmp_path, monkeypatch, capsys):
    train = train_model.train

    def on_a_full_disk(*arguments):
        with full_disk():
            return train(*arguments)

    def save(*arguments, **notes):
        raise OSError(28, "No space left on device", "a.safetensors")

    monkeypatch.setattr(train_model, "train", on_a_full_disk)
    monkeypatch.setattr(train_model, "save_weights", save)
    with pytest.raises(UserError, match=r"No space.*a\.safetensors'\nno state .* is kept"):
        run(digits_to_train, tmp_path)
    assert "goes on without saving" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_before_the_training(
    digits_to_train, tmp_path, monkeypatch
):
    monkeypatch.setattr(Trainer, "step", never)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/a\.safetensors cannot be written: .*\(.*file\)"):
        run(digits_to_train, tmp_path / "file")


def test_a_disk_with_too_little_left_is_told_before_the_training(
    digits_to_train, tmp_path, monkeypatch
):
    monkeypatch.setattr(Trainer, "step", never)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 9, 9))
    with pytest.raises(UserError, match=r"a\.safetensors needs 0\.\d MB; the disk of .* has 0\.0"):
        run(digits_to_train, tmp_path)
