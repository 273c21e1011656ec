"""Train one network on a training file or an image folder; write weights and curve.

The same seed on the same machine gives the same weights. On several graphics cards the script
starts torchrun (--gpus, --nodes), or torchrun starts it; the results differ by rounding only.

On SIGTERM and SIGUSR1 the script saves the state of the training in a hidden file beside the
weights and ends with exit code 75; the same command then goes on from there. When the loss is no
longer finite, the script ends with an error that names step and learning rate, and writes no
weights file. Whether the weights can be written is checked before the training; where the disk is
full after it, the saved state stays, and the same command trains no step again.
"""

import argparse
from pathlib import Path

import human_alignment.networks.startup  # noqa: F401 (before torch)
import torch
from human_alignment.common.arguments import json_object, positive
from human_alignment.common.cli import UserError, run
from human_alignment.common.files import check_room
from human_alignment.data.data_file import DataFile
from human_alignment.data.folders import ImageFolder
from human_alignment.networks import zoo
from human_alignment.networks.devices import default_device
from human_alignment.networks.records import NETWORK_HELP, network_argument
from human_alignment.networks.weights import save_weights
from human_alignment.training import processes
from human_alignment.training.batches import FileBatches
from human_alignment.training.checkpoint import TrainingState
from human_alignment.training.folder_batches import FolderBatches
from human_alignment.training.recipe import Recipe
from human_alignment.training.trainer import Trainer, train


def parsed(argv: list[str] | None) -> argparse.Namespace:
    """The command line, its numbers checked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", required=True, type=Path, help="training file (.h5) or folder of class folders"
    )
    parser.add_argument(
        "--model", required=True, type=network_argument, metavar="NETWORK", help=NETWORK_HELP
    )
    parser.add_argument("--output", required=True, help="weights file to write (.safetensors)")
    parser.add_argument("--curve", required=True, help="learning curve to write (.csv)")
    parser.add_argument("--recipe", type=json_object, required=True, help="Recipe, as JSON")
    parser.add_argument("--seed", type=int, default=0, help="of weights and batches; 0 or more")
    # A fixed default: the last bits of the weights depend on the number of threads.
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads of each node")
    parser.add_argument("--workers", type=int, default=0, help="loader processes of each node")
    parser.add_argument("--minutes", type=float, default=15, help="between saves; or an epoch")
    parser.add_argument("--gpus", type=int, default=0, help="graphics cards, all nodes together")
    parser.add_argument("--nodes", type=positive, default=1, help="nodes of the SLURM job")
    parser.add_argument("--device", default=default_device())
    arguments = parser.parse_args(argv)
    if arguments.seed < 0:
        raise UserError(f"--seed: {arguments.seed} is negative")
    return arguments


def main(argv: list[str] | None = None) -> None:
    """Parse, train, write."""
    arguments = parsed(argv)
    recipe = Recipe.from_dict(arguments.recipe)
    processes.launch(arguments.gpus, arguments.nodes)
    torch.set_num_threads(max(1, arguments.threads // processes.on_this_node()))
    torch.use_deterministic_algorithms(arguments.device == "cpu")
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing reads it; filling costs
    torch.backends.cudnn.benchmark = True
    with processes.joined(arguments.device) as mine:
        fit(arguments, recipe, mine)


def fit(arguments: argparse.Namespace, recipe: Recipe, mine: processes.Ranks) -> None:
    """Train on this rank; the first rank writes weights and curve."""
    path = arguments.data
    data = ImageFolder(path) if path.is_dir() else DataFile(path)
    network = zoo.find(arguments.model).changed(num_classes=data.num_classes)
    common = (data, recipe, network.transform, arguments.seed)
    batches = (
        FolderBatches(*common, arguments.workers // processes.on_this_node())
        if isinstance(data, ImageFolder)
        else FileBatches(*common)
    )
    torch.manual_seed(arguments.seed)
    model = zoo.build(network, recipe.drop_path, recipe.layer_scale)
    trainer = Trainer(model, batches, recipe, network.num_classes, arguments.seed, mine)
    training = {"network": network.as_dict(), "recipe": recipe.model_dump(mode="json")}
    training |= {"data": data.digest, "seed": arguments.seed}
    saved = TrainingState(arguments.output, training, arguments.minutes)
    for path in saved.others() if mine.first else ():
        print(f"note: {path} belongs to another recipe, data set, network or seed; it is kept")
    if mine.first:
        for path in (arguments.output, arguments.curve):
            check_room(path, sum(t.nbytes for t in model.state_dict().values()))
    curve = train(trainer, saved)
    if mine.first:
        notes = {"source": f"trained on {data.dataset}, seed {arguments.seed}"}
        notes |= {"recipe": training["recipe"], "seed": arguments.seed}
        notes |= {"classes": data.classes} if isinstance(data, ImageFolder) else {}
        try:
            curve.write(arguments.curve)
            save_weights(arguments.output, trainer.result, network, **notes)
        except OSError as error:
            raise UserError(f"{error}\n{saved.kept(trainer.steps)}") from error
        saved.remove()
        print(f"loss {curve.rows[-1]['loss']:.3f} after {trainer.steps} steps")


if __name__ == "__main__":
    run(main)
