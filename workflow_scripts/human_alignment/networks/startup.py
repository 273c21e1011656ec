"""What scripts that need torch import first: their start then takes half the time.

The import of torch and timm makes a million objects, none of them garbage. Python looks for garbage
each time that some hundred objects are new; here it does each time that a hundred thousand are.

torchvision and timm import torch's compiler, which is as large as the rest of torch, for a question
that only deformable crops ask and for a mark on a function of one network. Until both are imported
a stand-in takes the compiler's place, which imports the compiler when the question is asked or the
function is called. `torch.compile` and optimisers import the compiler as ever.
"""

import gc
import sys
from types import ModuleType

gc.set_threshold(100_000)


def _is_compile_supported(device_type: str) -> bool:
    from torch._dynamo import utils

    return utils.is_compile_supported(device_type)


def _import_without_compiler() -> None:
    """Import timm, and with it torch and torchvision."""
    import torch

    if "torch._dynamo" in sys.modules:
        return
    compiler, utils = ModuleType("torch._dynamo"), ModuleType("torch._dynamo.utils")
    compiler.utils, utils.is_compile_supported = utils, _is_compile_supported
    # torch's own mark, which imports the compiler when the function is called.
    compiler.disable = lambda function, recursive, **_: torch._disable_dynamo(function, recursive)
    sys.modules |= {module.__name__: module for module in (compiler, utils)}
    try:
        import timm  # noqa: F401
    except (ImportError, AttributeError, TypeError):
        pass  # a version that needs more of the compiler is imported with it, by whoever needs it
    finally:
        for module in (compiler, utils):
            del sys.modules[module.__name__]


_import_without_compiler()
