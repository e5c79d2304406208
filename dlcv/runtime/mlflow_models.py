"""Models in MLflow: an exported folder, logged as a model of the flavour python_function, and registered.

A logged model belongs to the row of its training, which the SHA-256 of the weights identifies. MLflow keeps the folder
as it is, and the code of this package beside it: a fresh environment needs the packages of `REQUIREMENTS` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcv.runtime.errors import UserError
from dlcv.runtime.mlflow_store import connect, line, open_run, redacted, uri
from dlcv.runtime.tracking import Training, scores_header

if TYPE_CHECKING:
    import numpy as np
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

PACKAGE = Path(__file__).parent.parent
LOADER = "dlcv.models.pyfunc"
# The packages that an exported folder needs; a test compares them with what is imported.
REQUIREMENTS = (
    "accelerate",
    "numpy",
    "pandas",
    "pillow",
    "pydantic",
    "ruamel.yaml",
    "safetensors",
    "torch",
    "torchinfo",
)
TAG = "weights.sha256"


@dataclass(frozen=True)
class Interface:
    """What a logged model takes and returns.

    Attributes:
        example: of the input: a value for each column of a table, or images, uint8 N x H x W x 3.
        options: of `predict`, numbers with their defaults.
        returns: type and shape of one item of the result.
    """

    example: Mapping[str, int] | np.ndarray
    options: Mapping[str, float]
    returns: tuple[str, Sequence[int]]


def find(training: Training) -> str | None:
    """The id of the logged model of a training's weights; None if there is none.

    Raises:
        UserError: MLflow is away.
    """
    with _reporting(f"find the model of {training.name}"):
        client, _, experiment = _row(training)
        models = client.search_logged_models([experiment], filter_string=f"tags.`{TAG}` = '{training.sha256}'")
        return next((model.model_id for model in models if model.status == "READY"), None)


def log(training: Training, folder: Path, interface: Interface, scores: Mapping[str, float]) -> str:
    """Log the exported `folder` in the row of `training`, with signature and input example.

    Args:
        scores: for a row that has none, because its training was evaluated on another machine.

    Returns:
        The id of the model.

    Raises:
        UserError: MLflow is away or refuses the model.
    """
    with _reporting(f"log the model of {training.name}"):
        import mlflow.pyfunc
        import pandas as pd
        from mlflow.entities import Metric
        from mlflow.models import Model

        client, run, experiment = _row(training)
        data = client.get_run(run).data
        if not data.metrics:
            start = client.get_run(run).info.start_time
            client.log_batch(run, metrics=[Metric(name, value, start, 0) for name, value in scores.items()])
        tags = {TAG: training.sha256}
        model = client.create_logged_model(experiment, folder.name, run, tags, data.params)
        example = interface.example
        mlflow.set_tracking_uri(uri())
        Model.log(
            None,
            mlflow.pyfunc,
            name=folder.name,
            run_id=run,
            model_id=model.model_id,
            loader_module=LOADER,
            data_path=str(folder),
            code_paths=[str(PACKAGE)],
            pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in REQUIREMENTS],
            signature=_signature(interface),
            input_example=pd.DataFrame([example]) if isinstance(example, Mapping) else example,
        )
        return str(model.model_id)


def register(model: str, name: str, alias: str, tags: Mapping[str, str]) -> str:
    """Make a logged model a version of the registered model `name`, or take its version, and set alias and tags.

    Returns:
        The number of the version.

    Raises:
        UserError: MLflow is away or refuses it.
    """
    with _reporting(f"register {name}"):
        client, source = connect(), f"models:/{model}"
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        versions = client.search_model_versions(f"name = '{name}'")
        number = next((one.version for one in versions if one.source == source), None)
        if number is None:
            run = client.get_logged_model(model).source_run_id
            number = client.create_model_version(name, source, run, model_id=model).version
        for key, value in tags.items():
            client.set_model_version_tag(name, number, key, value)
        client.set_registered_model_alias(name, alias, number)
        return str(number)


def _row(training: Training) -> tuple[MlflowClient, str, str]:
    """A client, the run of a training, and its experiment."""
    stored = open_run(scores_header(training))
    assert stored is not None  # only an import waits
    return stored.client, stored.id, stored.client.get_run(stored.id).info.experiment_id


def _signature(interface: Interface) -> ModelSignature:
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

    kind, shape = interface.returns
    example = interface.example
    taken: list[Any]
    if isinstance(example, Mapping):
        taken = [ColSpec("long", name, required=name != "seed") for name in example]
    else:
        taken = [TensorSpec(example.dtype, (-1, *example.shape[1:]))]
    params = [
        ParamSpec(name, "long" if isinstance(value, int) else "double", value)
        for name, value in interface.options.items()
    ]
    return ModelSignature(Schema(taken), Schema([TensorSpec(np.dtype(kind), (-1, *shape))]), ParamSchema(params))


@contextmanager
def _reporting(what: str) -> Iterator[None]:
    """Every failure of MLflow as one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"MLflow at {redacted(uri())} did not {what}: {line(error)}") from error
