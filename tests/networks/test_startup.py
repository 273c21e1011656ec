"""What scripts that need torch import first, and that nothing changes by it but the time."""

import ast
import subprocess
import sys

from human_alignment.study.code import imported

STARTUP = "human_alignment.networks.startup"


def imports(path):
    """Names that a file imports at its top, in their order."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_scripts_that_import_torch_import_startup_before_it(root):
    scripts = root / "workflow_scripts"
    found = set()
    for script in scripts.glob("*.py"):
        reached = imported(scripts, script) | {script}
        if any(name.split(".")[0] == "torch" for path in reached for name in imports(path)):
            found.add(script.stem)
            own = [
                name for name in imports(script) if name.startswith(("human_alignment", "torch"))
            ]
            assert own[0] == STARTUP, script
        else:
            assert STARTUP not in imports(script), script
    assert {"train_model", "extract_heatmaps", "convert_checkpoint", "plot_positions"} <= found
    assert "score_alignment" not in found


def in_python(code, *folders):
    """Run code in a new Python that has imported `startup`; what it prints."""
    lines = ["import sys", f"sys.path[:0] = {[*map(str, folders)]}"]
    lines += ["import human_alignment.networks.startup", "import timm, torch", code]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_compiler_is_imported_when_it_is_needed(root):
    """timm and torchvision have not imported it, and what they took from it is as it was."""
    code = """
print("torch._dynamo" in sys.modules)
from timm.models.naflexvit import NaFlexRopeIterator
from torchvision.ops.roi_align import is_compile_supported
from types import SimpleNamespace
rope = SimpleNamespace(depth=0, num_heads=1, dim=1)
print(next(NaFlexRopeIterator(rope, {}, [], 1, 1, "cpu", torch.float32), "nothing"))
is_compile_supported("cpu")
print("torch._dynamo" in sys.modules, hasattr(torch._dynamo, "eval_frame"))
print(is_compile_supported("cpu") == torch._dynamo.utils.is_compile_supported("cpu"))
print(torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item())
"""
    found = in_python(code, root / "workflow_scripts")
    assert found == ["False", "nothing", "True", "True", "True", "2.0"]


def test_a_timm_that_needs_more_of_the_compiler_gets_it(root, tmp_path):
    (tmp_path / "timm.py").write_text("from torch._dynamo.eval_frame import OptimizedModule\n")
    found = in_python("print(timm.OptimizedModule.__name__)", tmp_path, root / "workflow_scripts")
    assert found == ["OptimizedModule"]


def test_to_explain_an_image_needs_no_compiler(root, tmp_path):
    """Weights are read, and their extent is checked, without it; so are heatmaps extracted."""
    code = f"""
import extract_attributions, extract_heatmaps, prepare_digits
from human_alignment.networks import zoo
from human_alignment.networks.weights import save_weights
folder = {str(tmp_path)!r}
prepare_digits.main(["--output", folder + "/d.h5", "--train-output", folder + "/t.h5",
                     "--train-images", "1", "--test-images", "2"])
for name in ("convnext_tiny_dcls", "caformer_s18", "fastvit_sa24", "resnet50_dcls"):
    network = zoo.find("micro_" + name)
    save_weights(folder + "/w.safetensors", zoo.build(network), network)
    common = ["--data", folder + "/d.h5", "--weights", folder + "/w.safetensors"]
    extract_heatmaps.main([*common, "--output", f"{{folder}}/{{name}}.h5"])
    common += ["--explainers", "saliency"]
    extract_attributions.main([*common, "--output", f"{{folder}}/{{name}}.saliency.h5"])
    print("torch._dynamo" in sys.modules)
"""
    assert in_python(code, root / "workflow_scripts") == ["False"] * 4
