"""Ways between latents: ends, norms, and the places where the formula has none."""

from __future__ import annotations

import pytest
import torch

from dlcv.data.latents import lerp, slerp


def latents(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("between", [slerp, lerp])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_from_a_latent_to_itself_is_that_latent(between: object, alpha: float) -> None:
    z = latents(2, 0)
    assert torch.equal(between(z, z, alpha), z)  # type: ignore[operator]


def test_the_ends_are_the_ends() -> None:
    a, b = latents(3, 0), latents(3, 1)
    for between in (slerp, lerp):
        assert torch.allclose(between(a, b, 0.0), a, atol=1e-6) and torch.allclose(between(a, b, 1.0), b, atol=1e-6)


def test_half_way_the_arc_keeps_the_deviation_and_the_line_loses_it() -> None:
    a, b = latents(1, 0), latents(1, 1)
    assert slerp(a, b, 0.5).std().item() == pytest.approx(1.0, abs=0.01)
    assert lerp(a, b, 0.5).std().item() == pytest.approx(0.71, abs=0.01)


def test_every_item_of_a_batch_goes_its_own_way() -> None:
    a, b = latents(4, 0), latents(4, 1)
    b[0] = a[0]  # one angle over the whole batch would bend this one too
    b[1] = 2 * b[1]
    together = slerp(a, b, 0.4)
    for index in range(4):
        alone = slerp(a[index : index + 1], b[index : index + 1], 0.4)
        assert torch.allclose(together[index], alone[0], atol=1e-6)
    assert torch.equal(together[0], a[0])


def test_the_arc_turns_at_an_even_rate() -> None:
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    for alpha in (0.1, 0.5, 0.75):
        angle = torch.tensor(alpha * torch.pi / 2)
        assert torch.allclose(slerp(a, b, alpha), torch.stack([angle.cos(), angle.sin()])[None], atol=1e-6)


def test_opposite_and_nearly_equal_ends_give_numbers() -> None:
    z = latents(1, 0)
    for other in (-z, z * (1 + 1e-7), z + 1e-7):
        assert slerp(z, other, 0.3).isfinite().all()
    assert torch.equal(slerp(torch.zeros(1, 4), torch.zeros(1, 4), 0.5), torch.zeros(1, 4))
    a = torch.ones(1, 4, dtype=torch.float64)
    assert slerp(a, 3 * a, 0.5).tolist() == [[2.0] * 4]
