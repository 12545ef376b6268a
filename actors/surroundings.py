"""What Ray's processes inherit: a private directory, the way to our packages, and an environment that is put back."""

from __future__ import annotations

import contextlib
import os
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.errors import EngageError

MAX_TEMP_DIR_BYTES = 25  # a socket's path ends at 107, and we and Ray add 82: engage-*/r/session_*/sockets/plasma_store


def private_dir(temp_dir: Path | None) -> Path:
    """Make the 0700 directory around everything: inside it Ray makes its own readable and writable for all."""
    parent = Path(temp_dir or tempfile.gettempdir()).absolute()
    size = len(os.fsencode(parent))
    if size > MAX_TEMP_DIR_BYTES and temp_dir is None:
        parent = Path("/tmp")  # noqa: S108 # only mkdtemp writes here
    elif size > MAX_TEMP_DIR_BYTES:
        expected = f"at most {MAX_TEMP_DIR_BYTES}, since the paths of sockets in it end at 107"
        raise EngageError(f"temporary directory {parent}", got=f"{size} bytes", expected=expected)
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="engage-", dir=parent))


def python_path() -> str | None:
    """Return the PYTHONPATH with which workers find our packages: as it is where they are installed."""
    root, path = str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")
    installed = root in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return path if installed else os.pathsep.join(filter(None, [path, root]))


@contextlib.contextmanager
def environment(values: dict[str, str | None]) -> Iterator[None]:
    """Set variables (None: unset); afterwards put the whole environment back, whatever Ray has set meanwhile."""
    before = dict(os.environ)
    try:
        for name, value in values.items():
            os.environ[name] = value or ""
            if value is None:
                del os.environ[name]
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
