"""Any classifier of timm: its input transform, and its last feature map found automatically."""

import math
from collections.abc import Callable

import timm
import torch
from timm.data import resolve_data_config
from torch import Tensor, nn

from ..common.cli import UserError
from ..data.input_transform import InputTransform


def input_transform(name: str) -> InputTransform:
    """The evaluation transform that timm's configuration of a tag, or a model's default, asks for.

    timm's crop modes `squash` and `border` are taken as a centre crop, from which they differ only
    where a picture is not square; a study's images are square.
    Raises UserError when timm has none: of a name that it no longer lists, or a wrong tag.
    """
    try:
        found = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError as error:
        raise UserError(
            f"timm has no input transform of {name!r} ({error}); take a name that it lists, or "
            "give `transform` in a record under `networks`"
        ) from error
    config = resolve_data_config(pretrained_cfg=found.to_dict())
    size = config["input_size"][-1]
    return InputTransform(
        resize=int(size / config["crop_pct"]),
        crop=size,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config["interpolation"],
    )


@torch.no_grad()
def find_feature_layer(model: nn.Module, size: int) -> str:
    """Name of the module whose output is the last feature map, for inputs of a side in pixels.

    It is the module that returns what timm's `forward_features` returns. A network that classifies
    from its class token alone has no gradient behind that: there it is the norm before the last
    attention, the last place where patch tokens still affect the logit.

    Raises UserError that says how to name the layer when there is no such module.
    """
    outputs: dict[str, object] = {}
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, name=name: outputs.update({name: out}))
        for name, module in model.named_modules()
        if name
    ]
    training = model.training
    try:
        features = model.eval().forward_features(torch.zeros(1, 3, size, size))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    if getattr(model, "global_pool", None) == "token":
        norms = [name for name in outputs if name.endswith("norm1")]
        if norms:
            return norms[-1]
    same = [name for name, output in outputs.items() if output is features]
    if not same or features.ndim not in (3, 4):
        last = ", ".join(list(outputs)[-5:])
        raise UserError(
            f"the last feature map of {type(model).__name__} cannot be found; name the module "
            f"that gives it as `feature_layer`, e.g. one of the last: {last}"
        )
    return min(same, key=lambda name: name.count("."))


def channels_first(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """A function that brings a model's feature map to (n, c, h, w).

    Maps come as (n, c, h, w), as (n, h, w, c), or as tokens (n, t, c) behind class tokens.
    """
    channels = getattr(model, "num_features", None)

    def arrange(tensor: Tensor) -> Tensor:
        if tensor.ndim == 3:  # patches fill a square; the tokens before them are class tokens
            side = math.isqrt(tensor.shape[1])
            tokens = tensor[:, tensor.shape[1] - side * side :].transpose(1, 2)
            return tokens.reshape(*tokens.shape[:2], side, side)
        _, a, b, c = tensor.shape
        last = a == b and (b != c or c == channels) and a != channels
        return tensor.permute(0, 3, 1, 2) if last else tensor

    return arrange
