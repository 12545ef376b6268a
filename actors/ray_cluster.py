"""Starts, joins and stops Ray: with ``actors/ray_runtime.py`` the only module that imports it.

A cluster of our own is private to this process and machine: every socket on loopback, every call with a random token,
nothing reported or asked outside, all files in one directory of its owner. To shut out other processes of this machine,
run the command in a network namespace of its own: ``unshare -rn sh -c 'ip link set lo up && exec engage ...'`` (Linux).
A cluster that is joined listens as others started it: ``ray start`` binds all interfaces, so give it a token
(RAY_AUTH_MODE=token) and a firewall for the ports of LISTENERS.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.metadata
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from actors.directory import MOST_ACTORS
from actors.surroundings import environment, private_dir, python_path
from engine.errors import EngageError

DISTRIBUTION = "engagement-engine"
CLUSTER_MB = 610  # what an idle cluster itself takes, measured
OBJECT_STORE_BYTES = 256 * 2**20  # messages stay under 96 KB: only models and matrices pass through it
LISTENERS = {
    "driver": "this process: answers its workers",
    "gcs_server": "the cluster's table of nodes and actors; the address to join",
    "raylet": "the node's scheduler and object manager (two ports)",
    "ray::DashboardAgent": "the node's agent, also without a dashboard (HTTP on 52365 where it is free)",
    "ray::RuntimeEnvAgent": "prepares the environment of workers",
    "ray::": "one port for each worker or actor process",
}
"""Who listens, by the start of the process's name; on loopback in a cluster that we start."""

_WORKER_ENV = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}  # one actor is one core; more threads only contend
_PROBE_S = 3.0  # Ray itself needs two minutes to give up on a dead address, and then ends the process
_TASK_S, _STOP_S = 60.0, 3.0
_ray: Any = ray  # Ray's types leave out what is needed here


