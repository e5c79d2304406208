"""Batches: every image once per epoch, in the value range and memory format of the networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcv.data.batches import Shuffled, mirrored, to_float, to_uint8
from dlcv.runtime.errors import UserError


def shuffled(count: int = 10, batch_size: int = 3, seed: int = 0) -> Shuffled:
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] + np.zeros((count, 4, 5, 3), dtype=np.uint8)
    return Shuffled(images, np.arange(count), batch_size, seed)


def test_an_epoch_has_every_image_once_with_its_label_and_no_small_batch() -> None:
    batches = shuffled()
    epochs = []
    for _ in range(4):
        labels = []
        for _ in range(3):
            images, truth = next(batches)
            assert images.shape == (3, 3, 4, 5) and images.is_contiguous(memory_format=torch.channels_last)
            assert torch.equal(to_uint8(images)[:, 0, 0, 0].long(), truth)
            labels += truth.tolist()
        assert len(set(labels)) == 9
        epochs.append(labels)
    assert len(set(map(tuple, epochs))) == 4


def test_the_order_depends_on_the_seed_and_continues_from_a_saved_state() -> None:
    def labels(batches: Shuffled, count: int) -> list[int]:
        return [label for _ in range(count) for label in next(batches)[1].tolist()]

    assert labels(shuffled(seed=1), 5) == labels(shuffled(seed=1), 5) != labels(shuffled(seed=2), 5)
    torch.manual_seed(0)
    first = shuffled()
    labels(first, 5)
    state = first.state_dict()
    expected = labels(first, 10)
    second = shuffled(seed=9)
    second.load_state_dict(state)
    assert labels(second, 10) == expected


def test_a_batch_size_above_the_number_of_images_is_limited_to_it() -> None:
    assert sorted(next(shuffled(batch_size=99))[1].tolist()) == list(range(10))


def test_all_256_values_survive_the_conversion_to_float_and_back() -> None:
    values = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(1, 16, 16, 3)
    floats = to_float(values)
    assert floats.dtype == torch.float32 and floats.min() == -1 and floats.max() == 1
    assert torch.equal(to_uint8(floats), values)


def test_to_uint8_rounds_clips_and_puts_channels_last() -> None:
    images = torch.zeros(1, 3, 1, 2)
    images[0, :, 0, 0] = torch.tensor([-1.5, 0.0, 3.0])
    images[0, :, 0, 1] = torch.tensor([-1 + 1.6 / 127.5, -1 + 1.4 / 127.5, 1.0])
    converted = to_uint8(images)
    assert converted.dtype == torch.uint8 and converted.device.type == "cpu"
    assert converted.tolist() == [[[[0, 128, 255], [2, 1, 255]]]]
    # bfloat16 is converted to float32 first, because its precision is too low for the addition.
    half = torch.linspace(-1, 1, 300).expand(1, 3, 1, 300).to(torch.bfloat16)
    assert torch.equal(to_uint8(half), to_uint8(half.float()))


def test_mirroring_flips_whole_images_horizontally() -> None:
    torch.manual_seed(0)
    images = torch.randn(40, 3, 2, 4)
    seen = mirrored(images)
    kept = (seen == images).flatten(1).all(1)
    assert (kept ^ (seen == images.flip(3)).flatten(1).all(1)).all()
    assert 10 < kept.sum() < 30


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_become_no_pixels(value: float) -> None:
    images = torch.zeros(2, 3, 4, 4)
    images[1, 2, 3, 0] = value
    with pytest.raises(UserError, match="an image has values that are not finite"):
        to_uint8(images)
