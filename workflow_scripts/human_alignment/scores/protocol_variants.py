"""The protocols under which one network is scored for a threshold sweep and for the sensitivity."""

import json

from ..common.cli import UserError
from ..common.layers import LAYERS
from .protocol import Protocol

SWEPT = "threshold_grad_cam"  # the explainer whose maps have a threshold
BASE = "base"  # names the protocol that the changed ones are compared with
ALL = "all fields"


def thresholds_argument(text: str) -> list[float]:
    """Parse a command-line value (an argparse `type`): a JSON list of numbers from 0 to 1.

    Returns them in rising order, each once. Raises UserError on anything else.
    """
    try:
        values = sorted({float(value) for value in json.loads(text)})
    except (TypeError, ValueError):
        values = []
    if not values or not 0 <= values[0] <= values[-1] <= 1:
        raise UserError(f"thresholds: {text} is not a JSON list of numbers from 0 to 1")
    return values


def sweep_protocols(protocol: Protocol, thresholds: list[float]) -> dict[str, Protocol]:
    """The protocol with one threshold after the other, by the threshold as text."""
    return {str(value): protocol.changed(threshold=value) for value in thresholds}


def changed_protocols(
    base: Protocol, other: Protocol, geometry: bool, ceiling: bool, layer: bool = False
) -> dict[str, Protocol]:
    """`base` with one field at a time as in `other`, by the field's name, then with all fields.

    Last comes `base` with the other layer, although the presets agree in this field: the paper does
    not discuss the norm, and the layer changes scores.

    geometry: whether there are heatmaps of the other geometry. Without them the field `geometry`
    is left out; if the two protocols differ in it, so is the protocol with all fields.
    ceiling: whether the data set has a human ceiling. Without one `divide_by_ceiling` changes
    nothing and is left out.
    layer: whether the heatmaps have maps of both layers, and these differ. If not, `layer` is left
    out.
    """
    theirs, ours = other.as_dict(), base.as_dict()
    apart = {"layer"} if ceiling else {"layer", "divide_by_ceiling"}
    names = [name for name in ours if ours[name] != theirs[name] and name not in apart]
    complete = geometry or "geometry" not in names
    if not complete:
        names.remove("geometry")
    found = {name: base.changed(**{name: theirs[name]}) for name in names}
    found |= {ALL: other} if names and complete else {}
    (opposite,) = set(LAYERS) - {base.layer}
    return found | ({"layer": base.changed(layer=opposite)} if layer else {})