def fits(actors: int, mb_per_actor: float = 50, *, available_mb: float | None = None) -> None:
    """Refuse what this machine cannot hold, before anything is started.

    Args:
        actors: actors wanted on this machine.
        mb_per_actor: memory of one actor in MB; an empty one takes 47.
        available_mb: memory to fill in MB; default what is free in the machine or container, less an idle cluster's.

    Raises:
        EngageError: more than MOST_ACTORS or than memory holds; names the number that fits.
    """
    if available_mb is None:
        free_bytes = _ray._common.utils.get_system_memory() - _ray._private.utils.get_used_memory()
        available_mb = free_bytes / 1e6 - (0 if ray.is_initialized() else CLUSTER_MB)
    room = max(0, int(available_mb // mb_per_actor))
    if actors > min(room, MOST_ACTORS):
        why = f"{available_mb:,.0f} MB for {mb_per_actor:g} MB each" if room < MOST_ACTORS else "a process each"
        expected = f"at most {min(room, MOST_ACTORS)} ({why})"
        remedy = "Put more learners into one actor (learners_per_actor)."
        raise EngageError("too many actors for this machine", got=str(actors), expected=expected, remedy=remedy)


class Cluster(contextlib.AbstractContextManager["Cluster"]):
    """One Ray cluster, started or joined; a context manager that stops what it started.

    Attributes:
        address: ``host:port`` to join it; empty when stopped.
        token_path: file with the token of a cluster that we started (0600); None otherwise.
        dashboard_url: where the dashboard answers; empty without one.
        session_dir: Ray's logs of a cluster that we started; None otherwise.
    """

    def __init__(self) -> None:
        self.address = self.dashboard_url = ""
        self.token_path: Path | None = None
        self.session_dir: Path | None = None
        self._base: Path | None = None

    def start(
        self,
        *,
        cpus: int | None = None,
        dashboard: bool = False,
        address: str | None = None,
        temp_dir: Path | None = None,
        namespace: str = "engage",
    ) -> Cluster:
        """Start a private Ray on this machine, or join the one at ``address``; the environment is left as it was.

        Args:
            cpus: cores that Ray may hand out in a cluster of our own; default all.
            dashboard: start the dashboard too, on loopback behind the same token; needs ``ray[default]``.
            address: ``host:port`` of a cluster to join, of which this machine is a node; never from RAY_ADDRESS.
                Its token is taken from RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH.
            temp_dir: where to make the private directory, a short path; default the system's.
            namespace: Ray namespace of named actors.

        Returns:
            itself: ``with Cluster().start() as cluster``.

        Raises:
            EngageError: already started, not on the main thread, cannot start or join, other versions on the cluster.
        """
        if self.address or ray.is_initialized():
            raise EngageError("Ray is already running in this process", remedy="Stop it first.")
        common = {"namespace": namespace, "log_to_driver": False, "logging_level": "ERROR", "_skip_env_hook": True}
        try:
            if address is None:
                self._start_private(cpus, dashboard, temp_dir, common)
            else:
                self._join(address, common)
        except BaseException:
            self.stop()
            raise
        return self

    def _start_private(self, cpus: int | None, dashboard: bool, temp_dir: Path | None, common: dict[str, Any]) -> None:
        if (
            threading.current_thread() is not threading.main_thread()
        ):  # Linux ends them with the thread that forked them
            raise EngageError("Ray must be started on the main thread", got=threading.current_thread().name)
        self._base = base = private_dir(temp_dir)
        atexit.register(self.stop)
        self.token_path = base / "token"
        self.token_path.touch(mode=0o600)
        self.token_path.write_text(secrets.token_hex(32))
        (home := base / "home").mkdir()
        (home / "ray_bootstrap_config.yaml").write_text("{}\n")  # answers "which cloud?" before the network is asked
        env = {
            **_WORKER_ENV,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": None,  # would win over the path
            "RAY_AUTH_TOKEN_PATH": str(self.token_path),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_REDIS_ADDRESS": None,
            "RAY_worker_niceness": "0",  # the actors are the work itself; Ray would let everything else go first
            "RAY_prestart_worker_first_driver": "0",  # they would come without the hook below, and never be used
            "RAY_enable_worker_prestart": "0",
            "AUTOSCALER_METRIC_PORT": "-1",  # no ports for metrics: fixed numbers on which two clusters would collide
            "DASHBOARD_METRIC_PORT": "-1",
            "RAY_enable_metrics_collection": "1" if dashboard else "0",
            "PYTHONPATH": python_path(),
        }
        common = {**common, "runtime_env": {"worker_process_setup_hook": "actors.watching.end_with_parent"}}
        own = {"num_cpus": cpus, "num_gpus": 0, "include_dashboard": dashboard, "_temp_dir": str(base / "r")}
        with _ray_settings(env, loopback=True, head_home=home):
            try:
                context = _ray.init("local", object_store_memory=OBJECT_STORE_BYTES, **own, **common)
            except Exception as error:
                remedy = "Install ray[default] for the dashboard." if dashboard else ""
                raise EngageError("Ray did not start", got=str(error), remedy=remedy) from error
        self.address = str(context.address_info["address"])
        self.session_dir = Path(context.address_info["session_dir"])
        self.dashboard_url = str(context.dashboard_url or "")

    def _join(self, address: str, common: dict[str, Any]) -> None:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_PROBE_S).close()
        except (OSError, ValueError) as error:
            what, expected = f"no Ray cluster answers at {address!r}", "host:port of its head node"
            raise EngageError(what, got=str(error), expected=expected) from error
        env: dict[str, str | None] = {"RAY_USAGE_STATS_ENABLED": "0"}
        if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
            env["RAY_AUTH_MODE"] = os.environ.get("RAY_AUTH_MODE", "token")  # Ray ignores the token without it
        # Ray would replace a loopback address by this machine's own, where a cluster held to loopback does not answer.
        with _ray_settings(env, loopback=host == "localhost" or host.startswith("127.")):
            try:
                _ray.init(address, runtime_env={"env_vars": _WORKER_ENV}, **common)
            except Exception as error:  # Ray raises a plain RuntimeError for another Ray or Python version
                expected = f"Ray {ray.__version__}, the same Python, a token that it accepts and a node of it here"
                what = f"cannot join the Ray cluster at {address}"
                raise EngageError(what, got=str(error).strip(), expected=expected) from error
        self.address = address
        _check_versions(address)

    def missing(self) -> str:
        """Return which of the processes of a cluster that we started has died, "" = none, or it is not ours."""
        node = _ray._private.worker._global_node if self._base is not None else None
        started = {} if node is None else node.all_processes
        return ", ".join(
            name for name in ("gcs_server", "raylet") if any(_dead(each) for each in started.get(name, ()))
        )

    def stop(self) -> None:
        """End what ``start`` started and remove its directory, or leave what was joined; twice does no harm."""
        if self._base is not None:
            _shut_down_own(self._base)
            shutil.rmtree(self._base, ignore_errors=True)
            atexit.unregister(self.stop)
        elif self.address:
            ray.shutdown()
        self.address = self.dashboard_url = ""
        self.token_path = self.session_dir = self._base = None

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextlib.contextmanager
def _ray_settings(env: dict[str, str | None], *, loopback: bool, head_home: Path | None = None) -> Iterator[None]:
    """Hold environment and constants of Ray while it starts; its processes keep what they inherited.

    Ray reads its switches once, at import: hence the constants of this process are set beside the environment.
    """
    constants, services, raylet = _ray._private.ray_constants, _ray._private.services, _ray._raylet
    kept = constants.ENABLE_RAY_CLUSTER, constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV, services.start_api_server

    def start_with_home(*args: Any, **kwargs: Any) -> Any:
        with environment({"HOME": str(head_home)}):  # only here: workers keep the user's, with its caches
            return kept[2](*args, **kwargs)

    if loopback:  # "no clusters", meant for macOS: Ray then binds 127.0.0.1 and looks for no address of this machine
        env = {**env, constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0"}
    with environment(env):
        try:
            constants.ENABLE_RAY_CLUSTER = kept[0] and not loopback
            constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = False  # under `uv run` it would fetch packages for the workers
            if head_home is not None:
                services.start_api_server = start_with_home
            raylet.Config.initialize("")  # the process caches mode and token: forget an earlier cluster's
            raylet.AuthenticationTokenLoader.instance().reset_cache()
            yield
        finally:
            constants.ENABLE_RAY_CLUSTER, constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV, services.start_api_server = kept


def _dead(started: Any) -> bool:
    return started.process.poll() is not None


def _shut_down_own(base: Path) -> None:
    """Shut Ray down and see to it that its processes are gone, also those of a start that failed half-way."""
    psutil, processes = _ray._private.node.psutil, []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            command = " ".join(child.cmdline())  # other children of this process are not ours to end
            if str(base) in command or "ray_process_reaper" in command:
                processes += [child, *child.children(recursive=True)]
    ray.shutdown()
    for process in [process for process in processes if not _gone(process, _STOP_S)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
        _gone(process, _STOP_S)


def _gone(process: Any, timeout_s: float) -> bool:
    """Wait for a process to end; return whether it did."""
    psutil = _ray._private.node.psutil
    try:
        process.wait(timeout_s)
    except psutil.TimeoutExpired:
        return False
    except (psutil.Error, OSError):  # it ended while it was looked up
        return not psutil.pid_exists(process.pid)
    return True


def _check_versions(address: str) -> None:
    """Ask every node of the joined cluster for its version of our package; raise where it is not ours."""

    def version() -> str:  # nested, so that its code travels: the node may not have our package
        try:
            return importlib.metadata.version(DISTRIBUTION)
        except importlib.metadata.PackageNotFoundError:
            return "not installed"

    ours, task = version(), _ray.remote(num_cpus=0)(version)
    for node in [node for node in _ray.nodes() if node["Alive"]]:
        where = _ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        try:
            theirs = str(_ray.get(task.options(scheduling_strategy=where).remote(), timeout=_TASK_S))
        except _ray.exceptions.RayError as error:
            raise EngageError(f"Ray node {node['NodeManagerAddress']} runs no task", got=str(error)) from error
        if theirs != ours or theirs == "not installed":
            what = f"{DISTRIBUTION} on node {node['NodeManagerAddress']} of the Ray cluster at {address}"
            remedy = f"Install the same {DISTRIBUTION} on every node."
            raise EngageError(what, got=f"version {theirs}", expected=f"version {ours}, as here", remedy=remedy)
