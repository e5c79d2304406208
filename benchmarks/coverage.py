"""How often an interval from k trainings contains the score of another training.

    dvc repro stages/data/dvc.yaml stages/evaluation/dvc.yaml && python benchmarks/coverage.py [SEEDS] [JOBS]

A GAN, a DANN and a digit model are trained with the settings of params.yaml from SEEDS seeds (8), JOBS at a time (2),
in a copy of the study in a temporary folder. For each k up to 4, and for each set of k of the trainings, the interval
of `dlcv.evaluation.summary` is compared with the score of every training that is left out. Prints a table of the shares
that are inside, and of k = 1, whose interval is that of the images alone; writes results/coverage/scores.json.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

from dlcv.engine import environment

ROOT = Path(__file__).parent.parent
GAN, SCENARIO, DIGITS = "dcgan", "mnistm-usps", "context-unet"
COMMANDS = (f"gan train {GAN}", f"adaptation train dann {SCENARIO}", f"diffusion train {DIGITS}")
MOST = 4  # trainings for an interval; more are rare


def main() -> None:
    """Train, score, and count."""
    environment.prepare_from(ROOT / "params.yaml")  # before NumPy and torch are imported
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    with tempfile.TemporaryDirectory() as folder:
        copy(Path(folder))
        os.chdir(folder)
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(train, [f"{command} --seed {seed}" for seed in seeds for command in COMMANDS]))
        scores = measure(list(seeds))
        os.chdir(ROOT)
    from dlcv.runtime.files import write_json

    write_json(Path("results/coverage/scores.json"), scores)
    report(scores)


def copy(folder: Path) -> None:
    """The code and the parameters, with links to data, references and judge."""
    for name in ("dlcv", "params.yaml"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    (folder / "out").mkdir()
    for name in ("data", "out/evaluation"):
        (folder / name).symlink_to(ROOT / name)


def train(command: str) -> None:
    """Run one training, quietly."""
    environment = {**os.environ, "DLCV_TRACKING": "off"}
    words = [sys.executable, "-m", "dlcv", *command.split()]
    subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL)
    print(command, file=sys.stderr)


def measure(seeds: list[int]) -> dict[str, list[dict[str, Any]]]:
    """By kind of training, the scores of each seed with the intervals of their images."""
    from dlcv.adaptation.scores import evaluated
    from dlcv.adaptation.trainings import Task, load_domain, scenario_of
    from dlcv.data.batches import to_uint8
    from dlcv.data.digit_names import digit_of, names_of
    from dlcv.data.latents import normal, seeds_of
    from dlcv.diffusion import digits
    from dlcv.diffusion.config import DIGITS_OUT, Diffusion, digits_name, guidance_of
    from dlcv.evaluation.config import Evaluation, Judge, judge_folder
    from dlcv.evaluation.extractors.extractor import load_extractor
    from dlcv.evaluation.judge.network import load_judge
    from dlcv.evaluation.metrics.classification import accuracy
    from dlcv.evaluation.reference import load_reference
    from dlcv.evaluation.scores import score
    from dlcv.gan.config import OUT, Gan, name_of
    from dlcv.gan.networks import LATENT
    from dlcv.gan.sample import generate, load_generator
    from dlcv.runtime.config import load

    params = load()
    section, extractor = params[Evaluation], load_extractor(params[Evaluation], params[Evaluation].input_size.faces)
    faces = load_reference(Path("out/evaluation/faces"))
    judge = load_judge(judge_folder(params[Judge].seeds[0]))
    scenario = scenario_of(SCENARIO, params)
    source, target = load_domain(scenario.source, "val"), load_domain(scenario.target, "val")
    names = names_of(params[Diffusion].samples)
    labels = [digit_of(name) for name in names]

    def gan(seed: int) -> dict[str, Any]:
        generator, _ = load_generator(OUT / name_of(GAN, seed), GAN)
        images = generate(generator, normal(params[Gan].samples, (LATENT,), seed))
        scores = score(images, faces, section, seed, extractor)
        return {"Fréchet distance": scores[extractor.score], "face score": scores["face_score"]}

    def dann(seed: int) -> dict[str, Any]:
        network = evaluated(Task("dann", SCENARIO, seed).folder, source, target)
        return {"accuracy": accuracy(network.target.digits == target.labels)}

    def diffusion(seed: int) -> dict[str, Any]:
        model = digits.load_model(DIGITS_OUT / digits_name(DIGITS, seed))
        sampling, guidance = params[Diffusion].sampling, guidance_of(DIGITS, params)
        drawn = digits.draw(model, labels, seeds_of(names, seed), sampling, guidance, seed)
        return {"digit accuracy": accuracy(judge(to_uint8(drawn.images).numpy()) == labels)}

    kinds: Mapping[str, Callable[[int], dict[str, Any]]] = {
        f"gan {GAN}": gan,
        f"dann {SCENARIO}": dann,
        f"diffusion {DIGITS}": diffusion,
    }
    return {name: [{"seed": seed, **kind(seed)} for seed in seeds] for name, kind in kinds.items()}


def report(scores: Mapping[str, list[dict[str, Any]]]) -> None:
    """Print the table."""
    from dlcv.evaluation.summary import summarise

    print(f"| training | score | mean ± std over {len(next(iter(scores.values())))} seeds | k | inside | of |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, trainings in scores.items():
        same_images = name.startswith("dann")
        for key in [key for key in trainings[0] if key != "seed"]:
            own = [{key: training[key]} for training in trainings]
            summary = summarise(own, same_images=same_images)[key]
            spread = f"{summary['value']:.3f} ± {summary['standard_deviation']:.3f}"
            for count in range(1, MOST + 1):
                hits = []
                for chosen in combinations(range(len(own)), count):
                    known = summarise([own[index] for index in chosen], same_images=same_images)[key]
                    left = [value_of(one[key]) for index, one in enumerate(own) if index not in chosen]
                    hits += [known["interval"]["low"] <= value <= known["interval"]["high"] for value in left]
                print(f"| {name} | {key} | {spread} | {count} | {sum(hits) / len(hits):.2f} | {len(hits)} |")


def value_of(score: Mapping[str, Any]) -> float:
    """The value of a score."""
    return float(score["value"] if "value" in score else score["accuracy"])


if __name__ == "__main__":
    main()
