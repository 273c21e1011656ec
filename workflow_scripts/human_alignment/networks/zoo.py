"""Networks built from their records with timm, one builder for each family.

A record (records.py) says which family a network is of and what is particular to it. A family
says how its members are built and which module gives their last feature map.
"""

from collections.abc import Callable
from dataclasses import dataclass

import timm
import torch
from timm.models import convnext, fastvit, metaformer, resnet
from timm.utils import reparameterize_model
from torch import nn
from torch.overrides import TorchFunctionMode

from ..common.cli import UserError
from . import generic, records
from .dcls import bake, initialise, replace_convolutions
from .micro import make_micro
from .pooled_norm import find_pooled_norm
from .records import Network


@dataclass(frozen=True)
class Family:
    """What the members of a family have in common.

    build: from a record's arguments and `num_classes` to a network.
    feature_layer: module whose output is the last feature map `A`, (n, c, h, w) in timm: what
        goes into the global pool. The authors take the same tensors.
    late_stages: the last two stages; the micro members do not down-sample there.
    """

    build: Callable[..., nn.Module]
    feature_layer: str
    late_stages: tuple[str, str] = ("stages.2", "stages.3")


def _resnet50(**arguments) -> nn.Module:
    return resnet.ResNet(resnet.Bottleneck, **arguments)


def _convformer(**arguments) -> nn.Module:
    """ConvFormer; timm's entry points fix depths and dims, its class does not."""
    return metaformer.MetaFormer(token_mixers=metaformer.SepConv, **arguments)


def _caformer(**arguments) -> nn.Module:
    """CAFormer: convolutions in the first two stages, attention in the last two."""
    return metaformer.MetaFormer(
        token_mixers=[metaformer.SepConv] * 2 + [metaformer.Attention] * 2,
        norm_layers=[metaformer.LayerNorm2dNoBias] * 2 + [metaformer.LayerNormNoBias] * 2,
        **arguments,
    )


def _fastvit(**arguments) -> nn.Module:
    """FastViT-SA: RepMixer stages, then one of attention behind a 7x7 positional encoding."""
    return fastvit.FastVit(
        token_mixers=("repmixer",) * 3 + ("attention",),
        pos_embs=(None,) * 3 + (fastvit.RepConditionalPosEnc,),
        **arguments,
    )


FAMILIES = {
    "resnet": Family(_resnet50, "layer4", late_stages=("layer3", "layer4")),
    "convnext": Family(convnext.ConvNeXt, "stages"),
    "convformer": Family(_convformer, "stages"),
    "caformer": Family(_caformer, "stages"),
    "fastvit": Family(_fastvit, "final_conv"),
}


def find(network: str | Network, dcls: dict | None = None) -> Network:
    """The complete record of a network: with family `timm`, timm's input transform is filled in.

    network: a name (see records.py) or a record.  dcls: settings of `Dcls` that replace those of
    the record with that name.
    Raises UserError when no network, or no model of timm, has the name.
    """
    if isinstance(network, str):
        network = records.find(network, dcls)
    if network.family != "timm":
        return network
    records.check_timm_name(network.arguments["name"])
    if network.transform:
        return network
    return network.changed(transform=generic.input_transform(network.arguments["name"]))


def build(spec: Network, drop_path: float = 0.0, layer_scale: float | None = None) -> nn.Module:
    """Build a network from its record, randomly initialised, in training mode.

    DCLS layers are in place and share their positions per stage. Seed torch before calling.
    For training: `drop_path` is the stochastic depth of the last block (linear from zero),
    `layer_scale` the initial value of layer scale in place of the record's.

    Raises UserError when the builder refuses the record's arguments, and when the network has no
    layer scale or no stochastic depth to set.
    """
    extra = {"drop_path_rate": drop_path} if drop_path else {}
    if layer_scale is not None:
        if spec.family not in records.LAYER_SCALE:
            raise UserError(f"layer_scale: a network of family {spec.family} has none to set")
        extra[records.LAYER_SCALE[spec.family]] = layer_scale
    model = _create(spec, extra)
    if spec.micro:
        model = make_micro(model, FAMILIES[spec.family].late_stages)
    if spec.dcls:
        replace_convolutions(model, spec.dcls)
        if not spec.micro:
            initialise(model)
    return model


