"""The two configs of the repository, and the schema they are checked against."""

import pytest
import yaml


@pytest.fixture(scope="session")
def schema(root):
    return yaml.safe_load((root / "schemas" / "config.schema.yaml").read_text())


@pytest.fixture(scope="session")
def configs(root):
    files = {"paper": root / "config.yaml", "demo": root / "profiles" / "demo" / "study.yaml"}
    return {name: yaml.safe_load(file.read_text()) for name, file in files.items()}
