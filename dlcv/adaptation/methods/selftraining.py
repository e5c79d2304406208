"""Self-training by an average of the weights, without labels of the target.

The average of the student's weights is its teacher (French et al., ICLR 2018). What the teacher is sure of in
weakly changed images of the target, the student learns to say of strongly changed ones (FixMatch, Sohn et al.,
NeurIPS 2020); the confidence that is asked for is lower for classes which the teacher seldom answers (the class term of
FreeMatch, Wang et al., ICLR 2023), lest the frequent ones take over. The target comes in late, by the ramp of AdaMatch
(Berthelot et al., ICLR 2022). Source images are changed as strongly, and grey ones are blended into textures by
MNIST-M's recipe: where the target is textured, the first pseudo-labels would be too often wrong to learn from.

Each domain passes through the network in its own batch, so BatchNorm brings both to the same mean and deviation in
every layer; at the end the result is given the statistics of the target alone (AdaBN, Li et al. 2018).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.adaptation import config as sections
from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Training
from dlcv.adaptation.methods.common import Backward, Batch, Plan, information
from dlcv.adaptation.methods.selftraining_source import SelfTrainingSource, fresh, plan
from dlcv.adaptation.networks.digits import CLASSES, DomainNetwork
from dlcv.engine.averaging import use_batch_statistics
from dlcv.runtime.config import Params

MEMORY = 0.99  # of the teacher's mean answer, for each step: over about 100 batches


class Standing(nn.Module):
    """The teacher's mean answer so far, a buffer so that a resumed training goes on with it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("share", torch.full((CLASSES,), 1 / CLASSES))
        self.share: Tensor


class SelfTraining(SelfTrainingSource):
    """One update from `batch["source"]`, with labels, and `batch["target"]`, whose labels are not read."""

    def __init__(self, network: DomainNetwork, training: Training, own: sections.SelfTraining):
        self.standing = Standing()
        super().__init__(network, training, own, {"standing": self.standing})

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        target, _ = batch["target"]
        answers, sure = self.teach(augment(target, self.own.weak))
        loss, values = self.on_source(*batch["source"])
        on_target, _ = self.networks["network"](augment(target, self.own.strong))
        # A mean over all images: while few are sure, the target says little.
        target_loss = (F.cross_entropy(on_target, answers, reduction="none") * sure).mean()
        gained = information(on_target)
        loss = loss + ramp(progress) * (self.own.target_weight * target_loss - self.own.information * gained)
        self.learn(loss, progress, backward)
        return {
            **values,
            "target_loss": target_loss.detach(),
            "information": gained.detach(),
            "taught_share": sure.float().mean(),
            "rarest_class_share": self.standing.share.min().clone(),
        }

    @torch.no_grad()
    def teach(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """The teacher's answers to images of the target, N, and which it is sure enough of, bool N."""
        teacher = self.networks["teacher"]
        use_batch_statistics(teacher)
        logits, _ = teacher(target)
        shares = logits.float().softmax(1)
        self.standing.share.lerp_(shares.mean(0), 1 - MEMORY)
        confidence, answers = shares.max(1)
        # 1 for a class that is answered as often as by chance, whatever the most frequent one is.
        seldom = (CLASSES * self.standing.share).clamp(max=1)
        asked = self.own.confidence * (1 - self.own.balance * (1 - seldom))
        return answers, confidence > asked[answers]


def ramp(progress: float) -> float:
    """The weight of the target at `progress` in [0, 1]: from 0 to 1 along half a cosine, over half of the training."""
    return 0.5 - 0.5 * math.cos(min(math.pi, 2 * math.pi * progress))


def build(task: str, params: Params) -> Plan:
    """The method as params.yaml sets it, with fresh weights."""
    network, training, architecture = fresh(params)
    own = params[sections.SelfTraining]
    return plan(SelfTraining(network, training, own), architecture, set(type(own).model_fields), "target", params)
