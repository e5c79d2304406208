"""Principal components: against the singular values of the images, and samples of the Gaussian."""

from __future__ import annotations

import numpy as np
import pytest

from dlcv.evaluation import pca


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Forty smooth images, uint8 40 x 8 x 8 x 3."""
    rng = np.random.default_rng(0)
    return rng.integers(90, 160, (40, 4, 4, 3), dtype=np.uint8).repeat(2, 1).repeat(2, 2)


def singular_values(images: np.ndarray) -> np.ndarray:
    values = images.reshape(len(images), -1) / 127.5 - 1
    singular: np.ndarray = np.linalg.svd(values - values.mean(axis=0), compute_uv=False)
    return singular


@pytest.mark.parametrize("count", [1, 5, 39])
def test_the_error_on_the_training_images_is_that_of_the_singular_values_left_out(
    images: np.ndarray, count: int
) -> None:
    components = pca.fit(images, count)
    left_out = (singular_values(images)[count:] ** 2).sum() / images.size
    assert pca.errors(components, images).mean() == pytest.approx(left_out, rel=1e-6, abs=1e-12)
    axes = components.model.components_
    assert axes @ axes.T == pytest.approx(np.eye(count), abs=1e-9)


def test_both_solvers_agree(images: np.ndarray) -> None:
    """Fewer images than values, and more."""
    small = images[:, ::4, ::4]  # 12 values
    wide, tall = pca.fit(small[:11], 4), pca.fit(small, 4)
    for components, some in ((wide, small[:11]), (tall, small)):
        expected = (singular_values(some)[4:] ** 2).sum() / some.size
        assert pca.errors(components, some).mean() == pytest.approx(expected, rel=1e-6)


def test_there_are_no_more_components_than_images_less_one(images: np.ndarray) -> None:
    components = pca.fit(images, 512)
    assert components.count == 39
    assert pca.errors(components, images).max() < 1e-12
    # New images are not in the span of the training images.
    assert pca.errors(components, 255 - images[:3, ::-1]).min() > 1e-3


def test_errors_do_not_depend_on_the_batch(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    components = pca.fit(images, 5)
    together = pca.errors(components, images)
    monkeypatch.setattr(pca, "BATCH", 7)
    assert pca.errors(components, images) == pytest.approx(together, rel=1e-9)
    assert together.shape == (40,)


def test_samples_have_the_mean_and_the_variance_of_the_images(images: np.ndarray) -> None:
    drawn = pca.sample(pca.fit(images, 39), 4000, seed=0)
    assert drawn.dtype == np.uint8 and drawn.shape == (4000, 8, 8, 3)
    assert drawn.mean(axis=0) == pytest.approx(images.mean(axis=0), abs=2)
    assert drawn.std(axis=0) == pytest.approx(images.std(axis=0, ddof=1), rel=0.08)


def test_the_seed_decides_the_samples_and_pixels_are_clipped(images: np.ndarray) -> None:
    components = pca.fit(images, 5)
    first = pca.sample(components, 6, seed=3)
    assert (first == pca.sample(components, 6, seed=3)).all()
    assert (first != pca.sample(components, 6, seed=4)).any()
    stark = pca.fit(np.where(images > 125, 255, 0).astype(np.uint8), 39)
    values = pca.sample(stark, 100, seed=0)
    # Wrapped around, dark pixels would stand where the images are bright; clipped, both ends are full.
    assert (values == 0).mean() > 0.05 and (values == 255).mean() > 0.05
