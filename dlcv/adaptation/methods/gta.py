"""Generate To Adapt (Sankaranarayanan et al., CVPR 2018), as report 002 describes it, and its source-only baseline.

From the features that F computes for an image, its class and noise, the generator G generates an image of the source.
The discriminator D predicts the class of an image and whether it is real. F learns from the classifier C, and from D:
its features of the target have to be such that D takes G's image for a real image of the source.

The order of the updates is that of the report: D, G, C, F. Its reference uses the activations of one forward pass for
all four, which torch refuses because weights have changed in place: gradients would mix old activations with new
weights. Here each update computes the activations of the networks that have changed.

The source-only baseline has F and C, the same augmentation and the same number of steps, and neither D nor G.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.adaptation.config import Adaptation, Gta, Training
from dlcv.adaptation.methods.common import Backward, Batch, Learner, Optimization, Plan, classify
from dlcv.adaptation.networks.gta import UNKNOWN, FeaturesAndClasses, GTANetworks, build
from dlcv.data.batches import to_float
from dlcv.engine.averaging import recalibrated
from dlcv.engine.optimizers import make_optimizer
from dlcv.runtime.config import Params

REAL, FAKE = 1.0, 0.0
STATISTICS_IMAGES = 256  # maximum number of images of each domain for G's BatchNorm statistics
# What decides the result of the baseline.
TRAINING = {"batch_size", "label_smoothing", "instance_norm", "augmentation", "precision"}  # of `adaptation.training`
SOURCE_SETTINGS = {"steps", "learning_rate", "beta1", "learning_rate_decay", "ema_decay"}  # of `gta`


class GTASource(Learner):
    """One update of C and one of F from `batch["source"]`, with labels.

    Args:
        others: the optimizers of the other networks, which are updated first.
    """

    def __init__(
        self,
        networks: FeaturesAndClasses,
        training: Training,
        gta: Gta,
        others: Mapping[str, Optimization] | None = None,
    ):
        own = {"C": adam(networks.class_head, gta), "F": adam(networks.features, gta)}
        super().__init__({"network": networks}, {**(others or {}), **own})
        self.training = training
        self.gta = gta

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update of each network; see `dlcv.engine.loop.Method`."""
        networks = self.networks["network"]
        assert isinstance(networks, FeaturesAndClasses)
        images, labels = batch["source"]
        features = networks("embed", networks.augment(images, self.training.augmentation))
        return self.update_c_and_f(networks, features, labels, 0.0, backward)

    def update_c_and_f(
        self,
        networks: FeaturesAndClasses,
        features: Tensor,
        labels: Tensor,
        adversarial: Tensor | float,
        backward: Backward,
    ) -> dict[str, Tensor]:
        """One update of C and one of F, and values for the curve.

        Args:
            features: of source images, N x 128, with a gradient to F.
            adversarial: the term of F's loss beside the cross-entropy of C.
        """
        smoothing = self.training.label_smoothing
        class_loss, values = classify(networks("class_head", features.detach()), labels, smoothing)
        self.descend("C", class_loss, backward)
        with fixed(networks.class_head):
            f_loss, _ = classify(networks("class_head", features), labels, smoothing)
            self.descend("F", f_loss + adversarial, backward)
        return {**values, "feature_loss": f_loss.detach()}


