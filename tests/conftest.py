"""Shared by all tests: the scripts' folder on the import path, and where reference data lies."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Small reference data: see tests/data/README.md for where each file comes from."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT
