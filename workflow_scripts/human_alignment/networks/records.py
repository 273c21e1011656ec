"""The records of networks: data, not code.

`networks.yaml` holds the reference networks of the paper and the micro networks of the embedded
study. A study's config may hold further ones. A record says how to build a network, which
convolutions DCLS replaces and how images enter; `zoo.build` builds it.

Names: a reference name (`convnext_tiny`), with `_dcls` for the network with DCLS; with `micro_`
before it for the small member of the same family; `timm:NAME` is any other classifier of timm, and
`timm:NAME@LAYER` also names the module that gives its last feature map. NAME may end with the tag
of pretrained weights (`timm:resnet50.a1_in1k`): the network then has that tag's input transform and
number of classes.
"""

import difflib
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from ..common.cli import UserError
from ..common.paths import SUFFIX
from ..common.records import Record, checked, close_name
from ..common.yaml_files import read_yaml
from ..data.input_transform import InputTransform
from . import timm_weights

FILE = Path(__file__).with_name("networks.yaml")
TIMM_MODELS = Path(__file__).with_name("timm_models.txt")  # written by envs/list_timm_models.py
GENERIC = "timm:"  # begins the name of any classifier of timm
LAYER_SCALE = {"convnext": "ls_init_value", "fastvit": "layer_scale_init_value"}
"""By family the builder's name for the initial value of layer scale; other families have none."""
_LARGEST_KERNEL = 255  # pixels; the paper's largest is 17
_ODD = f"a positive odd number of pixels, {_LARGEST_KERNEL} at most"


class Dcls(Record):
    """How DCLS enters a network.

    kernel_size: side of the dilated kernel in pixels.
    kernel_count: weights per channel pair.
    version: interpolation (`v0`, `v1` bilinear, `max` triangle, `gauss`).
    replaces: which convolutions; `dcls.RULES` says what each word means.
    """

    kernel_size: int = Field(gt=0, le=_LARGEST_KERNEL, description=_ODD)
    kernel_count: int = Field(gt=0, description="a positive number")
    version: Literal["v0", "v1", "max", "gauss"] = "v1"
    replaces: Literal["depthwise", "depthwise_7x7", "3x3"] = "depthwise"

    @classmethod
    def from_dict(cls, values: dict) -> "Dcls":
        """From a config's settings. Raises UserError with the wrong key and what is allowed."""
        return checked(cls, "dcls", values)

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, size: int) -> int:
        """An even kernel has no pixel in its centre."""
        if size % 2 == 0:
            raise ValueError(_ODD)
        return size


class Network(Record):
    """One network.

    family: how it is built, a key of `zoo.FAMILIES`; `timm` for any classifier of timm.
    arguments: what the family's builder takes; of family `timm` its `name` there and, if its last
        feature map is not found automatically, `feature_layer`.
    transform: how an image becomes the network's input; None for timm's own.
    dcls: what replaces convolutions, or None for the plain network.
    num_classes: width of the classifier.
    micro: shrink as the embedded study needs (see micro.py).
    """

    family: Literal["resnet", "convnext", "convformer", "caformer", "fastvit", "timm"]
    arguments: dict = Field(description="a mapping of what the family's builder takes")
    transform: InputTransform | None = Field(
        None, description="a mapping of resize and crop, and of mean and std where they differ"
    )
    dcls: Dcls | None = Field(
        None, description="a mapping of kernel_size, kernel_count, version and replaces, or null"
    )
    num_classes: int = Field(1000, gt=0, description="a positive number")
    micro: bool = False

    def __hash__(self) -> int:
        return hash(self.as_json())

    @classmethod
    def from_dict(cls, values: dict) -> "Network":
        """From a config, a command line or a weights file.

        Raises UserError with the wrong key, its value and what is allowed.
        """
        found = checked(cls, "network", values)
        if found.family == "timm":
            found._check_generic()
        elif found.transform is None:
            raise UserError(f"network: a {found.family} needs a `transform`: resize and crop")
        return found

    def _check_generic(self) -> None:
        """Raises UserError unless the record holds what a classifier of timm needs, and no more."""
        given = self.arguments
        names = "name" in given and given.keys() <= {"name", "feature_layer"}
        if not (names and all(isinstance(value, str) for value in given.values())):
            raise UserError(
                f"network: arguments is {given!r}; allowed with family timm: `name`, and "
                "`feature_layer` if timm's own is not found, both as text"
            )
        if self.micro:
            raise UserError("network: micro is True; allowed with family timm: false")

    def as_dict(self) -> dict:
        """Plain values for JSON; `from_dict` is the way back."""
        return self.model_dump(mode="json")

    def as_json(self) -> str:
        """The complete record as one string."""
        return json.dumps(self.as_dict(), sort_keys=True)

    def changed(self, **fields) -> "Network":
        """The same record with some fields changed."""
        return self.model_copy(update=fields)


