"""Seeded latents, and interpolation: its ends, norms and degenerate cases."""

from __future__ import annotations

import pytest
import torch

from dlcv.data.latents import lerp, normal, seeds_of, slerp


def latents(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def test_the_first_latents_of_a_seed_are_the_same_for_every_count() -> None:
    few, many = normal(3, (2, 4, 4), seed=7), normal(20, (2, 4, 4), seed=7)
    assert few.shape == (3, 2, 4, 4) and few.dtype == torch.float32
    assert torch.equal(few, many[:3])
    assert torch.equal(normal(1, [16], seed=7)[0], many[0].flatten()[:16])


def test_latents_depend_on_the_seed_and_on_nothing_else() -> None:
    torch.manual_seed(0)
    first = normal(2, (5,), seed=1)
    state = torch.get_rng_state()
    assert torch.equal(normal(2, (5,), seed=1), first) and not torch.equal(normal(2, (5,), seed=2), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_latents_are_standard_normal() -> None:
    z = normal(100, (10, 10), seed=0)
    assert z.mean().item() == pytest.approx(0.0, abs=0.05) and z.std().item() == pytest.approx(1.0, abs=0.05)
    assert not torch.equal(z[0], z[1])


def test_the_seed_of_a_name_does_not_depend_on_the_other_names() -> None:
    seeds = seeds_of(["a.png", "b.png", "c.png"], seed=0)
    assert seeds_of(["c.png", "a.png"], seed=0) == [seeds[2], seeds[0]]
    assert len(set(seeds)) == 3 and all(0 <= seed < 2**32 for seed in seeds)
    assert not set(seeds) & set(seeds_of(["a.png", "b.png", "c.png"], seed=1))


@pytest.mark.parametrize("between", [slerp, lerp])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_between_equal_latents_every_point_is_that_latent(between: object, alpha: float) -> None:
    z = latents(2, 0)
    assert torch.equal(between(z, z, alpha), z)  # type: ignore[operator]


def test_alpha_0_and_1_give_the_two_latents() -> None:
    a, b = latents(3, 0), latents(3, 1)
    for between in (slerp, lerp):
        assert torch.allclose(between(a, b, 0.0), a, atol=1e-6) and torch.allclose(between(a, b, 1.0), b, atol=1e-6)


def test_half_way_slerp_keeps_the_std_and_lerp_reduces_it() -> None:
    a, b = latents(1, 0), latents(1, 1)
    assert slerp(a, b, 0.5).std().item() == pytest.approx(1.0, abs=0.01)
    assert lerp(a, b, 0.5).std().item() == pytest.approx(0.71, abs=0.01)


def test_every_item_of_a_batch_has_its_own_angle() -> None:
    a, b = latents(4, 0), latents(4, 1)
    b[0] = a[0]  # an angle computed over the whole batch would change this one too
    b[1] = 2 * b[1]
    together = slerp(a, b, 0.4)
    for index in range(4):
        alone = slerp(a[index : index + 1], b[index : index + 1], 0.4)
        assert torch.allclose(together[index], alone[0], atol=1e-6)
    assert torch.equal(together[0], a[0])


def test_the_angle_of_slerp_is_proportional_to_alpha() -> None:
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    for alpha in (0.1, 0.5, 0.75):
        angle = torch.tensor(alpha * torch.pi / 2)
        assert torch.allclose(slerp(a, b, alpha), torch.stack([angle.cos(), angle.sin()])[None], atol=1e-6)


def test_opposite_and_nearly_equal_latents_give_finite_values() -> None:
    z = latents(1, 0)
    for other in (-z, z * (1 + 1e-7), z + 1e-7):
        assert slerp(z, other, 0.3).isfinite().all()
    assert torch.equal(slerp(torch.zeros(1, 4), torch.zeros(1, 4), 0.5), torch.zeros(1, 4))
    a = torch.ones(1, 4, dtype=torch.float64)
    assert slerp(a, 3 * a, 0.5).tolist() == [[2.0] * 4]
