"""What must not be read by others: files of observers, TLS secrets, passwords on command lines and in addresses."""

import logging
import os
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ocpp_bridge.charge_point import Endpoint
from secc.config import parse
from v2g.settings.strict import ConfigError
from v2gkit.authorities.asking import NotAnswered, ask, tls_client
from v2gkit.cli.leave import warn
from v2gkit.cli.main import main
from v2gkit.csms.setup import tls_of
from v2gkit.insight.recorder import Recorder
from v2gkit.insight.witness import Left, witnesses
from v2gkit.private import open_private, password

ROOT = Path(__file__).parents[2]
SECRET = "0123456789abcdef"


@pytest.fixture(autouse=True)
def open_umask():
    """The worst mask: nothing is private unless somebody sees to it."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("append", [False, True])
def test_files_are_their_owners_alone_even_where_they_were_not(tmp_path, append):
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("before\n")
    old.chmod(0o666)
    for path in (new, old):
        with Recorder.into(path, append=append) as recorder:
            recorder.text("secret\n")
        assert mode(path) == 0o600
    assert old.read_text() == ("before\n" if append else "") + "secret\n"


@pytest.mark.parametrize("append", [False, True])
def test_nothing_is_written_through_a_link_or_under_another_name(tmp_path, append):
    target = tmp_path / "target"
    target.write_text("precious")
    link, hard, dangling = tmp_path / "link", tmp_path / "hard", tmp_path / "dangling"
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="symbolic link"):
        open_private(link, append=append)
    with pytest.raises(OSError, match="symbolic link"):
        open_private(dangling, append=append)
    assert not (tmp_path / "nowhere").exists()
    hard.hardlink_to(target)
    with pytest.raises(OSError, match="2 names"):
        open_private(hard, append=append)
    assert target.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_not_written(tmp_path):
    path = tmp_path / "theirs"
    path.write_text("theirs")
    os.chown(path, 12345, 12345)
    with pytest.raises(OSError, match="belongs to somebody else"):
        open_private(path)
    assert path.read_text() == "theirs"


def test_a_device_is_written_as_it_is():
    os.close(open_private(Path("/dev/null")))


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_what_is_open_already_is_taken_as_it_is(name):
    source, sink = os.pipe()
    with Recorder.into(Path(name.format(sink))) as recorder:
        recorder.text("a line\n")
    assert os.read(source, 100) == b"a line\n"
    os.close(sink)
    os.close(source)


def test_what_observers_leave_is_private_and_said_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    left = {name: tmp_path / name for name in ("trace", "capture", "key_log")}
    with witnesses(Left(**left), "secc", float, warn) as watch:
        assert len(watch()) == 3
    assert {mode(path) for path in left.values()} == {0o600}
    (line,) = capsys.readouterr().err.splitlines()
    assert all(str(path) in line for path in left.values())
    with witnesses(Left(), "secc", float, warn):
        pass
    assert capsys.readouterr().err == ""


def test_a_variable_alone_makes_a_key_log_that_is_private_and_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with witnesses(Left(), "secc", float, warn) as watch:
        assert len(watch()) == 1
    assert "SSLKEYLOGFILE" in capsys.readouterr().err
    assert mode(tmp_path / "keys") == 0o600


@pytest.mark.parametrize("option", ["--trace", "--capture", "--key-log"])
@pytest.mark.parametrize(
    "command", [["secc", "--host", "127.0.0.1", "--port", "0"], ["ev", "--connect", "127.0.0.1:1"]], ids=["secc", "ev"]
)
def test_a_command_refuses_a_link_and_says_the_cure(tmp_path, command, option, capfd):
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "link").symlink_to(target)
    assert main([*command, "--no-tls", option, str(tmp_path / "link")]) == 2
    assert "symbolic link" in capfd.readouterr().err
    assert target.read_text() == "precious"


def test_tls_towards_backends_leaves_no_secrets_where_a_variable_points(tmp_path, monkeypatch):
    """OpenSSL would create that file for all to read, and through a link."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    pem = tmp_path / "both.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*make, "-keyout", pem, "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + (tmp_path / "cert.pem").read_text())
    contexts = [
        Endpoint("wss://localhost/", "CS-1").tls(),
        Endpoint("wss://localhost/", "CS-1", trust=tmp_path / "cert.pem").tls(),
        tls_client(),
        tls_of(pem, pem, None),
    ]
    assert all(context.keylog_filename is None for context in contexts)
    assert not (tmp_path / "keys").exists()
    assert all(context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname for context in contexts[:3])


# --- passwords ---


