"""Groups of parameters, the schedule, losses and the average of weights."""

import math

import pytest
import torch
from human_alignment.networks import zoo
from human_alignment.networks.dcls import dcls_layers
from human_alignment.training import optimisation
from human_alignment.training.recipe import Recipe
from torch import nn


@pytest.fixture
def model():
    torch.manual_seed(0)
    return zoo.build(zoo.find("micro_convnext_tiny_dcls"))


def rates(recipe, images, steps):
    """Learning rates of the first and last group at each step."""
    model = zoo.build(zoo.find("micro_convnext_tiny_dcls"))
    optimizer = optimisation.optimizer(model, recipe)
    schedule = optimisation.schedule(optimizer, recipe, images)
    found = []
    for step in steps:
        schedule.step_update(step + 1)
        found.append([group["lr"] for group in optimizer.param_groups])
    return [f[0] for f in found], [f[-1] for f in found]


def test_positions_learn_without_decay_and_five_times_faster(model):
    recipe = Recipe(steps=9, learning_rate=0.01, weight_decay=0.05, position_rate=5)
    groups = optimisation.optimizer(model, recipe).param_groups
    assert [group["weight_decay"] for group in groups] == [0.0, 0.05, 0.0]
    assert len(groups[-1]["params"]) == 4  # one shared tensor a stage
    listed = [p for group in groups for p in group["params"]]
    assert {id(p) for p in listed} == {id(p) for p in model.parameters()}
    assert len(listed) == len(set(map(id, listed)))
    assert all(p.ndim <= 1 for p in groups[0]["params"])
    usual, of_positions = rates(recipe, 100, range(9))
    assert of_positions == pytest.approx([5 * rate for rate in usual])


def test_a_plain_network_has_no_group_of_positions():
    model = zoo.build(zoo.find("micro_resnet50"))
    assert len(optimisation.parameter_groups(model, Recipe(steps=1, weight_decay=0.1))) == 2


@pytest.mark.parametrize("name", ["adamw", "lamb", "sgd"])
def test_optimisers_by_name(model, name):
    recipe = Recipe(steps=1, optimizer=name, betas=(0.8, 0.9), momentum=0.7)
    found = optimisation.optimizer(model, recipe)
    assert type(found).__name__.lower() == name
    group = found.param_groups[0]
    assert group["momentum"] == 0.7 if name == "sgd" else group["betas"] == (0.8, 0.9)


def test_warm_up_then_cosine_then_the_lowest_rate():
    """300 epochs and 10 of cooldown with a warm-up of 20, of 100 images in batches of 10."""
    recipe = Recipe(
        epochs=30, cooldown=5, warmup=2, batch_size=10, learning_rate=1.0, warmup_lr=0.1,
        min_lr=0.01,
    )  # fmt: skip
    found, _ = rates(recipe, 100, range(350))
    assert recipe.total_steps(100) == 350
    assert found[0] == pytest.approx(0.1 + 0.9 / 20)
    assert (
        max(found)
        == found[19]
        == pytest.approx(0.01 + 0.99 / 2 * (1 + math.cos(math.pi * 20 / 301)))
    )
    assert found[299] > 0.01
    assert found[300:] == [0.01] * 50


def test_a_cosine_after_the_warm_up_begins_at_the_peak():
    recipe = Recipe(epochs=30, warmup=2, warmup_prefix=True, batch_size=10, learning_rate=1.0)
    found, _ = rates(recipe, 100, range(300))
    assert found[18] == pytest.approx(19 / 20)
    assert found[19] == 1.0
    assert found[19 + 281 // 2] == pytest.approx(0.5, abs=0.01)
    assert 0 < found[299] < 1e-4


def test_losses_with_known_values():
    logits, labels = torch.tensor([[math.log(3.0), 0.0]]), torch.tensor([0])
    plain = optimisation.criterion(Recipe(steps=1))
    assert plain(logits, labels).item() == pytest.approx(math.log(4 / 3))
    smooth = optimisation.criterion(Recipe(steps=1, label_smoothing=0.2))
    assert smooth(logits, labels).item() == pytest.approx(0.9 * math.log(4 / 3) + 0.1 * math.log(4))
    mixed = optimisation.criterion(Recipe(steps=1, mixup=0.5))
    targets = torch.tensor([[0.75, 0.25]])
    assert mixed(logits, targets).item() == pytest.approx(
        0.75 * math.log(4 / 3) + 0.25 * math.log(4)
    )
    binary = optimisation.criterion(Recipe(steps=1, loss="bce", bce_threshold=0.2))
    expected = (math.log(4 / 3) + math.log(2)) / 2  # both targets are above 0.2 and count as 1
    assert binary(logits, targets).item() == pytest.approx(expected)


def test_mixup_is_off_unless_asked_for():
    assert optimisation.mixup(Recipe(steps=1, label_smoothing=0.1), 10) is None
    mixed = optimisation.mixup(Recipe(steps=1, cutmix=1.0, label_smoothing=0.1), 10)
    _, targets = mixed(torch.zeros(4, 3, 8, 8), torch.tensor([0, 1, 2, 3]))
    assert targets.shape == (4, 10)
    assert targets.sum(1).tolist() == pytest.approx([1.0] * 4)
    assert targets.min().item() == pytest.approx(0.01)


def test_the_average_forgets_shared_positions_as_it_does_weights(model):
    average = optimisation.Average(model, decay=0.75)
    layers = dcls_layers(model)
    before = {name: (m.weight.detach().clone(), m.P.detach().clone()) for name, m in layers.items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1.0
    average.update(model)
    for name, layer in dcls_layers(average.module).items():
        for value, start in zip((layer.weight, layer.P), before[name], strict=True):
            torch.testing.assert_close(value, start + 0.25)
    shared = [layer.P for layer in dcls_layers(average.module).values()]
    assert len({id(p) for p in shared}) == 4 < len(shared)


def test_the_average_copies_counts_and_averages_statistics():
    norm = nn.BatchNorm2d(2)
    average = optimisation.Average(norm, decay=0.5)
    norm.running_mean += 2.0
    norm.num_batches_tracked += 7
    average.update(norm)
    assert average.module.running_mean.tolist() == [1.0, 1.0]
    assert average.module.num_batches_tracked.item() == 7
