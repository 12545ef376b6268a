"""Ray is started private: loopback, token, silence outward; and it leaves nothing behind. Uses real Ray."""

import contextlib
import gc
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import ray

from actors.directory import MOST_ACTORS
from actors.ray_cluster import LISTENERS, Cluster, fits
from actors.surroundings import MAX_TEMP_DIR_BYTES
from engine.errors import EngageError

Watched = dict[str, tuple[subprocess.Popen[str], Path]]  # the run, and the file of what it tried
ROOT = Path(__file__).resolve().parents[2]

# In every Python process of the cluster: writes down and refuses whatever would leave loopback.
WATCH = """
import os, sys
def local(host):
    return not isinstance(host, str) or host in ("", "localhost", "::", "::1", "0.0.0.0") or host.startswith("127.")
def watch(event, args):
    host = None
    if event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        host = args[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    if not local(host) and host != os.uname().nodename:
        with open(os.environ["WATCH_LOG"], "a") as log:
            log.write(f"{event} {host}\\n")
        raise OSError("refused by the test")
sys.addaudithook(watch)
"""
OURS = "from actors.ray_cluster import Cluster; c = Cluster().start(cpus=1); logs = c.session_dir / 'logs'"
WITHOUT_HOME = """
import actors.ray_cluster as module
settings = module._ray_settings
module._ray_settings = lambda env, loopback, head_home: settings(env, loopback=loopback)
"""
# The head's usage module asks for the cloud first and then writes this line.
UNTIL_ASKED = """
import time
for _ in range(200):
    if any('Usage reporting is disabled' in log.read_text() for log in logs.glob('dashboard.log')):
        break
    time.sleep(0.1)
else:
    raise SystemExit('the usage module never came to its question')
"""
JOIN = """
from actors.ray_cluster import Cluster
from engine.errors import EngageError
try:
    with Cluster().start(address={address!r}):
        print("joined")
except EngageError as error:
    print(error)
"""


def python(source: str, **env: str) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, [env.pop("path", ""), str(ROOT)]))
    return subprocess.Popen(
        [sys.executable, "-c", source],
        env={**os.environ, "PYTHONPATH": path, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tempfile.gettempdir(),  # the folder of the sources would come first on the path
    )


def answer(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=90)
    return output


def package(folder: Path, version: str) -> str:
    """Make a folder that, first on the path, says that our distribution has this version."""
    info = folder / f"engagement_engine-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: engagement-engine\nVersion: {version}\n")
    return str(folder)


def tree(base: Path) -> list:
    """Return this process and those of the cluster whose files lie in ``base``: not the clusters of other tests."""
    psutil = ray._private.node.psutil
    found = [psutil.Process()]
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.ZombieProcess):  # a client that has ended
            found += [child, *child.children(recursive=True)] if str(base) in " ".join(child.cmdline()) else []
    return found


def listeners(processes: list) -> list[tuple[str, str]]:
    """Return (name of the process, address) of every socket that takes what others send."""
    return [
        ("driver" if process.pid == os.getpid() else process.name(), entry.laddr.ip.removeprefix("::ffff:"))
        for process in processes
        for entry in process.net_connections(kind="inet")
        if entry.status == "LISTEN" or (entry.type == socket.SOCK_DGRAM and not entry.raddr)
    ]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Start Ray as we do, and so but for the head's HOME, both under the watch and beside the other tests."""
    folder = tmp_path_factory.mktemp("watch")
    (folder / "sitecustomize.py").write_text(WATCH)
    runs = {}
    for name, source in {"ours": OURS, "without": WITHOUT_HOME + OURS}.items():
        log = folder / f"{name}.log"
        log.touch()
        runs[name] = python(source + UNTIL_ASKED, path=str(folder), WATCH_LOG=str(log)), log
    yield runs
    for process, _ in runs.values():
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", package(tmp_path_factory.mktemp("cluster"), "1.0.0"))
        patch.setenv("RAY_AUTH_TOKEN", "someone-elses")
        before = dict(os.environ)
        with Cluster().start(cpus=2) as started:
            assert dict(os.environ) == before
            yield started


@pytest.fixture(scope="module")
def strangers(cluster: Cluster) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Ray needs 20 s to give up on a refusal: begin at once, look later."""
    source = f"import ray; ray.init({cluster.address!r}, logging_level='ERROR'); print('IN')"
    tokens = {"none": "", "wrong": "0" * 64, "right": cluster.token_path.read_text()}
    clients = {}
    for name, token in tokens.items():
        auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {"RAY_AUTH_MODE": "disabled"}
        clients[name] = python(source, RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", **auth)
    yield clients
    for process in clients.values():
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("watched", "strangers")
def test_every_listener_is_documented_and_on_loopback(cluster: Cluster) -> None:
    ray.get(ray.remote(lambda: None).remote())
    found = listeners(tree(cluster.token_path.parent))
    assert {ip for _, ip in found} <= {"127.0.0.1", "::1"}
    assert [name for name, _ in found if not name.startswith(tuple(LISTENERS))] == []
    assert {"driver", "gcs_server", "raylet"} <= {name for name, _ in found}
    assert cluster.address.startswith("127.0.0.1:")


def test_the_token_is_private_and_not_in_any_command_line(cluster: Cluster) -> None:
    token = cluster.token_path.read_text()
    assert len(token) == 64
    assert stat.S_IMODE(cluster.token_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(cluster.token_path.parent.stat().st_mode) == 0o700
    assert [process for process in tree(cluster.token_path.parent) if token in " ".join(process.cmdline())] == []


@pytest.mark.usefixtures("cluster")
def test_workers_find_our_packages_one_thread_and_the_users_home() -> None:
    @ray.remote
    def inside() -> tuple:
        from engine.errors import EngageError

        return EngageError.__name__, os.environ["OMP_NUM_THREADS"], os.environ["NUMBA_NUM_THREADS"], os.environ["HOME"]

    assert ray.get(inside.remote()) == ("EngageError", "1", "1", os.environ["HOME"])


def test_a_second_start_is_refused(cluster: Cluster) -> None:
    for other in (cluster, Cluster()):
        with pytest.raises(EngageError, match="already running"):
            other.start()
    assert ray.is_initialized()


def test_joining_compares_versions_of_the_package(cluster: Cluster, tmp_path: Path) -> None:
    env = {"RAY_AUTH_TOKEN_PATH": str(cluster.token_path), "RAY_AUTH_TOKEN": cluster.token_path.read_text()}
    source = JOIN.format(address=cluster.address)
    same = python(source, path=package(tmp_path / "same", "1.0.0"), **env)
    other = python(source, path=package(tmp_path / "other", "2.0.0"), **env)
    assert "joined" in answer(same)
    refusal = answer(other)
    assert "version 1.0.0" in refusal
    assert "version 2.0.0" in refusal


def test_only_the_right_token_is_let_in(strangers: dict[str, subprocess.Popen[str]]) -> None:
    answers = {name: answer(client) for name, client in strangers.items()}
    assert "IN" in answers["right"].split()
    for name in ("none", "wrong"):
        assert "IN" not in answers[name].split()
        assert "InvalidAuthToken" in answers[name]


def test_ours_calls_nobody_and_the_watch_would_have_seen_it(watched: Watched) -> None:
    for process, _ in watched.values():
        output = answer(process)
        assert process.returncode == 0, output
    assert "169.254.169.254" in watched["without"][1].read_text()
    assert watched["ours"][1].read_text() == ""


def test_stop_leaves_no_process_no_listener_no_file(cluster: Cluster) -> None:
    base = cluster.token_path.parent
    processes = tree(base)
    assert len(processes) > 6
    before = dict(os.environ)
    cluster.stop()
    assert [process for process in processes[1:] if process.is_running()] == []
    assert listeners(processes[:1]) == []
    assert not base.exists()
    assert dict(os.environ) == before
    cluster.stop()


def test_a_start_that_fails_half_way_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError("no raylet today")

    children = ray._private.node.psutil.Process().children
    before = children(recursive=True)
    monkeypatch.setattr(ray._private.node.Node, "start_raylet", fail)
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # Ray drops its Popen objects
        with pytest.raises(EngageError, match="no raylet today"):
            Cluster().start(cpus=1)
        gc.collect()
    assert children(recursive=True) == before


def test_a_dead_address_is_refused_at_once() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        begin = time.monotonic()
        with pytest.raises(EngageError, match="no Ray cluster answers"):
            Cluster().start(address=f"127.0.0.1:{closed.getsockname()[1]}")
    assert time.monotonic() - begin < 5


def test_a_start_that_cannot_live_is_refused_before_anything_runs() -> None:
    with pytest.raises(EngageError, match=f"at most {MAX_TEMP_DIR_BYTES}"):
        Cluster().start(temp_dir=Path("/", "x" * MAX_TEMP_DIR_BYTES))
    with ThreadPoolExecutor(1) as threads, pytest.raises(EngageError, match="main thread"):
        threads.submit(Cluster().start).result()


def test_fits_names_the_number_that_would_fit() -> None:
    fits(20, available_mb=1_000)
    with pytest.raises(EngageError, match="at most 20 "):
        fits(21, available_mb=1_000)
    with pytest.raises(EngageError, match="at most 5 "):
        fits(6, mb_per_actor=200, available_mb=1_000)
    fits(MOST_ACTORS, available_mb=1e6)
    with pytest.raises(EngageError, match=f"at most {MOST_ACTORS} "):
        fits(MOST_ACTORS + 1, available_mb=1e6)
    with pytest.raises(EngageError, match="too many actors"):
        fits(10**9)
