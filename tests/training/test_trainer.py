"""The loop: repeatable, whatever the pieces; curves; what stops it."""

import errno

import numpy as np
import pandas as pd
import pytest
import torch
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile
from human_alignment.networks import zoo
from human_alignment.networks.dcls import dcls_layers
from human_alignment.networks.weights import load_weights
from human_alignment.training import trainer as training
from human_alignment.training.batches import FileBatches
from human_alignment.training.recipe import Recipe
from safetensors.torch import load_file
from small_training import SHORT, run, same_weights, write_folder

COLUMNS = ["step", "loss", "train_top1", "learning_rate", "position_spread", "seconds"]
STRONG = {
    "epochs": 1, "batch_size": 8, "device_batch": 4, "learning_rate": 0.004, "optimizer": "lamb",
    "mixup": 0.8, "cutmix": 1.0, "auto_augment": "rand-m9-mstd0.5-inc1", "random_erasing": 0.25,
    "drop_path": 0.2, "layer_scale": 0.1, "ema": 0.9, "loss": "bce", "bce_threshold": 0.2,
    "repulsion": 1.0, "clip_norm": 1.0, "warmup": 0.2, "warmup_prefix": True,
    "label_smoothing": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("folder") / "train")


def trainer(digits, recipe, model="micro_convnext_tiny_dcls"):
    spec = zoo.find(model)
    torch.manual_seed(0)
    recipe = Recipe.from_dict(recipe)
    with DataFile(digits) as data:
        batches = FileBatches(data, recipe, spec.transform, 0)
    return training.Trainer(zoo.build(spec), batches, recipe, 10)


@pytest.mark.parametrize("model", ["resnet50_dcls", "convnext_tiny_dcls", "fastvit_sa24"])
def test_same_seed_gives_the_same_file(digits_to_train, tmp_path, model):
    files = [
        run(digits_to_train, tmp_path, name, model=f"micro_{model}", seed=seed)[0]
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()


def test_curve_has_the_figures_of_the_run(digits_to_train, tmp_path, capsys):
    curve = pd.read_csv(run(digits_to_train, tmp_path)[1])
    assert list(curve) == [*COLUMNS, "epoch", "images_per_second"]
    assert list(curve["step"]) == [1, 2, 3, 4, 5, 6]
    assert list(curve["epoch"]) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.2])
    assert np.isfinite(curve).all().all()
    assert curve["seconds"].is_monotonic_increasing
    taken = 8 / curve["images_per_second"][1:]
    assert (curve["seconds"].diff()[1:] - taken).abs().max() < 0.011  # both are rounded
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step ")]
    assert len(lines) == 6  # plain lines, no bar, where there is no terminal
    assert lines[-1].startswith("step 6 (epoch 1.20): loss ")


def test_loss_falls_on_a_learnable_set(digits_to_train, tmp_path):
    recipe = SHORT | {"steps": 60, "batch_size": 16, "windows": [[60, [32]]]}
    curve = pd.read_csv(run(digits_to_train, tmp_path, model="micro_resnet50", recipe=recipe)[1])
    assert curve["loss"].iloc[-1] < 0.6 * curve["loss"].iloc[0]


def test_accumulation_gives_the_gradient_of_the_whole_batch(digits_to_train):
    for name in ("micro_convnext_tiny_dcls", "micro_caformer_s18_dcls"):
        states = []
        for device_batch in (8, 2):
            one = trainer(digits_to_train, SHORT | {"device_batch": device_batch}, name)
            pieces = one.pieces(0)
            losses = [one.step(step, pieces)[0] for step in range(3)]
            states.append((losses, one.model.state_dict()))
        assert states[0][0] == pytest.approx(states[1][0], abs=1e-4)
        for key, value in states[0][1].items():
            torch.testing.assert_close(states[1][1][key], value, atol=1e-3, rtol=0)


def test_positions_are_clamped_after_each_step(digits_to_train):
    one = trainer(digits_to_train, SHORT | {"position_rate": 1e5})
    one.step(0, one.pieces(0))
    limits = [float(layer.P.detach().abs().max()) for layer in dcls_layers(one.model).values()]
    assert max(limits) == 4.0


def test_repulsion_spreads_positions_from_its_epoch_on(digits_to_train):
    losses = {}
    for weight, begin in ((0.0, 0), (10.0, 0), (10.0, 0.3)):
        one = trainer(digits_to_train, SHORT | {"repulsion": weight, "repulsion_from": begin})
        pieces = one.pieces(0)
        losses[weight, begin] = [one.step(step, pieces)[0] for step in range(3)]
    off, on, later = losses.values()
    assert on[0] > off[0] + 0.1
    assert later[:2] == off[:2] and later[2] > off[2] + 0.1


