"""The `dlcv` command. It imports the commands of an area only when they are called."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from dlcv.runtime.options import example, profiles

# By the first word on the command line: the module with the commands, and their help text.
AREAS = {
    "data": ("dlcv.sources.cli", "Prepare digits and faces; register data."),
    "evaluate": ("dlcv.evaluation.cli", "Score images, real ones and noise too; train the digit judge."),
    "gan": ("dlcv.gan.cli", "Train, sample and evaluate GANs on faces."),
    "vae": ("dlcv.vae.cli", "Train, sample and evaluate a VAE on faces."),
    "ddim": ("dlcv.diffusion.ddim_cli", "Train, sample and evaluate a diffusion model on faces (DDPM, DDIM)."),
    "diffusion": ("dlcv.diffusion.cli", "Train, sample and evaluate conditional diffusion models on digits."),
    "adaptation": ("dlcv.adaptation.cli", "Train and evaluate domain adaptation on digits."),
    "report": ("dlcv.report.cli", "Write the report from the outputs of the stages."),
}

# Of the click that this typer brings, or of the package click with an older one.
UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog=example("profile smoke"),
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(version("dlcv"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and stop")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="where to compute: cpu, cuda or cuda:1; default: a GPU if there is one")
    ] = None,
) -> None:
    """The commands of a reproducible study, which `dvc repro` runs in order: data, trainings, scores, report."""
    from dlcv.runtime import devices

    if device is not None:
        devices.use(device)
    devices.join_others()


params_app = typer.Typer(
    no_args_is_help=True, help="Check or show params.yaml.", epilog=example("params show gan.sngan")
)
app.add_typer(params_app, name="params")
tracking_app = typer.Typer(
    no_args_is_help=True, help="Create the MLflow database; import runs.", epilog=example("tracking register")
)
app.add_typer(tracking_app, name="tracking")


@params_app.command(epilog=example("params check"))
def check() -> None:
    """Check every key of params.yaml."""
    from dlcv.runtime.config import load

    load()
    print("params.yaml is valid")


@params_app.command(epilog=example("params show gan.sngan"))
def show(
    key: Annotated[
        str | None, typer.Argument(help="gan.sngan or dann.lambda, for example; all keys by default")
    ] = None,
) -> None:
    """Print the values that run: those under KEY, with the sections of models merged with their base."""
    from dlcv.runtime import config

    print(config.show(key, config.load()))


@app.command(epilog=example("profile smoke"))
def profile(
    name: Annotated[str, typer.Argument(help=f"{', '.join(profiles())}; sample has the shipped values")],
) -> None:
    """Reset params.yaml to the shipped values, then set those of profile NAME. Registered data and own models stay."""
    from dlcv.pipeline import STAGES, write
    from dlcv.runtime.editing import apply_profile

    changes = apply_profile(name)
    print("\n".join(changes) if changes else f"params.yaml already has the values of {name}")
    if STAGES.is_dir():  # outside a clone there is no pipeline
        write()


@app.command(epilog=example("pipeline"))
def pipeline() -> None:
    """Write plots and artifacts of the models in params.yaml into stages/*/dvc.yaml; print the changed files."""
    from dlcv.pipeline import write

    for path in write():
        print(path)


@app.command(epilog=example("doctor --profile full"))
def doctor(
    profile: Annotated[
        str | None, typer.Option(help="smoke, sample, course, gpu or full; default: the values of params.yaml")
    ] = None,
    memory: Annotated[
        bool, typer.Option("--memory", help="print only the bytes that the stage of each training needs, as JSON")
    ] = False,
) -> None:
    """Print what this machine has, what the study lacks on it, and what each training costs here."""
    from dlcv.engine import environment

    environment.prepare_from(Path("params.yaml"))
    from dlcv.doctor.page import lines, memory_of_stages

    if memory:
        print(json.dumps(memory_of_stages(profile)))
        return
    for line in lines(profile):
        print(line, flush=True)


@app.command(epilog=example("overview README.md"))
def overview(
    document: Annotated[
        Path | None, typer.Argument(help="a file with the two lines between which the chart belongs; default: print it")
    ] = None,
) -> None:
    """Draw the pipeline by area as a Mermaid chart."""
    from dlcv.overview import chart, write
    from dlcv.runtime.stages import read_needs

    stages = read_needs()
    if document is None:
        print(chart(stages))
    elif write(document, stages):
        print(f"{document} has changed")
    else:
        print(f"{document} is up to date")


@app.command(epilog=example("repro --jobs 4"))
def repro(
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="stages at a time; default: one for each core up to 4, on GPUs as many as their memory holds",
        ),
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", "-k", help="after a failure, go on with what does not need that stage")
    ] = False,
    ray: Annotated[bool, typer.Option("--ray", help="run the stages on a Ray cluster; ADDRESS may follow")] = False,
    address: Annotated[
        str | None, typer.Argument(help="of the Ray cluster, HOST:PORT; default: RAY_ADDRESS, or one on this machine")
    ] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="try every stage with two steps and few images in a temporary copy")
    ] = False,
) -> None:
    """Run `dvc repro` with several stages at a time."""
    from dlcv.runtime.config import load
    from dlcv.runtime.errors import UserError
    from dlcv.runtime.reproduce import default_jobs, reproduce, reproduce_on_ray

    params = load()  # a bad params.yaml is refused before DVC writes its names into commands
    if address is not None and not ray:
        raise UserError(
            f"repro takes no {address}: an address needs --ray; for a single stage there is `dvc repro STAGE`"
        )
    if ray and (jobs is not None or rehearse):
        raise UserError("--ray takes neither --jobs nor --rehearse: the cluster's CPUs decide; leave them out")
    if rehearse:
        from dlcv.rehearsal import rehearse as run

        run(jobs or default_jobs())
        return
    if ray:
        reproduce_on_ray(address, params.raw["compute"]["threads"], keep_going)
    else:
        reproduce(jobs, keep_going)


@app.command(epilog=example("export gan/sngan-0 my-sngan"))
def export(
    model: Annotated[str, typer.Argument(help="a training in out/, such as gan/sngan-0")],
    folder: Annotated[Path, typer.Argument(help="new folder")],
) -> None:
    """Write a trained model, with a card, as a folder that `dlcv.load` opens outside the repository."""
    from dlcv.models.export import export as write
    from dlcv.runtime.config import load

    print(write(model, load(), folder))


@app.command(epilog=example("play --port 7861"))
def play(
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 7860,
    host: Annotated[str, typer.Option(help="address to listen on; 0.0.0.0 lets other machines in")] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--open", help="open a browser")] = False,
) -> None:
    """Serve a page that draws faces and digits from the trained models in out/, and reads a digit that you draw."""
    from dlcv.engine import environment

    environment.prepare_from(Path("params.yaml"))
    from dlcv.play.serve import serve
    from dlcv.runtime.config import load

    serve(load(), host, port, browser)


@app.command(epilog=example("publish sample"))
def publish(
    name: Annotated[str, typer.Argument(help="name of the study, a folder in results/")],
    command: Annotated[str, typer.Option(help="what repeats it from a clean clone")] = "make repro",
) -> None:
    """Write parameters, data, commit, machine and the scores of every training of the finished study to results/."""
    from dlcv.report.results import publish as write
    from dlcv.runtime.config import load

    print(write(name, load(), command))


@app.command(epilog=example("tables docs/results.md"))
def tables(
    document: Annotated[Path, typer.Argument(help="a Markdown file with blocks <!-- results: STUDY TABLE -->")],
) -> None:
    """Write the tables of a document from the published studies."""
    from dlcv.report.results import render

    print(f"{document} {'has changed' if render(document) else 'is up to date'}")


@app.command(epilog=example("verify sample"))
def verify(
    study: Annotated[str, typer.Argument(help="a published study, results/STUDY/study.json")] = "sample",
) -> None:
    """Compare the scores of a rerun with published ones; exit code 1 if one is outside its interval or missing."""
    from dlcv.runtime.config import load
    from dlcv.runtime.verify import report

    if not report(study, load()):
        raise typer.Exit(1)


@app.command("plots-page", hidden=True, epilog=example("plots-page"))
def plots_page() -> None:
    """Write the page that `dvc plots diff` fills. `make setup` runs this."""
    from dlcv.plots import write

    print(write())


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=example("exp --sort-by metrics/gan/sngan.json:frechet --md"),
)
def exp(context: typer.Context) -> None:
    """List experiments: parameters and headline scores that differ. Options of `dvc exp show` may follow."""
    import subprocess

    # Hashes of code and outputs are columns too.
    command = [
        "exp",
        "show",
        "--only-changed",
        "--drop",
        "^(data|dlcv|out)(/|$)|^params.yaml$|^Created$",
        "--no-pager",
        *context.args,
    ]
    raise typer.Exit(subprocess.run([sys.executable, "-m", "dvc", *command], check=False).returncode)


@app.command(epilog=example("review main"))
def review(
    base: Annotated[str, typer.Argument(help="revision of git to compare with, such as main")] = "HEAD",
    out: Annotated[Path, typer.Option(help="folder for review.md and its pictures")] = Path("review"),
) -> None:
    """Print a page on what differs from BASE; exit code 1 if a score that review.guard names got worse."""
    from dlcv.engine import environment

    environment.prepare_from(Path("params.yaml"))
    from dlcv.review.page import run as compare
    from dlcv.runtime.config import load

    text, worse = compare(base, load(), out)
    print(text)
    if worse:
        raise typer.Exit(1)


@tracking_app.command(epilog=example("tracking init"))
def init() -> None:
    """Create the database if there is none. `make setup` runs this."""
    from dlcv.runtime.tracking import initialise

    initialise()


@tracking_app.command(epilog=example("tracking views --server http://127.0.0.1:5000"))
def views(server: Annotated[str, typer.Option(help="address of the UI")] = "http://127.0.0.1:5000") -> None:
    """Store a table of each area's trainings for the UI, and print its address. `make ui` runs this."""
    from dlcv.runtime.mlflow_views import write

    for name, address in write().items():
        print(f"{name:12} {server}{address}")


@tracking_app.command(epilog=example("tracking register"))
def register() -> None:
    """Log the model of every evaluated training, and register the best of each problem with the alias `best`."""
    from dlcv.models.registry import register as write
    from dlcv.runtime.config import load

    for best in write(load()):
        one = best.candidate
        chosen = f"the best of {best.candidates} by {one.criterion}, {one.value:.4g}"
        print(f"models:/{best.name}@best, version {best.version}: {one.about['area']}/{one.about['name']}, {chosen}")


@tracking_app.command("import", epilog=example("tracking import mlruns-offline"))
def import_(file: Annotated[Path, typer.Argument(help="a file in mlruns-offline/, or this folder")]) -> None:
    """Send to MLflow the runs that were logged to FILE, or to a folder of files, while the server was away."""
    from dlcv.runtime.tracking import import_file

    print(f"{import_file(file)} imported from {file}")


def mount(called: str | None) -> typer.Typer:
    """The whole command: with the commands of the called area, and only the names of the others."""
    for area, (module, text) in AREAS.items():
        if area == called:
            app.add_typer(import_module(module).app, name=area, help=text)
        else:
            app.add_typer(typer.Typer(callback=lambda: None), name=area, help=text)
    return app


def _area(arguments: list[str]) -> str | None:
    """The called area: the first word, which `--device` may precede."""
    if arguments[:1] == ["--device"]:
        arguments = arguments[2:]
    elif arguments[:1] and arguments[0].startswith("--device="):
        arguments = arguments[1:]
    return arguments[0] if arguments[:1] and arguments[0] in AREAS else None


def run() -> None:
    """Run the command line of this process."""
    from dlcv.runtime import durations, edits

    durations.measure()
    refuse_edits = edits.watch()
    arguments = sys.argv[1:]
    area = _area(arguments)
    if area:
        from dlcv.engine import environment

        # Here, because the modules of an area import NumPy and torch, which read the environment.
        if area == "data":
            environment.prepare(portable=True, threads=1)  # so prepared data do not depend on `compute`
        else:
            environment.prepare_from(Path("params.yaml"))
    command = typer.main.get_command(mount(area))
    try:
        # Not standalone: its messages about a wrong command line take five lines.
        code = command.main(arguments, "dlcv", standalone_mode=False)
    except UsageError as error:
        message = error.format_message().rstrip(".")
        if not message:  # a group of commands without a command: its help
            error.show()
        else:
            where = error.ctx.command_path if error.ctx else "dlcv"
            print(f"dlcv: error: {message}; see {where} --help", file=sys.stderr)
        raise SystemExit(2) from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    if code == 130:  # newer versions of typer end so after SIGINT or SIGTERM, without a word
        raise KeyboardInterrupt
    if not code:
        refuse_edits()
    raise SystemExit(code)
