"""Explain one picture: class probabilities, and raw maps of every explainer."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..common.cli import UserError
from ..common.layers import BEFORE_NORM, BEHIND_NORM, Layer
from ..data.images import network_input
from ..data.input_transform import InputTransform
from ..data.pictures import central_square
from ..networks.conversion import converted
from ..networks.generic import channels_first
from ..networks.records import Network
from ..networks.weights import load_strictly, load_weights, read_spec
from ..networks.zoo import build, feature_layer, find, pooled_norm
from .attributions import ATTRIBUTIONS, Masking
from .explainers import EXPLAINERS, explain
from .extraction import check_word
from .features import differentiate_head


@dataclass(frozen=True)
class Explanation:
    """What a network says about one picture.

    probabilities: softmax of the logits, float64 (classes,).  target: the class that is explained.
    maps: raw map of each explainer, float32 (h, w): of the feature map's size, of saliency and RISE
        of the input's.
    """

    probabilities: np.ndarray
    target: int
    maps: dict[str, np.ndarray]

    def top(self, count: int) -> list[int]:
        """The most probable classes, best first."""
        return np.argsort(-self.probabilities, kind="stable")[:count].tolist()


def load_network(
    path: Path | str, network: Network | None = None, source: str | None = None
) -> tuple[nn.Module, Network]:
    """A network in evaluation mode, from a weights file of the pipeline or a published checkpoint.

    network: its record; a checkpoint needs one, a weights file knows its network.
    source: where a checkpoint comes from, if not from its path.
    Raises UserError when the file is neither, or holds another network than `network`.
    """
    if not Path(path).is_file():
        raise UserError(f"weights file {path} does not exist")
    try:
        held, _ = read_spec(path)
    except UserError:
        if network is None:
            raise
        network, source = find(network), source or str(path)
        model = build(network)
        load_strictly(model, converted(Path(path), model, network, source), source)
        return model.eval(), network
    if network is not None and _identity(find(network)) != _identity(held):
        kind = f"{held.family} {'with' if held.dcls else 'without'} DCLS"
        raise UserError(
            f"{path} holds another network than --model says ({kind}, "
            f"{held.num_classes} classes); leave out --model to take what it holds"
        )
    return load_weights(path)[:2]


def _identity(network: Network) -> tuple:
    """What records of one network share, whatever their classes and the settings of their DCLS."""
    return network.family, network.arguments, network.micro, network.dcls is None


def picture_input(picture: np.ndarray, transform: InputTransform, geometry: str) -> np.ndarray:
    """float32 (3, crop, crop), normalised, of a picture (height, width, 3) of any shape.

    `crop`: the family's resize and centre crop, undistorted. `full`: all of the picture,
    squeezed to a square.
    """
    # The centre crop lies inside the square, and a very long picture need not be resized whole.
    seen = picture if geometry == "full" else central_square(picture)
    return network_input(seen, transform, geometry)


def explain_picture(
    model: nn.Module,
    network: Network,
    picture: np.ndarray,
    explainers: list[str],
    target: int | None = None,
    geometry: str = "crop",
    layer: Layer = BEFORE_NORM,
    masking: Masking | None = None,
) -> Explanation:
    """Run a network on one picture, uint8 (height, width, 3), and explain one class.

    model: prepared for inference.  explainers: names in EXPLAINERS and ATTRIBUTIONS.
    target: the class; None is the predicted one.  layer: whose maps those of EXPLAINERS are
    (common/layers.py).  masking: of RISE, by default as `Masking` has it.
    Raises UserError on an unknown explainer or class, and when activations are not finite.
    """
    for name in explainers:
        check_word("explainer", name, [*EXPLAINERS, *ATTRIBUTIONS])
    if target is not None and not 0 <= target < network.num_classes:
        raise UserError(f"there is no class {target}: the network has {network.num_classes}")
    inputs = torch.from_numpy(picture_input(picture, network.transform, geometry))[None]
    body_end = feature_layer(model, network)
    norm = pooled_norm(model, network) if layer == BEHIND_NORM else None
    chosen = (lambda logits: logits.argmax(1)) if target is None else torch.tensor([target])
    found = differentiate_head(model, body_end, inputs, chosen, channels_first(model), norm=norm)
    pair = found.at(layer)
    if not all(values.isfinite().all() for values in pair):
        raise UserError("the network's activations on this picture are not finite: no explanation")
    maps = explain([name for name in explainers if name in EXPLAINERS], *pair)
    if further := [name for name in explainers if name in ATTRIBUTIONS]:
        inputs.requires_grad_()
        seen = model, inputs, model(inputs), found.target, masking or Masking()
        maps |= {name: ATTRIBUTIONS[name](*seen) for name in further}
    return Explanation(
        found.logits[0].double().softmax(0).numpy(),
        int(found.target),
        {name: maps[name][0].numpy() for name in explainers},
    )
