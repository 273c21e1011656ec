"""Low-pass filter and spectrum of maps, against waves of known frequency."""

import numpy as np
import pytest
from human_alignment.scores.smoothing import BAND, frequencies, low_pass, spectrum

CUTOFFS = [0.5, 1, 2]


def wave(down, across, height=7, width=7):
    """A wave (height, width) of `down` and `across` half cycles per image along the two axes."""
    rows, columns = (np.arange(count) + 0.5 for count in (height, width))
    return np.outer(np.cos(np.pi * down * rows / height), np.cos(np.pi * across * columns / width))


@pytest.mark.parametrize("size", [(7, 7), (14, 7), (7, 12)])
@pytest.mark.parametrize(("down", "across"), [(0, 1), (1, 1), (2, 0), (3, 4), (6, 6), (5, 0)])
def test_a_wave_has_its_power_in_its_band_and_passes_from_its_frequency_on(size, down, across):
    frequency = np.hypot(down, across) / 2
    maps = np.float32(0.3 + wave(down, across, *size))[None]
    share = spectrum(maps)[0]
    place = int(np.ceil(frequency / BAND)) - 1
    assert share[place] == pytest.approx(1, abs=1e-12)
    assert share.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(low_pass(maps, frequency), maps, rtol=0, atol=1e-6)
    below = low_pass(maps, frequency - 0.1)
    assert below.dtype == np.float32 and np.ptp(below) < 1e-6
    np.testing.assert_allclose(below, maps.mean(), rtol=0, atol=1e-6)


def test_shares_of_two_waves_go_as_their_power():
    """The coefficients are orthonormal, so that a wave's power is its sum of squares."""
    one, other = 3 * wave(0, 2), wave(4, 1)
    share = spectrum((5 + one + other)[None])[0]
    powers = (one**2).sum(), (other**2).sum()
    assert share[1] == pytest.approx(powers[0] / sum(powers), abs=1e-12)
    assert share[4] == pytest.approx(powers[1] / sum(powers), abs=1e-12)  # sqrt(17) / 2 in (2, 2.5]


def test_a_cutoff_at_or_above_the_highest_frequency_changes_nothing():
    maps = np.random.default_rng(0).normal(size=(3, 7, 5)).astype(np.float32)
    top = frequencies(7, 5).max()
    assert top == np.hypot(6, 4) / 2
    for cutoff in (top, 9.0):
        np.testing.assert_array_equal(low_pass(maps, cutoff), maps)
    assert not np.array_equal(low_pass(maps, top - 0.01), maps)


@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_a_filter_keeps_the_mean_and_acts_once(cutoff):
    maps = np.random.default_rng(1).normal(size=(4, 7, 7)).astype(np.float32)
    found = low_pass(maps, cutoff)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), maps.mean(axis=(1, 2)), rtol=0, atol=1e-6)
    np.testing.assert_allclose(low_pass(found, cutoff), found, rtol=0, atol=1e-6)
    assert np.nansum(spectrum(found)[:, int(cutoff / BAND) :]) < 1e-10


@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_constant_maps_stay_constant_and_others_without_values_stay_so(cutoff):
    maps = np.full((4, 7, 7), 0.3, np.float32)
    maps[1, 2, 3], maps[2, 0, 0] = np.nan, np.inf
    maps[3] = 0.3 + wave(6, 6)
    found = low_pass(maps, cutoff)
    assert (found[0] == found[0, 0, 0]).all() and (found[3] == found[3, 0, 0]).all()
    assert np.isnan(found[1]).all() and np.isnan(found[2]).all()
    share = spectrum(maps)
    assert np.isnan(share[:3]).all() and share[3].sum() == pytest.approx(1)


def test_a_map_of_one_pixel_has_no_frequency():
    maps = np.ones((2, 1, 1), np.float32)
    assert spectrum(maps).shape == (2, 0)
    np.testing.assert_array_equal(low_pass(maps, 0.5), maps)
