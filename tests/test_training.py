import json

import numpy as np
import pandas as pd
import prepare_digits
import pytest
import torch
import train_model
from human_alignment import training, zoo
from human_alignment.cli import UserError
from human_alignment.datasets import DataFile
from human_alignment.dcls import dcls_layers
from human_alignment.recipe import Recipe

SHORT = {"steps": 6, "batch_size": 8, "windows": [[3, [32]], [6, [48]]]}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    prepare_digits.main(
        ["--output", str(folder / "d.h5"), "--train-output", str(folder / "t.h5")]
        + ["--train-images", "40", "--test-images", "2"]
    )
    return folder / "t.h5"


def run(data, folder, name="a", model="micro_convnext_tiny_dcls", recipe=SHORT, seed=0):
    weights, curve = folder / f"{name}.safetensors", folder / f"{name}.csv"
    train_model.main(
        ["--data", str(data), "--model", model, "--recipe", json.dumps(recipe)]
        + ["--seed", str(seed), "--output", str(weights), "--curve", str(curve)]
    )
    return weights, curve


@pytest.mark.parametrize("model", ["resnet50_dcls", "convnext_tiny_dcls", "fastvit_sa24"])
def test_same_seed_gives_the_same_file(data, tmp_path, model):
    files = [run(data, tmp_path, name, f"micro_{model}")[0] for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert (
        run(data, tmp_path, "c", f"micro_{model}", seed=1)[0].read_bytes() != files[0].read_bytes()
    )


def test_curve_has_the_figures_of_the_run(data, tmp_path):
    curve = pd.read_csv(run(data, tmp_path)[1])
    assert list(curve["step"]) == [1, 2, 3, 4, 5, 6]
    assert np.isfinite(curve[["loss", "learning_rate", "position_spread"]]).all().all()
    assert curve["learning_rate"].iloc[-1] < curve["learning_rate"].max()


def test_loss_falls_on_a_learnable_set(data, tmp_path):
    recipe = {"steps": 60, "batch_size": 16, "windows": [[60, [32]]]}
    curve = pd.read_csv(run(data, tmp_path, model="micro_resnet50", recipe=recipe)[1])
    assert curve["loss"].iloc[-1] < 0.6 * curve["loss"].iloc[0]


def test_positions_learn_without_decay_and_five_times_faster():
    model = zoo.build(zoo.find("micro_convnext_tiny_dcls"))
    recipe = Recipe(learning_rate=0.01)
    matrices, vectors, positions = training.parameter_groups(model, recipe)
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.05, 0.0)
    assert (positions["weight_decay"], positions["lr"]) == (0.0, 0.05)
    assert len(positions["params"]) == 4  # one shared tensor a stage
    listed = [p for group in (matrices, vectors, positions) for p in group["params"]]
    assert {id(p) for p in listed} == {id(p) for p in model.parameters()}
    assert len(listed) == len(set(map(id, listed)))


def test_positions_are_clamped_after_each_step(data):
    spec = zoo.find("micro_convnext_tiny_dcls")
    torch.manual_seed(0)
    model = zoo.build(spec)
    recipe = Recipe.from_dict(SHORT | {"position_rate": 1e5})
    with DataFile(data) as file:
        images = training.TrainingSet.load(file)
    training.train(model, training.Batches(images, recipe, spec.transform, 0), recipe)
    limits = [float(layer.P.detach().abs().max()) for layer in dcls_layers(model).values()]
    assert max(limits) == 4.0


def test_windows_hold_the_object(data):
    with DataFile(data) as file:
        images = training.TrainingSet.load(file)
    recipe = Recipe.from_dict({"windows": [[9, [32]]]})
    batches = training.Batches(images, recipe, zoo.find("micro_resnet50").transform, 0)
    for low, high in [(0, 22), (30, 62), (42, 64), (10, 40)]:
        starts = {batches._start(low, high, 32, 64) for _ in range(200)}
        assert all(0 <= s <= low and high <= s + 32 <= 64 for s in starts)


@pytest.mark.parametrize(
    "recipe, message",
    [
        ({"step": 5}, "unknown training setting 'step'; known are batch_size"),
        ({"steps": 0}, "steps must be positive"),
        ({"learning_rate": -1.0}, "learning_rate must be positive"),
    ],
)
def test_bad_recipes_are_said(data, tmp_path, recipe, message):
    with pytest.raises(UserError, match=message):
        run(data, tmp_path, recipe=recipe)


def test_divergence_stops_with_epoch_and_rate_and_leaves_nothing(data, tmp_path):
    with pytest.raises(UserError, match=r"step \d+ \(epoch [\d.]+\), learning rate"):
        run(data, tmp_path, recipe=SHORT | {"learning_rate": 1e30, "clip_norm": 0})
    assert list(tmp_path.iterdir()) == []


def test_negative_seed_and_unknown_model(data, tmp_path):
    with pytest.raises(UserError, match="--seed: -1 is negative"):
        run(data, tmp_path, seed=-1)
    with pytest.raises(UserError, match="unknown model 'micro_resnet51'; known are resnet50"):
        run(data, tmp_path, model="micro_resnet51")
