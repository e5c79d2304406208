"""params.yaml: bases and overrides, messages about invalid values, and `dlcv params show`."""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from dlcv.adaptation.config import Adaptation, Dann
from dlcv.diffusion.config import Diffusion
from dlcv.gan.config import Gan
from dlcv.runtime import config
from dlcv.runtime.config import key_of, load, load_for, names_in, shipped, show, validate
from dlcv.runtime.errors import UserError

REPOSITORY = Path(__file__).parent.parent.parent
RAW = config.read_yaml(REPOSITORY / "params.yaml")
# The lists of names that the stages run over.
NAMING = {
    *("data.domains", "data.ddim", "gan.models", "diffusion.models"),
    *("adaptation.baselines.selftraining", *(f"adaptation.methods.{name}" for name in RAW["adaptation"]["methods"])),
    *(f"adaptation.comparison.{name}" for name in ("baselines", "networks", "scenarios", "sources", "updates")),
}


def with_values(values: dict[str, Any]) -> dict[str, Any]:
    """The shipped params with other values, by dotted key."""
    raw = copy.deepcopy(RAW)
    for key, value in values.items():
        *parents, last = key.split(".")
        node = raw
        for parent in parents:
            node = node[parent]
        node[last] = value
    return raw


def message(values: dict[str, Any]) -> str:
    """The error of the shipped params with other values."""
    with pytest.raises(UserError) as error:
        validate(with_values(values), "params.yaml")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.usefixtures("study")
def test_sections_are_typed_and_lambda_has_an_alias() -> None:
    params = load()
    assert params.seed == 0
    assert params[Dann].lambda_ == params.raw["dann"]["lambda"]
    assert params[Adaptation].scenarios["mnistm-usps"].target == "usps"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            "adaptation.training.learning_rte",
            1.0,
            "unknown key adaptation.training.learning_rte; did you mean learning_rate?",
        ),
        ("dann.lamda", 0.3, "unknown key dann.lamda; did you mean lambda?"),
        ("dnan", 1, "unknown key dnan; did you mean dann?"),
        (
            "adaptation.training.learning_rate",
            -1,
            "adaptation.training.learning_rate: Input should be greater than 0, not -1",
        ),
        (
            "adaptation.training.learning_rate",
            "high",
            "adaptation.training.learning_rate: Input should be a valid number, not 'high'",
        ),
        (
            "adaptation.training.learning_rate",
            "1e-3",
            "adaptation.training.learning_rate: Input should be a valid number, not '1e-3'",
        ),
        ("adaptation.training.steps", 1.5, "adaptation.training.steps: Input should be a valid integer, not 1.5"),
        (
            "adaptation.training.learning_rate",
            float("inf"),
            "adaptation.training.learning_rate: Input should be a finite number",
        ),
        (
            "data.source",
            "internet",
            "data.source: Input should be 'sample', 'course', 'folder' or 'public', not 'internet'",
        ),
        ("adaptation.scenarios.mnistm-svhn.target", "usps", "scenario mnistm-svhn has to be named mnistm-usps"),
        ("seed", -1, "seed: Input should be greater than or equal to 0, not -1"),
        ("seed", 2**32, "seed: Input should be less than 4294967296"),
        (
            "adaptation.scenarios.svhn-usps.sorce",
            "svhn",
            "unknown key adaptation.scenarios.svhn-usps.sorce; did you mean source?",
        ),
        ("adaptation.scenarios", {}, "adaptation.scenarios: Dictionary should have at least 1 item"),
        ("adaptation.tsne.perplexity", 400, "adaptation.tsne: perplexity has to be below two thirds of images"),
        # Overrides: the key is that of params.yaml.
        ("gan.sngan.stps", 3, "unknown key gan.sngan.stps; did you mean steps?"),
        ("gan.mine", {"stps": 3}, "unknown key gan.mine.stps; did you mean steps?"),
        ("gan.base.stps", 3, "unknown key gan.base.stps; did you mean steps?"),
        ("gan.sngan.steps", "many", "gan.sngan.steps: Input should be a valid integer, not 'many'"),
        ("gan.sngan.loss", "hing", "gan.sngan.loss: there is no hing; did you mean hinge?"),
        ("gan.sngan", None, "gan: the section sngan is empty; write sngan: {} for a model that equals the base"),
        ("gan.smples", 3, "unknown key gan.smples; did you mean samples?"),
        ("gan.settigs", 3, "unknown key gan.settigs; did you mean seeds?"),
        ("gan.models", ["dcgan", "snagn"], "gan: models names snagn, which has no section; did you mean sngan?"),
        ("gan.models", ["dcgan", "dcgan"], "gan: models has to name each model once, not ['dcgan', 'dcgan']"),
        (
            "diffusion.attention-unet.training.times.men",
            0.0,
            "unknown key diffusion.attention-unet.training.times.men; did you mean mean?",
        ),
        (
            "diffusion.attention-unet.training.times.mean",
            "low",
            "diffusion.attention-unet.training.times.mean: Input should be a valid number, not 'low'",
        ),
        # Overrides inside a section with overrides.
        (
            "diffusion.guidance.attention-unet.skip",
            0.5,
            "unknown key diffusion.guidance.attention-unet.skip; there are w, skip_unconditional",
        ),
        (
            "diffusion.guidance.attention-unet.w",
            "high",
            "diffusion.guidance.attention-unet.w: Input should be a valid number, not 'high'",
        ),
        # An optional section.
        (
            "adaptation.variants.paper.dann.lamda",
            1.0,
            "unknown key adaptation.variants.paper.dann.lamda; did you mean lambda?",
        ),
    ],
)
def test_an_invalid_value_is_named_with_its_key(key: str, value: object, expected: str) -> None:
    assert expected in message({key: value})


