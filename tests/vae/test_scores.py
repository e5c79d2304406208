"""Scores against codes whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from dlcv.data.prepared import Split
from dlcv.evaluation import pca
from dlcv.vae import scores
from dlcv.vae.codes import Codes

SPLITS = (("train", 20), ("val", 10))


def codes_of(means: np.ndarray, **changes: np.ndarray) -> Codes:
    values = dict.fromkeys(("kl", "error", "sampled_error"), np.zeros(len(means), dtype=np.float32))
    return Codes(means=means, variances=np.ones_like(means), **(values | changes))


def test_reconstruction_errors_in_both_ranges() -> None:
    errors = np.array([0.01, 0.03], dtype=np.float32)
    codes = codes_of(np.zeros((2, 4)), error=errors, sampled_error=2 * errors, kl=np.array([300.0, 500.0]))
    values = scores.reconstruction(codes)
    expected = {"mse": 0.02, "mse_0_1": 0.005, "mse_sampled": 0.04, "standard_error": 0.01, "kl": 400.0}
    assert values == pytest.approx(expected)
    # In [0, 1] every difference is half as large.
    a, b = np.array([0.0, 255.0]) / 255, np.array([51.0, 102.0]) / 255
    assert ((2 * a - 2 * b) ** 2).mean() / 4 == pytest.approx(((a - b) ** 2).mean())


def test_the_linear_autoencoder_is_measured_as_the_network_is() -> None:
    rng = np.random.default_rng(0)
    faces = {split: Split(rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8), None) for split, count in SPLITS}
    values = scores.linear(faces, latent=4)
    components = pca.fit(faces["train"].images, 4)
    for name, split in (("training", "train"), ("validation", "val")):
        errors = pca.errors(components, faces[split].images)
        assert values[name]["mse"] == pytest.approx(errors.mean())
        assert values[name]["mse_0_1"] == pytest.approx(errors.mean() / 4)
        assert values[name]["standard_error"] == pytest.approx(errors.std(ddof=1) / len(errors) ** 0.5)
    # Noise has no components that new images share.
    assert values["validation"]["mse"] > values["training"]["mse"]
    assert values["components"] == 4 and scores.linear(faces, latent=512)["components"] == 19


def test_active_units_are_those_whose_mean_varies() -> None:
    rng = np.random.default_rng(0)
    stds = np.array([0.0, 0.05, 0.2, 1.0])  # variances 0, 0.0025, 0.04, 1
    means = 5 + stds * rng.normal(size=(2000, 4))  # a constant mean, even far from 0, carries no information
    assert scores.active_units(means.astype(np.float32)) == 2


def test_the_probe_predicts_what_the_means_carry_and_not_more() -> None:
    labels = {"train": np.arange(60) % 2, "val": np.arange(20) % 2}
    faces = {split: Split(np.zeros((len(given), 1, 1, 3)), given) for split, given in labels.items()}
    rng = np.random.default_rng(0)
    noise = {split: rng.normal(size=(len(given), 4)) for split, given in labels.items()}
    told = {split: codes_of(noise[split] + 8 * given[:, None]) for split, given in labels.items()}
    untold = {split: codes_of(noise[split]) for split in labels}
    read, unread = (scores.probe("Male", faces, codes, 0) for codes in (told, untold))
    assert read is not None and unread is not None
    assert read["cross_validated"]["accuracy"] == read["validation"]["accuracy"] == 1.0
    assert unread["cross_validated"]["accuracy"] < 0.75
    assert scores.probe(None, faces, told, 0) is None
