"""A network layer by layer, as the report prints it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchinfo import summary


def layers(network: nn.Module, example: Tensor, depth: int) -> list[dict[str, Any]]:
    """The layers of `network` down to `depth`, 1 for its direct children, in the order of a forward pass.

    Args:
        example: an input, of a single item.

    Returns:
        For each: `layer`, its class with kernel where it has one; `output`, the shape without the
        batch; `parameters`. Containers are left out.
    """
    was_training = network.training
    with torch.no_grad():
        # In eval mode: BatchNorm refuses a single item in training mode, and would remember it.
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
