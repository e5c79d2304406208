"""Bad input to every command, in one table: one line, the exit code that README states, and nothing half-written."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.models.conftest import trained  # noqa: F401  # a fixture

pytestmark = pytest.mark.slow

Prepare = Callable[[], object]
ERROR, USAGE = 1, 2


def nothing() -> None:
    pass


def text(path: str, content: str) -> Prepare:
    def write() -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content)

    return write


def changed(old: str, new: str) -> Prepare:
    """params.yaml with another text."""

    def write() -> None:
        before = Path("params.yaml").read_text()
        assert old in before
        Path("params.yaml").write_text(before.replace(old, new, 1))

    return write


def images(folder: str, *names: str, size: int = 28) -> Prepare:
    def write() -> None:
        Path(folder).mkdir(parents=True)
        for name in names:
            Image.new("RGB", (size, size)).save(Path(folder) / name)

    return write


def noise(folder: str, *shape: int, value: float = 0.0, name: str = "00.npy") -> Prepare:
    def write() -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        np.save(Path(folder) / name, np.full(shape, value, np.float32))

    return write


def both(*each: Prepare) -> Prepare:
    return lambda: [one() for one in each]


def sidecar(content: str) -> Prepare:
    """The GAN's weights.json with other content."""
    return text("out/gan/sngan-0/weights.json", content)


def spoil_weights(value: float) -> Prepare:
    def write() -> None:
        path = Path("out/gan/sngan-0/weights.safetensors")
        state = load_file(path)
        next(tensor for tensor in state.values() if tensor.is_floating_point()).view(-1)[0] = value
        save_file(state, path)
        about = json.loads(path.with_suffix(".json").read_text())
        from dlcv.runtime.files import sha256

        path.with_suffix(".json").write_text(json.dumps({**about, "sha256": sha256(path)}))

    return write


def cut(path: str, size: int = 50) -> Prepare:
    return lambda: Path(path).write_bytes(Path(path).read_bytes()[:size])


def broken_zip() -> None:
    with zipfile.ZipFile("data.zip", "w") as archive:
        archive.writestr("face/train/0.png", b"x" * 100)
    Path("data.zip").write_bytes(Path("data.zip").read_bytes()[:60])


def link() -> None:
    Path("links").mkdir()
    Path("links/a.png").symlink_to("nothing")
    Path("links/b.png").symlink_to("nothing")


def pickled() -> None:
    torch.save({"code": print}, "UNet.pt")


