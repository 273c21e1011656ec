"""Every script that reads a heatmap file reads the explainers it is asked for, and says which
there are when it lacks one."""

import evaluate_measures
import pandas as pd
import protocol_sensitivity
import pytest
import score_alignment
import score_controls
import score_references
import small_study
from human_alignment.common.cli import UserError
from human_alignment.scores.control_file import read_controls
from human_alignment.scores.score_file import read_scores
from human_alignment.scores.variant_file import read_variants

BOTH = ["grad_cam", "threshold_grad_cam"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A small study, with its references."""
    study = small_study.make(tmp_path_factory.mktemp("chosen"), 12, names=("near", "far", "odd"))
    score_references.main(
        ["--data", str(study.data), "--protocol", "released"]
        + ["--rho", str(study.data.with_name("r.h5"))]
    )
    return study


def read_measures(path):
    table = pd.read_csv(path).set_index(["explainer", "image_id"])
    return {name: table.loc[name] for name in table.index.unique("explainer")}


def read_references(path):
    return pd.read_csv(path).set_index("reference").filter(like=":", axis=0).T.to_dict()


SCRIPTS = {  # the script, its output's ending, and what it holds by explainer
    score_alignment: (".csv", lambda path: read_scores(path).scores),
    evaluate_measures: (".measures.csv", read_measures),
    protocol_sensitivity: (".h5", lambda path: read_variants(path).scores),
    score_controls: (".controls.h5", lambda path: read_controls(path).controls.scores),
    score_references: (".references.csv", read_references),
}
MORE = {
    evaluate_measures: ["--measures", "pearson"],
    score_controls: ["--references", "r.h5"],
}
each = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)


def run(script, study, folder, *more):
    """Run a script on one network; what it wrote, by explainer."""
    ending, read = SCRIPTS[script]
    given = [
        str(study.data.with_name(one)) if one == "r.h5" else one for one in MORE.get(script, [])
    ]
    script.main(
        ["--data", str(study.data), "--heatmaps", str(study.heatmaps[0]), *given]
        + ["--protocol", "released", "--output", str(folder / f"seed0{ending}"), *more]
    )
    return read(folder / f"seed0{ending}")


@each
def test_only_the_explainers_that_are_named_are_scored_and_as_among_all(script, study, tmp_path):
    every = run(script, study, tmp_path)
    one = run(script, study, tmp_path, "--explainers", "grad_cam")
    assert [name.removeprefix("other_image:") for name in every] == BOTH
    assert [name.removeprefix("other_image:") for name in one] == ["grad_cam"]
    for name, found in one.items():
        assert repr(found) == repr(every[name])


@each
def test_their_order_means_nothing(script, study, tmp_path):
    def bytes_with(*names):
        run(script, study, tmp_path, "--explainers", *names)
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    assert bytes_with(*BOTH) == bytes_with(*BOTH[::-1], BOTH[1])


@each
def test_an_explainer_that_the_file_lacks_is_told_and_nothing_is_written(script, study, tmp_path):
    message = "near/seed0.h5 has no 'rise' maps; it has grad_cam, threshold_grad_cam"
    with pytest.raises(UserError, match=message):
        run(script, study, tmp_path, "--explainers", "rise", "grad_cam")
    assert not list(tmp_path.iterdir())
