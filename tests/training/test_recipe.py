"""The record of a training: what it takes, what it refuses, and the published ones."""

import math

import pytest
import yaml
from human_alignment.common.cli import UserError
from human_alignment.networks import zoo
from human_alignment.training import optimisation
from human_alignment.training.recipe import Recipe
from timm.data import create_transform
from timm.layers import DropPath


@pytest.mark.parametrize(
    "values, message",
    [
        ({"step": 5}, "unknown key 'step' .did you mean 'steps'.*; allowed: epochs, steps"),
        ({}, "it needs `epochs` or `steps`, and not both"),
        ({"steps": 5, "epochs": 1}, "it needs `epochs` or `steps`, and not both"),
        ({"steps": 0}, "steps is 0; allowed: a positive whole number"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0; allowed: a positive number"),
        ({"learning_rate": "1e-3"}, "learning_rate is '1e-3'; .*; .*write 1.0e-3"),
        ({"steps": 2.5}, "steps is 2.5; allowed: a positive whole number up to 1,000,000,000"),
        ({"batch_size": True}, "batch_size is True; allowed: a positive whole number"),
        ({"compile": 1}, "compile is 1; allowed: true or false"),
        ({"betas": 0.9}, "betas is 0.9; allowed: two numbers, at least 0 and below 1"),
        ({"optimizer": "adam"}, "optimizer is 'adam'; allowed: adamw or lamb or sgd"),
        ({"amp": "fp8"}, "amp is 'fp8'; allowed: none or bfloat16 or float16"),
        ({"drop_path": 1.0}, "drop_path is 1.0; allowed: a number, at least 0 and below 1"),
        ({"betas": [0.9]}, "betas is .0.9.; allowed: two numbers, at least 0 and below 1"),
        ({"windows": [1, 2]}, "windows is .1, 2.; allowed: a list of .last step, .window sides"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; allowed: a positive number"),
        ({"steps": 10**30}, "steps is 10{30}; allowed: a positive whole number up to 1,0"),
        ({"epochs": 1e300}, "epochs is 1e.300; allowed: a positive number up to 100,000"),
        ({"epochs": math.inf}, "epochs is inf; allowed: a positive number up to"),
        ({"steps": 5.0}, "steps is 5.0; allowed: a positive whole number"),
        ({"batch_size": 10**9}, "batch_size is 1000000000; allowed: .* up to 1,000,000"),
        ({"learning_rate": 1e38}, "learning_rate is 1e.38; allowed: a positive number up to 1e6"),
        ({"weight_decay": 1e38}, "weight_decay is 1e.38; allowed: a number from 0 to 100"),
        ({"betas": [0.9, 1.0]}, "betas is .0.9, 1.0.; allowed: two numbers, at least 0"),
        ({"clip_norm": math.nan}, "clip_norm is nan; allowed: a number from 0 to 1e6"),
        ({"warmup": 1e300}, "warmup is 1e.300; allowed: a number from 0 to 1e9"),
        ({"layer_scale": 1e39}, "layer_scale is 1e.39; allowed: a positive number up to 100, or"),
        ({"crop_scale": [1, 0.5]}, "crop_scale is .1, 0.5.; allowed: two numbers above 0 .* first"),
        ({"crop_scale": [0.5, 2]}, "crop_scale is .0.5, 2.; allowed: two numbers above 0 and up"),
        ({"color_jitter": 1e308}, "color_jitter is 1e.308; allowed: a number from 0 to 1"),
        ({"auto_augment": "random"}, "auto_augment is 'random'; allowed: timm's string, e.g."),
        ({"auto_augment": "rand-m9\n"}, r"auto_augment is 'rand-m9.n'; allowed: timm's string"),
        ({"shift": 10**6}, "shift is 1000000; allowed: a whole number of pixels, 0 to 10,000"),
        ({"windows": [[5, []]]}, "windows is ..5, ....; allowed: a list of .last step"),
        ({"windows": [[5, [1]]]}, "windows is ..5, .1...; allowed: .* the sides from 8 to 10,000"),
        ({"device_batch": 48}, "a batch of 64 images cannot be divided among 1 ranks with a dev"),
        ({"mixup": 1, "batch_size": 9}, "mixup and cutmix need an even device_batch; it is 9"),
        ({"optimizer": "sgd", "momentum": 0.0}, "momentum is 0; allowed with sgd, .*: above 0"),
        ({"auto_augment": "x" * 10_000}, r"auto_augment is 'x{119}\.\.\.x{29}'; allowed"),
        ({"mixup": -0.1}, "mixup is -0.1; allowed: a number from 0 to 100"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_what_is_allowed(values, message):
    needed = {} if {"steps", "epochs"} & set(values) or not values else {"steps": 5}
    with pytest.raises(UserError, match=message):
        Recipe.from_dict(needed | values)


@pytest.mark.parametrize(
    "text",
    ["rand-m9-mstd0.5-inc1", "rand-m7-n3-mmax12-p0.7-tweights", "rand", "augmix-m5-w4-d2-a0.5-b1"]
    + ["original-mstd0.5", "originalr", "v0", "v0r", "3a", "rand-t3a", ""],
)  # fmt: skip
def test_what_the_recipe_takes_for_an_augmentation_timm_takes_too(text):
    kept = Recipe(steps=5, auto_augment=text).auto_augment
    create_transform(32, is_training=True, auto_augment=kept or None)


def test_lengths_in_epochs_and_in_steps():
    epochs = Recipe(epochs=300, cooldown=10, batch_size=4096)
    assert epochs.total_steps(1_281_167) == round(310 * 1_281_167 / 4096)
    assert epochs.in_steps(20, 1_281_167) == 6256
    steps = Recipe(steps=500, cooldown=10)
    assert (steps.total_steps(6000), steps.in_steps(40, 6000)) == (510, 40)
    assert Recipe(epochs=0.001).total_steps(64) == 1


def test_windows_by_step():
    recipe = Recipe.from_dict({"steps": 9, "windows": [[3, [32]], [6, [48, 80]]]})
    assert [recipe.sides(step, 64) for step in (0, 2, 3, 5, 6)] == [(32,)] * 2 + [(48, 64)] * 2 + [
        (64,)
    ]
    hash(recipe)  # closed: nothing in it can change


def test_every_recipe_of_the_repository_is_good(root):
    for study in ("config.yaml", "profiles/demo/study.yaml"):
        config = yaml.safe_load((root / study).read_text())
        assert config["recipes"]
        for values in config["recipes"].values():
            Recipe.from_dict(values)


def test_every_full_size_network_takes_its_recipe(root):
    config = yaml.safe_load((root / "config.yaml").read_text())
    for name, entry in config["models"].items():
        recipe = Recipe.from_dict(config["recipes"][entry["train"]["recipe"]])
        model = zoo.skeleton(zoo.find(name), recipe.drop_path, recipe.layer_scale)
        found = optimisation.optimizer(model, recipe)
        assert type(found).__name__.lower() == recipe.optimizer
        assert ("lr_scale" in found.param_groups[-1]) == name.endswith("_dcls")
        rates = [m.drop_prob for m in model.modules() if isinstance(m, DropPath)]
        assert max(rates) == pytest.approx(recipe.drop_path)