@pytest.mark.parametrize("section", ["adaptation.comparison", "adaptation", "ddim", "diffusion", "gan", "judge", "vae"])
def test_every_list_of_seeds_has_each_once(section: str) -> None:
    key = f"{section}.seeds"
    assert message({key: [2, 0, 2]}) == f"params.yaml: {key}: has to name each once, not [2, 0, 2]"
    assert f"{key}: List should have at least 1 item after validation, not 0" in message({key: []})
    assert f"{key}.0: Input should be greater than or equal to 0, not -1" in message({key: [-1]})
    assert f"{key}: Input should be a valid list, not 3" in message({key: 3})


def test_a_training_has_its_own_seed_or_the_first_of_its_list() -> None:
    params = load(REPOSITORY / "params.yaml")
    assert [params.for_seed(seed, [4, 5]).seed for seed in (None, 0, 7)] == [4, 0, 7]
    one = params.for_seed(7, [4, 5])
    assert params.seed == 0 and one.raw == params.raw and one[Gan] is params[Gan]


def test_a_copy_may_have_other_sections() -> None:
    params = load(REPOSITORY / "params.yaml").for_seed(3, [0])
    other = params[Dann].model_copy(update={"lambda_": 7.0})
    copied = params.with_sections(other)
    assert copied[Dann] is other and copied[Gan] is params[Gan] and params[Dann] is not other
    assert (copied.seed, copied.raw) == (3, params.raw)


def test_outside_a_study_the_values_are_those_that_ship(
    study: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (study / "params.yaml").write_text((study / "params.yaml").read_text().replace("seed: 0", "seed: 9"))
    assert load_for(None).seed == load_for(Path("weights")).seed == 9
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert shipped() == REPOSITORY / "params.yaml" and load_for(Path("weights")).seed == 0
    message = "there is no params.yaml here; run dlcv in the root of the repository, or name weights by"
    with pytest.raises(UserError, match=f"^{message} --weights$"):
        load_for(None)
    with pytest.raises(UserError, match=f"^{message} --noise$"):
        load_for(None, "--noise")


def test_a_wheel_has_the_values_beside_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "PACKAGE", tmp_path)
    (tmp_path / "params.yaml").touch()
    assert shipped() == tmp_path / "params.yaml"


