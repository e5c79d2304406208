"""Load, check and show params.yaml. Every command checks the whole file before it works.

The sections are pydantic models in the areas' `config.py`, in a dict `SECTIONS`. They have no defaults: the values in
params.yaml are the values that run. These modules are light to import, so that a check is quick.
"""

from __future__ import annotations

import ast
import copy
import io
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dlcv.runtime.errors import UserError, nearest
from dlcv.runtime.nested import merged

PACKAGE = Path(__file__).parent.parent
PATH = Path("params.yaml")
# Names reach command lines, paths and names of stages: DVC writes them into the `cmd` that a shell runs.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class Section(BaseModel):
    """A section of params.yaml: no unknown keys, no silent conversions, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    def check(self, params: Params) -> None:
        """Check what depends on other sections.

        Raises:
            ValueError: the sections contradict each other; the message begins with a key of this section.
        """


class Overrides(Section):
    """A section with a base, and for each model an override with the values that differ: `gan.base`, `gan.sngan`.

    A subclass declares `base: T` and `settings: dict[str, T]`. `settings` is not a key of params.yaml: it holds the
    base merged with the override of each model.
    """

    @model_validator(mode="before")
    @classmethod
    def _merge(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value  # refused by pydantic, as are keys that are neither a field nor a mapping
        base = value["base"] if isinstance(value.get("base"), dict) else {}
        fields = {name for name in cls.model_fields if name != "settings"}
        overrides = {key: part for key, part in value.items() if key not in fields and isinstance(part, dict)}
        for key, part in value.items():
            if key not in fields and part is None:
                raise ValueError(f"the section {key} is empty; write {key}: {{}} for a model that equals the base")
        rest = {key: part for key, part in value.items() if key not in overrides}
        return {**rest, "settings": {key: merged(base, part) for key, part in overrides.items()}}


class Models(Overrides):
    """Overrides, and a list `models` of those that are trained."""

    models: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _models_have_sections(self) -> Models:
        settings: dict[str, Any] = self.settings  # type: ignore[attr-defined]
        for name in self.models:
            if name not in settings:
                raise ValueError(f"models names {name}, which has no section{nearest(name, settings)}")
        if len(set(self.models)) < len(self.models):
            raise ValueError(f"models has to name each model once, not {self.models}")
        return self


S = TypeVar("S", bound=Section)


class Params:
    """The checked params.yaml: `seed`, and each section by its pydantic model, `params[Dann]`."""

    def __init__(self, seed: int, sections: dict[type[Section], Section], raw: dict[str, Any]):
        self.seed = seed
        self.raw = raw
        self._sections = sections

    def __getitem__(self, model: type[S]) -> S:
        section = self._sections[model]
        assert isinstance(section, model)
        return section

    def for_seed(self, seed: int | None, seeds: Sequence[int]) -> Params:
        """A copy for one training: its `seed`, or the first of `seeds`, replaces that of the file."""
        return Params(seeds[0] if seed is None else seed, self._sections, self.raw)

    def with_sections(self, *sections: Section) -> Params:
        """A copy in which `sections` replace those of the same type; `raw` keeps the values of the file."""
        return Params(self.seed, {**self._sections, **{type(section): section for section in sections}}, self.raw)

    def resolved(self) -> dict[str, Any]:
        """The values of params.yaml, with the base merged into the override of each model."""
        values = copy.deepcopy(self.raw)
        for name, model in sections().items():
            _resolve(values[name], self._sections[model])
        return values


def _resolve(values: dict[str, Any], section: Section) -> None:
    """Replace the overrides in `values`, also in nested sections, by the merged settings."""
    if isinstance(section, Overrides):
        values |= section.model_dump(by_alias=True, include={"settings"})["settings"]
    for name in type(section).model_fields:
        if isinstance(part := getattr(section, name), Overrides):
            _resolve(values[name], part)


@cache
def sections() -> dict[str, type[Section]]:
    """The pydantic model of each top-level section, from the areas' `config.py`."""
    found: dict[str, type[Section]] = {}
    for file in sorted(PACKAGE.glob("*/config.py")):
        if file.parent != Path(__file__).parent:
            found |= import_module(f"{PACKAGE.name}.{file.parent.name}.config").SECTIONS
    return found


