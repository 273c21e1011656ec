"""Figures of what was learned: where DCLS puts its elements, learning curves."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import plot_curves
import plot_positions
import pytest
import small_study
import torch
from drawn_texts import check_texts, texts_of
from human_alignment.networks import zoo
from human_alignment.networks.dcls import dcls_layers, kernel
from human_alignment.networks.positions import map_sizes, offsets, read_positions
from human_alignment.networks.weights import save_weights
from human_alignment.outcome.style import STYLE
from human_alignment.outcome.training_figures import density, learned_positions, learning_curves
from scipy.stats import gaussian_kde


def texts(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]


def write(folder, name):
    """Weights of a micro network, under the study's name."""
    torch.manual_seed(0)
    spec = zoo.find(f"micro_{name}")
    model = zoo.build(spec)
    path = folder / name / "seed0.safetensors"
    path.parent.mkdir()
    save_weights(path, model, spec)
    return path, model


@pytest.mark.parametrize("name", ["convnext_tiny_dcls", "convformer_s18_dcls"])  # v0 and v1
def test_offsets_point_to_where_the_kernel_has_its_element(name):
    layer = next(iter(dcls_layers(zoo.build(zoo.find(f"micro_{name}"))).values()))
    random = torch.Generator().manual_seed(1)
    layer.P.data = torch.randint(-3, 4, layer.P.shape, generator=random).float()
    layer.weight.data.zero_()
    layer.weight.data[..., 5] = 1.0  # one element of each kernel
    right, down = offsets(layer.P.detach().numpy(), layer.version).T.astype(int)
    right, down = (part.reshape(layer.P.shape[1:])[:, 0, 5] for part in (right, down))
    for dense, x, y in zip(kernel(layer)[:, 0], right, down, strict=True):
        assert divmod(int(dense.argmax()), 9) == (4 + y, 4 + x)


def test_density_is_that_of_a_kernel_estimate():
    points = np.random.default_rng(0).normal([1.0, -0.5], [0.8, 0.4], (3000, 2))
    points = points[(np.abs(points) < 4).all(axis=1)]
    found = density(points, 4)
    grid = (np.arange(64) + 0.5) / 8 - 4
    right, down = np.meshgrid(grid, grid)
    expected = len(points) * gaussian_kde(points.T, "scott")(
        np.stack([right.ravel(), down.ravel()])
    )
    # Scott's width per axis, and without the covariance that gaussian_kde also takes: 0 here.
    assert np.abs(found.ravel() - expected).max() < 0.04 * expected.max()
    assert found.sum() / 64 == pytest.approx(len(points))


@pytest.mark.parametrize("points", [[[4.0, 4.0]], [[-4.0, 0.0]] * 50, [[0.3, 0.3]]])
def test_no_density_is_lost_at_the_edges(points):
    found = density(np.array(points), 4)
    assert found.sum() / 64 == pytest.approx(len(points)) and (found >= 0).all()


def test_positions_that_a_stage_shares_are_read_once(tmp_path):
    path, model = write(tmp_path, "convnext_tiny_dcls")
    found = read_positions(path)
    distinct = {id(layer.P): layer.P for layer in dcls_layers(model).values()}.values()
    assert sum(map(len, found.values())) == sum(p.numel() // 2 for p in distinct)
    assert all(name.startswith("stages.") for name in found)
    assert read_positions(write(tmp_path, "resnet50")[0]) == {}


def test_a_panel_for_each_stage_with_dcls(tmp_path):
    names = ("caformer_s18_dcls", "convnext_tiny_dcls", "resnet50_dcls")
    found = {name: (9, read_positions(write(tmp_path, name)[0])) for name in names}
    figure = learned_positions(found)
    drawn = [axes for axes in figure.axes if axes.images]
    assert len(figure.axes) == 12 + 1 and len(drawn) == 10  # CAFormer has attention in the last two
    said = texts(figure)
    key = {"none", "densest of its panel", "positions per square pixel"}
    assert key <= set(said)
    said = texts(figure)
    assert [word for word in said if word.startswith("stage ")] == [
        f"stage {i}" for i in (1, 2, 3, 4)
    ]
    assert "caformer_s18_dcls\n9 × 9 px" in said
    assert said.count("no DCLS") == 2
    assert figure.axes[0].get_title().startswith("n = 512\n0.5")  # px, as they are drawn


@pytest.mark.parametrize("name", ["convnext_tiny_dcls", "resnet50_dcls"])
def test_map_sizes_are_those_that_the_layers_see(tmp_path, name):
    path, model = write(tmp_path, name)
    seen = {}
    for place, layer in dcls_layers(model).items():
        layer.register_forward_pre_hook(
            lambda _, inputs, place=place: seen.update({place: tuple(inputs[0].shape[2:])})
        )
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, 64, 64))
    found = map_sizes(path)
    assert set(found) == set(read_positions(path))
    for stage, size in found.items():
        assert size == max(one for place, one in seen.items() if place.startswith(stage))


