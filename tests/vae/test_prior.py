"""The Gaussian that is fitted to the latents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlcv.data.latents import normal
from dlcv.engine.weights import save_weights
from dlcv.runtime.errors import UserError
from dlcv.vae import prior
from dlcv.vae.codes import Codes, decode
from tests.vae.conftest import LATENT, NARROW, network


def codes(count: int = 50, latent: int = 4) -> Codes:
    random = np.random.default_rng(0)
    means = (random.normal(size=(count, latent)) @ random.normal(size=(latent, latent)) + 3).astype(np.float32)
    variances = random.uniform(0.1, 2, size=(count, latent)).astype(np.float32)
    nothing = np.zeros(count, np.float32)
    return Codes(means, variances, nothing, nothing, nothing)


def test_it_has_the_moments_of_latents_of_the_posteriors() -> None:
    given = codes()
    drawn = prior.fit(given)(normal(200_000, (4,), seed=1).numpy())
    posteriors = np.random.default_rng(2).normal(size=(4000, *given.means.shape))
    latents = (given.means + np.sqrt(given.variances) * posteriors).reshape(-1, 4)
    assert drawn.dtype == np.float32
    assert np.allclose(drawn.mean(0), latents.mean(0), atol=0.03)
    assert np.allclose(np.cov(drawn, rowvar=False), np.cov(latents, rowvar=False), atol=0.05)


def test_fewer_images_than_dimensions_are_enough() -> None:
    fitted = prior.fit(codes(count=3, latent=8))
    assert np.isfinite(fitted.factor).all() and (np.diag(fitted.factor) > 0).all()


@pytest.mark.slow
def test_samples_of_the_command_are_those_of_the_fitted_prior(tmp_path: Path, dlcv: Any) -> None:
    made = network()
    save_weights(tmp_path / "weights", made.state_dict(), {"area": "vae", "width": NARROW, "latent": LATENT})
    fitted = prior.fit(codes(latent=LATENT))
    (tmp_path / "evaluation").mkdir()
    fitted.save(tmp_path / "evaluation")
    out = tmp_path / "images"
    command = f"vae sample --weights {tmp_path}/weights --seed 3 --count 5 --prior {tmp_path}/evaluation --out {out}"
    assert dlcv(command)[0] == 0
    expected = decode(made, torch.from_numpy(fitted(normal(5, (LATENT,), seed=3).numpy())))
    written = [np.asarray(Image.open(path)) for path in sorted(out.glob("*.png"))]
    assert np.array_equal(written, expected)


def test_a_prior_of_another_network_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"prior.safetensors is missing; `dlcv vae evaluate` fits the prior"):
        prior.load(tmp_path, 4)
    prior.fit(codes()).save(tmp_path)
    with pytest.raises(UserError, match="is of 4 dimensions, and the network has 5"):
        prior.load(tmp_path, 5)
    (tmp_path / prior.FILE).write_bytes(b"damaged")
    with pytest.raises(UserError, match="is not a fitted prior"):
        prior.load(tmp_path, 4)
