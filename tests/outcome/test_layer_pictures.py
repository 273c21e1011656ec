"""Gallery and figures show the maps of the layer that the protocol names."""

import numpy as np
import pytest
import small_study
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile, HeatmapWriter
from human_alignment.outcome.gallery import Part, Sample, packed_run, read_rho
from human_alignment.outcome.map_figures import methods_figure
from human_alignment.scores.protocol import RELEASED

COUNT = 8
BEHIND = RELEASED.changed(layer="behind_norm")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two networks by hand, `near` and `far`, and `both`: near before the norm, far behind it."""
    folder = tmp_path_factory.mktemp("layer_pictures")
    study = small_study.make(folder, COUNT)
    near, far = (small_study.raw_maps(name, COUNT) for name in ("near", "far"))
    maps = {"grad_cam": near**2, "threshold_grad_cam": near}
    maps |= {"grad_cam.behind_norm": far**2, "threshold_grad_cam.behind_norm": far}
    with DataFile(study.data) as data:
        columns = dict.fromkeys(("label", "target", "predicted"), data.labels) | maps
        columns |= {"image_id": np.char.encode(data.image_ids, "utf-8")}
        header = {
            "model": "near", "dcls": False, "parameters": 7, "weights_digest": "w" * 64,
            "data_digest": data.digest, "geometry": "crop", "target": "label",
            "explainers": ["grad_cam", "threshold_grad_cam"], "versions": "x", "images": COUNT,
            "layers": ["before_norm", "behind_norm"], "norm": True,
        }  # fmt: skip
    columns |= {"target_rank": np.zeros(COUNT, "i4"), "target_logit": np.zeros(COUNT, "f4")}
    writer = HeatmapWriter(folder / "both.h5", header, rows=(0, COUNT), chunk=COUNT)
    writer.put(0, columns | {"nonfinite": np.zeros(COUNT, bool)})
    writer.finish()
    return study


BOTH = ["grad_cam", "threshold_grad_cam"]


@pytest.mark.parametrize("protocol, like", [(RELEASED, 0), (BEHIND, 1)])
def test_the_gallery_holds_the_maps_of_the_layer(study, protocol, like):
    sample = Sample.draw(COUNT, 3, seed=0)
    ids = [f"image-{row:03d}" for row in sample.index]

    def maps(path, scores, protocol):
        with HeatmapFile(path) as heatmaps:
            part = Part(heatmaps, scores)
            rho = [read_rho(part, ids)]
            return packed_run([part], ["grad_cam"], sample.index, rho, protocol, 28)["maps"]

    found = maps(study.data.parent / "both.h5", study.scores[0], protocol)
    assert found == maps(study.heatmaps[like], study.scores[like], RELEASED)
    assert found != maps(study.heatmaps[1 - like], study.scores[1 - like], RELEASED)


@pytest.mark.parametrize("protocol, like", [(RELEASED, 0), (BEHIND, 1)])
def test_figures_draw_the_maps_of_the_layer(study, protocol, like):
    def drawn(path, protocol):
        with DataFile(study.data) as data:
            figure = methods_figure(data, (path, None), [1, 2], BOTH, protocol, [])
        return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]

    found = drawn(study.data.parent / "both.h5", protocol)
    wanted, other = (drawn(study.heatmaps[i], RELEASED) for i in (like, 1 - like))
    assert len(found) == 6
    assert all(map(np.array_equal, found, wanted))
    assert not all(map(np.array_equal, found, other))
