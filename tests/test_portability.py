"""What a system lacks that is not POSIX: every module imports without it, and the commands that promise to run there do.

Such a system is made of this one: before the first line of ours, the modules that it lacks cannot be imported, the names that `os`,
`socket` and `signal` lack are deleted, and its event loop has no signal handlers. What third parties do there is theirs: they are imported
before.
"""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.rooms import FILES, ROOT, within
from tests.starved import again, heed

HELLO = "8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040"
LACKING = textwrap.dedent("""
    import asyncio, importlib, os, signal, socket, subprocess, sys, tempfile, multiprocessing, ctypes, logging, shutil, pathlib, uuid
    for name in ("msgspec", "cryptography.x509", "OpenSSL.SSL", "lxml.etree", "highspy", "ocpp", "websockets.asyncio.server", "starlette",
                 "websockets.asyncio.client", "uvicorn", "jsonschema_rs", "pkcs11", "rich.console", "prometheus_client", "aiomqtt",
                 "http.server", "urllib.request", "concurrent.futures", "cryptography.hazmat.primitives.serialization.pkcs12"):
        try:
            importlib.import_module(name)
        except ImportError:
            pass
    if "pki" in sys.modules or "v2g" in sys.modules:
        sys.exit("too late")
    for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "readline", "syslog", "curses", "spwd", "crypt", "nis"):
        sys.modules[name] = None
    pair, unix = socket.socketpair, socket.AF_UNIX  # the loops have one of TCP there
    socket.socketpair = lambda *_: pair(unix)
    LACKS = {
        os: "O_NOFOLLOW O_DIRECTORY O_CLOEXEC O_NONBLOCK O_SYNC fchmod fchown chown geteuid getuid getgid getegid getgroups fork"
        " killpg setsid getpgid mkfifo mknod uname statvfs fstatvfs sched_getaffinity getloadavg nice sysconf pread pwrite"
        " posix_spawn wait3 ttyname",
        socket: "AF_UNIX AF_PACKET AF_NETLINK SOCK_CLOEXEC SOCK_NONBLOCK SO_BINDTODEVICE SO_REUSEPORT MSG_DONTWAIT MSG_NOSIGNAL",
        signal: "SIGKILL SIGHUP SIGUSR1 SIGUSR2 SIGPIPE SIGALRM SIGCHLD SIGQUIT pthread_sigmask setitimer sigwait",
    }
    for module, names in LACKS.items():
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    def refuse(*_):
        raise NotImplementedError
    asyncio.SelectorEventLoop.add_signal_handler = refuse
""")
OWN_INTERPRETER = ("ecog_car", "ecog_codec", "ecog_session", "ecog_station", "exificient", "pyslac_station")  # of a foreign stack
MODULES = sorted(
    module
    for module in FILES
    if module.split(".")[-1] not in OWN_INTERPRETER and module.split(".")[-1] != "__main__" and module not in ("v2gkit.peers.modem",)
)


def lacking(script: str, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a script where all that is lacking."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{LACKING}\n{script}"
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)


RUN = "from v2gkit.cli.main import main; sys.exit(main(sys.argv[1:]))"


def test_every_module_imports_there() -> None:
    assert len(MODULES) > 150
    script = """
import json, traceback
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = f"{type(error).__name__}: {error}"
print(json.dumps(failed))
"""
    done = lacking(script, *MODULES)
    assert done.returncode == 0, done.stderr
    failed = json.loads(done.stdout.splitlines()[-1])
    known = {name for name in failed if within(name, "v2gkit.peers") and "No module named" in failed[name]}
    assert not {name: why for name, why in failed.items() if name not in known}


def test_that_system_lacks_what_it_should() -> None:
    """A test of the test: what is hidden is really gone."""
    script = """
for gone in sys.argv[1:]:
    try:
        exec(gone)
    except (ImportError, AttributeError) as error:
        print(type(error).__name__)
    else:
        print(gone, "is there")
"""
    names = ("import fcntl", "import resource", "os.geteuid", "os.O_NOFOLLOW", "socket.AF_UNIX", "signal.SIGKILL")
    done = lacking(script, *names)
    assert done.stdout.split() == ["ModuleNotFoundError"] * 2 + ["AttributeError"] * 4, done.stdout + done.stderr
    here = subprocess.run([sys.executable, "-c", f"import os, signal, socket, sys{script}", *names], capture_output=True, text=True)
    assert here.stdout.count("is there") == len(names), here.stderr


def test_the_commands_that_know_no_system_run_there(tmp_path: Path) -> None:
    fake_lock(tmp_path)
    for arguments in (["exi", "json", HELLO], ["--version"], ["pki", "create", "certs", "--force"], ["doctor"]):
        done = lacking(WITH_LOCK + RUN, *arguments, folder=tmp_path)
        assert done.returncode == 0, (arguments, done.stderr)
        assert "Traceback" not in done.stderr
    assert (tmp_path / "certs" / "secc").is_dir()


