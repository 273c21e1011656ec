from pathlib import Path

import pytest
from human_alignment.common.paths import Run


@pytest.mark.parametrize("ending", [".csv", ".saliency.json", ".full.h5", ".top1.json"])
def test_a_run_and_its_files_are_found_from_each_other(ending):
    run = Run("resnet50_dcls", "seed12")
    file = run.file("demo", "scores", ending)
    assert file == f"results/demo/scores/resnet50_dcls/seed12{ending}"
    assert Run.of(file) == Run.of(Path("/elsewhere") / file) == run
    assert str(run) == "resnet50_dcls/seed12"
