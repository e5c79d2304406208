"""Scores that need no labels of the target, and the choice among trainings by one of them.

Each is a function of arrays that a network computed: logits and features for N images of the target, logits for M
images of the source with their labels. A higher value is better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls
from scipy.special import entr, softmax
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score

IMAGES = 2000  # maximum number of images of the target's training set
TEMPERATURE = 0.05  # of the similarities in `snd`, Saito et al. 2021
SMOOTHING = 0.01  # part of the estimated class shares that is uniform: a share of zero would make a value infinite


@dataclass(frozen=True)
class Seen:
    """What validators see of one network: nothing that depends on labels of the target."""

    target_logits: np.ndarray  # for images of the target's training set, float32 N x 10
    target_features: np.ndarray  # for the same images, float32 N x D
    source_logits: np.ndarray  # for the validation images of the source, float32 M x 10
    source_labels: np.ndarray  # of these images, int64 M


def information(target_logits: np.ndarray, shares: np.ndarray | None = None) -> float:
    """Mutual information of images and predictions, in nats, at most log 10 (Shi and Sha 2012).

    The entropy of the mean prediction minus the mean entropy of the predictions. High if each prediction is confident
    and all digits are predicted.

    Args:
        shares: of the classes, above 0, that the mean prediction should have. The first term is then minus the
            Kullback-Leibler divergence of the mean prediction to them, and the value is at most 0. For uniform shares
            this differs from the value without shares by the constant log 10.
    """
    mean = probabilities(target_logits).mean(axis=0)
    of_mean = float(entr(mean).sum())
    return (of_mean if shares is None else of_mean + float(mean @ np.log(shares))) + entropy(target_logits)


def entropy(target_logits: np.ndarray) -> float:
    """The negative mean entropy of the predictions, in nats (Morerio et al. 2018). High if each is confident."""
    return -float(entr(probabilities(target_logits)).sum(axis=1).mean())


def source_accuracy(source_logits: np.ndarray, source_labels: np.ndarray) -> float:
    """The accuracy on the source."""
    return float((source_logits.argmax(axis=1) == source_labels).mean())


def bnm(target_logits: np.ndarray) -> float:
    """Nuclear norm of the matrix of predictions, N x C, divided by its maximum sqrt(N C) (Cui et al. 2020).

    1 if the predictions are certain and all classes equally frequent, sqrt(1 / C) if they are certain of one class,
    1 / C if they are uniform. The paper divides by N, which gives the same order.
    """
    matrix = probabilities(target_logits)
    return float(np.linalg.norm(matrix, "nuc")) / float(np.sqrt(matrix.size))


def snd(target_logits: np.ndarray) -> float:
    """Soft neighbourhood density, in nats, at most log(N - 1) (Saito et al. 2021).

    The similarity of two images is the cosine of their predicted probabilities. The mean over the images of the entropy
    of softmax(similarities to all other images / 0.05). High if each image has many neighbours that are predicted like
    it; also if all images are predicted as one class.
    """
    unit = probabilities(target_logits)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    similarity = unit @ unit.T / TEMPERATURE
    np.fill_diagonal(similarity, -np.inf)
    return float(entr(softmax(similarity, axis=1)).sum(axis=1).mean())


def class_ami(target_logits: np.ndarray, target_features: np.ndarray) -> float:
    """Adjusted mutual information of predicted digits and clusters of the features (Musgrave et al. 2022).

    As many k-means clusters as classes. 1 if they are the predicted digits, about 0 if they are independent of them.
    """
    clusters = KMeans(target_logits.shape[1], n_init=10, random_state=0).fit_predict(target_features)
    return float(adjusted_mutual_info_score(target_logits.argmax(axis=1), clusters))


def ensv(target_logits: np.ndarray, ensemble: np.ndarray) -> float:
    """Fraction of images that are predicted as the ensemble of all candidates predicts them (EnsV, Hu et al. 2024).

    Args:
        ensemble: mean of the probabilities of all candidates, N x C.
    """
    return float((target_logits.argmax(axis=1) == ensemble.argmax(axis=1)).mean())


def class_shares(seen: Seen) -> np.ndarray:
    """The class shares of the target, C, by black-box shift estimation (Lipton et al. 2018), each above 0.

    The shares q solve M q = m, where m is the mean prediction for the target, and column j of M that for source images
    of class j. The solution is that of least squares with q >= 0, scaled to a sum of 1; a hundredth of it is replaced
    by uniform shares. It holds as far as the images of a class are predicted as in the source.
    """
    on_source = probabilities(seen.source_logits)
    classes = on_source.shape[1]
    by_class = [on_source[seen.source_labels == digit].mean(axis=0) for digit in range(classes)]
    solution, _ = nnls(np.stack(by_class, axis=1), probabilities(seen.target_logits).mean(axis=0))
    shares: np.ndarray = (1 - SMOOTHING) * solution / solution.sum() + SMOOTHING / classes
    return shares


def probabilities(logits: np.ndarray) -> np.ndarray:
    """The softmax of each row, float64."""
    values: np.ndarray = softmax(logits.astype(np.float64), axis=1)
    return values


# Functions of what is seen of a network, and of the mean probabilities of all candidates for the target's images.
VALIDATORS: dict[str, Callable[[Seen, np.ndarray], float]] = {
    "information": lambda seen, _: information(seen.target_logits),
    "information_to_shares": lambda seen, _: information(seen.target_logits, class_shares(seen)),
    "entropy": lambda seen, _: entropy(seen.target_logits),
    "source_accuracy": lambda seen, _: source_accuracy(seen.source_logits, seen.source_labels),
    "bnm": lambda seen, _: bnm(seen.target_logits),
    "snd": lambda seen, _: snd(seen.target_logits),
    "class_ami": lambda seen, _: class_ami(seen.target_logits, seen.target_features),
    "ensv": lambda seen, ensemble: ensv(seen.target_logits, ensemble),
}


def validate(candidates: Mapping[str, Seen], names: Iterable[str] = VALIDATORS) -> dict[str, dict[str, float]]:
    """The values of some validators for each candidate.

    Args:
        candidates: by name of the training, all with the same images.
        names: keys of `VALIDATORS`.
    """
    ensemble = np.mean([probabilities(seen.target_logits) for seen in candidates.values()], axis=0)
    names = dict.fromkeys(names)
    return {
        training: {name: VALIDATORS[name](seen, ensemble) for name in names} for training, seen in candidates.items()
    }


def choice(
    candidates: Mapping[str, dict[str, float]], criterion: str, accuracies: Mapping[str, float]
) -> dict[str, Any]:
    """The training that a validator chooses, and the oracle: the one that the labels of the target would choose.

    Args:
        candidates: the result of `validate`.
        criterion: the validator.
        accuracies: of each training on the target; only the oracle depends on them.

    Returns:
        `criterion`; `tried`, the number of trainings; `chosen` and `oracle`, each with training and accuracy;
        `candidates`, the values and the accuracy of each.
    """
    chosen = max(candidates, key=lambda name: candidates[name][criterion])
    oracle = max(candidates, key=lambda name: accuracies[name])
    return {
        "criterion": criterion,
        "tried": len(candidates),
        "chosen": {"training": chosen, "accuracy": accuracies[chosen]},
        "oracle": {"training": oracle, "accuracy": accuracies[oracle]},
        "candidates": {name: {**values, "accuracy": accuracies[name]} for name, values in candidates.items()},
    }
