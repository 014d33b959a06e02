"""A solver with fixed steps: linear equations are solved as by the matrix exponential, and back again."""

import pytest
import torch

from vfplan.models.parts.ode import integrate


@pytest.fixture
def linear():
    """A matrix A (4, 4) and vectors z (3, 4)."""
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(rows, 4, generator=rng, dtype=torch.float64) for rows in (4, 3)]


def moved(a, z, time, steps):
    return integrate(lambda at: at @ a.T, z, time, steps)


@pytest.mark.parametrize("time", [1.0, -0.5, 0.0])
def test_a_linear_velocity_gives_the_matrix_exponential(linear, time):
    a, z = linear
    assert torch.allclose(moved(a, z, time, 64), z @ torch.matrix_exp(a * time).T, atol=1e-5, rtol=0)


def test_halving_the_steps_divides_the_error_by_sixteen(linear):
    a, z = linear
    exact = z @ torch.matrix_exp(a).T
    coarse, fine = ((moved(a, z, 1.0, steps) - exact).norm() for steps in (16, 32))
    assert 12 < coarse / fine < 20


def test_time_runs_backwards(linear):
    _, z = linear

    def velocity(at):
        return torch.stack([at[:, 1], -at[:, 0].sin(), at[:, 3], -(at[:, 2] ** 3)], dim=1)

    there = integrate(velocity, z, 1.0, 64)
    assert (there - z).abs().max() > 0.1
    assert torch.allclose(integrate(velocity, there, -1.0, 64), z, atol=1e-6)


def test_rows_do_not_meet(linear):
    a, z = linear
    assert torch.allclose(moved(a, z, 1.0, 2)[1:2], moved(a, z[1:2], 1.0, 2), atol=1e-12)


def test_no_steps_are_refused(linear):
    with pytest.raises(ValueError, match="steps must be 1 or more; got 0"):
        moved(*linear, 1.0, 0)