@functools.cache
def load_networks() -> Mapping[str, Network]:
    """The records of networks.yaml by name, each with the DCLS of its `_dcls` twin."""
    held = read_yaml(FILE)
    return {
        name: Network.from_dict(record) for name, record in held.items() if not name.startswith(".")
    }


@functools.cache
def timm_models() -> frozenset[str]:
    """Names of all models of timm, without the tags of pretrained weights; timm is not imported."""
    return frozenset(TIMM_MODELS.read_text().split())


def check_timm_name(name: str) -> None:
    """Raise UserError, with names that are close, when timm has no such model.

    Of a name with a tag (`resnet50.a1_in1k`) the part before the dot is checked.
    """
    architecture = name.partition(".")[0]
    if architecture not in timm_models():
        close = difflib.get_close_matches(architecture, sorted(timm_models()), 3)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise UserError(f"timm has no model called {name!r}{hint}")


def find(name: str, dcls: dict | None = None, more: Mapping[str, dict] | None = None) -> Network:
    """The record of a name.

    dcls: settings of `Dcls` in place of the record's own.  more: further records by name, as
    plain values, which come before those of networks.yaml.
    Raises UserError with close names when there is none.
    """
    own = Dcls.from_dict(dcls) if dcls else None
    if name.startswith(GENERIC):
        model, _, layer = name.removeprefix(GENERIC).partition("@")
        arguments = {"name": model} | ({"feature_layer": layer} if layer else {})
        tagged = timm_weights.listed().get(model)
        classes = {"num_classes": tagged.classes} if tagged and tagged.classes else {}
        return Network(family="timm", arguments=arguments, dcls=own, **classes)
    plain = name.removesuffix(SUFFIX)
    if more and plain in more:
        record = Network.from_dict(more[plain])
    elif plain in load_networks():
        record = load_networks()[plain]
    else:
        known = [*(more or ()), *load_networks()]
        raise UserError(
            f"unknown network {name!r}{close_name(plain, known)}; known are {', '.join(known)}, "
            f"each also with {SUFFIX} behind, and {GENERIC}NAME"
        )
    if name.endswith(SUFFIX):
        if not (own or record.dcls):
            raise UserError(f"network {plain!r} has no `dcls` settings, which {name!r} needs")
        return record.changed(dcls=own or record.dcls)
    return record.changed(dcls=own)


def network_argument(text: str) -> Network:
    """Parse a command-line value (an argparse `type`): a name, or a complete record as JSON.

    Raises UserError as `find` and `Network.from_dict` do.
    """
    if not text.lstrip().startswith("{"):
        return find(text)
    try:
        return Network.from_dict(json.loads(text))
    except json.JSONDecodeError as error:
        raise UserError(f"the network's record is not valid JSON: {error}") from error


NETWORK_HELP = (
    "network: a name such as convnext_tiny_dcls, timm:NAME, or a complete record as JSON (as in "
    "networks.yaml)"
)
