"""A network layer by layer, as the report prints it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchinfo import summary

from dlcv.engine.weights import count_parameters


def layers(network: nn.Module, example: Tensor | Sequence[Tensor], depth: int) -> list[dict[str, Any]]:
    """The layers of `network` in the order of a forward pass.

    Args:
        example: an input with a batch of one, or the tuple of inputs.
        depth: of the listed layers; 1 for the direct children, 0 for the network itself.

    Returns:
        For each layer: `layer`, its class with the kernel where it has one; `output`, its shape without the batch;
        `parameters`. Containers are left out.
    """
    was_training = network.training
    with torch.no_grad():
        # In eval mode: BatchNorm refuses a batch of one in training mode, and would count it.
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
    """`parameters` and `layers` of a network, for the JSON beside its weights."""
    return {"parameters": count_parameters(network), "layers": layers(network, example, depth)}
