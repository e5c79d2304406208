"""requirements.lock against pyproject.toml, without a network; and what the dry run of tests/locks.py reports."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests import locks

PROJECT = tomllib.loads(locks.PROJECT.read_text())["project"]
MACHINES = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64", "os_name": "posix"},
}
PLACES = [(machine, python) for machine in MACHINES for python in locks.PYTHONS]


def versions() -> list[str]:
    """The lock without its hashes, as the Makefile uses it where there are other packages."""
    return shell("$(VERSIONS)")


def shell(command: str) -> list[str]:
    """The lines that a command with variables of the Makefile prints."""
    makefile = f"include Makefile\nshown: ; @{command}\n"
    done = subprocess.run(
        ["make", "-s", "-f", "-", "shown"], input=makefile, cwd=locks.ROOT, capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if line]


def test_every_package_has_hashes() -> None:
    """`pip install --require-hashes` installs no file that is not one of those that were locked."""
    lines = locks.LOCK.read_text().splitlines()
    packages = [index for index, line in enumerate(lines) if "==" in line.split(" ")[0] and not line.startswith(" ")]
    assert len(packages) > 150
    for index in packages:
        assert lines[index].endswith("\\") and lines[index + 1].startswith("    --hash=sha256:"), lines[index]
    assert not any("--hash" in line or line.endswith("\\") for line in versions())


def locked(machine: str, python: str) -> dict[str, str]:
    """What the lock installs on a machine: versions by name."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        **MACHINES[machine],
    }
    found: dict[str, str] = {}
    for line in versions():
        if not line.lstrip().startswith("#"):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate(environment):
                (pin,) = requirement.specifier
                assert pin.operator == "==" and requirement.name not in found
                found[requirement.name] = pin.version
    return found


@pytest.mark.parametrize(("machine", "python"), PLACES)
def test_the_lock_has_what_pyproject_asks_for(machine: str, python: str) -> None:
    asked = PROJECT["dependencies"] + [
        line for extra in locks.extras() for line in PROJECT["optional-dependencies"][extra]
    ]
    versions = locked(machine, python)
    for requirement in map(Requirement, asked):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None and version in requirement.specifier, f"{requirement}: run `make lock`"


@pytest.mark.parametrize("python", locks.PYTHONS)
def test_cuda_is_for_linux_and_nothing_else_is(python: str) -> None:
    linux, macos = locked("linux", python).keys(), locked("macos", python).keys()
    of_cuda = {name for name in linux | macos if re.match(cuda(), f"{name}==")}
    assert "nvidia-cublas" in of_cuda
    assert linux - macos == of_cuda and not macos - linux


def test_what_a_cpu_build_leaves_out_is_needed_by_torch_alone() -> None:
    """`make setup TORCH_INDEX=URL` leaves these lines out: nothing else may need them."""
    needed_by: dict[str, set[str]] = {}
    for line in versions():
        if not line.startswith(" "):
            name = line.split("==")[0]
            needed_by[name] = set()
        else:
            needed_by[name] |= set(line.replace("# via", "").replace("#", "").split())
    left_out = {name for name in needed_by if re.match(cuda(), f"{name}==")}
    assert len(left_out) > 10
    for name in left_out:
        assert needed_by[name] <= left_out | {"torch"}


def cuda() -> str:
    """The expression of the Makefile."""
    (expression,) = re.findall(r"^CUDA := (.*)$", (locks.ROOT / "Makefile").read_text(), re.M)
    return expression


def test_each_python_version_that_is_allowed_is_named_and_checked() -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])
    versions = tuple(f"3.{minor}" for minor in range(30) if f"3.{minor}" in allowed)
    named = tuple(line.split()[-1] for line in PROJECT["classifiers"] if line.startswith("Programming Language"))
    assert versions == named == locks.PYTHONS


def test_extras_that_are_not_locked_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text("[project]\noptional-dependencies = {play = [], dev = [], docs = []}\n")
    monkeypatch.setattr(locks, "PROJECT", project)
    assert locks.extras() == ["dev", "docs"]


@pytest.mark.parametrize(
    ("broken", "messages"),
    [
        ("nothing", []),
        ("3.13", ["macOS arm64, Python 3.13: dlib-bin has no wheel"]),
        ("lock", ["requirements.lock does not fit pyproject.toml; run `make lock`"]),
    ],
)
def test_a_platform_without_a_wheel_and_an_old_lock_are_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str, messages: list[str]
) -> None:
    def uv(*words: str) -> subprocess.CompletedProcess[str]:
        if words[0] == "compile":
            if broken == "lock":
                Path(words[words.index("--output-file") + 1]).write_text("other==1\n")
            return subprocess.CompletedProcess(words, 0, "", "")
        if broken in words and "aarch64-apple-darwin" in words:
            return subprocess.CompletedProcess(words, 1, "", "dlib-bin has no wheel\n")
        return subprocess.CompletedProcess(words, 0, "", "Resolved 2 packages\n + torch==2.14.1\n + triton==3.8.0\n")

    monkeypatch.setattr(locks, "uv", uv)
    assert locks.check() == int(bool(messages))
    printed = capsys.readouterr().out.splitlines()
    assert printed[2] == "| Linux x86-64 | 2 | 2 | 2 |"
    assert printed[3] == f"| macOS arm64 | 2 | 2 | {'none' if broken == '3.13' else 2} |"
    assert printed[4:] == messages


def test_an_image_has_nothing_that_git_ignores() -> None:
    """Outputs, databases and passwords of the clone stay out of the image that `docker build` makes."""
    lines = (locks.ROOT / ".dockerignore").read_text().splitlines()
    ignored = {line.removeprefix("**/") for line in lines if not line.startswith("#")}
    for folder in ("", ".dvc/"):
        for line in (locks.ROOT / folder / ".gitignore").read_text().splitlines():
            if line and not line.startswith("#"):
                assert f"{folder}{line.strip('/')}" in ignored
