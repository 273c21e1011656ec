"""The record of a training: what it takes, what it refuses, and the published ones."""

import pytest
import torch
import yaml
from human_alignment.common.cli import UserError
from human_alignment.networks import zoo
from human_alignment.training import optimisation
from human_alignment.training.recipe import Recipe
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
        ({"steps": 2.5}, "steps is 2.5; allowed: a positive whole number or null"),
        ({"batch_size": True}, "batch_size is True; allowed: a positive whole number"),
        ({"compile": 1}, "compile is 1; allowed: true or false"),
        ({"betas": 0.9}, "betas is 0.9; allowed: two numbers below 1"),
        ({"optimizer": "adam"}, "optimizer is 'adam'; allowed: adamw or lamb or sgd"),
        ({"amp": "fp8"}, "amp is 'fp8'; allowed: none or bfloat16 or float16"),
        ({"drop_path": 1.0}, "drop_path is 1.0; allowed: a number, at least 0 and below 1"),
        ({"betas": [0.9]}, "betas is .0.9.; allowed: two numbers below 1"),
        ({"windows": [1, 2]}, "windows is .1, 2.; allowed: a list of .last step, .window sides"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; allowed: a positive number"),
        ({"mixup": -0.1}, "mixup is -0.1; allowed: a number, at least 0"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_what_is_allowed(values, message):
    needed = {} if {"steps", "epochs"} & set(values) or not values else {"steps": 5}
    with pytest.raises(UserError, match=message):
        Recipe.from_dict(needed | values)


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
        with torch.device("meta"):  # no memory, no random numbers: fast
            model = zoo.build(zoo.find(name), recipe.drop_path, recipe.layer_scale)
            found = optimisation.optimizer(model, recipe)
        assert type(found).__name__.lower() == recipe.optimizer
        assert ("lr_scale" in found.param_groups[-1]) == name.endswith("_dcls")
        rates = [m.drop_prob for m in model.modules() if isinstance(m, DropPath)]
        assert max(rates) == pytest.approx(recipe.drop_path)
