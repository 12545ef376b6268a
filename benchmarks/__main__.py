"""`python -m benchmarks [NAME ...] [--quick]`: measure, and print tables as README.md has them."""

from __future__ import annotations

import argparse
import importlib
import logging
import pkgutil

import benchmarks
from benchmarks import measure
from engine.errors import did_you_mean

_FIRST = ("fold", "replay", "learner_days", "passes")  # the rest follow by name


def modules() -> dict[str, object]:
    """Return the benchmarks: every module of this package with a title, by name."""
    found = {
        info.name: importlib.import_module(f"benchmarks.{info.name}")
        for info in pkgutil.iter_modules(benchmarks.__path__)
        if info.name != "__main__"
    }
    order = [*_FIRST, *sorted(found.keys() - set(_FIRST))]
    return {name: found[name] for name in order if hasattr(found.get(name), "TITLE")}


def main() -> None:
    """Run the benchmarks that were named, or all."""
    known = modules()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that all run, not to be reported")
    given = parser.parse_args()
    for name in given.names:
        if name not in known:
            parser.error(f"{name!r} is no benchmark. {did_you_mean(name, known)}")
    logging.getLogger().setLevel(logging.WARNING)
    for name in given.names or known:
        print(f"## {known[name].TITLE}\n\n`{name}`: {measure.machine()}\n", flush=True)
        print(known[name].run(given.quick).markdown() + "\n", flush=True)


if __name__ == "__main__":
    main()
