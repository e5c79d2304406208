"""The network of report 001, after dome272/Diffusion-Models-pytorch: 23,335,299 parameters at width 1.

Six self-attention blocks, one after each halving and doubling; the embedded label is added to the embedded time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.diffusion.networks.conditioning import CLASSES, NONE, Condition, Modulation, time_embedding
from dlcv.diffusion.networks.interface import Part, Unet

CHANNELS = 64  # at width 1
HEADS = 4


class AttentionUnet(Unet):
    """UNet_conditional as printed; the absent class adds nothing to the time.

    Args:
        channels: of images.
        width: factor on 64 channels, which are rounded to a multiple of 4, the heads.
        adaptive: modulate every block by time and class as well; in no report.
    """

    multiple = 8

    def __init__(self, channels: int, width: float, adaptive: bool = False):
        super().__init__()
        base = HEADS * max(1, round(CHANNELS * width / HEADS))
        self.time = 4 * base  # 256 at width 1
        embedded = self.time if adaptive else 0
        self.condition = Condition(embedded) if adaptive else None
        self.label_emb = nn.Embedding(CLASSES, self.time)
        self.inc = DoubleConv(channels, base, embedded)
        self.down1 = Down(base, 2 * base, self.time, embedded)
        self.sa1 = SelfAttention(2 * base)
        self.down2 = Down(2 * base, 4 * base, self.time, embedded)
        self.sa2 = SelfAttention(4 * base)
        self.down3 = Down(4 * base, 4 * base, self.time, embedded)
        self.sa3 = SelfAttention(4 * base)
        self.bot1 = DoubleConv(4 * base, 8 * base, embedded)
        self.bot2 = DoubleConv(8 * base, 8 * base, embedded)
        self.bot3 = DoubleConv(8 * base, 4 * base, embedded)
        self.up1 = Up(8 * base, 2 * base, self.time, embedded)
        self.sa4 = SelfAttention(2 * base)
        self.up2 = Up(4 * base, base, self.time, embedded)
        self.sa5 = SelfAttention(base)
        self.up3 = Up(2 * base, base, self.time, embedded)
        self.sa6 = SelfAttention(base)
        self.outc = nn.Conv2d(base, channels, 1)

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        condition = None if self.condition is None else self.condition(t, labels)
        known = (labels != NONE)[:, None]
        time = time_embedding(t, self.time) + self.label_emb(labels.clamp(min=0)) * known

        x1 = self.inc(x, condition)
        x2 = self.sa1(self.down1(x1, time, condition))
        x3 = self.sa2(self.down2(x2, time, condition))
        hidden = self.sa3(self.down3(x3, time, condition))
        for bottom in (self.bot1, self.bot2, self.bot3):
            hidden = bottom(hidden, condition)
        hidden = self.sa4(self.up1(hidden, x3, time, condition))
        hidden = self.sa5(self.up2(hidden, x2, time, condition))
        hidden = self.sa6(self.up3(hidden, x1, time, condition))
        out: Tensor = self.outc(hidden)
        return out

    def parts(self) -> list[Part]:
        both, everywhere = "time, class", "" if self.condition is None else "time, class"
        parts = [] if self.condition is None else [Part("condition", self.condition, condition=both)]
        parts += [Part("label_emb", self.label_emb, condition="class")]
        first = len(parts)
        return [
            *parts,
            Part("inc", self.inc, condition=everywhere),
            Part("down1", self.down1, condition=both),
            Part("sa1", self.sa1),
            Part("down2", self.down2, condition=both),
            Part("sa2", self.sa2),
            Part("down3", self.down3, condition=both),
            Part("sa3", self.sa3),
            Part("bot1", self.bot1, condition=everywhere),
            Part("bot2", self.bot2, condition=everywhere),
            Part("bot3", self.bot3, condition=everywhere),
            Part("up1", self.up1, skip=first + 4, condition=both),
            Part("sa4", self.sa4),
            Part("up2", self.up2, skip=first + 2, condition=both),
            Part("sa5", self.sa5),
            Part("up3", self.up3, skip=first, condition=both),
            Part("sa6", self.sa6),
            Part("outc", self.outc),
        ]


class DoubleConv(nn.Module):
    """Two convolutions, each with GroupNorm over all channels, and GELU between them.

    Args:
        embedded: size of the condition; 0 for none.
        middle: channels between the convolutions; those of the output if not given.
        residual: add the input, and apply GELU to the sum.
    """

    def __init__(self, inputs: int, outputs: int, embedded: int, middle: int | None = None, residual: bool = False):
        super().__init__()
        middle = middle or outputs
        self.residual = residual
        self.double_conv = nn.Sequential(
            nn.Conv2d(inputs, middle, 3, padding=1, bias=False),
            nn.GroupNorm(1, middle),
            nn.GELU(),
            nn.Conv2d(middle, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(1, outputs),
        )
        self.modulation = Modulation(embedded, middle) if embedded else None

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        convolution, norm, *rest = self.double_conv
        hidden: Tensor = norm(convolution(x))
        if self.modulation is not None:
            hidden = self.modulation(hidden, condition)
        for module in rest:
            hidden = module(hidden)
        return F.gelu(x + hidden) if self.residual else hidden


class Down(nn.Module):
    """Max-pool to half the size, two double convolutions, then add the embedding of time and class, N x `time`."""

    def __init__(self, inputs: int, outputs: int, time: int, embedded: int):
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.conv1 = DoubleConv(inputs, inputs, embedded, residual=True)
        self.conv2 = DoubleConv(inputs, outputs, embedded)
        self.emb_layer = nn.Sequential(nn.SiLU(), nn.Linear(time, outputs))

    def forward(self, x: Tensor, time: Tensor, condition: Tensor | None) -> Tensor:
        hidden: Tensor = self.conv2(self.conv1(self.pool(x), condition), condition)
        out: Tensor = hidden + self.emb_layer(time)[:, :, None, None]
        return out


class Up(nn.Module):
    """Upsample to twice the size, concatenate with the skipped output, then as `Down`."""

    def __init__(self, inputs: int, outputs: int, time: int, embedded: int):
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.conv1 = DoubleConv(inputs, inputs, embedded, residual=True)
        self.conv2 = DoubleConv(inputs, outputs, embedded, middle=inputs // 2)
        self.emb_layer = nn.Sequential(nn.SiLU(), nn.Linear(time, outputs))

    def forward(self, x: Tensor, skipped: Tensor, time: Tensor, condition: Tensor | None) -> Tensor:
        hidden = torch.cat([skipped, self.up(x)], dim=1)
        hidden = self.conv2(self.conv1(hidden, condition), condition)
        out: Tensor = hidden + self.emb_layer(time)[:, :, None, None]
        return out


class SelfAttention(nn.Module):
    """Self-attention over all positions, then two linear layers; each of the two adds to its input."""

    def __init__(self, channels: int):
        super().__init__()
        self.mha = nn.MultiheadAttention(channels, HEADS, batch_first=True)
        self.ln = nn.LayerNorm(channels)
        self.ff_self = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, channels), nn.GELU(), nn.Linear(channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        positions: Tensor = x.flatten(2).transpose(1, 2)  # N x HW x C
        normed = self.ln(positions)
        # need_weights would keep HW x HW numbers for each head.
        attended, _ = self.mha(normed, normed, normed, need_weights=False)
        positions = positions + attended
        positions = positions + self.ff_self(positions)
        return positions.transpose(1, 2).reshape(x.shape)
