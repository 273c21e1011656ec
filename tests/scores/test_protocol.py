import json

import numpy as np
import pytest
import yaml
from human_alignment.common.cli import UserError
from human_alignment.data.resize import resize_bilinear
from human_alignment.scores.postprocess import cut, image_rho, normalised, postprocess
from human_alignment.scores.protocol import PAPER, RELEASED, Protocol, protocol_argument
from human_alignment.scores.score_file import Scores
from human_alignment.scores.spearman import correlate, rank
from pydantic import ValidationError

THRESHOLD = "threshold_grad_cam"


def counted(protocol, scores):
    """Rho of the images that enter the mean."""
    rho = image_rho(protocol, scores)
    return rho[~np.isnan(rho)]


def maps(*rows):
    return np.array(rows, np.float32).reshape(len(rows), 2, -1)


def test_released_maps_equal_the_released_code(data_dir):
    known = np.load(data_dir / "scores" / "released_maps.npz")
    made = postprocess(RELEASED, THRESHOLD, known["normalised"], 224)
    np.testing.assert_allclose(made[:1], known["floored_224"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(
        cut(RELEASED, normalised(RELEASED, known["normalised"])), known["floored"]
    )
    plain = postprocess(RELEASED, "grad_cam", known["gradcam"], 224)
    tolerance = 1e-6 * known["gradcam_224"].max()
    np.testing.assert_allclose(plain[:1], known["gradcam_224"], rtol=0, atol=tolerance)


def test_released_score_equals_the_released_code(data_dir, root):
    clickme = yaml.safe_load((root / "config.yaml").read_text())["clickme"]
    known = np.load(data_dir / "scores" / "released_scores.npz")
    status = np.where(known["skipped"], "constant_heatmap", "ok")
    ceiling = clickme["human_ceiling"]
    assert ceiling == known["human_ceiling"]
    score = RELEASED.scaled(counted(RELEASED, Scores(known["rho"], status)).mean(), ceiling)
    assert score == pytest.approx(known["score"], abs=1e-12)
    whole = len(status) // known["batch_size"] * known["batch_size"]
    scores = Scores(known["rho"][:whole], status[:whole])
    score = RELEASED.scaled(counted(RELEASED, scores).mean(), ceiling)
    assert score == pytest.approx(known["score_drop_remainder"], abs=1e-12)


def test_each_field_acts_on_the_map_as_it_says():
    raw = maps([2, 3, 4, 6])
    cases = {
        ("minmax", "floor"): [0.3, 0.3, 0.5, 1],
        ("minmax", "zero"): [0, 0, 0.5, 1],
        ("max", "floor"): [1 / 3, 0.5, 2 / 3, 1],
        ("max", "zero"): [1 / 3, 0.5, 2 / 3, 1],
    }
    for (normalisation, below), expected in cases.items():
        protocol = RELEASED.changed(normalisation=normalisation, below_threshold=below)
        np.testing.assert_allclose(
            postprocess(protocol, THRESHOLD, raw, 2).ravel(), expected, rtol=1e-6
        )


def test_threshold_keeps_values_that_equal_it():
    protocol = PAPER.changed(threshold=0.5)
    made = postprocess(protocol, THRESHOLD, maps([4, 2, 1.9, 0]), 2)
    np.testing.assert_array_equal(made.ravel(), [1, 0.5, 0, 0])


def test_order_of_resize_and_threshold():
    raw = maps([0, 1, 0, 1])
    last = postprocess(RELEASED, THRESHOLD, raw, 4)
    np.testing.assert_allclose(last[0, 0], [0.3, 0.475, 0.825, 1], rtol=1e-6)
    first = postprocess(RELEASED.changed(resize="first"), THRESHOLD, raw, 4)
    np.testing.assert_allclose(first[0, 0], [0.3, 0.3, 0.75, 1], rtol=1e-6)


@pytest.mark.parametrize("protocol", [RELEASED, PAPER])
def test_other_explainers_are_resized_only(protocol):
    raw = maps([-3, 5, 7, 0.1])
    np.testing.assert_array_equal(
        postprocess(protocol, "grad_cam", raw, 6), resize_bilinear(raw, 6, 6)
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("resize", ["first", "last"])
@pytest.mark.parametrize("normalisation", ["minmax", "max"])
@pytest.mark.parametrize("below", ["floor", "zero"])
def test_empty_and_broken_maps_are_counted_and_never_divide_by_zero(resize, normalisation, below):
    protocol = RELEASED.changed(resize=resize, normalisation=normalisation, below_threshold=below)
    inf, nan = np.inf, np.nan
    raw = maps(
        [0, 0, 0, 0], [2, 2, 2, 2], [-1, -1, -1, -1], [nan, 0, 1, 2], [-inf, 0, 1, 2], [inf] * 4
    )
    made = postprocess(protocol, THRESHOLD, raw, 8)
    assert np.isnan(made[3:]).all()
    human = rank(np.tile(np.arange(64.0), (6, 1)))
    _, status = correlate(human, made)
    assert status.tolist() == ["constant_heatmap"] * 3 + ["nonfinite_heatmap"] * 3


def test_broken_map_leaves_its_neighbours_alone():
    raw = maps([1, 2, 3, 4], [np.nan, 2, 3, 4], [4, 3, 2, 1])
    both = postprocess(RELEASED, THRESHOLD, raw, 8)
    np.testing.assert_array_equal(both[[0, 2]], postprocess(RELEASED, THRESHOLD, raw[[0, 2]], 8))


def test_maps_are_float32_and_the_input_is_left_as_it_was():
    raw = np.random.default_rng(0).random((3, 7, 7))
    before = raw.copy()
    for protocol in (RELEASED, PAPER):
        made = postprocess(protocol, THRESHOLD, raw, 16)
        assert made.dtype == np.float32
        assert made.shape == (3, 16, 16)
    np.testing.assert_array_equal(raw, before)


def test_what_undefined_images_contribute():
    rho = np.array([0.5, np.nan, np.nan, np.nan, -0.1])
    status = np.array(["ok", "constant_heatmap", "constant_human_map", "nonfinite_heatmap", "ok"])
    scores = Scores(rho, status)
    assert counted(RELEASED, scores).tolist() == [0.5, -0.1]
    assert counted(PAPER, scores).tolist() == [0.5, 0, -0.1]


def test_records_of_one_image_are_averaged_over_those_that_enter():
    rho = np.array([0.5, 0.1, np.nan, np.nan, 0.7])
    status = np.array(["ok", "ok", "constant_heatmap", "constant_human_map", "ok"])
    scores = Scores(rho, status, np.array([0, 1, 0, 1, 0]))
    np.testing.assert_allclose(counted(RELEASED, scores), [0.6, 0.1])
    np.testing.assert_allclose(counted(PAPER, scores), [0.4, 0.1])


def test_a_known_ceiling_divides_where_the_protocol_says_so():
    assert RELEASED.divide_by_ceiling and not PAPER.divide_by_ceiling
    assert RELEASED.scaled(0.3, 0.7) == 0.3 / 0.7 and RELEASED.divisor(0.7) == 0.7
    assert RELEASED.scaled(0.3, None) == 0.3 and RELEASED.divisor(None) is None
    assert PAPER.scaled(0.3, 0.7) == 0.3 and PAPER.divisor(0.7) is None


def test_overrides_change_a_preset_and_all_fields_are_written_out():
    protocol = Protocol.from_config("paper", {"threshold": 0, "divide_by_ceiling": True})
    assert protocol == PAPER.changed(threshold=0, divide_by_ceiling=True)
    assert Protocol(**json.loads(json.dumps(protocol.as_dict()))) == protocol
    assert Protocol.from_config("released") is not PAPER
    assert Protocol.from_config("released") == RELEASED


@pytest.mark.parametrize(
    ("preset", "overrides", "message"),
    [
        ("publised", {}, "unknown preset 'publised'; allowed: released, paper"),
        ("paper", {"treshold": 0.3}, "unknown key 'treshold'.*allowed: .*threshold"),
        ("paper", {"resize": "before"}, "resize is 'before'; allowed: last or first"),
        ("paper", {"normalisation": None}, "normalisation is None; allowed: minmax or max"),
        ("paper", {"normalisation": ["max"]}, "normalisation is .*; allowed: minmax or max"),
        ("paper", {"threshold": 1.2}, "threshold is 1.2; allowed: a number from 0 to 1"),
        ("paper", {"threshold": True}, "threshold is True; allowed"),
        ("paper", {"threshold": "0.3"}, "threshold is '0.3'; allowed"),
        ("paper", {"threshold": float("nan")}, "threshold is nan; allowed"),
        ("paper", {"divide_by_ceiling": 0.7}, "divide_by_ceiling is 0.7; allowed: true or false"),
        ("paper", {"human_ceiling": 0.7}, "unknown key 'human_ceiling'.*divide_by_ceiling"),
    ],
)
def test_wrong_words_in_the_config_are_named_with_what_is_allowed(preset, overrides, message):
    with pytest.raises(UserError, match=message):
        Protocol.from_config(preset, overrides)


def test_a_protocol_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        RELEASED.threshold = 0.5


def test_the_old_word_for_crop_is_read():
    assert RELEASED.changed(geometry="released") == RELEASED and RELEASED.geometry == "crop"
    assert Protocol.from_fields({**PAPER.as_dict(), "geometry": "released"}).geometry == "crop"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("paper", PAPER),
        ('{"preset": "paper"}', PAPER),
        ('{"preset": "released", "threshold": 0.2}', RELEASED.changed(threshold=0.2)),
        (json.dumps(PAPER.changed(threshold=0.5).as_dict()), PAPER.changed(threshold=0.5)),
    ],
)
def test_the_flag_takes_a_preset_or_json(text, expected):
    assert protocol_argument(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("published", "unknown preset 'published'; allowed: released, paper"),
        ('{"preset": ["paper"]}', "unknown preset .'paper'.; allowed: released, paper"),
        ('{"threshold": 0.2}', "the key 'target' is missing; required: target, geometry"),
        ('{"preset": "paper", "geometry": "wide"}', "geometry is 'wide'; allowed: crop or full"),
    ],
)
def test_a_wrong_flag_is_refused_in_one_line(text, message):
    with pytest.raises(UserError, match=message) as caught:
        protocol_argument(text)
    assert "\n" not in str(caught.value)
