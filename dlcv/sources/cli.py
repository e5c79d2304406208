"""`dlcv data`: parses arguments and calls the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from dlcv.runtime.errors import expect

app = typer.Typer(no_args_is_help=True, help="Prepare the digits and the faces; register an archive.")


@app.command()
def digits(domain: Annotated[str, typer.Argument(help="mnistm, svhn or usps")]) -> None:
    """Prepare one domain of digits: data/digits/DOMAIN/."""
    from dlcv.data.config import DOMAINS, Domain
    from dlcv.runtime import config as params

    # Not a click.Choice: its exit code is 2, and every fault of the user's ends with 1 here.
    expect("domain", domain, DOMAINS)
    values = params.load()
    from dlcv.sources.prepare_digits import prepare

    _say(prepare(cast(Domain, domain), values))


@app.command()
def faces() -> None:
    """Prepare the faces: data/faces/."""
    from dlcv.runtime import config as params

    values = params.load()
    from dlcv.sources.prepare_faces import prepare

    _say(prepare(values))


@app.command()
def register(
    path: Annotated[Path, typer.Argument(help="a folder or zip archive")],
    set_name: Annotated[
        str | None, typer.Option("--set", help="mnistm, svhn, usps or faces: the `folder` source")
    ] = None,
) -> None:
    """Write a folder's or archive's path and SHA-256 into params.yaml (the course's data, or --set's folder)."""
    from dlcv.data.config import SETS
    from dlcv.sources.register import register as record

    if set_name is not None:
        expect("set", set_name, SETS)
    written = record(path, set_name)
    for key, value in written.items():
        print(f"{key}: {value}")
    print(f"written to params.yaml; data.source: {'course' if set_name is None else 'folder'} makes use of it")


def _say(card: dict[str, Any]) -> None:
    counts = ", ".join(f"{split['count']} {name}" for name, split in card["splits"].items())
    print(f"{card['name']} ({card['source']}): {counts}; {card['played_by']}")