LONG = "a" * 300
DRAW = "gan sample sngan --count 2 --out"
DIGITS = "diffusion sample context-unet --digit 3 --out"
NOISE = "ddim sample --noise noise --out"
READ = "adaptation predict in --scenario usps-mnistm --method dann --out"
CASES: list[tuple[str, Prepare, int, str]] = [
    # params.yaml
    ("params check", text("params.yaml", ""), ERROR, "is not a mapping"),
    ("params check", text("params.yaml", "seed: ["), ERROR, "is not YAML"),
    ("params check", text("params.yaml", "seed: 0\nsedd: 1\n"), ERROR, "unknown key sedd; did you mean seed?"),
    ("params check", lambda: Path("params.yaml").unlink(), ERROR, "there is no params.yaml here"),
    ("params check", changed("seed: 0", "seed: -1"), ERROR, "seed"),
    ("params check", changed("seed: 0", "seed: 1.5"), ERROR, "seed"),
    ("params check", changed("report-000:", '"$(touch PWNED)":'), ERROR, "is no name"),
    ("params check", changed("[mnistm, svhn, usps]", "[usps]"), ERROR, "needs mnistm, which data.domains lacks"),
    ("params check", changed("[mnistm, svhn, usps]", "[usps, usps]"), ERROR, "has to name each once"),
    ("params check", changed("steps: 2500", "steps: 1e9"), ERROR, "gan.base.steps"),
    ("params check", changed("steps: 2500", "steps: 0"), ERROR, "greater than 0"),
    ("params check", changed("latent: 512", "latent: .inf"), ERROR, "vae.latent"),
    ("params show gan.nope", nothing, ERROR, "has no key gan.nope"),
    ("params show seed.x", nothing, ERROR, "seed is a value and has no key x"),
    ("profile nope", nothing, ERROR, "no profile nope"),
    # The command line
    ("", nothing, USAGE, ""),
    ("nope", nothing, USAGE, "No such command 'nope'; see dlcv --help"),
    ("gan nope", nothing, USAGE, "No such command 'nope'; see dlcv gan --help"),
    ("gan sample", nothing, USAGE, "Missing argument"),
    ("gan sample sngan --nope", nothing, USAGE, "No such option: --nope"),
    (f"{DRAW} new --count 0", nothing, USAGE, "--count"),
    (f"{DRAW} new --count 1000000000", nothing, USAGE, "--count"),
    (f"{DRAW} new --count two", nothing, USAGE, "--count"),
    (f"{DRAW} new --seed -1", nothing, USAGE, "--seed"),
    (f"{DIGITS} new --w inf", nothing, USAGE, "--w"),
    (f"{DIGITS} new --w 1e30", nothing, USAGE, "--w"),
    (f"{DIGITS} new --w nan", nothing, USAGE, "--w"),
    (f"{DIGITS} new --eta 2", nothing, USAGE, "--eta"),
    (f"{DIGITS} new --steps 0", nothing, USAGE, "--steps"),
    ("repro --jobs 0", nothing, USAGE, "--jobs"),
    # Places for output
    (f"{DRAW} params.yaml/new", nothing, ERROR, "params.yaml is a file"),
    (f"{DRAW} {LONG}", nothing, ERROR, "File name too long"),
    (f"{DRAW} /proc/new/faces", nothing, ERROR, "/proc/new"),
    (f"{DRAW} profiles", nothing, ERROR, "profiles is not empty; name a new folder"),
    (f"{DRAW} params.yaml", nothing, ERROR, "params.yaml is not empty; name a new folder"),
    ("gan sample sngan --count 2", nothing, ERROR, "need --out"),
    (f"{DIGITS[:-6]}", nothing, ERROR, "give --digit, 0 to 9, or --all, and --out"),
    ("diffusion sample context-unet --all", nothing, ERROR, "and --out, a new folder"),
    ("export gan/sngan-0 profiles", nothing, ERROR, "profiles is not empty"),
    ("export gan/nope-0 new", nothing, ERROR, "no trained model gan/nope-0"),
    (f"{READ} in", images("in", "a.png"), ERROR, "in is a folder; name a file for the table"),
    (f"{READ} in/a.png", images("in", "a.png"), ERROR, "in/a.png is one of the images"),
    # Weights
    (f"{DRAW} new", sidecar("[]"), ERROR, "does not describe weights"),
    (f"{DRAW} new", sidecar("null"), ERROR, "does not describe weights"),
    (f"{DRAW} new", sidecar("{"), ERROR, "is not JSON"),
    (f"{DRAW} new", sidecar("{}"), ERROR, "holds area None"),
    (f"{DRAW} new", sidecar('{"area": "gan", "model": "sngan"}'), ERROR, "lacks the key"),
    (f"{DRAW} new", sidecar('{"area": "gan", "model": "sngan", "params": 3}'), ERROR, "params is '3'"),
    (f"{DRAW} new", cut("out/gan/sngan-0/weights.safetensors"), ERROR, "is not the file that"),
    (f"{DRAW} new", spoil_weights(float("nan")), ERROR, "has values that are not finite"),
    (f"{DRAW} new", spoil_weights(float("inf")), ERROR, "has values that are not finite"),
    (f"{DRAW} new --weights nowhere", nothing, ERROR, "nowhere/weights.json is missing"),
    (f"{DRAW} new --weights out/vae/vae-0", nothing, ERROR, "holds area vae"),
    (f"{DRAW} new --weights out/gan/dcgan-0", nothing, ERROR, "dcgan"),
    ("vae sample --count 2 --out new --weights out/gan/sngan-0", nothing, ERROR, "holds area gan"),
    (f"{DIGITS} new --weights out/ddim/unet-0", nothing, ERROR, "holds area ddim"),
    (f"{DIGITS} new --steps 5000", nothing, ERROR, "5000"),
    ("gan sample nope --count 2 --out new", nothing, ERROR, "no model nope"),
    ("ddim import nowhere.pt new", nothing, ERROR, "there is no nowhere.pt"),
    ("ddim import params.yaml new", nothing, ERROR, "cannot be read as a state dict"),
    ("ddim import UNet.pt new", pickled, ERROR, "cannot be read as a state dict"),
    ("ddim import profiles new", nothing, ERROR, "has no config.json"),
    # Noise
    (f"{NOISE} new", nothing, ERROR, "there is no folder noise"),
    (f"{NOISE} new", text("noise/a.txt", "x"), ERROR, "a.txt is no noise file"),
    (f"{NOISE} new", text("noise/a.npy", "x"), ERROR, "cannot be read as a tensor"),
    (f"{NOISE} new", text("noise/a.pt", "x"), ERROR, "cannot be read as a tensor"),
    (f"{NOISE} new", noise("noise", 3, 8, 8), ERROR, "holds 3 x 8 x 8; the network takes 3 x 64 x 64"),
    (f"{NOISE} new", noise("noise", 3, 64, 64, value=float("nan")), ERROR, "values that are not finite"),
    (
        f"{NOISE} new",
        both(noise("noise", 3, 64, 64), noise("noise", 3, 64, 64, name="00.pt.npy"), text("noise/00.pt", "x")),
        ERROR,
        "would make the same image",
    ),
    # Images
    (f"{READ} t.csv", nothing, ERROR, "there is no folder in"),
    (f"{READ} t.csv", lambda: Path("in").mkdir(), ERROR, "in holds no images"),
    (f"{READ} t.csv", text("in/a.png", "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), ERROR, "is not an image"),
    (f"{READ} t.csv", both(images("in", "a.png"), cut("in/a.png")), ERROR, "is truncated or damaged"),
    (f"{READ} t.csv", both(images("in", "a.png"), text("in/b.pdf", "x")), ERROR, "b.pdf is no image"),
    (f"{READ} t.csv --scenario nope", images("in", "a.png"), ERROR, "no scenario nope"),
    (f"{READ} t.csv --method nope", images("in", "a.png"), ERROR, "no method nope"),
    ("evaluate mse in --reference other", images("in", "a.png"), ERROR, "there is no folder other"),
    ("evaluate mse in --reference other", both(images("in", "a.png"), images("other", "b.png")), ERROR, "a"),
    (
        "evaluate mse in --reference other",
        both(images("in", "a.png"), images("other", "a.png", size=9)),
        ERROR,
        "pixels",
    ),
    ("evaluate digits in", images("in", "seven.png"), ERROR, "does not say which digit it shows"),
    ("evaluate digits in --judge nowhere", images("in", "7_001.png"), ERROR, "nowhere/weights.json is missing"),
    ("evaluate images in --reference other", images("in", "a.png"), ERROR, "1 images are too few to score"),
    ("evaluate images in --reference other --extractor nope", images("in", "a.png"), ERROR, "no extractor nope"),
    ("evaluate reference digits/nope", nothing, ERROR, "no set digits/nope"),
    # Data
    ("data digits nope", nothing, ERROR, "no domain nope"),
    ("data digits usps", changed("source: sample", "source: course"), ERROR, "data.course.path is empty"),
    ("data register nowhere", nothing, ERROR, "there is no"),
    ("data register data.zip", broken_zip, ERROR, "is not a complete zip archive"),
    ("data register params.yaml", nothing, ERROR, "is not a complete zip archive"),
    ("data register holiday", images("holiday", "a.png"), ERROR, "is no archive of the course"),
    ("data register holiday --set nope", images("holiday", "a.png"), ERROR, "no set nope"),
    ("data register holiday --set usps", images("holiday", "a.png", "b.png"), ERROR, "no label for a.png"),
    ("data register empty", lambda: Path("empty").mkdir(), ERROR, "empty is empty"),
    ("data register links --set faces", link, ERROR, "links/a.png is a link to nothing"),
    # The study
    ("repro", nothing, ERROR, "no pipeline"),
    ("report", lambda: shutil.rmtree("data"), ERROR, "card.json is missing"),
    ("pipeline", nothing, ERROR, "there is no stages/"),
    ("verify nope", nothing, ERROR, "nope"),
    ("review nope", nothing, ERROR, "not a git repository"),
    ("tables none.md", nothing, ERROR, "none.md"),
    ("tracking import none.jsonl", nothing, ERROR, "none.jsonl cannot be read"),
    ("tracking import a.jsonl", text("a.jsonl", "x"), ERROR, "is not a file of events"),
]


def listing(folder: Path) -> dict[str, bytes | None]:
    """Every path below `folder`, with the bytes of files."""
    paths = sorted(folder.rglob("*"))
    return {str(path): path.read_bytes() if path.is_file() and not path.is_symlink() else None for path in paths}


@pytest.mark.parametrize(
    ("words", "prepare", "code", "message"), CASES, ids=[f"{index}-{case[0][:40]}" for index, case in enumerate(CASES)]
)
def test_it_is_one_line_and_nothing_is_written(
    trained: Path,  # noqa: F811
    dlcv: Callable[[str], tuple[int, str]],
    words: str,
    prepare: Prepare,
    code: int,
    message: str,
) -> None:
    prepare()
    before = listing(trained)
    found, said = dlcv(words)
    assert found == code, said
    assert message in said
    if message:
        assert said.startswith("dlcv: error: ") and said.count("\n") == 1
    assert listing(trained) == before
    assert not Path("PWNED").exists()


def test_the_table_is_long_and_has_every_command() -> None:
    from dlcv.cli import AREAS

    assert len(CASES) >= 80
    assert {*AREAS, "params", "tracking", "repro", "export"} <= {words.split(" ")[0] for words, *_ in CASES}
