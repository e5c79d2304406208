"""Self-training with a mean teacher and pseudo-labels, and its source-only baseline.

The teacher is the average of the student's weights (French et al., ICLR 2018). Where it is confident about a weakly
augmented target image, its prediction is the student's label for the strongly augmented image (FixMatch, Sohn et al.,
NeurIPS 2020). The threshold is lower for rarely predicted classes, so that frequent ones do not take over (the class
term of FreeMatch, Wang et al., ICLR 2023). The weight of the target rises slowly (AdaMatch, Berthelot et al., ICLR
2022). Source images are strongly augmented, too, and grey ones are blended into textures as MNIST-M is made: without
that, too many of the first pseudo-labels of a textured target would be wrong.

Each domain passes through the network in a batch of its own, so BatchNorm gives both domains the same mean and standard
deviation in every layer. At the end the result gets the statistics of the target alone (AdaBN, Li et al. 2018).

The source-only baseline has the same network, source augmentation and average of weights, and the statistics of the
source.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.adaptation import config
from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Adaptation, Training
from dlcv.adaptation.methods.common import (
    Backward,
    Batch,
    Learner,
    Plan,
    TargetShares,
    adamw,
    adapt_statistics,
    classify,
    information,
    information_to_shares,
)
from dlcv.adaptation.networks import digits
from dlcv.adaptation.networks.digits import CLASSES, Classifier, DomainNetwork
from dlcv.engine.averaging import EMA, use_batch_statistics
from dlcv.runtime.config import Params

MEMORY = 0.99  # of the teacher's mean prediction at each step: an average over about 100 batches
# What decides the result.
TRAINING = {"batch_size", "weight_decay", "label_smoothing", "precision"}  # of `adaptation.training`
SOURCE_SETTINGS = {  # of `selftraining`, for the baseline
    "network",
    "steps",
    "learning_rate",
    "schedule",
    "dropout",
    "instance_norm",
    "teacher_decay",
    "source",
}


class SelfTrainingSource(Learner):
    """One update from `batch["source"]`, with labels. The result is the teacher.

    Args:
        more: networks that are not optimized but belong into a checkpoint.
    """

    def __init__(
        self,
        network: DomainNetwork,
        training: Training,
        own: config.SelfTraining,
        more: Mapping[str, nn.Module] | None = None,
    ):
        self.average = EMA(network, own.teacher_decay)
        networks = {"network": network, "teacher": self.average.network, **(more or {})}
        super().__init__(networks, {"network": adamw(network.parameters(), training)})
        self.training = training
        self.own = own

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        images, labels = batch["source"]
        loss, values = classify(self.source_logits(images), labels, self.training.label_smoothing)
        self.update(loss, progress, backward)
        return values

    def source_logits(self, images: Tensor) -> Tensor:
        """The student's logits for augmented source images, N x 10."""
        logits: Tensor = self.networks["network"](augment(images, self.own.source)).classes
        return logits

    def update(self, loss: Tensor, progress: float, backward: Backward) -> None:
        """One update of the student, then of the teacher."""
        self.descend("network", loss, backward)
        self.average.update(self.networks["network"], round(progress * self.training.steps) + 1)


