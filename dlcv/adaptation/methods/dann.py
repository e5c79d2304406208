"""Domain-adversarial training of neural networks (Ganin et al., JMLR 2016).

The domain head learns to tell the domains apart. The features learn to classify the source and, by the reversed
gradient of the domain head, to make the domains indistinguishable.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Adaptation, Dann, Training
from dlcv.adaptation.methods.common import (
    Backward,
    Batch,
    Learner,
    Plan,
    TargetShares,
    adamw,
    classify,
    domain_network,
    information,
    information_to_shares,
    settings_of,
    strength,
)
from dlcv.adaptation.networks.digits import DomainNetwork
from dlcv.runtime.config import Params


class DANN(Learner):
    """One update from `batch["source"]`, with labels, and `batch["target"]`, whose labels are not read.

    `dann.update: joint` is the method of the paper: one optimizer, one step. `alternating` is that of the reference of
    report 001: first a step of the domain head on fixed features, then a step of features and class head against the
    updated domain head.

    With `dann.information` above 0 the loss has information maximisation on the target, too: towards uniform class
    shares, or with `dann.class_shares: estimated` towards those of the target as they are estimated so far.
    """

    def __init__(self, network: DomainNetwork, training: Training, dann: Dann):
        parts = {"network": list(network.parameters())}
        if dann.update == "alternating":
            parts = {
                "domain_head": list(network.domain_head.parameters()),
                "network": [*network.features.parameters(), *network.class_head.parameters()],
            }
        self.shares = TargetShares() if dann.information and dann.class_shares == "estimated" else None
        networks: dict[str, nn.Module] = {"network": network}
        if self.shares is not None:
            networks["target_shares"] = self.shares  # for checkpoints
        super().__init__(networks, {name: adamw(part, training) for name, part in parts.items()})
        self.training = training
        self.dann = dann

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        (source, labels), (target, _) = batch["source"], batch["target"]
        source, target = (augment(images, self.training.augmentation) for images in (source, target))
        domains = torch.cat([labels.new_zeros(len(source)), labels.new_ones(len(target))])
        # A tensor: networks are compiled anew for another number.
        lambda_ = torch.full((), strength(progress, self.dann.lambda_, self.dann.gamma), device=labels.device)

        if self.dann.update == "alternating":
            _, domain_logits = self._logits(source, target, None)
            self.descend("domain_head", domain_loss(domain_logits, domains, len(source)), backward)

        # In the first step lambda is 0: the gradient would be zero but cost as much to compute.
        class_logits, domain_logits = self._logits(source, target, lambda_ if progress else None)
        of_source, of_target = class_logits[: len(source)], class_logits[len(source) :]
        class_loss, values = classify(of_source, labels, self.training.label_smoothing)
        of_domains = domain_loss(domain_logits, domains, len(source))
        loss = class_loss + of_domains
        if self.dann.information:
            if self.shares is None:
                gained = information(of_target)
            else:
                gained = information_to_shares(of_target, self.shares.update(of_source, labels, of_target))
            loss = loss - strength(progress, self.dann.information, self.dann.gamma) * gained
            values["information"] = gained.detach()
        self.descend("network", loss, backward)
        return {
            **values,
            "domain_loss": of_domains.detach() / 2,
            "domain_accuracy": (domain_logits.argmax(1) == domains).float().mean(),
            "lambda": lambda_,
        }

    def _logits(self, source: Tensor, target: Tensor, lambda_: Tensor | None) -> tuple[Tensor, Tensor]:
        """Class logits, (N + M) x 10, and domain logits, (N + M) x 2, of N source and M target images."""
        batches = [torch.cat([source, target])] if self.dann.joint_batch else [source, target]
        outputs = [self.networks["network"](images, lambda_) for images in batches]
        return torch.cat([output.classes for output in outputs]), torch.cat([output.domains for output in outputs])


def domain_loss(logits: Tensor, domains: Tensor, count: int) -> Tensor:
    """The sum of the two domains' mean cross-entropies.

    Args:
        logits: N x 2.
        domains: N; 0 for the first `count` images, 1 for the others.
    """
    losses = F.cross_entropy(logits, domains, reduction="none")
    return losses[:count].mean() + losses[count:].mean()


def dann(name: str, params: Params) -> Plan:
    """The training with the settings of params.yaml and new weights."""
    training, own = params[Adaptation].training, params[Dann]
    suffix = " (alternating)" if own.update == "alternating" else ""
    suffix += " + information maximisation" if own.information else ""
    method = DANN(domain_network(params), training, own)
    suffix += " towards estimated class shares" if method.shares is not None else ""
    return Plan(
        method,
        settings={**settings_of(params), "dann": own.model_dump(by_alias=True)},
        steps=training.steps,
        ema_decay=training.ema_decay,
        single=method.shares is not None,  # each process would have its own estimate
        label_suffix=suffix,
        domain_head=True,
    )
