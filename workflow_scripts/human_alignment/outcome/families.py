"""Families of networks, as far as their names tell."""

import re

_NO_FAMILY = re.compile(r"(micro|tf)_")  # ours for tiny ones; timm's for weights of TensorFlow
_FIRST_LETTERS = re.compile(r"([^\W\d_]+?)(?=v\d|[\W\d_]|$)")  # without the v of a version


def family(network: str) -> str:
    """The letters that a name begins with, after `micro_` or `tf_`; the name itself if none.

    `resnet` of resnet50.a1_in1k, `convnext` of convnextv2_base, `fastvit` of micro_fastvit_sa24.
    """
    own = _NO_FAMILY.sub("", network, count=1) if _NO_FAMILY.match(network) else network
    found = _FIRST_LETTERS.match(own)
    return found[0] if found else network
