"""Scripts that need torch make Python look for garbage seldom, before they import it."""

import ast

import pytest

TORCH = [
    "train_model",
    "extract_heatmaps",
    "extract_attributions",
    "evaluate_top1",
    "explain_image",
]


@pytest.mark.parametrize("name", TORCH)
def test_startup_comes_before_torch(root, name):
    tree = ast.parse((root / "workflow_scripts" / f"{name}.py").read_text())
    lines = {
        alias.name: node.lineno
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert lines["human_alignment.common.startup"] < lines["torch"]


def test_every_script_that_imports_torch_is_among_them(root):
    scripts = (root / "workflow_scripts").glob("*.py")
    assert {one.stem for one in scripts if "\nimport torch\n" in one.read_text()} == set(TORCH)
