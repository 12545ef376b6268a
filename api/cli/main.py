"""``engage``: the application, its commands and its exit codes (0 fine, 1 the work failed, 2 the input was wrong)."""

from __future__ import annotations

import sys

import typer

from api.cli import (
    audit,
    dataset,
    evaluate,
    export,
    history,
    keys,
    models,
    outbox,
    policy,
    preview,
    replay,
    serve,
    simulate,
    train,
)
from api.cli.console import errors, say_error
from engine.errors import EngageError, InputError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.command("simulate")(simulate.simulate)
app.command("replay")(replay.replay)
app.command("dataset")(dataset.dataset)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("models")(models.models)
app.command("import")(history.import_)
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.command("preview")(preview.preview)
app.command("audit")(audit.audit)
app.add_typer(keys.app, name="keys")
app.add_typer(outbox.app, name="outbox")
app.add_typer(policy.app, name="policy")


def main() -> None:
    """Run the command line; expected errors are one clear message, never a traceback."""
    try:
        app()
    except EngageError as error:
        say_error(str(error))
        sys.exit(2 if isinstance(error, InputError) else 1)
    except KeyboardInterrupt:
        errors.print("Stopped.")
        sys.exit(130)
