"""DDIM's table over eta and the number of steps, with an exact noise predictor in place of a network.

    python benchmarks/exact.py [IMAGES]

The data are a Gaussian with the mean and covariance of the prepared faces (`data/faces`). For it, the mean of x0 given
x is known in closed form. All else is as in the stage `evaluate`, with the settings in params.yaml, but x0 is not
clipped, because samples of a Gaussian leave [-1, 1], and distances are to exact samples. If the distances are
ordered as in Song et al. 2021 here but not for a trained network, the cause is the network and not the sampler.
"""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import torch
from torch import Tensor, nn

from dlcv.data.batches import to_float, to_uint8
from dlcv.data.prepared import load_split
from dlcv.diffusion.config import FACE_SIZE, FACES, FACES_REFERENCE, Ddim
from dlcv.diffusion.evaluate_faces import REAL, over_eta_and_steps
from dlcv.diffusion.samplers import Model
from dlcv.diffusion.schedule import Schedule, linear
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import load_extractor
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.reference import load_reference
from dlcv.runtime.config import load

COMPONENTS = 1000  # principal components with their own variance; all others share one
SAMPLES = 1000  # exact samples for the distances


class Exact(nn.Module):
    """The mean of x0 given x at time t, if x0 has a Gaussian distribution fitted to images, N x D in [-1, 1]."""

    def __init__(self, images: Tensor, schedule: Schedule):
        super().__init__()
        count, values = images.shape
        components = min(COMPONENTS, count - 1)
        self.schedule = schedule
        self.mean = nn.Parameter(images.mean(0), requires_grad=False)
        centred = images - self.mean
        torch.manual_seed(0)
        _, deviations, self.axes = torch.svd_lowrank(centred, q=components, niter=3)
        self.variances = deviations**2 / count
        rest = (centred.square().sum() / count - self.variances.sum()) / (values - components)
        self.rest = max(float(rest), 0.0)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        a = self.schedule.alpha_bar(int(t[0]))
        noise = (1 - a) / a  # variance of the noise in x / sqrt(a)
        off = x.flatten(1) / a**0.5 - self.mean
        kept = self.rest / (self.rest + noise)
        along = (off @ self.axes) * (self.variances / (self.variances + noise) - kept)
        x0: Tensor = self.mean + kept * off + along @ self.axes.T
        return x0.view_as(x)

    def samples(self, count: int, seed: int) -> np.ndarray:
        """Exact samples of the Gaussian, uint8 N x 64 x 64 x 3."""
        generator = torch.Generator().manual_seed(seed)
        white = torch.randn(count, len(self.mean), generator=generator)
        scaled = torch.randn(count, len(self.variances), generator=generator) * self.variances.sqrt()
        off = self.rest**0.5 * (white - white @ self.axes @ self.axes.T) + scaled @ self.axes.T
        drawn: np.ndarray = to_uint8((self.mean + off).view(count, 3, FACE_SIZE, FACE_SIZE)).numpy()
        return drawn


def main(images: int = 100) -> None:
    params = load()
    section, schedule = params[Ddim], linear(**params[Ddim].schedule.model_dump())
    exact = Exact(to_float(load_split(FACES, "train").images).flatten(1), schedule)
    extractor = load_extractor(params[Evaluation], params[Evaluation].input_size.faces)
    features = extractor(exact.samples(SAMPLES, seed=1))
    reference = dataclasses.replace(load_reference(FACES_REFERENCE), statistics=frechet.statistics(features))
    others = frechet.distance(frechet.statistics(extractor(exact.samples(images, seed=2))), reference.statistics)
    sampling = section.sampling.model_copy(update={"clip_x0": False})
    model = Model(exact, schedule, "x0", {})
    settings = section.model_copy(update={"sampling": sampling})
    table = over_eta_and_steps(model, settings, images, params.seed, extractor, reference)
    print(
        f"{extractor.score} from {SAMPLES} exact samples, for {images} images; for {images} exact samples {others:.1f}"
    )
    print(table[table["row"] != REAL].pivot(index="row", columns="steps", values="distance").round(1).to_string())


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:]))
