"""Features of images, in which distances and neighbours are measured.

Both networks are in eval mode, so features do not depend on the division into batches (beyond float32 rounding).
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.engine.arithmetic import device
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.efficientnet import EfficientNetLite0
from dlcv.evaluation.extractors.names import INCEPTION_FILE, distance_name, weights_file
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import sha256
from dlcv.runtime.progress import bar

BATCH = 16  # images: the fastest of 8 to 50 on two cores


@dataclass(frozen=True)
class Extractor:
    """A network in eval mode with its weights.

    Attributes:
        name: "efficientnet_lite0" or "inception".
        dimension: D, of its features.
        size: of its input, in pixels.
        resize: how images are brought to its input size.
        weights_sha256: hexadecimal, of the file with its weights.
    """

    name: str
    dimension: int
    size: int
    resize: str
    weights_sha256: str
    network: nn.Module

    @property
    def score(self) -> str:
        """The name of the Fréchet distance in its features; "fid" for "inception" only."""
        return distance_name(self.name, self.size)

    def protocol(self) -> dict[str, Any]:
        """What a reader of the scores has to know about it; features of equal protocols can be compared."""
        return {
            "name": self.name,
            "score": self.score,
            "weights_sha256": self.weights_sha256,
            "features": self.dimension,
            "resize": self.resize,
        }

    @torch.inference_mode()
    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features, float32 N x D, of images, uint8 N x H x W x 3."""
        where = next(self.network.parameters()).device
        features = np.empty((len(images), self.dimension), dtype=np.float32)
        with bar("features", len(images)) as done:
            for start in range(0, len(images), BATCH):
                # Permuted and not copied: the batch is in the channels_last memory format.
                batch = torch.from_numpy(np.array(images[start : start + BATCH])).permute(0, 3, 1, 2)
                features[start : start + BATCH] = self._forward(batch.to(where).float()).cpu().numpy()
                done.update(len(batch))
        return features

    def _forward(self, pixels: Tensor) -> Tensor:
        if self.name == "inception":
            # The network resizes and centres images itself.
            pooled: Tensor = self.network(pixels / 255)[0]
            return pooled.flatten(1)
        size = (self.size, self.size)
        if pixels.shape[2:] != size:
            pixels = F.interpolate(pixels, size, mode="bicubic", antialias=True).clamp(0, 255)
        features: Tensor = self.network(pixels)
        return features


def load_extractor(section: Evaluation, size: int) -> Extractor:
    """The network that params.yaml names, on the GPU where there is one.

    Args:
        size: of the input of EfficientNet-Lite0, in pixels. InceptionV3 has 299.

    Raises:
        UserError: a package or the weights are missing, cannot be downloaded, or belong to another network.
    """
    path = weights_file(section) or _download()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network = _inception(state) if section.extractor == "inception" else EfficientNetLite0(state)
    except (RuntimeError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} does not hold the weights of {section.extractor} ({reason}); fetch it again") from None
    network = network.eval().requires_grad_(False).to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    digest = sha256(path)
    if section.extractor == "inception":
        return Extractor("inception", 2048, 299, "pytorch-fid: bilinear to 299 without antialiasing", digest, network)
    resize = f"bicubic to {size} with antialiasing"
    return Extractor("efficientnet_lite0", 1280, size, resize, digest, network)


def _inception(state: dict[str, Tensor]) -> nn.Module:
    """pytorch-fid's InceptionV3 with the weights `state`."""
    from pytorch_fid import inception

    # Its constructor always downloads the weights; replacing the loader that it calls is the only way to pass others.
    with mock.patch.object(inception, "load_state_dict_from_url", lambda *_, **__: state):
        network: nn.Module = inception.InceptionV3()
    return network


def _download() -> Path:
    """The file with the Inception weights in torch hub's cache, where pytorch-fid keeps them too."""
    from pytorch_fid.inception import FID_WEIGHTS_URL

    path = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Written completely or not at all, and checked against the hash in the file's name.
            torch.hub.download_url_to_file(FID_WEIGHTS_URL, str(path), hash_prefix="6726825d", progress=True)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"the Inception weights cannot be downloaded ({reason}); bring {FID_WEIGHTS_URL} to {path}, or set "
                "evaluation.inception_weights to its path"
            ) from None
    return path
