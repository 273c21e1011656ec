"""What docs/protocols.md says of the two protocols, and its formulas, are those of the code."""

import re

import numpy as np
import pytest
import yaml
from human_alignment.data.resize import resize_bilinear
from human_alignment.scores.bootstrap import bootstrap_interval, draws
from human_alignment.scores.protocol import PRESETS
from scipy import stats


@pytest.fixture(scope="module")
def text(root):
    return (root / "docs" / "protocols.md").read_text()


def test_the_table_of_fields_is_that_of_the_presets(text):
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\S+) \|$", text, re.M)
    for column, name in enumerate(("released", "paper"), start=1):
        said = {row[0]: yaml.safe_load(row[column]) for row in rows}
        assert said == PRESETS[name].as_dict()


def test_the_formula_of_the_resize(text):
    assert "x  =  (i + 1/2) L / M - 1/2" in text
    values, length = np.array([0, 1, 4, 2], np.float32), 7
    place = (np.arange(length) + 1 / 2) * len(values) / length - 1 / 2
    ends = [np.clip(end(place), 0, 3).astype(int) for end in (np.floor, np.ceil)]
    a, b = (values[end] for end in ends)
    expected = a + (place - np.floor(place)) * (b - a)
    found = resize_bilinear(values[None], 1, length)[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_formula_of_the_interval(text):
    assert "quantiles  =  Phi( z + (z - w) / (1 - a (z - w)) )" in text
    values, resamples = np.random.default_rng(1).exponential(size=30), 2000
    means = np.concatenate([values[index].mean(axis=1) for index in draws(30, resamples, 0)])
    z = stats.norm.ppf(np.mean(means < values.mean()))
    a = stats.skew(values) / (6 * np.sqrt(30))
    w = stats.t.ppf(0.975, 29) * np.sqrt(30 / 29)
    ends = [stats.norm.cdf(z + (z + s * w) / (1 - a * (z + s * w))) for s in (-1, 1)]
    expected = np.quantile(means, ends)
    np.testing.assert_allclose(bootstrap_interval(values, resamples=resamples), expected, rtol=1e-9)