class GTA(GTASource):
    """One update of each network from `batch["source"]`, with labels, and `batch["target"]`, whose labels are not read.

    F sees augmented images. D's real images are not augmented, so G learns to generate the image before augmentation.
    """

    def __init__(self, networks: GTANetworks, training: Training, gta: Gta):
        # As in the reference, the learning rate of G does not decay.
        others = {"D": adam(networks.discriminator, gta), "G": adam(networks.generator, gta, decay=0.0)}
        super().__init__(networks, training, gta, others)

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update of each network; see `dlcv.engine.loop.Method`."""
        networks = self.networks["network"]
        assert isinstance(networks, GTANetworks)
        (source, labels), (target, _) = batch["source"], batch["target"]
        real = networks.prepare(source)
        source, target = (networks.augment(images, self.training.augmentation) for images in (source, target))
        # F is updated last, so one forward pass is enough for all updates.
        of_source, of_target = networks("embed", source), networks("embed", target)
        values = self.update_d_and_g(networks, real, labels, of_source.detach(), of_target.detach(), backward)

        # D's loss on the images that G generates from F's features.
        with fixed(networks.generator, networks.discriminator):
            fake_classes, _ = networks("discriminator", networks("generator", of_source, labels))
            _, fake_score = networks("discriminator", networks("generator", of_target, unknown(target)))
        adversarial = F.cross_entropy(fake_classes, labels)
        adversarial = adversarial + self.gta.target_weight * real_or_fake(fake_score, REAL)
        weighted = self.gta.adversarial_weight * adversarial
        return {**self.update_c_and_f(networks, of_source, labels, weighted, backward), **values}

    def update_d_and_g(
        self,
        networks: GTANetworks,
        real: Tensor,
        labels: Tensor,
        of_source: Tensor,
        of_target: Tensor,
        backward: Backward,
    ) -> dict[str, Tensor]:
        """One update of D and one of G, and values for the curve.

        Args:
            real: images of the source, N x 3 x 32 x 32.
            labels: of these, N.
            of_source, of_target: features without a gradient to F, N x 128.
        """
        # D: source images and generated images.
        with torch.no_grad():
            from_source = networks("generator", of_source, labels)
            from_target = networks("generator", of_target, unknown(of_target))
        real_classes, real_score = networks("discriminator", real)
        _, source_score = networks("discriminator", from_source)
        _, target_score = networks("discriminator", from_target)
        real_loss = real_or_fake(real_score, REAL)
        d_loss = F.cross_entropy(real_classes, labels) + real_loss
        d_loss = d_loss + real_or_fake(source_score, FAKE) + real_or_fake(target_score, FAKE)
        self.descend("D", d_loss, backward)

        # G: images from source features that D takes for real images of the same class.
        with fixed(networks.discriminator):
            fake_classes, fake_score = networks("discriminator", networks("generator", of_source, labels))
            g_loss = F.cross_entropy(fake_classes, labels) + real_or_fake(fake_score, REAL)
            self.descend("G", g_loss, backward)

        # D's accuracy on real images and on images generated from target features; chance is 1/2.
        domain_accuracy = ((real_score > 0).float().mean() + (target_score < 0).float().mean()) / 2
        return {
            "discriminator_loss": d_loss.detach(),
            "generator_loss": g_loss.detach(),
            "domain_loss": (real_loss + real_or_fake(target_score, FAKE)).detach() / 2,
            "domain_accuracy": domain_accuracy,
        }


def adam(network: nn.Module, gta: Gta, decay: float | None = None) -> Optimization:
    """Adam and a learning rate that decays as 1 / (1 + decay * step); by default with the decay of `gta`."""
    decay = gta.learning_rate_decay if decay is None else decay
    return make_optimizer(
        "adam",
        network.parameters(),
        learning_rate=gta.learning_rate,
        steps=gta.steps,
        schedule=lambda step, steps: 1 / (1 + decay * step),
        betas=(gta.beta1, 0.999),
    )


@contextmanager
def fixed(*networks: nn.Module) -> Iterator[None]:
    """Let gradients pass through `networks`, but compute none for their parameters."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)


def unknown(like: Tensor) -> Tensor:
    """The class of images without a label, for each of N."""
    return torch.full((len(like),), UNKNOWN, device=like.device)


def real_or_fake(logits: Tensor, truth: float) -> Tensor:
    """Binary cross-entropy of D's logits, N, and `REAL` or `FAKE`."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, truth))


def set_statistics(networks: nn.Module, images: Mapping[str, np.ndarray]) -> None:
    """Set G's BatchNorm statistics to those of images that it generates from both domains.

    Its running statistics are those of all its passes in training, most of which are of the source.
    """
    assert isinstance(networks, GTANetworks)
    device = next(networks.parameters()).device
    with recalibrated(networks.generator):
        for role, part in images.items():
            features = networks.embed(to_float(part[:STATISTICS_IMAGES]).to(device))
            # C's predictions in place of the source's labels.
            classes = networks.class_head(features).argmax(1)
            networks.generator(features, classes if role == "source" else unknown(classes))


def gta_source(name: str, params: Params) -> Plan:
    """The source-only baseline for the scenario `name` with the settings of params.yaml and new weights."""
    training, own = params[Adaptation].training, params[Gta]
    architecture: dict[str, Any] = {"instance_norm": training.instance_norm, "grey": name in own.grey}
    return Plan(
        GTASource(build("gta-source", **architecture), training, own),
        settings={
            "grey": architecture["grey"],
            "training": training.model_dump(include=TRAINING),
            "gta": own.model_dump(include=SOURCE_SETTINGS),
        },
        steps=own.steps,
        ema_decay=own.ema_decay,
        single=True,
    )


def gta(name: str, params: Params) -> Plan:
    """The method for the scenario `name` with the settings of params.yaml and new weights."""
    training, own = params[Adaptation].training, params[Gta]
    architecture: dict[str, Any] = {"instance_norm": training.instance_norm, "grey": name in own.grey}
    networks = build("gta", noise=own.noise, width=own.width, **architecture)
    assert isinstance(networks, GTANetworks)
    return Plan(
        GTA(networks, training, own),
        settings={
            "grey": architecture["grey"],
            "training": training.model_dump(include=TRAINING),
            "gta": own.model_dump(exclude={"grey"}),
        },
        steps=own.steps,
        ema_decay=own.ema_decay,
        # For the loop the four networks are one, and with several processes it would wait for gradients of all four.
        single=True,
        finish=set_statistics,
    )
