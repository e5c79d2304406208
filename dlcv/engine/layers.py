"""The table of a network's layers that the report prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchinfo import summary

from dlcv.engine.weights import count_parameters


def layers(network: nn.Module, example: Tensor | Sequence[Tensor], depth: int) -> list[dict[str, Any]]:
    """The layers of `network` in the order of a forward pass, without containers.

    Args:
        example: an input with a batch of one, or a tuple of inputs.
        depth: of the listed layers; 1 lists the direct children, 0 the network itself.

    Returns:
        For each layer: `layer`, its class and kernel size; `output`, the shape of its output without the batch;
        `parameters`, their number.
    """
    was_training = network.training
    with torch.no_grad():
        # Eval mode: in training mode BatchNorm refuses a batch of one, and would update its statistics.
        found = summary(network.eval(), input_data=example, depth=depth, verbose=0).summary_list
    network.train(was_training)
    rows = []
    for layer in found:
        plain = layer.class_name.removeprefix("Parametrized")
        if layer.depth != depth or plain == "ModuleDict" or not layer.output_size:
            continue
        kernel = " " + str(layer.kernel_size).strip("[]").replace(", ", "x") if layer.kernel_size else ""
        normalised = ", spectral norm" if plain != layer.class_name else ""
        rows.append(
            {
                "layer": f"{plain}{kernel}{normalised}",
                "output": " x ".join(str(size) for size in layer.output_size[1:]) or "1",
                "parameters": max(layer.num_params, 0),
            }
        )
    return rows


def described(network: nn.Module, example: Tensor, depth: int) -> dict[str, Any]:
    """Number of parameters and table of layers, for `weights.json`."""
    return {"parameters": count_parameters(network), "layers": layers(network, example, depth)}
