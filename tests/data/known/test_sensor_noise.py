"""Sensor noise: the mass function that it says is the one it draws from."""

import math

import numpy as np
import pytest

from vfplan.data.known import Noise


@pytest.mark.parametrize("std", [0.5, 1.0, 4.0, 15.0])
def test_the_mass_is_a_discrete_gaussian_that_sums_to_one(std):
    mass = Noise(noise_std=std).probabilities()
    levels = np.arange(len(mass)) - len(mass) // 2
    assert mass.sum() == 1 and mass.min() > 0
    np.testing.assert_array_equal(mass, mass[::-1])
    exact = np.exp(-0.5 * (np.arange(-200, 201) / std) ** 2)
    exact = dict(zip(range(-200, 201), exact / exact.sum(), strict=True))
    np.testing.assert_allclose(mass, [exact[level] for level in levels], atol=1e-3)
    np.testing.assert_allclose(mass[levels != 0], [exact[level] for level in levels if level], atol=2**-16)
    if std >= 1:
        assert math.sqrt((mass * levels**2).sum()) == pytest.approx(std, rel=2e-3)


@pytest.mark.parametrize("std", [0.5, 15.0])
def test_no_pixel_can_be_clipped(std):
    source = Noise(noise_std=std)
    radius = len(source.probabilities()) // 2
    assert source.scene().min() - radius >= 0 and source.scene().max() + radius <= 255


def test_draws_have_the_frequencies_of_the_mass_and_differ_everywhere():
    source = Noise(image_size=32, noise_std=2.0, length=20)
    noise = source.episode(0, 7).frames.astype(int) - source.scene()
    mass = source.probabilities()
    counts = np.bincount(noise.ravel() + len(mass) // 2, minlength=len(mass))
    assert len(counts) == len(mass)
    common = mass * noise.size > 20
    statistic = ((counts - mass * noise.size) ** 2 / (mass * noise.size))[common].sum()
    assert statistic < common.sum() + 4 * math.sqrt(2 * common.sum())
    neighbours = [noise[1:] * noise[:-1], noise[:, 1:] * noise[:, :-1], noise[..., 1:] * noise[..., :-1]]
    for products in neighbours:  # independent in time, in space and over colours
        assert abs(products.mean()) < 4 * 4.0 / math.sqrt(products.size)


def test_entropy_is_the_sum_over_all_sub_pixels():
    source = Noise(image_size=16, noise_std=3.0)
    brute = -sum(p * math.log2(p) for p in source.probabilities())
    assert source.entropy_bits(0) == pytest.approx(16 * 16 * 3 * brute, rel=1e-12)
    # A fine discrete Gaussian has the entropy of the continuous one.
    assert brute == pytest.approx(0.5 * math.log2(2 * math.pi * math.e * 9), abs=2e-3)


def test_information_is_the_probability_of_every_sub_pixel_and_averages_to_the_entropy():
    source = Noise(image_size=16, noise_std=3.0)
    noise = source.episode(2, 1).frames[3].astype(int) - source.scene()
    mass = source.probabilities()
    brute = -sum(math.log2(mass[level + len(mass) // 2]) for level in noise.ravel())
    assert source.information_bits(2, 1, 2) == pytest.approx(brute, rel=1e-12)
    bits = np.array([source.information_bits(0, index, 0) for index in range(300)])
    assert abs(bits.mean() - source.entropy_bits(0)) < 4 * bits.std() / math.sqrt(len(bits))


def test_the_scene_is_the_same_in_all_episodes_and_the_noise_is_not():
    source = Noise(image_size=16)
    means = [np.mean([source.episode(seed, i).frames for i in range(200)], axis=(0, 1)) for seed in (0, 1)]
    np.testing.assert_allclose(means[0], source.scene(), atol=5 * 4 / math.sqrt(1000))
    np.testing.assert_allclose(means[1], source.scene(), atol=5 * 4 / math.sqrt(1000))
    frames = np.stack([source.episode(0, index).frames for index in range(5)]).reshape(25, -1)
    assert len({frame.tobytes() for frame in frames}) == 25
    np.testing.assert_array_equal(source.episode(0, 3).frames, Noise(image_size=16).episode(0, 3).frames)


def test_impossible_settings_are_refused():
    for values, message in [
        ({"noise_std": 0.4}, r"noise_std must be in \[0.5, 15\], got 0.4"),
        ({"noise_std": 15.5}, r"noise_std must be in \[0.5, 15\], got 15.5"),
        ({"image_size": 15}, r"image_size must be in \[16, 1024\], got 15"),
        ({"length": 0}, "length must be in"),
    ]:
        with pytest.raises(ValueError, match=message):
            Noise(**values)
