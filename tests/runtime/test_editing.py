"""Edits of params.yaml: profiles and single values. Its comments are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlcv.runtime.config import load, read_yaml, validate
from dlcv.runtime.editing import _changes, apply_profile, set_values
from dlcv.runtime.errors import UserError
from dlcv.runtime.nested import flatten, merged

pytestmark = pytest.mark.slow


REPOSITORY = Path(__file__).parent.parent.parent
PARAMS = read_yaml(REPOSITORY / "params.yaml")
PROFILES = {file.stem: read_yaml(file) for file in sorted((REPOSITORY / "profiles").glob("*.yaml"))}
OTHERS = [name for name in PROFILES if name != "sample"]


def text(study: Path) -> str:
    return (study / "params.yaml").read_text()


def test_the_profiles() -> None:
    assert list(PROFILES) == ["course", "full", "gpu", "sample", "smoke"]


def test_sample_holds_the_values_of_params() -> None:
    shipped = flatten(PARAMS)
    assert {key: value for key, value in flatten(PROFILES["sample"]).items() if shipped.get(key) != value} == {}


def test_sample_applied_to_the_shipped_params_changes_no_byte(study: Path) -> None:
    before = text(study)
    assert apply_profile("sample") == []
    assert text(study) == before


@pytest.mark.parametrize("name", OTHERS)
def test_a_profile_holds_only_what_differs_from_sample(name: str) -> None:
    shipped, values = flatten(PARAMS), flatten(PROFILES[name])
    assert [key for key, value in values.items() if key in shipped and value == shipped[key]] == []
    # Keys that a profile adds to the override of a model: each has to change the model.
    everything = merged(PARAMS, PROFILES[name])
    resolved = validate(everything, name).resolved()
    for key in values.keys() - shipped.keys():
        assert validate(without(everything, key.split(".")), name).resolved() != resolved, key


def without(values: dict[str, Any], key: list[str]) -> dict[str, Any]:
    """The nested values without one of them."""
    first, *rest = key
    if rest:
        return {**values, first: without(values[first], rest)}
    return {name: value for name, value in values.items() if name != first}


@pytest.mark.parametrize(
    "name", ["smoke", *(pytest.param(name, marks=pytest.mark.slow) for name in ("course", "full"))]
)
def test_a_profile_sets_its_values_and_sample_undoes_them_byte_for_byte(study: Path, name: str) -> None:
    before = text(study)
    changes = apply_profile(name)
    raw = load().raw
    assert raw == merged(PARAMS, PROFILES[name])
    after = flatten(raw)
    different = [f"{key}: {old} -> {after[key]}" for key, old in flatten(PARAMS).items() if after[key] != old]
    assert len(different) > 20 and set(different) <= set(changes)
    assert apply_profile(name) == []
    apply_profile("sample")
    assert text(study) == before


@pytest.mark.slow
def test_smoke_after_another_profile_is_smoke(study: Path) -> None:
    apply_profile("smoke")
    alone = text(study)
    apply_profile("full")
    assert text(study) != alone
    apply_profile("smoke")
    assert text(study) == alone


def test_a_profile_tells_its_changes_and_keeps_comments(study: Path) -> None:
    changes = apply_profile("smoke")
    assert f"adaptation.training.steps: {PARAMS['adaptation']['training']['steps']} -> 20" in changes
    assert "diffusion.residual-unet.network.width: 0.125 -> 0.03125" in changes
    assert "lambda: 0.1 # final strength of the gradient reversal" in text(study)
    before, after = (REPOSITORY / "params.yaml").read_text(), text(study)
    assert after.count("#") == before.count("#")


@pytest.mark.parametrize("name", ["sample", pytest.param("full", marks=pytest.mark.slow)])
def test_a_profile_keeps_registered_data_and_what_no_profile_names(study: Path, name: str) -> None:
    mine = {
        "data.course.path": "/data/course.zip",
        "data.course.sha256": "a" * 64,
        "data.folder.usps.path": "/data/usps",
        "data.folder.usps.sha256": "b" * 64,
        "evaluation.inception_weights": "/data/inception.pth",
        "gan.mine": {"steps": 7, "loss": "hinge"},
        "gan.models": ["dcgan", "mine"],
        "gan.pairs": {},
        "judge.training.shift": 1,
    }
    set_values(mine)
    apply_profile(name)
    raw = load().raw
    for key, value in mine.items():
        node: Any = raw
        for part in key.split("."):
            node = node[part]
        assert node == value, key


def test_a_profile_works_without_a_model_that_it_names(study: Path) -> None:
    set_values({"gan.models": ["dcgan"], "gan.pairs": {}})
    lines = text(study).splitlines(keepends=True)
    start = lines.index("  sngan: # report 004 B\n")
    end = lines.index("  wgan-gp: # report 001 B\n")
    (study / "params.yaml").write_text("".join(lines[:start] + lines[end:]))
    apply_profile("smoke")
    assert load().raw["gan"]["models"] == ["dcgan"]


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("dann: {lamda: 1.0}", "profiles/mine.yaml: unknown key dann.lamda; did you mean lambda?"),
        (
            "dann: {lambda: -1.0}",
            "profiles/mine.yaml: dann.lambda: Input should be greater than or equal to 0, not -1.0",
        ),
        ("gan: {sngan: {stps: 3}}", "profiles/mine.yaml: unknown key gan.sngan.stps; did you mean steps?"),
        ("gan: {base: {stps: 3}}", "profiles/mine.yaml: unknown key gan.base.stps; did you mean steps?"),
        ("dnan: {}", "profiles/mine.yaml: unknown key dnan; did you mean dann?"),
        ("[1]", "profiles/mine.yaml is not a mapping of keys to values"),
    ],
)
def test_an_invalid_profile_changes_nothing(study: Path, profile: str, message: str) -> None:
    before = text(study)
    (study / "profiles" / "mine.yaml").write_text(profile)
    with pytest.raises(UserError) as error:
        apply_profile("mine")
    assert str(error.value) == message
    assert text(study) == before
    assert sorted(path.name for path in study.iterdir()) == ["params.yaml", "profiles"]


@pytest.mark.usefixtures("study")
def test_an_unknown_profile() -> None:
    with pytest.raises(UserError, match="^no profile smokey; did you mean smoke\\?$"):
        apply_profile("smokey")


def test_single_values_are_set_and_an_invalid_one_changes_nothing(study: Path) -> None:
    before = text(study)
    set_values({"dann.lambda": 0.25, "data.digits.train": None})
    changed = [new for old, new in zip(before.splitlines(), text(study).splitlines(), strict=True) if old != new]
    assert changed == [
        "    train: null # maximum number of images of each domain; null for all",
        "  lambda: 0.25 # final strength of the gradient reversal",
    ]
    before = text(study)
    with pytest.raises(UserError, match="params.yaml: dann.lambda: Input should be a valid number"):
        set_values({"seed": 3, "dann.lambda": "much"})
    assert text(study) == before


def test_new_values_are_written_in_the_style_of_the_file(study: Path) -> None:
    path = "/a" + 7 * "/folder with a long name"  # as one line it has more than 120 characters
    set_values({"gan.mine": {"steps": 7, "betas": [0.1, 0.2]}, "data.course.path": path})
    written = text(study)
    assert "\n  mine:\n    steps: 7\n    betas:\n" in written
    assert f"\n    path: {path[:111].rpartition(' ')[0]}\n" in written
    assert load().raw["data"]["course"]["path"] == path


def test_a_profile_gives_an_override_a_list_that_only_the_base_had(study: Path) -> None:
    (study / "profiles/mine.yaml").write_text("gan: {dcgan: {betas: [0.1, 0.2]}}")
    assert apply_profile("mine") == ["gan.dcgan.betas: (base) -> [0.1, 0.2]"]
    assert load().raw["gan"]["dcgan"]["betas"] == [0.1, 0.2]


def test_a_broken_params_yaml_is_not_edited(study: Path) -> None:
    (study / "params.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match="params.yaml: the key .* is missing"):
        apply_profile("smoke")
    assert text(study) == "seed: 0\n"


def test_a_key_that_only_one_side_has_is_that_of_the_base() -> None:
    before, after = {"a": {"b": 1, "c": None}, "d": 2}, {"a": {"c": 3, "e": [4]}, "d": 2}
    assert _changes(before, after) == ["a.b: 1 -> (base)", "a.c: None -> 3", "a.e: (base) -> [4]"]
