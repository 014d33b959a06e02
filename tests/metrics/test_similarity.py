"""PSNR by hand, SSIM against scikit-image."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from vfplan.metrics.similarity import psnr, ssim


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(3, 64, 64), (3, 11, 30), (1, 25, 11)])
@pytest.mark.parametrize("noise", [0.02, 0.3, 1.0])
def test_ssim_is_that_of_the_reference_implementation(shape, noise):
    smooth = torch.linspace(0, 1, shape[-1], dtype=torch.float64).expand(shape)
    a = smooth + 0.1 * images(*shape)
    b = (a + noise * (images(*shape, seed=1) - 0.5)).clamp(0, 1)
    expected = structural_similarity(
        a.numpy(),
        b.numpy(),
        data_range=1.0,
        channel_axis=0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(a, b).item() == pytest.approx(expected, abs=1e-12)


def test_ssim_in_single_precision_is_accurate_enough_to_report():
    a = images(4, 3, 32, 32)
    b = (a + 0.02 * images(4, 3, 32, 32, seed=1)).clamp(0, 1)
    assert torch.allclose(ssim(a.float(), b.float()).double(), ssim(a, b), atol=1e-4)


def test_equal_images_have_similarity_one_and_infinite_psnr():
    a = images(2, 3, 16, 16)
    assert torch.allclose(ssim(a, a), torch.ones(2, dtype=torch.float64))
    assert psnr(a, a).tolist() == [math.inf, math.inf]


def test_psnr_by_hand():
    """An offset of 0.1 is a mean square of 0.01: 20 dB."""
    a = torch.full((3, 8, 8), 0.4, dtype=torch.float64)
    assert psnr(a + 0.1, a).item() == pytest.approx(20.0)


def test_a_reference_broadcasts_over_samples():
    many, one = images(5, 2, 3, 16, 16), images(2, 3, 16, 16, seed=1)
    for score in (psnr, ssim):
        together = score(many, one)
        assert together.shape == (5, 2)
        alone = np.array([[score(many[k, t], one[t]).item() for t in range(2)] for k in range(5)])
        assert np.allclose(together, alone)


def test_images_smaller_than_a_window_are_refused():
    with pytest.raises(ValueError, match="at least 11 x 11 pixels; got 10 x 16"):
        ssim(images(3, 10, 16), images(3, 10, 16))