# The one thing of Windows itself that `pki.system` calls: made here of the lock that POSIX has, so that it locks in truth.
WITH_LOCK = "sys.path.insert(0, 'windows')\n"


def fake_lock(folder: Path) -> None:
    (folder / "windows").mkdir(exist_ok=True)  # beside the scripts the standard library would find it, and think this is Windows
    (folder / "windows" / "msvcrt.py").write_text(
        textwrap.dedent("""
            import sys
            hidden = sys.modules.pop("fcntl", None)
            import fcntl
            sys.modules["fcntl"] = hidden
            LK_NBLCK = 2

            def locking(file, mode, octets):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        """)
    )


@pytest.mark.parametrize("auth", ["eim", "pnc"])
@again
def test_a_car_charges_at_a_station_there(tmp_path: Path, auth: str) -> None:
    fake_lock(tmp_path)
    made = lacking(WITH_LOCK + RUN, "pki", "create", "certs", "--force", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{LACKING}\n{WITH_LOCK}{RUN}"
    station = [sys.executable, "-c", code, "secc", "--pki", "certs", "--host", "127.0.0.1", "--port", "0", "--once", "--json"]
    heard = tmp_path / "station.err"
    with heard.open("w") as err, subprocess.Popen(station, cwd=tmp_path, stdout=subprocess.PIPE, stderr=err, text=True) as running:
        try:
            assert running.stdout is not None
            address = json.loads(running.stdout.readline())["address"]
            told = lacking(
                WITH_LOCK + RUN,
                *("ev", "--connect", address, "--pki", "certs", "--service", "DC", "--auth", auth, "--loops", "3"),
                *("--json", "--trace", "trace.jsonl"),
                folder=tmp_path,
            )
            heed(told.stdout, told.stderr, heard.read_text())
            assert told.returncode == 0, told.stderr
            said = json.loads(told.stdout)
            assert said["ok"], said
            assert said["energy_charged"] > 0, said
            assert running.wait(60) == 0
        finally:
            running.kill()
    page = lacking(WITH_LOCK + RUN, "report", "trace.jsonl", "--output", "report.html", folder=tmp_path)
    assert page.returncode == 0, page.stderr


def test_the_demo_ends_a_party_that_does_not_hear_there() -> None:
    """Without SIGKILL by name: one that ignores being asked is ended all the same."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    script = f"""
from v2gkit.lab.party import Party
subprocess.Popen.kill = lambda process: os.kill(process.pid, 9)  # the standard library's is another there, and knows no signal

async def finished():
    party = Party.__new__(Party)
    party.process = await asyncio.create_subprocess_exec(sys.executable, "-c", {deaf!r}, stdout=-1, stderr=-3)
    await party.process.stdout.readline()
    party._reading = asyncio.create_task(asyncio.sleep(0))
    print("code", await party.finish(0.2, ask=True))

asyncio.run(finished())
"""
    done = lacking(script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["code", "-9"]


def test_no_service_manager_is_told_there() -> None:
    """A left-over NOTIFY_SOCKET means nothing where there are no such sockets."""
    script = """
from v2gkit.station.supervisor import Supervisor
supervisor = Supervisor({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "2000000"})
supervisor.tell("READY=1")
print(supervisor.pace)
"""
    done = lacking(script)
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr


def test_a_socket_for_firmware_is_refused_in_words_there(tmp_path: Path) -> None:
    script = """
from v2gkit.station.firmware.unix import bound
try:
    bound(pathlib.Path("outlet.sock"), 0o600)
except OSError as error:
    print(error)
"""
    done = lacking(script, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "outlet.sock cannot be made: this system has no Unix sockets" in done.stdout


def test_a_loop_that_cannot_watch_listeners_is_named_with_the_cure() -> None:
    """That of Windows, unless told otherwise: a station says which loop it wants, and keeps no port."""
    script = """
from v2g.session.errors import Misuse
from v2g.session.transport import Server

class ProactorEventLoop(asyncio.SelectorEventLoop):
    def add_reader(self, *_):
        raise NotImplementedError

async def started():
    server = Server(lambda *_: None, "127.0.0.1", 0, None)
    try:
        await server.start()
    except Misuse as error:
        print(error)
    print([each.fileno() for each in server.listener.sockets])

with asyncio.Runner(loop_factory=ProactorEventLoop) as runner:
    runner.run(started())
"""
    done = lacking(script)
    assert done.returncode == 0, done.stderr
    said, left = done.stdout.splitlines()
    assert said == "ProactorEventLoop cannot serve cars: run a station in asyncio.SelectorEventLoop (Windows has another)"
    assert left == "[-1]"
