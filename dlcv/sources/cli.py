"""The commands `dlcv data`: they parse arguments and call the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from dlcv.data.config import DOMAINS, SETS
from dlcv.runtime.errors import expect
from dlcv.runtime.options import example

app = typer.Typer(
    no_args_is_help=True,
    help="Prepare the digits and the faces; register a folder or archive.",
    epilog=example("data register ~/Downloads/hw2_data.zip"),
)


@app.command(epilog=example("data digits usps"))
def digits(domain: Annotated[str, typer.Argument(help=", ".join(DOMAINS))]) -> None:
    """Prepare one domain of digits: data/digits/DOMAIN/."""
    from dlcv.data.config import Domain
    from dlcv.runtime import config as params

    # Not a click.Choice, which exits with code 2: every user error of dlcv exits with 1.
    expect("domain", domain, DOMAINS)
    values = params.load()
    from dlcv.sources.prepare import prepare_digits

    _print_summary(prepare_digits(cast(Domain, domain), values))


@app.command(epilog=example("data faces"))
def faces() -> None:
    """Prepare the faces: data/faces/."""
    from dlcv.runtime import config as params

    values = params.load()
    from dlcv.sources.prepare import prepare_faces

    _print_summary(prepare_faces(values))


@app.command(epilog=example("data ddim"))
def ddim() -> None:
    """Take the DDIM task out of the course's archive: data/ddim/course/."""
    from dlcv.runtime import config as params

    values = params.load()
    from dlcv.sources.prepare import prepare_ddim

    print(prepare_ddim(values))


@app.command(epilog=example("data register ~/Downloads/hw2_data.zip"))
def register(
    path: Annotated[Path, typer.Argument(help="a folder or zip archive")],
    set_name: Annotated[
        str | None,
        typer.Option("--set", help=f"{', '.join(SETS)}: register it for the `folder` source"),
    ] = None,
) -> None:
    """Write the path and SHA-256 of the course's data, or of the folder for --set, into params.yaml."""
    from dlcv.sources import course, folder, registration

    if set_name is not None:
        expect("set", set_name, SETS)
        written = registration.register(path, set_name, lambda tree: folder.check(tree, set_name))
        key = "data.faces.source" if set_name == "faces" else "data.digits.source"
        use = f"set data.source: folder, or {key}: folder, to use it"
    else:
        written = registration.register(path, None, course.check)
        use = "set data.source: course to use it"
    for key, value in written.items():
        print(f"{key}: {value}")
    print(f"written to params.yaml; {use}")


def _print_summary(card: dict[str, Any]) -> None:
    counts = ", ".join(f"{split['count']} {name}" for name, split in card["splits"].items())
    print(f"{card['name']} ({card['source']}): {counts}; {card['played_by']}")