def test_what_no_pixel_can_meet_is_hatched():
    stages = {f"stages.{i}": np.random.default_rng(0).normal(0, 3, (99, 2)) for i in range(3)}
    maps = {"stages.0": (9, 9), "stages.1": (7, 9), "stages.2": (3, 3)}  # the window reaches 8
    figure = learned_positions({"one": (17, stages)}, maps={"one": maps})
    patches = [[one for one in axes.patches if one.get_hatch()] for axes in figure.axes[:3]]
    assert [len(own) for own in patches] == [0, 1, 1]
    frame, hole = np.split(np.abs(patches[1][0].get_path().vertices), 2)
    assert (frame == 8).all() and (hole == [8, 6]).all()  # right and down
    assert any("meets no pixel" in " ".join(text.split()) for text in texts(figure))
    wide = dict.fromkeys(stages, (9, 9))
    plain = learned_positions({"one": (17, stages)}, maps={"one": wide})
    assert not any("meets no pixel" in " ".join(text.split()) for text in texts(plain))


def test_eight_networks_are_legible():
    """As many and as wide as the paper's, with a name that is long."""
    random = np.random.default_rng(0)
    stages = {f"stages.{i}": random.normal(0, 3, (34_816, 2)).clip(-8, 8) for i in range(4)}
    names = [f"convformer_s{i}" for i in range(7)]
    attention = {name: stages[name] for name in ("stages.0", "stages.1")}
    resnet = {f"layer{i}": np.zeros((1_310_720, 2)) for i in (1, 2, 3, 4)}
    found = {name: (17, stages) for name in names[:6]} | {names[6]: (17, attention)}
    maps = {name: {f"stages.{i}": (56 // 2**i,) * 2 for i in range(4)} for name in names}
    figure = learned_positions(found | {"resnet50": (7, resnet)}, "A note.", maps=maps)
    assert figure.get_figheight() < 10
    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()
        check_texts(texts_of(figure), figure)


@pytest.mark.parametrize(
    "stage, shown",
    [("stages.2", "stage 3"), ("layer3", "stage 3"), ("s3", "stage 3"), ("conv_stem", "conv_stem")],
)
def test_stages_count_from_one(stage, shown):
    figure = learned_positions({"network": (9, {stage: np.zeros((5, 2))})})
    assert shown in texts(figure)


def test_positions_of_files_and_of_none(tmp_path, capsys):
    paths = [str(write(tmp_path, name)[0]) for name in ("resnet50", "resnet50_dcls")]
    figure = tmp_path / "positions.png"
    plot_positions.main([*paths, "--output", str(figure), str(tmp_path / "positions.pdf")])
    assert figure.stat().st_size > 5000
    plot_positions.main(["--output", str(figure)])
    assert "No network of this study has DCLS." in texts(learned_positions({}))


def curve(dcls):
    rows = {"step": [10, 20], "loss": [2.0, 1.0], "train_top1": [20.0, 60.0], "epoch": [1.0, 2.0]}
    return pd.DataFrame(rows | {"position_spread": [0.5, 0.8] if dcls else [None, None]})


def test_a_line_for_each_seed(tmp_path):
    parts = [("resnet50", 0, "seed0"), ("resnet50", 0, "seed1"), ("my_network", 1, "seed0")]
    tables = [small_study.named(curve(d).assign(model=m, dcls=d, run=r)) for m, d, r in parts]
    figure = learning_curves(pd.concat(tables))
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 0, 1, 1, 1]
    assert [line.get_linestyle() for line in figure.axes[0].lines] == ["--", "--"]
    assert figure.axes[3].lines[0].get_linestyle() == "-"
    said = texts(figure)
    assert said.count("no DCLS") == 1 and "my_network_dcls" in said
    files = []
    for (model, dcls, run), table in zip(parts, tables, strict=True):
        path = tmp_path / (model + "_dcls" * dcls) / f"{run}.curve.csv"
        path.parent.mkdir(exist_ok=True)
        table.drop(columns=["model", "dcls", "run", "network"]).to_csv(path, index=False)
        files.append(str(path))
    plot_curves.main([*files, "--output", str(tmp_path / "curves.pdf")])
    assert (tmp_path / "curves.pdf").stat().st_size > 5000