def load(path: Path = PATH) -> Params:
    """Read and check the whole params.yaml.

    Raises:
        UserError: no such file, no YAML, an unknown or missing key, or an invalid value.
    """
    return validate(read_yaml(path), str(path))


def load_for(weights: Path | None, option: str = "--weights") -> Params:
    """As `load`; outside a study, with weights that are named by `option`, the values that ship with this package.

    Raises:
        UserError: as `load`; or neither a study nor weights.
    """
    if PATH.is_file():
        return load()
    if weights is None:
        raise UserError(f"there is no {PATH} here; run dlcv in the root of the repository, or name weights by {option}")
    return load(shipped())


def shipped() -> Path:
    """The params.yaml that ships with this package."""
    packaged = PACKAGE / PATH  # in a wheel; a clone has the file beside the package
    return packaged if packaged.is_file() else PACKAGE.parent / PATH


def validate(raw: dict[str, Any], where: str) -> Params:
    """Check the values of a whole params.yaml. Messages name it as `where`.

    Raises:
        UserError: as `load`.
    """
    check_names(raw, where)
    known = ["seed", *sections()]
    for name in raw:
        if name not in known:
            raise UserError(f"{where}: unknown key {name}{nearest(str(name), known)}")
    for name in known:
        if name not in raw:
            raise UserError(f"{where}: the key {name} is missing; add it")
    try:
        seed = TypeAdapter(Annotated[int, Field(strict=True, ge=0, lt=2**32)]).validate_python(raw["seed"])
    except ValidationError as error:
        raise UserError(f"{where}: seed: {error.errors()[0]['msg']}, not {raw['seed']!r}") from None
    params = Params(seed, {model: _validate(where, name, model, raw[name]) for name, model in sections().items()}, raw)
    for name, model in sections().items():
        try:
            params[model].check(params)
        except ValueError as error:
            raise UserError(f"{where}: {name}.{error}") from None
    return params


def check_names(raw: Mapping[Any, Any], where: str, parents: tuple[str, ...] = ()) -> None:
    """Check that every key, at any depth, is a name of at most 100 letters, digits, hyphens and underscores.

    Models, pairs, scenarios and variants are keys, and the lists that name them can only name keys.

    Raises:
        UserError: another key.
    """
    for name, value in raw.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            key = ".".join([*parents, ascii(name)])
            raise UserError(f"{where}: {key} is no name; use letters, digits, - and _, at most 100")
        if isinstance(value, Mapping):
            check_names(value, where, (*parents, name))


def show(key: str | None, params: Params) -> str:
    """The values under a dotted key as YAML, overrides merged with their base; all values without a key.

    Raises:
        UserError: no such key.
    """
    node: Any = params.resolved()
    passed: list[str] = []
    for part in key.split(".") if key else []:
        if not isinstance(node, dict):
            raise UserError(f"{'.'.join(passed)} is a value and has no key {part}")
        if part not in node:
            full = ".".join([*passed, part])
            raise UserError(f"params.yaml has no key {full}{nearest(part, map(str, node))}")
        node = node[part]
        passed.append(part)
    text = io.StringIO()
    round_trip(default_flow_style=None).dump(node, text)
    return text.getvalue().removesuffix("...\n").rstrip("\n")


