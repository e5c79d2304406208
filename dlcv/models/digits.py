"""Models of digits from exported folders: a conditional diffusion model, and classifiers.

Images are uint8 N x 28 x 28 x 3 in [0, 255], RGB.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcv.adaptation import predict
from dlcv.data.batches import to_float, to_uint8
from dlcv.data.digit_names import name_of
from dlcv.data.latents import seeds_of
from dlcv.diffusion import digits as diffusion
from dlcv.diffusion.config import DIGIT_SIZE, DigitSampling, Guidance
from dlcv.diffusion.samplers import Watch
from dlcv.evaluation.judge.network import BATCH, load_judge
from dlcv.models.shapes import checked_images
from dlcv.runtime.errors import UserError


class DigitDiffusion:
    """A trained noise predictor with classifier-free guidance.

    Attributes:
        about: how it was trained.
    """

    def __init__(self, folder: Path, use: Mapping[str, Any]):
        self.model = diffusion.load_model(folder)
        self.about = self.model.about
        self._use = use

    def sample(
        self,
        digits: Iterable[int],
        seed: int = 0,
        *,
        steps: int | None = None,
        w: float | None = None,
        watch: Watch | None = None,
    ) -> np.ndarray:
        """An image of each of `digits`.

        The n-th image of a digit depends on the seed, the digit and n, not on the others that are drawn.

        Args:
            digits: 0 to 9.
            seed: of the noise.
            steps: of the sampler; None for those of the study.
            w: of the guidance, (1 + w) conditional - w unconditional; None for that of the study.
            watch: called after each step of the first 100 images.

        Raises:
            UserError: no digits, a number that is no digit, or more steps than the model was trained with.
            ValueError: steps or w outside their range.
        """
        wanted = [int(digit) for digit in digits]
        if not wanted or not all(0 <= digit <= 9 for digit in wanted):
            raise UserError(f"digits are {wanted}; give numbers from 0 to 9")
        sampling = DigitSampling(**{**self._use["sampling"], **({} if steps is None else {"steps": steps})})
        guidance = Guidance(**{**self._use["guidance"], **({} if w is None else {"w": float(w)})})
        # The names of the study's images, so that the same seed gives the same images.
        so_far: Counter[int] = Counter()
        names = []
        for digit in wanted:
            so_far[digit] += 1
            names.append(name_of(digit, so_far[digit]))
        drawn = diffusion.draw(self.model, wanted, seeds_of(names, seed), sampling, guidance, seed, watch)
        return to_uint8(drawn.images).numpy()


class DigitReader:
    """A trained classifier.

    Attributes:
        about: how it was trained.
    """

    def __init__(self, logits: Callable[[np.ndarray], np.ndarray], about: dict[str, Any]):
        self.about = about
        self._logits = logits

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The most probable digit of each image, int64 N.

        Raises:
            UserError: images of another shape or type.
        """
        digits: np.ndarray = self._logits(checked_images(images, DIGIT_SIZE)).argmax(1)
        return digits

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """The probability of each digit, float32 N x 10; errors as of `predict`."""
        return torch.from_numpy(self._logits(checked_images(images, DIGIT_SIZE))).softmax(1).numpy()


def adapted(folder: Path, use: Mapping[str, Any]) -> DigitReader:
    """The classifier of a training of domain adaptation."""
    network, about = predict.load(folder)
    return DigitReader(lambda images: predict.predict(network, images).logits, about)


def judge(folder: Path, use: Mapping[str, Any]) -> DigitReader:
    """The judge of generated digits."""
    loaded = load_judge(folder)
    device = next(loaded.network.parameters()).device

    @torch.inference_mode()
    def logits(images: np.ndarray) -> np.ndarray:
        parts = [to_float(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return torch.cat([loaded.network(part.to(device)).cpu() for part in parts]).numpy()

    return DigitReader(logits, loaded.about)