class ClassShares(nn.Module):
    """The teacher's mean prediction so far; a buffer, so that a checkpoint has it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("share", torch.full((CLASSES,), 1 / CLASSES))
        self.share: Tensor


class SelfTraining(SelfTrainingSource):
    """One update from `batch["source"]`, with labels, and `batch["target"]`, whose labels are not read."""

    def __init__(self, network: DomainNetwork, training: Training, own: config.SelfTraining):
        self.shares = ClassShares()
        self.target_shares = TargetShares() if own.class_shares == "estimated" else None
        estimated = {} if self.target_shares is None else {"target_shares": self.target_shares}
        super().__init__(network, training, own, {"shares": self.shares, **estimated})

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        (source, source_labels), (target, _) = batch["source"], batch["target"]
        labels, confident = self.pseudo_labels(augment(target, self.own.weak))
        source_logits = self.source_logits(source)
        loss, values = classify(source_logits, source_labels, self.training.label_smoothing)
        logits = self.networks["network"](augment(target, self.own.strong)).classes
        # A mean over all target images: few pseudo-labels have a small weight.
        target_loss = (F.cross_entropy(logits, labels, reduction="none") * confident).mean()
        if self.target_shares is None:
            gained = information(logits)
        else:
            gained = information_to_shares(logits, self.target_shares.update(source_logits, source_labels, logits))
        loss = loss + ramp(progress) * (self.own.target_weight * target_loss - self.own.information * gained)
        self.update(loss, progress, backward)
        return {
            **values,
            "target_loss": target_loss.detach(),
            "information": gained.detach(),
            "pseudo_label_share": confident.float().mean(),
            "rarest_class_share": self.shares.share.min().clone(),
        }

    @torch.no_grad()
    def pseudo_labels(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """The teacher's predictions for target images, N, and whether each is above its threshold, bool N."""
        teacher = self.networks["teacher"]
        use_batch_statistics(teacher)
        probabilities = teacher(target).classes.float().softmax(1)
        self.shares.share.lerp_(probabilities.mean(0), 1 - MEMORY)
        confidence, labels = probabilities.max(1)
        # 1 for a class that is predicted as often as by chance, or more often.
        frequency = (CLASSES * self.shares.share).clamp(max=1)
        thresholds = self.own.threshold * (1 - self.own.threshold_balance * (1 - frequency))
        return labels, confidence > thresholds[labels]


def ramp(progress: float) -> float:
    """The weight of the target at `progress` in [0, 1]: from 0 to 1 along half a cosine, over half of the training."""
    return 0.5 - 0.5 * math.cos(min(math.pi, 2 * math.pi * progress))


def student(params: Params) -> tuple[DomainNetwork, Training]:
    """A network with new weights, and `adaptation.training` with the settings of `selftraining`."""
    section, own = params[Adaptation], params[config.SelfTraining]
    network = digits.build(own.network, own.dropout, own.instance_norm, section.networks.model_dump())
    replaced = {key: getattr(own, key) for key in ("steps", "learning_rate", "schedule")}
    return network, section.training.model_copy(update=replaced)


def plan(method: SelfTrainingSource, settings: set[str], role: str, params: Params, **more: Any) -> Plan:
    """How `method` is trained.

    Args:
        settings: keys of `selftraining` that decide the result.
        role: "source" or "target", whose BatchNorm statistics the result has.
        more: for `Plan`.
    """
    section = params[Adaptation]
    return Plan(
        method,
        settings={
            "networks": section.networks.model_dump(),
            "training": section.training.model_dump(include=TRAINING),
            "selftraining": method.own.model_dump(include=settings),
        },
        steps=method.own.steps,
        result="teacher",
        single=True,
        finish=partial(set_statistics, role),
        **more,
    )


def set_statistics(role: str, teacher: nn.Module, images: Mapping[str, np.ndarray]) -> None:
    """Set the BatchNorm statistics to those of the domain that is `role`."""
    assert isinstance(teacher, Classifier)
    adapt_statistics(teacher, images[role])


def selftraining_source(name: str, params: Params) -> Plan:
    """The source-only baseline with the settings of params.yaml and new weights."""
    network, training = student(params)
    method = SelfTrainingSource(network, training, params[config.SelfTraining])
    return plan(method, SOURCE_SETTINGS, "source", params, augmentation={"source": {"": method.own.source}})


def selftraining(name: str, params: Params) -> Plan:
    """The method with the settings of params.yaml and new weights."""
    network, training = student(params)
    own = params[config.SelfTraining]
    return plan(
        SelfTraining(network, training, own),
        set(type(own).model_fields),
        "target",
        params,
        statistics="domain",
        augmentation={
            "source": {"": own.source},
            "target": {"teacher": own.weak, "student": own.strong},
        },
    )
