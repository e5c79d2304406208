"""The figures of one scenario."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dlcv import plots
from dlcv.adaptation.sections import Adaptation
from dlcv.adaptation.tasks import Domain, balanced_count
from dlcv.evaluation import tsne
from dlcv.evaluation.sampling import balanced
from dlcv.params import Params


def draw(
    folder: Path,
    name: str,
    source: Domain,
    target: Domain,
    features: Mapping[str, tuple[np.ndarray, np.ndarray]],
    confusion: Mapping[str, np.ndarray],
    curve: Path,
    params: Params,
) -> None:
    """Draw `tsne-class.png`, `tsne-domain.png`, `confusion.png` and `curve.png` into `folder`.

    Args:
        features: by title of a panel, those of the source's and of the target's pictures, N x D and M x D.
        confusion: by title of a panel, counts on the target, labels by answers.
        curve: CSV of DANN's training.
    """
    section = params[Adaptation].tsne
    count = balanced_count(source, target, section.pictures)
    chosen = [balanced(side.labels, count, params.seed) for side in (source, target)]
    maps = {}
    for panel, parts in features.items():
        # Source and target are fitted together: maps fitted apart cannot be laid over each other.
        joint = np.concatenate([part[index] for part, index in zip(parts, chosen, strict=True)])
        maps[panel] = tsne.fit(joint, section.perplexity, params.seed)
    digits = np.concatenate([source.labels[chosen[0]], target.labels[chosen[1]]])
    domains = np.repeat([0, 1], count)
    title = f"{name}: t-SNE of validation features, {count} pictures of each domain"
    played = [
        f"{role} {side.name}: {side.card['played_by']}" for role, side in (("source", source), ("target", target))
    ]
    plots.scatter(folder / "tsne-class.png", maps, digits, [str(digit) for digit in range(10)], title, "digit")
    plots.scatter(folder / "tsne-domain.png", maps, domains, played, title, "domain")
    plots.confusion(folder / "confusion.png", confusion, f"{name}: validation pictures of the target")
    plots.curves(folder / "curve.png", curve, f"DANN {name}: training batches, means over the steps of a point")
