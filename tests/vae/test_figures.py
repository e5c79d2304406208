"""The figures of the autoencoder: captions below images, and the latent map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ImageDraw

from dlcv.vae import figures
from dlcv.vae.config import Vae
from tests.vae.conftest import shipped


def test_the_captions_are_the_errors_of_their_columns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written: list[tuple[float, str]] = []
    real = ImageDraw.ImageDraw.text

    def text(self: Any, place: tuple[float, float], words: str, **style: Any) -> None:
        written.append((place[0], words))
        real(self, place, words, **style)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    images = np.zeros((3, 64, 64, 3), dtype=np.uint8)
    figures.reconstructions(tmp_path / "x.png", images, images, np.array([0.0123, 0.5, 0.00004]))
    captions = [words for _, words in sorted(written) if words.startswith("MSE")]
    assert captions == ["MSE 0.0123", "MSE 0.5000", "MSE 0.0000"]


def test_the_map_shows_the_ten_most_frequent_and_names_the_attribute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(figures.charts, "scatter", lambda *arguments: seen.append(arguments))
    monkeypatch.setattr(figures.tsne, "fit", lambda features, perplexity, seed: features[:, :2])
    section = shipped()[Vae].tsne
    labels = np.repeat(np.arange(100, 112), [5, 1, *[4] * 10])  # 101 is the rarest, 111 the last of the others
    means = np.stack([labels, np.zeros(len(labels))], axis=1)
    images = np.zeros((len(labels), 2, 2, 3), dtype=np.uint8)
    of_map = figures.latent_map(tmp_path / "x.png", means, images, labels, "person", section, 0)
    (_, maps, groups, names, title, legend) = seen[0]
    assert names == [str(value) for value in (100, *range(102, 111))] and legend == "person"
    assert [names[group] for group in groups] == [str(int(value)) for value in maps["latent means"][:, 0]]
    assert "pixels" in maps and title == "t-SNE of 41 validation images"
    assert of_map == {"images": 41, "perplexity": section.perplexity}
    few = figures.latent_map(tmp_path / "x.png", means[:10], images[:10], None, None, section, 0)
    assert few == {"images": 10, "perplexity": 3.0} and seen[1][3] == ["no attribute is known"]