def test_a_missing_key_is_named() -> None:
    for key in ("seed", "vae.training.steps", "gan.base.steps", "gan.base", "diffusion.guidance.base"):
        raw = with_values({})
        *parents, last = key.split(".")
        node = raw
        for parent in parents:
            node = node[parent]
        del node[last]
        with pytest.raises(UserError, match=f"^mine: the key {key} is missing; add it$"):
            validate(raw, "mine")


def test_a_file_that_is_missing_or_no_mapping(study: Path) -> None:
    (study / "params.yaml").write_text("seed: [1")
    with pytest.raises(UserError, match='params.yaml is not YAML: while parsing a flow sequence in "'):
        load()
    (study / "params.yaml").write_text("[1]")
    with pytest.raises(UserError, match="params.yaml is not a mapping of keys to values"):
        load()
    (study / "params.yaml").unlink()
    with pytest.raises(UserError, match="there is no params.yaml here; run dlcv in the root"):
        load()


def test_a_model_has_the_values_of_the_base_with_its_own() -> None:
    params = validate(with_values({"gan.mine": {"steps": 7, "betas": [0.1, 0.2]}}), "mine")
    base, mine = params[Gan].base, params[Gan].settings["mine"]
    assert mine == base.model_copy(update={"steps": 7, "betas": [0.1, 0.2]})
    assert params[Gan].settings["dcgan"] == base  # {}
    assert set(params[Gan].settings) == {*params[Gan].models, "mine"}


def test_an_override_of_a_nested_key_keeps_the_others() -> None:
    params = load(REPOSITORY / "params.yaml")
    base, mine = params[Diffusion].base, params[Diffusion].settings["attention-unet"]
    assert mine.training.times == base.training.times.model_copy(update={"mean": -1.5})
    assert mine.training.batch_size == base.training.batch_size
    assert mine.schedule == base.schedule


def test_a_section_inside_a_section_may_have_overrides() -> None:
    values = {"diffusion.guidance.base.w": 3.0, "diffusion.guidance.attention-unet": {"skip_unconditional": 0.5}}
    guidance = validate(with_values(values), "mine")[Diffusion].guidance
    assert (guidance.base.w, guidance.base.skip_unconditional) == (3.0, 0.0)
    merged = guidance.settings["attention-unet"]
    assert (merged.w, merged.skip_unconditional) == (3.0, 0.5)


def test_a_change_of_the_base_reaches_the_models_that_do_not_override_it() -> None:
    settings = validate(with_values({"gan.base.steps": 123}), "mine")[Gan].settings
    assert {name: one.steps for name, one in settings.items()} == {
        name: RAW["gan"][name].get("steps", 123) for name in settings
    }
    assert settings["dcgan"].steps == 123 != settings["sngan"].steps


