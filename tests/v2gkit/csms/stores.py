"""The databases that the CSMS's tests run on: SQLite, and a PostgreSQL of their own where Debian's is on the machine."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.free_ports import free_port
from tests.starved import HANG

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL server in a folder of its own, on loopback, as long as the block lasts; gives the URL of an empty database."""
    if not POSTGRES:
        pytest.skip("no PostgreSQL on this machine: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="postgres") as folder:
        yield from _served(Path(folder))


def _served(folder: Path) -> Iterator[str]:
    port, data, who = free_port(), folder / "data", {}
    if os.geteuid() == 0:  # it does not run as root
        nobody = pwd.getpwnam("postgres")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        who = {"user": "postgres"}
    run = [os.fspath(POSTGRES[-1] / "initdb"), "-D", os.fspath(data), "-A", "trust", "-U", "csms", "--no-sync", "-E", "UTF8"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL, cwd="/", **who)  # type: ignore[call-overload]
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "max_connections=30"]
    command = [os.fspath(POSTGRES[-1] / "postgres"), "-D", os.fspath(data), "-p", str(port), *options]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd="/", **who)  # type: ignore[call-overload]
    try:
        for line in server.stderr:
            if "ready to accept connections" in line:
                break
        else:
            raise AssertionError(f"PostgreSQL does not run: {server.wait()}")
        yield f"postgresql://csms@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.communicate(timeout=HANG)


def nats() -> str:
    """The path of Debian's NATS server; the test is skipped where it is not."""
    path = shutil.which("nats-server", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        pytest.skip("no nats-server on this machine: apt-get install nats-server")
    return path