def test_a_password_comes_from_a_file_an_argument_or_the_environment(tmp_path):
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    there = {"V2G_X": "of the environment"}
    assert password("given", file, "V2G_X", there) == SECRET
    assert password("given", None, "V2G_X", there) == "given"
    assert password(None, None, "V2G_X", there) == "of the environment"
    assert password(None, None, "V2G_X", {}) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"\xff\xfe", b"x" * 2000])
def test_a_file_that_holds_no_password_is_refused(tmp_path, content):
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=str(file)):
        password(None, file, "V2G_X", {})


def test_an_empty_password_is_none_that_counts(tmp_path):
    for given, environment in (("", {}), (None, {"V2G_X": ""})):
        with pytest.raises(ValueError, match="empty"):
            password(given, None, "V2G_X", environment)


ADDRESSES = [
    ("secc", "--no-tls", "--port", "0", "--ocpp", f"ws://CS-1:{SECRET}@127.0.0.1:1/"),
    ("secc", "--no-tls", "--port", "0", "--cps", f"http://me:{SECRET}@127.0.0.1:1/"),
    ("secc", "--no-tls", "--port", "0", "--responder", f"http://me:{SECRET}@127.0.0.1:1/"),
    ("pki", "renew", "--store", "STORE", "--url", f"https://me:{SECRET}@127.0.0.1:1/", "--user", "me:other"),
    ("pki", "status", "STORE/secc/secp521r1.chain.pem", "--url", f"http://me:{SECRET}@127.0.0.1:1/"),
    ("pki", "staple", "--store", "STORE", "--fetch", f"http://me:{SECRET}@127.0.0.1:1/"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("pki") / "certs"
    assert main(["pki", "create", str(made), "--json"]) == 0
    return made


@pytest.mark.parametrize("arguments", ADDRESSES, ids=lambda arguments: " ".join(arguments[:2]) + arguments[-2])
def test_credentials_in_an_address_are_refused_and_never_printed(arguments, store, tmp_path, capfd, caplog):
    for old in (store / "responses").glob("*"):
        old.unlink()
    with caplog.at_level(logging.DEBUG):
        assert main([part.replace("STORE", str(store)) for part in arguments]) in (1, 2)
    said = "".join(capfd.readouterr()) + caplog.text
    assert "holds credentials" in said
    assert SECRET not in said


def test_the_same_in_a_file():
    with pytest.raises(ConfigError, match=r"url: .*holds credentials") as refused:
        parse(f"tls = false\nocpp = 'ws://me:{SECRET}@host/'")
    assert SECRET not in str(refused.value)
    with pytest.raises(ConfigError, match="url"):
        parse("tls = false\n[ocpp]\npassword_file = 'x'")


def test_an_answer_that_sends_the_password_elsewhere_is_not_obeyed():
    import http.server
    import threading

    heard: list[tuple[str, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append((self.path, self.headers.get("Authorization")))
            self.send_response(302 if self.path != "/there" else 200)
            other = f"http://localhost:{self.server.server_address[1]}/stolen"
            self.send_header("Location", other if self.path == "/" else "/there")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        with pytest.raises(NotAnswered, match="redirects to another origin"):
            ask(f"{base}/", None, {"Authorization": "Basic x"}, timeout=200, limit=10)
        assert heard == [("/", "Basic x")]
        assert ask(f"{base}/here", None, {}, timeout=200, limit=10) == b""
    finally:
        server.shutdown()
        server.server_close()


def test_a_station_takes_its_password_from_a_file_or_the_environment(tmp_path):
    """The password reaches the CSMS, and stands in no process list."""
    import asyncio
    import json

    from v2gkit.authorities.passwords import Door, Secret
    from v2gkit.csms.server import Csms
    from v2gkit.csms.steering import Strategy

    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")

    async def scene(arguments: list[str], environment: dict[str, str]) -> None:
        csms = Csms(Strategy("none"), door=Door({"DE*V2G*E1": Secret.of(SECRET)}))
        server = await csms.serve()
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ocpp"
        command = [
            sys.executable,
            "-m",
            "v2gkit",
            "secc",
            "--no-tls",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--json",
            "--ocpp",
            url,
        ]
        station = await asyncio.create_subprocess_exec(
            *command,
            *arguments,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            assert station.stdout is not None
            assert json.loads(await station.stdout.readline())["event"] == "listening"
            while not any(each.connectors for each in csms.stations.values()):  # noqa: ASYNC110 - a connection has no event here
                await asyncio.sleep(0.02)
        finally:
            station.terminate()
            await station.communicate()
            server.close()

    for arguments, environment in ((["--ocpp-password-file", str(file)], {}), ([], {"V2G_OCPP_PASSWORD": SECRET})):
        asyncio.run(asyncio.wait_for(scene(arguments, environment), 300))
