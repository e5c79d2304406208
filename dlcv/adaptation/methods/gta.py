"""Generate To Adapt (Sankaranarayanan et al., CVPR 2018), as report 002 describes it.

F's features of an image, its class and noise let G paint the image as one of the source. D says
what it sees and whether it is real. F learns from C, and from D: features of the target are to be
such that G paints from them what D takes for an image of the source.

The order is the report's: D, G, C, F. Its reference keeps the activations of one forward pass for all
four steps, which torch refuses since it checks what was changed in place (rightly: the gradients would
mix old activations with new weights). Here each step computes its own of the networks that have changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.adaptation.config import Adaptation, Gta, Training
from dlcv.adaptation.methods.common import Backward, Batch, Plan, update
from dlcv.adaptation.methods.gta_source import TRAINING, GTASource, fixed
from dlcv.adaptation.networks.digits import CLASSES
from dlcv.adaptation.networks.gta import GTANetworks, changed
from dlcv.data.batches import to_float
from dlcv.engine.averaging import new_statistics
from dlcv.runtime.config import Params

REAL, FAKE = 1.0, 0.0
PAINTED = 256  # images of each domain that give G its statistics, at most


class GTA(GTASource):
    """One update of each network from `batch["source"]`, with labels, and `batch["target"]`, without.

    What F sees is augmented; D's real images are the source's own, so G learns to paint the image
    behind its change.
    """

    def __init__(self, networks: GTANetworks, training: Training, gta: Gta):
        others = {"D": networks.discriminator, "G": networks.generator}
        super().__init__(networks, training, gta, others, steady=["G"])  # as the reference

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update of each network; see `dlcv.engine.loop.Method`."""
        networks = self.networks["network"]
        assert isinstance(networks, GTANetworks)
        (source, labels), (target, _) = batch["source"], batch["target"]
        real = networks.prepare(source)
        source, target = (changed(images, self.training.augmentation, networks.grey) for images in (source, target))
        # F is the last to take a step, so one pass serves all: without a gradient until then.
        of_source, of_target = networks("embed", source), networks("embed", target)
        seen = self.update_painters(networks, real, labels, of_source.detach(), of_target.detach(), backward)

        # What D says of the images that G makes of F's features, for F to hear beside C.
        with fixed(networks.generator, networks.discriminator):
            painted_classes, _ = networks("discriminator", networks("generator", of_source, labels))
            _, painted_score = networks("discriminator", networks("generator", of_target, unknown(target)))
        adversarial = F.cross_entropy(painted_classes, labels)
        adversarial = adversarial + self.gta.target_weight * judged(painted_score, REAL)
        values = self.update_readers(networks, of_source, labels, self.gta.adversarial_weight * adversarial, backward)
        return {**values, **seen}

    def update_painters(
        self,
        networks: GTANetworks,
        real: Tensor,
        labels: Tensor,
        of_source: Tensor,
        of_target: Tensor,
        backward: Backward,
    ) -> dict[str, Tensor]:
        """One update of D and of G on features that are held fixed, and what the curve says of it."""
        # D, on the source's images and on what G paints.
        with torch.no_grad():
            from_source = networks("generator", of_source, labels)
            from_target = networks("generator", of_target, unknown(of_target))
        real_classes, real_score = networks("discriminator", real)
        _, source_score = networks("discriminator", from_source)
        _, target_score = networks("discriminator", from_target)
        seen_as_real = judged(real_score, REAL)
        d_loss = F.cross_entropy(real_classes, labels) + seen_as_real
        d_loss = d_loss + judged(source_score, FAKE) + judged(target_score, FAKE)
        update(self.optimizers["D"], d_loss, backward)

        # G: the source's images, in their classes, taken for real.
        with fixed(networks.discriminator):
            painted_classes, painted_score = networks("discriminator", networks("generator", of_source, labels))
            g_loss = F.cross_entropy(painted_classes, labels) + judged(painted_score, REAL)
            update(self.optimizers["G"], g_loss, backward)

        # Share of D's right answers on real images and on those from the target's features: 1/2 is chance.
        domain_accuracy = ((real_score > 0).float().mean() + (target_score < 0).float().mean()) / 2
        return {
            "discriminator_loss": d_loss.detach(),
            "generator_loss": g_loss.detach(),
            "domain_loss": (seen_as_real + judged(target_score, FAKE)).detach() / 2,
            "domain_accuracy": domain_accuracy,
        }


def unknown(of: Tensor) -> Tensor:
    """The class of images whose label nobody knows, for each of N."""
    return torch.full((len(of),), CLASSES, device=of.device)


def judged(score: Tensor, truth: float) -> Tensor:
    """Binary cross-entropy of D's logits, N, against "real" or "fake"."""
    return F.binary_cross_entropy_with_logits(score, torch.full_like(score, truth))


def build(task: str, params: Params) -> Plan:
    """The method as params.yaml sets it for the scenario `task`, with fresh weights."""
    training, gta = params[Adaptation].training, params[Gta]
    architecture: dict[str, Any] = {
        "noise": gta.noise,
        "width": gta.width,
        "instance_norm": training.instance_norm,
        "grey": task in gta.grey,
    }
    networks = GTANetworks(**architecture)
    return Plan(
        GTA(networks, training, gta),
        networks.printed(),
        {"network": "gta", **architecture},
        {
            "grey": architecture["grey"],
            "training": training.model_dump(include=TRAINING),
            "gta": gta.model_dump(exclude={"grey"}),
        },
        gta.steps,
        gta.ema_decay,
        # The four networks are one to the loop, which would wait for gradients of all of them.
        single=True,
        finish=finish,
    )


def finish(networks: nn.Module, images: Mapping[str, np.ndarray]) -> None:
    """Give G's BatchNorm, whose running statistics are of all passes, those of what it paints from each domain."""
    assert isinstance(networks, GTANetworks)
    device = next(networks.parameters()).device
    with new_statistics(networks.generator):
        for role, part in images.items():
            features = networks.embed(to_float(part[:PAINTED]).to(device))
            # C stands in for the source's labels.
            classes = networks.class_head(features).argmax(1)
            networks.generator(features, classes if role == "source" else unknown(classes))
