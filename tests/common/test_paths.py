from pathlib import Path

import pytest
from human_alignment.common.paths import Run, network_of


@pytest.mark.parametrize("ending", [".csv", ".attributions.json", ".full.h5", ".top1.json"])
def test_a_run_and_its_files_are_found_from_each_other(ending):
    run = Run("resnet50_dcls", "seed12")
    file = run.file("demo", "scores", ending)
    assert file == f"results/demo/scores/resnet50_dcls/seed12{ending}"
    assert Run.of(file) == Run.of(Path("/elsewhere") / file) == run
    assert str(run) == "resnet50_dcls/seed12"


def test_a_path_tells_network_dcls_and_run():
    assert network_of("s/resnet50_dcls/seed1.sweep.csv") == {
        "model": "resnet50",
        "dcls": 1,
        "run": "seed1",
    }
    assert network_of(Path("s/resnet50/published.csv"))["dcls"] == 0
