"""Shared by the tests of the workflow."""

import io

import pytest
import torch
from human_alignment.networks import zoo


@pytest.fixture(scope="session")
def contents():
    """Two checkpoints of one network, above the 1 MB up to which Snakemake digests by itself."""

    def content(seed):
        torch.manual_seed(seed)
        state = zoo.build(zoo.find("micro_convnext_tiny_dcls")).state_dict()
        stream = io.BytesIO()
        torch.save({"state_dict_ema": state, "optimizer": torch.zeros(400_000)}, stream)
        return stream.getvalue()

    return content(0), content(1)