def round_trip(default_flow_style: bool | None = False) -> YAML:
    """A reader and writer in the style of params.yaml: with comments, lines of 120 characters, and `null` for None.

    Args:
        default_flow_style: of values without a style; None writes those without nested values as `[...]` or `{...}`.
    """
    yaml = YAML()
    yaml.default_flow_style = default_flow_style
    yaml.width = 120
    yaml.preserve_quotes = True
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def read_yaml(path: Path) -> dict[str, Any]:
    """The values of a YAML 1.2 file with a mapping.

    Raises:
        UserError: no such file, no YAML, or no mapping.
    """
    value: dict[str, Any] = parse(YAML(typ="safe"), path)
    return value


def names_in(module: str, variable: str) -> list[str]:
    """The keys of a dict literal at the top of a module of this package, without an import of the module.

    Modules with networks and losses import torch, which takes seconds. A check of params.yaml does not need it.

    Args:
        module: "dlcv.gan.losses".
        variable: "LOSSES".
    """
    for node in _syntax_tree(PACKAGE.parent / Path(*module.split(".")).with_suffix(".py")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == variable for target in targets):
            value = getattr(node, "value", None)
            assert isinstance(value, ast.Dict), f"{module}.{variable} is not a dict literal"
            return [key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    raise LookupError(f"{module} has no {variable}")


@cache
def _syntax_tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def key_of(module: str, variable: str) -> AfterValidator:
    """For `Annotated[str, ...]`: checks that the name is a key of the dict `variable` in `module`, see `names_in`."""

    def check(name: str) -> str:
        names = names_in(module, variable)
        if name not in names:
            raise ValueError(f"there is no {name}{nearest(name, names)}")
        return name

    return AfterValidator(check)


def parse(yaml: YAML, path: Path) -> Any:
    """The mapping in the file `path`, read by `yaml`.

    Raises:
        UserError: as `read_yaml`.
    """
    try:
        value = yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"there is no {path} here; run dlcv in the root of the repository") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} is not a mapping of keys to values")
    return value


def _validate(where: str, name: str, model: type[Section], value: Any) -> Section:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # A misspelt key gives two errors, unknown and missing. The unknown one is more useful.
        first = next((e for e in error.errors() if e["type"] == "extra_forbidden"), error.errors()[0])
        location = [str(part) for part in first["loc"]]
        key = ".".join([name, *_written(model, location)])
        if first["type"] == "extra_forbidden":
            valid = _keys_at(model, location[:-1])
            raise UserError(f"{where}: unknown key {key}{nearest(location[-1], valid)}") from None
        if first["type"] == "missing":
            raise UserError(f"{where}: the key {key} is missing; add it") from None
        message = first["msg"].removeprefix("Value error, ")
        given = "" if first["type"] == "value_error" else f", not {first['input']!r}"
        raise UserError(f"{where}: {key}: {message}{given}") from None


def _written(model: type[BaseModel], location: list[str]) -> list[str]:
    """The location of an error as keys of params.yaml: without `settings`, which is not a key there."""
    return [
        part
        for depth, part in enumerate(location)
        if not (part == "settings" and has_overrides(_type_at(model, location[:depth])))
    ]


def has_overrides(node: Any) -> bool:
    """Whether a type is a section with a base and overrides."""
    return isinstance(node, type) and issubclass(node, Overrides)


def _type_at(model: type[BaseModel], location: list[str]) -> Any:
    """The type of the value at `location` in a model; None below values that are not sections or mappings."""
    node: Any = model
    for part in location:
        if get_origin(node) is dict:
            node = get_args(node)[1]
        elif isinstance(node, type) and issubclass(node, BaseModel):
            fields = {field.alias or name: field.annotation for name, field in node.model_fields.items()}
            node = fields.get(part)
        else:
            return None
    # Of an optional section, `Dann | None`: the section.
    options = [option for option in get_args(node) if isinstance(option, type) and issubclass(option, BaseModel)]
    return options[0] if get_origin(node) is not dict and options else node


def _keys_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """The keys of the section at `location` in a model, under their names in params.yaml."""
    node: type[BaseModel] = _type_at(model, location)
    return [field.alias or name for name, field in node.model_fields.items() if name != "settings"]