@pytest.mark.parametrize("amp", ["bfloat16", "float16"])
def test_every_setting_together_on_a_folder(folder, tmp_path, amp):
    files = [
        run(folder, tmp_path, name, *more, recipe=STRONG | {"amp": amp})
        for name, more in (("a", ()), ("b", ("--workers", "2")))
    ]
    assert same_weights(files[0][0], files[1][0])
    model, spec, notes = load_weights(files[0][0])
    assert spec.num_classes == 3  # as many as the folder has
    assert notes["source"] == "trained on train, seed 0"
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert model.training is False


def test_the_averaged_weights_are_the_ones_kept(digits_to_train, tmp_path):
    still = SHORT | {"ema": 0.999999, "steps": 2}
    averaged = load_file(run(digits_to_train, tmp_path, "a", recipe=still)[0])
    torch.manual_seed(0)
    start = zoo.build(zoo.find("micro_convnext_tiny_dcls")).state_dict()
    learnt = load_file(run(digits_to_train, tmp_path, "b", recipe=still | {"ema": 0.0})[0])
    for name, value in start.items():
        torch.testing.assert_close(averaged[name], value, atol=1e-5, rtol=0)
    assert any((learnt[name] - value).abs().max() > 1e-3 for name, value in start.items())


def test_stochastic_depth_and_layer_scale_reach_the_network():
    spec = zoo.find("micro_convnext_tiny")
    scales = [
        [p.mean().item() for name, p in zoo.build(spec, 0.2, value).named_parameters()
         if name.endswith("gamma")]
        for value in (None, 0.01)
    ]  # fmt: skip
    assert scales == [[1.0] * 5, pytest.approx([0.01] * 5)]
    rates = [m.drop_prob for m in zoo.build(spec, 0.2).modules() if type(m).__name__ == "DropPath"]
    assert rates[-1] == pytest.approx(0.2) and rates == sorted(rates)
    with pytest.raises(UserError, match="layer_scale: a network of family resnet has none"):
        zoo.build(zoo.find("micro_resnet50"), 0.0, 0.1)


def test_full_size_dcls_kernels_start_as_the_authors_do():
    for layer in dcls_layers(zoo.build(zoo.find("convnext_tiny_dcls"))).values():
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert not layer.bias.any()


def test_divergence_stops_with_epoch_and_rate_and_leaves_nothing(digits_to_train, tmp_path):
    with pytest.raises(UserError, match=r"step \d+ \(epoch [\d.]+\), learning rate"):
        run(digits_to_train, tmp_path, recipe=SHORT | {"learning_rate": 1e6, "clip_norm": 0})
    assert list(tmp_path.iterdir()) == []


def test_a_lack_of_memory_says_which_batch_to_set(digits_to_train, monkeypatch):
    one = trainer(digits_to_train, SHORT)

    def fail(_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(one.model, "forward", fail)
    with pytest.raises(UserError, match="8 images a forward pass; .* device_batch to 4: acc"):
        one.step(0, one.pieces(0))


def test_the_processors_memory_counts_too(digits_to_train, monkeypatch):
    one = trainer(digits_to_train, SHORT)
    monkeypatch.setattr(one.model, "forward", lambda _: torch.empty(1 << 60))
    with pytest.raises(UserError, match="out of memory with 8 images"):
        one.step(0, one.pieces(0))


def test_other_errors_of_torch_are_not_explained_away(digits_to_train, monkeypatch):
    one = trainer(digits_to_train, SHORT)
    monkeypatch.setattr(one.model, "forward", lambda x: x @ x.new_zeros(3))
    with pytest.raises(RuntimeError, match="size"):
        one.step(0, one.pieces(0))


def test_a_full_disk_loses_saves_but_not_the_training(
    digits_to_train, tmp_path, monkeypatch, capsys
):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("human_alignment.training.checkpoint.torch.save", full)
    run(digits_to_train, tmp_path)
    assert "No space left on device" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.safetensors"]


def test_negative_seed_unknown_model_and_no_images(digits_to_train, tmp_path):
    with pytest.raises(UserError, match="--seed: -1 is negative"):
        run(digits_to_train, tmp_path, seed=-1)
    with pytest.raises(UserError, match="unknown network 'micro_resnet51'.*; known are resnet50"):
        run(digits_to_train, tmp_path, model="micro_resnet51")
    with pytest.raises(UserError, match="nowhere does not exist"):
        run(tmp_path / "nowhere", tmp_path)
    (tmp_path / "empty" / "class0").mkdir(parents=True)
    with pytest.raises(UserError, match="empty holds no images; expected one sub-folder"):
        run(tmp_path / "empty", tmp_path)
