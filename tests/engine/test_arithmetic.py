"""The operations that replace those of torch on the CPU, against torch's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcv.engine import arithmetic
from dlcv.runtime import compute
from dlcv.runtime.errors import UserError

DTYPES = [torch.float32, torch.float64, torch.bfloat16]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the replaced operations that torch calls."""
    names: list[str] = []

    def recorded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            names.append(name)
            return function(*arguments, **more)

        return call

    own = {name: recorded(name, function) for name, function in arithmetic.REPLACEMENTS.items()}
    monkeypatch.setattr(arithmetic, "REPLACEMENTS", own)
    library = arithmetic.replace_operations()
    yield names
    library._destroy()
    arithmetic._library = arithmetic.replace_operations() if arithmetic._library is None else arithmetic._library


def random(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape))).to(dtype)


def test_the_tests_compute_as_the_study_does() -> None:
    assert compute.settings() == {"portable": True, "threads": 1, "compile": "none"}
    assert arithmetic._library is not None and torch.get_num_threads() == 1
    assert torch.backends.cpu.get_cpu_capability() == "AVX2"


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_are_those_of_float64(dtype: torch.dtype) -> None:
    a, b, c = random(5, 7, dtype=dtype), random(7, 3, dtype=dtype), random(3, dtype=dtype)
    more, others = random(4, 5, 7, dtype=dtype), random(4, 3, 7, dtype=dtype).mT
    exact = [np.asarray(value.double()) for value in (a, b, c, more, others)]
    tolerance = {"rtol": 0.02, "atol": 0.05} if dtype == torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-6}
    for result, expected in (
        (a @ b, exact[0] @ exact[1]),
        (more @ others, exact[3] @ exact[4]),
        (more @ b, exact[3] @ exact[1]),
        (torch.addmm(c, a, b), exact[2] + exact[0] @ exact[1]),
        (torch.addmm(c, a, b, beta=0.5, alpha=2), 0.5 * exact[2] + 2 * exact[0] @ exact[1]),
        (torch.addmm(c * torch.nan, a, b, beta=0), exact[0] @ exact[1]),
    ):
        assert result.dtype == dtype
        np.testing.assert_allclose(np.asarray(result.double()), expected, **tolerance)


@pytest.mark.parametrize("name", ["sqrt", "acos", "asin", "atan"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_functions(name: str, dtype: torch.dtype) -> None:
    x = torch.linspace(0, 1, 100).to(dtype)
    result = getattr(torch, name)(x)
    expected = getattr(np, name.replace("a", "arc", 1) if name != "sqrt" else name)(x.double().numpy())
    assert result.dtype == dtype
    torch.testing.assert_close(result.double(), torch.from_numpy(expected).to(dtype).double(), rtol=1e-6, atol=1e-7)


def test_square_roots_are_rounded_correctly_in_place_and_into_another_tensor() -> None:
    x = torch.rand(10_000, generator=torch.Generator().manual_seed(0))
    expected = torch.from_numpy(np.sqrt(x.numpy()))
    assert torch.equal(torch.sqrt(x), expected)
    assert torch.equal(torch.sqrt(x, out=torch.empty(0)), expected)
    assert torch.equal(torch.sqrt(torch.tensor([4, 9])), torch.tensor([2.0, 3.0]))
    assert torch.equal(torch._foreach_sqrt([x])[0], expected)
    assert torch.equal(x.sqrt_(), expected) and torch.equal(x, expected)
    assert torch.sqrt(torch.tensor(4.0)).shape == ()


def test_gradients_pass_through() -> None:
    a, b = random(4, 3, dtype=torch.float64).requires_grad_(), random(3, 2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: (a @ b).square().add(1).sqrt(), (a, b))
    assert torch.autograd.gradgradcheck(lambda a, b: F.linear(a, b.T).sin(), (a, b))


def test_forward_and_backward_use_the_replacements(calls: list[str]) -> None:
    x = random(4, 8).requires_grad_()
    F.linear(x, random(3, 8), random(3)).sum().backward()
    assert calls == ["addmm", "mm"]
    calls.clear()
    q = random(2, 4, 6, 8).requires_grad_()
    F.scaled_dot_product_attention(q, q, q).sum().backward()
    assert len(calls) >= 5 and set(calls) == {"bmm"}  # attention by products, and no kernel of its own


def test_only_a_training_in_tf32_computes_in_tf32() -> None:
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32  # torch's own is True
    arithmetic.make_accelerator("tf32")
    assert torch.backends.cudnn.allow_tf32 and torch.backends.cuda.matmul.allow_tf32
    arithmetic.make_accelerator("fp32")
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_fp16_without_a_gpu_is_one_line() -> None:
    with pytest.raises(UserError, match="precision fp16 needs a GPU, and there is none; set bf16"):
        arithmetic.make_accelerator("fp16")