def test_show_gives_the_values_that_run() -> None:
    params = load(REPOSITORY / "params.yaml")

    def shown(key: str | None) -> Any:
        return config.YAML(typ="safe").load(show(key, params))

    assert shown("gan.sngan") == {**RAW["gan"]["base"], **RAW["gan"]["sngan"]}
    assert shown("diffusion.guidance.attention-unet") == RAW["diffusion"]["guidance"]["base"]
    assert shown("diffusion.attention-unet")["training"]["times"] == {"density": "log-snr", "mean": -1.5, "std": 1.5}
    assert shown("gan")["pairs"] == RAW["gan"]["pairs"]
    assert list(shown(None)) == list(RAW)
    assert show("dann.lambda", params) == "0.1"
    assert show("data.course.path", params) == "null"
    assert show("data.domains", params) == "[mnistm, svhn, usps]"
    assert params.raw == RAW  # showing changes nothing


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("gan.sngan.stps", "params.yaml has no key gan.sngan.stps; did you mean steps?"),
        ("dnan", "params.yaml has no key dnan; did you mean dann?"),
        ("dann.lambda.x", "dann.lambda is a value and has no key x"),
    ],
)
def test_show_of_an_unknown_key(key: str, expected: str) -> None:
    with pytest.raises(UserError) as error:
        show(key, load(REPOSITORY / "params.yaml"))
    assert str(error.value) == expected


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of a package of its own that must not be imported."""
    (tmp_path / "dlcv" / "area").mkdir(parents=True)
    code = 'import no_such_module\n\nPLAIN = {"a": 1, "b-c": 2}\nTYPED: dict[str, int] = {"d": 3}\nLIST = [1]\n'
    (tmp_path / "dlcv" / "area" / "networks.py").write_text(code)
    monkeypatch.setattr(config, "PACKAGE", tmp_path / "dlcv")
    return "dlcv.area.networks"


def test_names_are_read_without_an_import(networks: str) -> None:
    assert names_in(networks, "PLAIN") == ["a", "b-c"]
    assert names_in(networks, "TYPED") == ["d"]
    with pytest.raises(LookupError, match="dlcv.area.networks has no OTHER"):
        names_in(networks, "OTHER")
    with pytest.raises(AssertionError, match="dlcv.area.networks.LIST is not a dict literal"):
        names_in(networks, "LIST")
    assert networks not in sys.modules


def test_key_of_takes_only_the_keys_of_the_dict(networks: str) -> None:
    name: TypeAdapter[str] = TypeAdapter(Annotated[str, key_of(networks, "PLAIN")])
    assert name.validate_python("b-c") == "b-c"
    with pytest.raises(ValidationError, match="there is no b-d; did you mean b-c?"):
        name.validate_python("b-d")


def mappings(node: dict[str, Any], parents: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where params.yaml has a mapping."""
    yield parents
    for key, value in node.items():
        if isinstance(value, dict):
            yield from mappings(value, (*parents, key))


def refused(place: tuple[str, ...], name: Any) -> None:
    """Check that `name` is refused as a key of the mapping at `place`."""
    raw = copy.deepcopy(RAW)
    node = raw
    for key in place:
        node = node[key]
    node[name] = next(iter(node.values()), {})
    with pytest.raises(UserError, match="is no name; use letters, digits, - and _") as error:
        validate(raw, "params.yaml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("place", list(mappings(RAW)), ids=".".join)
def test_no_key_reaches_a_shell(place: tuple[str, ...]) -> None:
    refused(place, "v$(touch PWNED)")


@pytest.mark.parametrize("name", ["a b", "a;b", "../a", "-rf", "a`b`", "a'b", "", "é", "a\nb", "x" * 101, 7])
def test_what_is_no_name(name: Any) -> None:
    refused(("gan", "pairs"), name)


@pytest.mark.parametrize("key", sorted(NAMING))
def test_no_list_names_what_has_no_key(key: str) -> None:
    """The lists that dvc.yaml runs over: DVC writes their items into the commands of stages."""
    assert "v$(touch PWNED)" in message({key: ["v$(touch PWNED)"]})


def test_the_pipeline_runs_over_no_other_lists() -> None:
    over = {
        name for file in REPOSITORY.glob("stages/*/dvc.yaml") for name in re.findall(r"\$\{([\w.]+)", file.read_text())
    }
    over = {name for name in over if not name.startswith(("item", "key"))}
    assert {name for name in over if not name.endswith("seeds")} == NAMING | {"adaptation.scenarios"}
    for name in over - NAMING - {"adaptation.scenarios"}:
        assert "v$(touch PWNED)" in message({name: ["v$(touch PWNED)"]})


def test_domains_that_the_scenarios_need() -> None:
    assert "data.domains: has to name each once" in message({"data.domains": ["mnistm", "mnistm", "usps"]})
    said = message({"data.domains": ["usps"]})
    assert said.startswith("params.yaml: adaptation.scenarios.mnistm-svhn needs mnistm, which data.domains lacks")
