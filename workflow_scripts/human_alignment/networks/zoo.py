"""The networks of the study, one frozen record each, built with timm.

A record says how to build the network, which module gives the last feature map, which
convolutions DCLS replaces and how images enter. Names: a reference name (`convnext_tiny`), with
`_dcls` for the network with DCLS, with `micro_` in front for the small member of the same family
that the embedded study trains, or `timm:NAME` for any other classifier of timm.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import timm
import torch
from timm.models import convnext, fastvit, metaformer, resnet
from timm.utils import reparameterize_model
from torch import nn

from ..common.cli import UserError
from ..data.images import InputTransform
from . import generic
from .dcls import Dcls, bake, initialise, replace_convolutions
from .micro import make_micro

SUFFIX = "_dcls"


@dataclass(frozen=True)
class ModelSpec:
    """One network.

    family: key of FAMILIES, or `timm` for any classifier of timm.
    arguments: what the family's builder takes (JSON values).
    transform: how an image becomes the network's input.
    dcls: what replaces convolutions, or None for the plain network.
    num_classes: width of the classifier.
    micro: shrink as the embedded study needs (see micro.py).
    """

    family: str
    arguments: dict = field(hash=False)
    transform: InputTransform
    dcls: Dcls | None = None
    num_classes: int = 1000
    micro: bool = False

    def as_dict(self) -> dict:
        """Plain values, for JSON; `from_dict` is the way back."""
        return {
            "family": self.family,
            "arguments": self.arguments,
            "transform": asdict(self.transform),
            "dcls": self.dcls.as_dict() if self.dcls else None,
            "num_classes": self.num_classes,
            "micro": self.micro,
        }

    @classmethod
    def from_dict(cls, values: dict) -> "ModelSpec":
        """Rebuild a record from `as_dict`."""
        dcls = values["dcls"]
        transform = {  # JSON knows no tuples
            k: tuple(v) if isinstance(v, list) else v for k, v in values["transform"].items()
        }
        return cls(
            **{
                **values,
                "transform": InputTransform(**transform),
                "dcls": Dcls(**dcls) if dcls else None,
            }
        )


@dataclass(frozen=True)
class Family:
    """What the members of a family have in common.

    build: from a record's arguments and `num_classes` to a network.
    feature_layer: module whose output is the last feature map `A`, (n, c, h, w) in timm: what
        goes into the global pool. The authors take the same tensors.
    late_stages: the last two stages; the micro members do not down-sample there.
    layer_scale: the builder's name for the initial value of layer scale; empty if it has none.
    """

    build: Callable[..., nn.Module]
    feature_layer: str
    late_stages: tuple[str, str] = ("stages.2", "stages.3")
    layer_scale: str = ""


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
    "convnext": Family(convnext.ConvNeXt, "stages", layer_scale="ls_init_value"),
    "convformer": Family(_convformer, "stages"),
    "caformer": Family(_caformer, "stages"),
    "fastvit": Family(_fastvit, "final_conv", layer_scale="layer_scale_init_value"),
}

# Input transforms: the authors' per family (their released code; the paper does not say).
_SIZES = {
    "resnet": (235, 224),
    "convnext": (256, 224),
    "convformer": (224, 224),
    "caformer": (224, 224),
    "fastvit": (256, 256),
}


def _reference(family: str, dcls: Dcls, **arguments) -> ModelSpec:
    resize, crop = _SIZES[family]
    return ModelSpec(family, arguments, InputTransform(resize, crop), dcls)


# Kernel size, count and version of DCLS: arguments of the authors' published checkpoints.
REFERENCE = {
    "resnet50": _reference("resnet", Dcls(7, 5, "v0", "3x3"), layers=[3, 4, 6, 3]),
    "convnext_tiny": _reference(
        "convnext", Dcls(17, 34, "v0"), depths=[3, 3, 9, 3], dims=[96, 192, 384, 768]
    ),
    "convnext_small": _reference(
        "convnext", Dcls(17, 40, "v0"), depths=[3, 3, 27, 3], dims=[96, 192, 384, 768]
    ),
    "convnext_base": _reference(
        "convnext", Dcls(17, 40, "v0"), depths=[3, 3, 27, 3], dims=[128, 256, 512, 1024]
    ),
    "caformer_s18": _reference(
        "caformer", Dcls(17, 34, "v1"), depths=[3, 3, 9, 3], dims=[64, 128, 320, 512]
    ),
    "convformer_s18": _reference(
        "convformer", Dcls(17, 40, "v1"), depths=[3, 3, 9, 3], dims=[64, 128, 320, 512]
    ),
    "fastvit_sa24": _reference(
        "fastvit",
        Dcls(17, 34, "v1", "depthwise_7x7"),
        layers=[4, 4, 12, 4],
        embed_dims=[64, 128, 256, 512],
        mlp_ratios=[4, 4, 4, 4],
    ),
    "fastvit_sa36": _reference(
        "fastvit",
        Dcls(17, 34, "v1", "depthwise_7x7"),
        layers=[6, 6, 18, 6],
        embed_dims=[64, 128, 256, 512],
        mlp_ratios=[4, 4, 4, 4],
    ),
}


def _micro(family: str, dcls: Dcls, **arguments) -> ModelSpec:
    transform = InputTransform(64, 64)
    return ModelSpec(family, arguments, transform, dcls, num_classes=10, micro=True)


def _micro_convnext(depths: list[int], dims: list[int]) -> ModelSpec:
    return _micro("convnext", Dcls(9, 16, "v0"), depths=depths, dims=dims, ls_init_value=1.0)


def _micro_fastvit(layers: list[int]) -> ModelSpec:
    # The stem goes without its 1x1 stride-2 branch: its backward pass crashes in oneDNN at such
    # narrow widths on some processors.
    return _micro(
        "fastvit",
        Dcls(9, 16, "v1", "depthwise_7x7"),
        layers=layers,
        embed_dims=[16, 32, 32, 64],
        mlp_ratios=[2, 2, 2, 2],
        downsamples=[False, True, False, True],
        layer_scale_init_value=0.1,
        stem_use_scale_branch=False,
    )


MICRO = {
    "resnet50": _micro(
        "resnet", Dcls(7, 5, "v0", "3x3"),
        layers=[1, 1, 1, 1], channels=[12, 16, 24, 32], stem_width=24,
    ),
    "convnext_tiny": _micro_convnext([1, 1, 2, 1], [16, 32, 48, 64]),
    "convnext_small": _micro_convnext([1, 1, 3, 1], [16, 32, 48, 64]),
    "convnext_base": _micro_convnext([1, 1, 3, 1], [20, 40, 56, 80]),
    "caformer_s18": _micro(
        "caformer", Dcls(9, 16, "v1"), depths=[1, 1, 1, 1], dims=[16, 24, 48, 64], head_dim=16
    ),
    "convformer_s18": _micro(
        "convformer", Dcls(9, 16, "v1"), depths=[1, 1, 1, 1], dims=[16, 24, 40, 56]
    ),
    "fastvit_sa24": _micro_fastvit([1, 1, 1, 1]),
    "fastvit_sa36": _micro_fastvit([1, 1, 2, 1]),
}  # fmt: skip


GENERIC = "timm:"


def find(name: str, dcls: dict | None = None) -> ModelSpec:
    """The record called `name`, e.g. `convnext_tiny`, `resnet50_dcls`, `timm:efficientnet_b0`.

    dcls: settings of `Dcls` that take the place of the record's own.
    Raises UserError with the known names when there is none.
    """
    if name.startswith(GENERIC):
        return _find_generic(name.removeprefix(GENERIC), dcls)
    plain = name.removesuffix(SUFFIX)
    micro = plain.startswith("micro_")
    spec = (MICRO if micro else REFERENCE).get(plain.removeprefix("micro_"))
    if spec is None:
        raise UserError(
            f"unknown model {name!r}; known are {', '.join(REFERENCE)}, "
            f"each also with {SUFFIX} behind and micro_ in front, and {GENERIC}NAME"
        )
    if dcls:
        return replace(spec, dcls=Dcls(**dcls))
    return spec if name.endswith(SUFFIX) else replace(spec, dcls=None)


def _find_generic(name: str, dcls: dict | None) -> ModelSpec:
    """Any classifier of timm; `NAME@LAYER` names the module that gives its last feature map."""
    name, _, layer = name.partition("@")
    generic.check_name(name)
    arguments = {"name": name} | ({"feature_layer": layer} if layer else {})
    transform = generic.input_transform(name)
    return ModelSpec("timm", arguments, transform, Dcls(**dcls) if dcls else None)


def build(spec: ModelSpec, drop_path: float = 0.0, layer_scale: float | None = None) -> nn.Module:
    """Build a network from its record, randomly initialised, in training mode.

    DCLS layers are in place and share their positions per stage. Seed torch before calling.
    For training: `drop_path` is the stochastic depth of the last block (linear from zero),
    `layer_scale` the initial value of layer scale in place of the record's.

    Raises UserError when the network has no layer scale, or no stochastic depth.
    """
    extra = {"drop_path_rate": drop_path} if drop_path else {}
    if layer_scale is not None:
        name = FAMILIES[spec.family].layer_scale if spec.family in FAMILIES else ""
        if not name:
            raise UserError(f"layer_scale: a network of family {spec.family} has none to set")
        extra[name] = layer_scale
    if spec.family == "timm":
        model = _create(spec.arguments["name"], num_classes=spec.num_classes, **extra)
    else:
        model = FAMILIES[spec.family].build(
            num_classes=spec.num_classes, **(spec.arguments | extra)
        )
    if spec.micro:
        model = make_micro(model, FAMILIES[spec.family].late_stages)
    if spec.dcls:
        replace_convolutions(model, spec.dcls)
        if not spec.micro:
            initialise(model)
    return model


def _create(name: str, **arguments) -> nn.Module:
    try:
        return timm.create_model(name, **arguments)
    except TypeError as error:
        raise UserError(f"timm's {name} does not take what the recipe sets: {error}") from error


def feature_layer(model: nn.Module, spec: ModelSpec) -> nn.Module:
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


def prepare_for_inference(model: nn.Module) -> nn.Module:
    """Bake DCLS, merge FastViT's training-time branches; in place, in evaluation mode, frozen.

    The result computes the same to rounding and is several times faster, the more so with the
    channels last (benchmarks/bench_heatmaps.py). timm's positional encoding adds its identity at
    a fixed 7x7, so it is told the size of the baked kernel first.
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
