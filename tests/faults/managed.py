"""The real service under a process manager: started, struck by kills, started again, asked over HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil

ENGAGE = "import sys; from api.cli.main import main; sys.argv[0] = 'engage'; main()"
_LISTENING = re.compile(r"Listening on (\S+)")
UP_S = 120.0
ANSWER_S = 15.0


class ManagedService:
    """``engage serve``, and whoever starts it again when it ends.

    Args:
        folder: for its data and its log.
        database_url: of its database.
        actors: learner actors.
    """

    def __init__(self, folder: Path, database_url: str, actors: int = 2) -> None:
        self._place = ["--data", str(folder / "data"), "--database-url", database_url]
        self._actors = ["--actors", str(actors)]
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()
        self.base = ""
        self.starts = 0
        self.exit_codes: list[int] = []
        made = self._engage("keys", "create", "test", *self._place)
        self._key = made.stdout.split()[-1]
        self._manager = threading.Thread(target=self._manage)
        self._manager.start()

    @staticmethod
    def _engage(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", ENGAGE, *words], check=True, capture_output=True, text=True)

    def _manage(self) -> None:
        while not self._ending.is_set():
            log = self._log.with_name(f"log{self.starts}")
            with log.open("wb") as out:
                command = [sys.executable, "-c", ENGAGE, "serve", "--port", "0", *self._actors, *self._place]
                self._process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
            self.starts += 1
            while self._process.poll() is None:
                if not self.base and (found := _LISTENING.search(log.read_text(errors="replace"))):
                    self.base = found[1]
                time.sleep(0.05)
            self.base = ""
            self.exit_codes.append(self._process.returncode)

    def post(self, path: str, body: Any) -> Any:
        """Send a request once; return its answer, or raise `OSError` where there is none."""
        base = self.base
        if not base:
            raise OSError("the service is not up")
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        request = urllib.request.Request(base + path, json.dumps(body).encode(), headers)  # noqa: S310  # on loopback
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310  # on loopback
            return json.loads(answer.read())

    def processes(self, name: str) -> list[psutil.Process]:
        """Return the processes below the service whose command line holds a name; ``api`` is the service itself."""
        try:
            assert self._process is not None
            service = psutil.Process(self._process.pid)
            if name == "api":
                return [service]
            return [child for child in service.children(recursive=True) if name in " ".join(child.cmdline())]
        except psutil.Error:
            return []

    def end(self) -> int:
        """End it as an operator does; return its exit code."""
        self._ending.set()
        assert self._process is not None
        self._process.terminate()
        self._manager.join(UP_S)
        assert not self._manager.is_alive()
        return self.exit_codes[-1]

    def told(self) -> str:
        """Return all that it has logged."""
        return "\n".join(log.read_text(errors="replace") for log in sorted(self._log.parent.glob("log*")))


def refused(error: Exception) -> bool:
    """Tell whether an answer said no for good, where trouble would pass."""
    return isinstance(error, urllib.error.HTTPError) and error.code not in {408, 429, 500, 502, 503, 504}
