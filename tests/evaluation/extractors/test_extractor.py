"""Features of EfficientNet-Lite0, the names of the scores, and weights that are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from dlcv.data.images import fit
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors import names
from dlcv.evaluation.extractors.extractor import Extractor, load_extractor
from dlcv.runtime.errors import UserError


def noise(count: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def load(size: int) -> Extractor:
    values = {
        "input_size": {"faces": 224, "digits": 112},
        "images": 4,
        "neighbours": 1,
        "kid_subsets": 1,
        "kid_subset_size": 2,
        "jackknife_groups": 2,
        "dlib_face_images": 0,
    }
    section = Evaluation.model_validate({"extractor": "efficientnet_lite0", "inception_weights": None, **values})
    return load_extractor(section, size)


@pytest.fixture(scope="module")
def network() -> Extractor:
    return load(224)


def test_efficientnet_knows_a_cat_and_an_espresso(network: Extractor) -> None:
    """Wrong padding, normalisation, epsilon or activation would show here."""
    images = [fit(Image.fromarray(image()), 224, crop=True) for image in (data.chelsea, data.coffee)]
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        cat, espresso = network.network.classify(pixels).numpy()
    assert cat.argmax() in range(281, 286) and cat[281:286].sum() == pytest.approx(0.88, abs=0.005)
    assert espresso.argmax() == 967 and espresso[967] == pytest.approx(0.94, abs=0.005)


@pytest.mark.slow
def test_features_do_not_depend_on_the_batch(network: Extractor) -> None:
    images = noise(19, 64)
    together = network(images)
    assert together.shape == (19, 1280) and together.dtype == np.float32
    alone = np.concatenate([network(images[:1]), network(images[1:3]), network(images[3:])])
    assert together == pytest.approx(alone, abs=1e-4)
    assert together.std(axis=0).max() > 0.1
    assert not network.network.training


def test_only_inception_gives_a_fid(network: Extractor) -> None:
    assert network.score == network.protocol()["score"] == "frechet_efficientnet_lite0"
    assert [name for name, score in names.SCORES.items() if "fid" in score] == ["inception"]


def test_features_of_another_input_size_have_another_name(network: Extractor) -> None:
    small, images = load(112), noise(3, 28)
    assert small.score == "frechet_efficientnet_lite0_112" and small.protocol() != network.protocol()
    assert small(images).shape == (3, 1280) and np.abs(small(images) - network(images)).max() > 0.1
    assert names.distance_name("inception", 112) == "fid"
    # The input has the size that the name says.
    shapes: list[torch.Size] = []
    handle = small.network.register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape))
    small(images)
    handle.remove()
    assert shapes == [(3, 3, 112, 112)]


def test_missing_weights_are_one_line(section: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inception = section.model_copy(update={"extractor": "inception"})
    missing = inception.model_copy(update={"inception_weights": str(tmp_path / "none.pth")})
    with pytest.raises(UserError, match="there is no .*none.pth"):
        load_extractor(missing, 224)
    (tmp_path / "other.pth").write_bytes(b"no weights")
    with pytest.raises(UserError, match="other.pth does not hold the weights of inception"):
        load_extractor(inception.model_copy(update={"inception_weights": str(tmp_path / "other.pth")}), 224)
    torch.save({"a": torch.zeros(1)}, tmp_path / "another.pth")
    with pytest.raises(UserError, match="another.pth does not hold the weights of inception"):
        load_extractor(inception.model_copy(update={"inception_weights": str(tmp_path / "another.pth")}), 224)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    with pytest.raises(UserError, match="cannot be downloaded \\(no route\\); bring https.* to .*checkpoints/pt_inc"):
        load_extractor(inception, 224)
    monkeypatch.setattr(names, "EFFICIENTNET", ("no-such-package", "models"))
    with pytest.raises(
        UserError, match="the scores need the package no-such-package, which is not installed; run `pip install"
    ):
        load_extractor(section, 224)


def refuse(*_: object, **__: object) -> None:
    raise OSError("no route")
