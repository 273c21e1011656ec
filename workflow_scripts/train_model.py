"""Train one network of the zoo on a training file and write its weights and learning curve.

The same seed on the same machine gives the same weights. A training whose loss is no longer
finite stops with step and learning rate, and leaves no weights file behind.
"""

import argparse
from dataclasses import replace

import torch
from human_alignment import training, zoo
from human_alignment.cli import UserError, json_object, run
from human_alignment.datasets import DataFile
from human_alignment.recipe import Recipe
from human_alignment.weights import save_weights


def main(argv: list[str] | None = None) -> None:
    """Parse, train, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="training file of a prepare_* script")
    parser.add_argument("--dcls", type=json_object, default={}, help="DCLS settings, as JSON")
    parser.add_argument("--model", required=True, help="name in the zoo, e.g. micro_resnet50_dcls")
    parser.add_argument("--output", required=True, help="weights file to write (.safetensors)")
    parser.add_argument("--curve", required=True, help="learning curve to write (.csv)")
    parser.add_argument("--recipe", type=json_object, default={}, help="settings as JSON; Recipe")
    parser.add_argument("--seed", type=int, default=0, help="of weights and batches; 0 or more")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args(argv)
    if arguments.seed < 0:
        raise UserError(f"--seed: {arguments.seed} is negative")
    recipe = Recipe.from_dict(arguments.recipe)
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    with DataFile(arguments.data) as data:
        spec = replace(zoo.find(arguments.model, arguments.dcls), num_classes=data.num_classes)
        images = training.TrainingSet.load(data)
    torch.manual_seed(arguments.seed)
    model = zoo.build(spec)
    batches = training.Batches(images, recipe, spec.transform, arguments.seed)
    curve = training.train(model, batches, recipe)
    training.write_curve(arguments.curve, curve)
    save_weights(
        arguments.output, model, spec, source=f"trained on {data.dataset}, seed {arguments.seed}"
    )
    print(f"{arguments.model}: loss {curve[-1]['loss']:.3f} after {recipe.steps} steps")


if __name__ == "__main__":
    run(main)
