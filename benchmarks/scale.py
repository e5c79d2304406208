"""What the study of params.yaml takes on several GPUs, and what larger data sets take, from counted FLOPs and bytes.

    dlcv profile gpu && python benchmarks/scale.py TFLOPS

TFLOPS is what a GPU computes in a second in these trainings, in units of 10^12. The FLOPs of each training are
counted as by `dlcv doctor`, and its stages are given to 1, 8 and 64 GPUs as `dlcv repro` does: one at a time on each,
the one with the longest path behind it first. Only trainings take time in this count.

The second table is of the images of larger sets at the size of the study's faces, or at their own: what their prepared
form takes in memory and on disk, how long the features take at the rate measured here, and the multiplications for the
distances of the scored and as many validation images to all of them.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from dlcv.doctor.jobs import jobs
from dlcv.doctor.measure import cost
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.efficientnet import FEATURES
from dlcv.evaluation.extractors.extractor import load_extractor
from dlcv.runtime.config import Params, load
from dlcv.runtime.stages import Pipeline, read_needs

GPUS = (1, 8, 64)
SETS = {  # images and side in pixels
    "CelebA": (202_599, 64),
    "ImageNet at 64": (1_281_167, 64),
    "FFHQ at 256": (70_000, 256),
}
MEASURED = 64  # images


def seconds_of_trainings(params: Params, rate: float) -> dict[str, float]:
    """The seconds of each training stage, by its address, at `rate` FLOPs a second."""
    found = {}
    for job in jobs(params):
        seconds = cost(job).flops * job.steps / rate
        found.update(dict.fromkeys(job.stages, seconds))
    return found


def makespan(needs: dict[str, list[str]], seconds: dict[str, float], gpus: int) -> float:
    """The seconds until the last stage ends."""
    of = {stage: seconds.get(stage, 0.0) for stage in needs}
    remaining = Pipeline(needs, frozenset()).remaining(of)
    ends: dict[str, float] = {}
    running: dict[str, float] = {}
    now, waiting = 0.0, set(needs)
    while waiting or running:
        ready = [stage for stage in waiting if all(needed in ends for needed in needs[stage])]
        for stage in sorted(ready, key=lambda stage: -remaining[stage])[: gpus - len(running)]:
            waiting.remove(stage)
            running[stage] = now + of[stage]
        first = min(running, key=running.__getitem__)
        now = running.pop(first)
        ends[first] = now
    return now


def features_rate(section: Evaluation) -> float:
    """Core-seconds for the EfficientNet features of an image, on the CPU."""
    extractor = load_extractor(section.model_copy(update={"extractor": "efficientnet_lite0"}), section.input_size.faces)
    images = np.random.default_rng(0).integers(0, 256, (MEASURED, 64, 64, 3), dtype=np.uint8)
    extractor(images)
    start = time.process_time()
    extractor(images)
    return (time.process_time() - start) / MEASURED


def main(tflops: float) -> None:
    params = load()
    needs, seconds = read_needs(), seconds_of_trainings(params, tflops * 1e12)
    longest = max(seconds, key=seconds.__getitem__)
    print(f"{len(seconds)} trainings of {sum(seconds.values()) * tflops / 1e3:.0f} PFLOP; at {tflops:g} TFLOP a second")
    print(f"the longest is {longest}: {seconds[longest] / 3600:.2f} h")
    for gpus in GPUS:
        print(f"{gpus:3} GPUs: {makespan(needs, seconds, gpus) / 3600:6.2f} h")
    rate, scored = features_rate(params[Evaluation]), params[Evaluation].images
    print(f"\nfeatures: {rate:.4f} core-seconds for an image here")
    for name, (count, side) in SETS.items():
        pixels, features = count * side * side * 3 / 1e9, count * FEATURES * 4 / 1e9
        products = 2 * scored * count * FEATURES / 1e12
        hours = count * rate / 3600
        print(
            f"{name:16} {pixels:5.1f} GB of pixels, {features:5.2f} GB of features in {hours:5.1f} core-hours, "
            f"{products:5.2f} x 10^12 multiplications"
        )


if __name__ == "__main__":
    main(float(sys.argv[1]))