def skeleton(spec: Network, drop_path: float = 0.0, layer_scale: float | None = None) -> nn.Module:
    """The network of `build` without storage: its modules, and the names and shapes of its tensors.

    Only tensors of DCLS have storage, which its package allocates all the same.
    Raises UserError as `build` does, NotImplementedError where timm needs values to build it.
    """
    with torch.device("meta"), _ShapesAlone():
        return build(spec, drop_path, layer_scale)


class _ShapesAlone(TorchFunctionMode):
    """Leaves out what gives tensors without storage their first values, and no shape.

    For it torch would import its compiler, and work out each result's shape in Python.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        if function.__name__ in _OF_VALUES and len(tensors) == 1 and tensors[0].is_meta:
            return tensors[0]
        return function(*args, **(kwargs or {}))


# What builders do to one tensor and numbers: random values, and scaling.
_OF_VALUES = {"normal_", "uniform_", "erfinv_", "mul_", "add_", "clamp_"}
_OF_VALUES |= {"mul", "__mul__", "__rmul__"}


def _create(spec: Network, extra: dict) -> nn.Module:
    """The network before DCLS. extra: arguments of the builder that the recipe sets."""
    try:
        if spec.family == "timm":
            return timm.create_model(spec.arguments["name"], num_classes=spec.num_classes, **extra)
        arguments = spec.arguments | extra
        return FAMILIES[spec.family].build(num_classes=spec.num_classes, **arguments)
    except (TypeError, ValueError, IndexError, AssertionError, RuntimeError) as error:
        given = f"{spec.arguments}" + (f" and the recipe's {extra}" if extra else "")
        raise UserError(
            f"timm cannot build a network of family {spec.family} from {given}: {error}"
        ) from error


def feature_layer(model: nn.Module, spec: Network) -> nn.Module:
    """The module whose output is the last feature map.

    Raises UserError when a named layer does not exist or none can be found.
    """
    if spec.family != "timm":
        return model.get_submodule(FAMILIES[spec.family].feature_layer)
    name = spec.arguments.get("feature_layer")
    name = name or generic.find_feature_layer(model, spec.transform.crop)
    try:
        return model.get_submodule(name)
    except AttributeError as error:
        raise UserError(f"{spec.arguments['name']} has no module called {name!r}") from error


def pooled_norm(model: nn.Module, spec: Network) -> nn.Module | None:
    """The norm that acts on the pooled feature map before the classifier; None if there is none.

    Of the sixteen networks ConvNeXt, ConvFormer and CAFormer have one. `pooled_norm.py` says what
    counts as one. The model keeps the module when it is prepared for inference.
    Raises UserError as `feature_layer` does.
    """
    return find_pooled_norm(model, feature_layer(model, spec), spec.transform.crop)


def prepare_for_inference(model: nn.Module) -> nn.Module:
    """Bake DCLS and merge FastViT's training-time branches, in place; returns the model.

    The result is in evaluation mode and frozen, with the channels last in memory. It computes the
    same up to rounding and is several times faster (benchmarks/bench_heatmaps.py). timm's
    positional encoding merges its identity into a 7x7 kernel, so the size of the baked kernel is
    set first.
    """
    bake(model.eval())
    for module in model.modules():
        if isinstance(module, fastvit.RepConditionalPosEnc):
            module.spatial_shape = module.pos_enc.kernel_size
    model = reparameterize_model(model, inplace=True).eval().requires_grad_(False)
    return model.to(memory_format=torch.channels_last)


def count_parameters(model: nn.Module) -> int:
    """Number of learnt values, shared positions once."""
    return sum(p.numel() for p in model.parameters())
