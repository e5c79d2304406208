"""Where and how torch computes: device, precision, compiled networks, random numbers, the same bits on every CPU.

Every stage that computes with torch imports this module; a test holds it. Where the environment says so (see
`dlcv.engine.environment`), the import replaces the operations of torch on the CPU that MKL computes:

- Square roots and inverse trigonometric functions: MKL's vector mathematics gives other bits on other CPUs, whatever
  its settings are. NumPy's functions do not.
- Matrix products: with the setting that makes MKL portable they take two to four times as long. NumPy's OpenBLAS,
  held to the kernels of one CPU, is portable and as fast as MKL without the setting.

The replacements are below torch's differentiation, so they serve the backward pass too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from torch import Tensor, nn

from dlcv.engine import environment  # noqa: F401, whose variables decide what torch computes
from dlcv.runtime import compute
from dlcv.runtime.errors import UserError

FLOATS = (torch.float32, torch.float64)  # NumPy knows no bfloat16, and has no fast products of other types


def device() -> torch.device:
    """The GPU if there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def make_accelerator(precision: str = "fp32") -> Accelerator:
    """The device and the processes that `accelerate launch` or the environment has set.

    Args:
        precision: of a training. "fp32"; "tf32", products of fp32 numbers with 10 bits of mantissa on a GPU; or
            autocast to "bf16" or "fp16". Everything but trainings computes in fp32.

    Raises:
        UserError: fp16 without a GPU.
    """
    if precision == "fp16" and not torch.cuda.is_available():
        raise UserError("precision fp16 needs a GPU, and there is none; set bf16, which a CPU computes too, or fp32")
    use_tf32(precision == "tf32")
    # The first steps look for the fastest convolutions; the shapes of a training are fixed, so they stay the fastest.
    torch.backends.cudnn.benchmark = True
    return Accelerator(
        mixed_precision=precision if precision in ("bf16", "fp16") else "no",
        # A schedule counts the steps of one process, for any number of processes.
        step_scheduler_with_optimizer=False,
        # A step of a method may leave heads of its network unused.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def use_tf32(on: bool) -> None:
    """Whether a GPU may round the factors of fp32 products to 10 bits of mantissa; in convolutions PyTorch does so."""
    torch.backends.cuda.matmul.allow_tf32 = on
    torch.backends.cudnn.allow_tf32 = on


def compile_mode(device: torch.device) -> str | None:
    """The mode of torch.compile for trainings on `device` by `compute.compile`; None if they are not compiled."""
    mode: str = compute.settings()["compile"]
    return mode if device.type == "cuda" and mode != "none" else None


def compile_networks(networks: Iterable[nn.Module], mode: str, backend: str = "inductor") -> None:
    """Let torch compile what the networks compute when they are called, in place.

    Calls of `forward` and of parts of a network stay as they are.

    Args:
        mode: of torch.compile. "reduce-overhead" records CUDA graphs, which help small networks: launching their
            kernels takes longer than the kernels. Each step then has to begin with
            `torch.compiler.cudagraph_mark_step_begin`.
    """
    # A network that is called in several ways, or in two modes of gradients, is compiled for each.
    torch._dynamo.config.recompile_limit = 64
    for network in networks:
        network.compile(mode=mode, backend=backend, dynamic=False)


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, NumPy and torch, with a different seed for each process."""
    set_seed(seed, device_specific=True)


def mm(a: Tensor, b: Tensor) -> Tensor:
    """The product of two matrices."""
    if a.dtype not in FLOATS:
        return torch.mm(a, b, out=a.new_empty(a.shape[0], b.shape[1]))  # not replaced: its name is aten::mm.out
    return torch.from_numpy(a.detach().numpy() @ b.detach().numpy())


def bmm(a: Tensor, b: Tensor) -> Tensor:
    """The products of two batches of matrices."""
    if a.dtype not in FLOATS:
        return torch.bmm(a, b, out=a.new_empty(*a.shape[:2], b.shape[2]))
    return torch.from_numpy(a.detach().numpy() @ b.detach().numpy())


def addmm(c: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """`beta` c + `alpha` a b; where beta is 0, c is not read."""
    if a.dtype not in FLOATS:
        return torch.addmm(c, a, b, beta=beta, alpha=alpha, out=a.new_empty(a.shape[0], b.shape[1]))
    product = a.detach().numpy() @ b.detach().numpy()
    if alpha != 1:
        product *= alpha
    if beta:
        product += c.detach().numpy() if beta == 1 else beta * c.detach().numpy()
    return torch.from_numpy(product)


def elementwise(function: np.ufunc) -> Callable[[Tensor], Tensor]:
    """A function of torch that computes that of NumPy for each element."""

    def replacement(x: Tensor) -> Tensor:
        if x.dtype not in FLOATS:
            return replacement(x.float()).to(x.dtype if x.is_floating_point() else torch.float32)
        return torch.from_numpy(np.asarray(function(x.detach().numpy())))

    return replacement


sqrt = elementwise(np.sqrt)


def sqrt_out(x: Tensor, *, out: Tensor) -> Tensor:
    """The square root of each element, into `out`."""
    return out.resize_(x.shape).copy_(sqrt(x))


def sqrt_(x: Tensor) -> Tensor:
    """The square root of each element, in place."""
    return x.copy_(sqrt(x))


REPLACEMENTS = {
    "mm": mm,
    "bmm": bmm,
    "addmm": addmm,
    "sqrt": sqrt,
    "sqrt.out": sqrt_out,
    "sqrt_": sqrt_,
    "acos": elementwise(np.arccos),
    "asin": elementwise(np.arcsin),
    "atan": elementwise(np.arctan),
}


def replace_operations() -> torch.library.Library:
    """Let torch call `REPLACEMENTS` on the CPU, as long as the returned object lives."""
    library = torch.library.Library("aten", "IMPL", "CPU")  # type: ignore[no-untyped-call]
    for name, function in REPLACEMENTS.items():
        library.impl(name, function, "CPU", allow_override=True)  # type: ignore[no-untyped-call]
    if not torch.cuda.is_available():
        # Attention by matrix products, which are replaced, and not by a kernel that calls MKL.
        torch.backends.cuda.enable_flash_sdp(False)
    return library


use_tf32(False)
if compute.settings()["threads"] is not None:
    torch.set_num_threads(compute.settings()["threads"])
_library = replace_operations() if compute.settings()["portable"] else None
