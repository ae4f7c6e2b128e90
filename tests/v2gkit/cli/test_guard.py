"""The guard at the command line: whatever a user does wrong, or the machine, is one line that names the thing, and never a traceback."""

import argparse
import errno
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.starved import again
from v2g.settings.strict import ConfigError, table, text_of
from v2gkit.cli.guard import SYSTEM, report_error, words
from v2gkit.cli.main import COMMANDS, main, whole
from v2gkit.cli.parser import Parser, every, version

PREFIX = re.compile(r"v2g( [a-z]+)*: ")
FORBIDDEN = ("Traceback", "[Errno", "None:", ": None", "most recent call", 'File "', "a fault of ours")


def v2g(*arguments: str | Path, **given: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "v2g", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **{"errors": "replace", **given})  # type: ignore[call-overload,no-any-return]


def line(done: subprocess.CompletedProcess[str], code: int = 2) -> str:
    """The one line it said."""
    assert done.returncode == code, (done.stdout, done.stderr)
    assert not any(word in done.stderr for word in FORBIDDEN), done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert PREFIX.match(done.stderr), done.stderr
    return done.stderr


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files that are not what they should be."""
    contents: dict[str, bytes] = {
        "latin.toml": b"tls = false\n# caf\xe9\n",
        "syntax.toml": b"tls = false\n\nport = \n",
        "key.toml": b"tls = false\n[offer]\nservices = ['DC']\nservises = ['AC']\n",
        "service.toml": b"tls = false\n[offer]\nservices = ['DC', 'FOO']\n",
        "port.toml": b"tls = false\nport = 99999\n",
        "below.toml": b"tls = false\n[site]\nimport_limit = -5\n",
        "outlet.toml": b"tls = false\n[[outlet]]\nport = 1\n[[outlet]]\nprot = 2\n",
        "car.toml": b"tls = false\nconnect = '[::1]:1'\n[wish]\nservices = ['dc_btp']\n",
        "goal.toml": b"tls = false\nconnect = '[::1]:1'\n\n[goal]\ntarget_soc = 500\n",
        "days.toml": b"[validity_days]\nsecc = -3\n",
        "deep.toml": b"a = " + b"[" * 5_000,
        "dots.toml": b"a" + b".a" * 30_000 + b" = 1\n",
        "long.toml": b"# " + b"x" * 10_000_000,
        "digits.toml": b"port = " + b"9" * 10_000,
        "octets": bytes(range(256)) * 4,
        "empty": b"",
    }
    for name, octets in contents.items():
        (tmp_path / name).write_bytes(octets)
    (tmp_path / "folder").mkdir()
    return tmp_path


# arguments, with {} for the folder of the files -> what the line must say
WRONG: list[tuple[str, str]] = [
    # names
    ("", "COMMAND is missing; there are demo, secc,"),
    ("sekc", "no command 'sekc'; did you mean secc?"),
    ("frobnicate", "no command 'frobnicate'; there are demo, secc,"),
    ("pki", "COMMAND is missing; there are create, verify,"),
    ("pki creat", "no command 'creat'; did you mean create?"),
    ("exi decoed", "no command 'decoed'; did you mean decode?"),
    ("--json doctor", "--json belongs behind the command: v2g COMMAND --json"),
    ("secc --servics DC", "there is no option --servics; did you mean --services?"),
    ("secc --serv DC", "there is no option --serv; did you mean --services?"),
    ("ev --frobnicate", "there is no option --frobnicate"),
    ("secc station.toml", "'station.toml' is one argument too many"),
    ("secc --services FOO", "--services: 'FOO' is none of the choices; there are AC, AC_BPT, DC, DC_BPT"),
    ("secc --services dc_btp", "did you mean DC_BPT?"),
    ("secc --services ,", "nothing is named; there are AC,"),
    ("secc --control scheduled", "did you mean Scheduled? there are Scheduled, Dynamic"),
    ("ev --service FOO", "--service: 'FOO' is none of the choices; there are"),
    ("demo --service dc_bpd", "did you mean DC_BPT?"),
    ("ev --script chrage", "did you mean charge?"),
    ("pki verify x --role sec", "did you mean secc?"),
    ("secc --port", "--port: expected one argument"),
    # numbers
    ("secc --no-tls --port 99999", "--port: 99999 is out of range; give a whole number, 0 to 65535"),
    ("secc --no-tls --port -1", "--port: -1 is out of range"),
    ("secc --no-tls --port http", "--port: 'http' is no whole number; give a whole number, 0 to 65535"),
    ("csms --port 99999", "--port: 99999 is out of range"),
    ("csms --port -1", "--port: -1 is out of range"),
    ("csms --export-limit -1", "--export-limit: -1 is out of range; give a number, at least 0"),
    ("csms --sample-interval 0", "--sample-interval: 0 is out of range"),
    ("csms --time-scale 0", "--time-scale: 0 is out of range; give a number above 0"),
    ("csms --setpoint nan", "--setpoint: nan is out of range"),
    ("pki ocsp --store {} --port 65536", "--port: 65536 is out of range"),
    ("pki cps --store {} --port -1", "--port: -1 is out of range"),
    ("pki est --store {} --user a:b --port 70000", "--port: 70000 is out of range"),
    ("pki sign x --role secc --store {} --days -1", "--days: -1 is out of range"),
    ("pki create {}/new --at yesterday", "--at: 'yesterday' is no time; give one such as"),
    ("demo --seconds -1", "--seconds: -1 is out of range; give a number, at least 5"),
    ("demo --seconds inf", "--seconds: inf is out of range"),
    ("secc --no-tls --time-scale -1", "--time-scale: -1 is out of range"),
    ("secc --no-tls --import-limit -1", "--import-limit: -1 is out of range"),
    ("secc --no-tls --epoch 1e30", "--epoch: 1e30 is out of range"),
    ("ev --connect [::1]:99999 --no-tls", "'[::1]:99999' is no address; give HOST:PORT"),
    ("ev --connect [::1]:-1 --no-tls", "is no address"),
    ("ev --connect [::1]:1 --no-tls --soc 101", "--soc: 101 is out of range; give a number, 0 to 100"),
    ("ev --connect [::1]:1 --no-tls --loops -1", "--loops: -1 is out of range"),
    ("ev --connect [::1]:1 --no-tls --departure-in -1", "--departure-in: -1 is out of range"),
    ("interop --jobs 0", "--jobs: 0 is out of range"),
    # files
    ("secc --config {}/nowhere.toml", "/nowhere.toml: there is no such file"),
    ("secc --config {}/folder", "/folder: is a folder; give a file"),
    ("secc --config {}/latin.toml", "latin.toml:2: octet 0xe9 is no UTF-8"),
    ("secc --config {}/octets", "octets:"),
    ("secc --config {}/syntax.toml", "syntax.toml:3: not TOML:"),
    ("secc --config {}/key.toml", "key.toml:4: unknown key offer.servises; did you mean offer.services?"),
    (
        "secc --config {}/service.toml",
        "service.toml:3: offer.services is ['DC', 'FOO']: 'FOO' is none of the choices; there are AC, AC_BPT",
    ),
    ("secc --config {}/port.toml", "port.toml:2: port is 99999; give 0 to 65535"),
    ("secc --config {}/below.toml", "below.toml:3: [site] import_limit is -5"),
    ("secc --config {}/outlet.toml", "outlet.toml:5: unknown key outlet[2].prot; did you mean outlet[2].port?"),
    ("secc --config {}/deep.toml", "deep.toml: not TOML: nested too deeply"),
    ("secc --config {}/dots.toml", "dots.toml:1: a key of more than"),
    ("secc --config {}/long.toml", "long.toml: longer than"),
    ("secc --config /dev/zero", "/dev/zero: longer than"),
    ("secc --config {}/digits.toml", "digits.toml: not TOML:"),
    ("secc --no-tls --port 0 --auth EIM --prices {}/octets", "octets:"),
    ("secc --no-tls --port 0 --auth EIM --prices {}/folder", "/folder: is a folder"),
    ("secc --no-tls --port 0 --auth EIM --prices {}/empty", "empty"),
    ("secc --no-tls --port 0 --auth EIM --trace {}/none/trace.jsonl", "trace.jsonl: there is no such file or folder"),
    ("secc --pki {}/empty", "empty"),
    ("secc --no-tls --port 0 --auth EIM --host 192.0.2.1", "192.0.2.1"),
    ("secc --no-tls --port 0 --auth EIM --iface nowhere0", "nowhere0"),
    ("ev --config {}/car.toml", "car.toml:4: wish.services is ['dc_btp']: 'dc_btp' is none of the choices; did you mean DC_BPT?"),
    ("ev --config {}/goal.toml", "goal.toml:5: [goal] goal:"),
    ("ev --config {}/latin.toml", "latin.toml:2: octet 0xe9 is no UTF-8"),
    ("ev --config {}/deep.toml", "nested too deeply"),
    ("ev --connect [::1]:1 --no-tls --key-log {}/none/keys", "keys: there is no such file or folder"),
    ("csms --prices {}/nowhere.csv", "nowhere.csv: there is no such file"),
    ("csms --prices {}/octets", "octets:"),
    ("csms --cert {}/empty", "give PEM"),
    ("csms --cert {}/nowhere.pem", "nowhere.pem: there is no such file"),
    ("csms --host 192.0.2.1 --port 0", "192.0.2.1:0: this machine has no such address"),
    ("csms --cps {}/folder", "folder"),
    ("pki create {}/new --plan {}/nowhere.toml", "nowhere.toml: there is no such file"),
    ("pki create {}/new --plan {}/latin.toml", "latin.toml:2: octet 0xe9 is no UTF-8"),
    ("pki create {}/new --plan {}/syntax.toml", "syntax.toml:3: not TOML"),
    ("pki create {}/new --plan {}/deep.toml", "nested too deeply"),
    ("pki create {}/new --plan {}/days.toml", "validity_days.secc is -3; give 1 to"),
    ("pki create {}/empty/new", "empty/new"),
    ("pki show {}/nowhere.pem", "nowhere.pem cannot be read"),
    ("pki ocsp --store {} --host 192.0.2.1 --port 0", "192.0.2.1:0: this machine has no such address"),
    ("sign explain {}/empty --store {}", "no message"),
    ("report {}/nowhere.jsonl", "nowhere.jsonl: there is no such file"),
    ("report {}/octets", "octets"),
    ("report .", ". holds no trace; give a folder in which files are that --trace wrote"),
    ("report /", "/ holds no trace; give a folder in which files are that --trace wrote"),
    ("demo --pki {}/nowhere", "/nowhere"),
    ("demo --output {}/empty", "empty: "),
    ("interop --only frobnicate", "no cell has 'frobnicate'"),
]


def here(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> subprocess.CompletedProcess[str]:
    """What a command does that is run in this process, which has its modules already."""
    try:
        code = main(arguments)
    except SystemExit as leaving:  # argparse
        code = int(leaving.code or 0)
    return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())


def process_of_its_own(arguments: str) -> bool:
    """What has begun to serve may have something to say when Python ends; of the rest one of each kind."""
    return "--port 0" in arguments or arguments in ("", "sekc", "secc --port", "exi decoed", "csms --port -1", "secc --config {}/key.toml")


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=[arguments.replace("{}/", "") or "nothing" for arguments, _ in WRONG])
def test_what_is_wrong_is_one_line(arguments: str, said: str, files: Path, capfd: pytest.CaptureFixture[str]) -> None:
    given = [word.replace("{}", str(files)) for word in arguments.split()]
    done = v2g(*given) if process_of_its_own(arguments) else here(given, capfd)
    assert said.replace("{}", str(files)) in line(done)
    assert done.stdout == ""


PATHS = [(parser, action) for parser in every(whole()) for action in parser._actions if action.type is Path]


@pytest.mark.parametrize(("parser", "action"), PATHS, ids=[f"{parser.prog} {action.dest}" for parser, action in PATHS])
def test_a_path_of_nothing_is_refused(parser: Parser, action: argparse.Action, capfd: pytest.CaptureFixture[str]) -> None:
    """A shell makes an empty argument of a variable that is not set; Python takes it for the folder where it stands."""
    before = [each for each in parser._actions[: parser._actions.index(action)] if not each.option_strings]
    named = [f"{action.option_strings[-1]}="] if action.option_strings else [*("x" for _ in before), ""]
    with pytest.raises(SystemExit) as left:
        parser.parse_args(named)
    assert left.value.code == 2
    assert "the path is empty; give one, or leave the argument out" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["deep.toml", "dots.toml", "long.toml", "digits.toml", "octets"])
def test_hostile_toml_costs_no_time(name: str, files: Path) -> None:
    """In processor seconds, so that a busy machine changes nothing; reading such keys as TOML takes half a minute."""
    file = files / name
    before = time.process_time()
    with pytest.raises(ConfigError, match=name):
        table(text_of(file), file)
    assert time.process_time() - before < 1


# --- streams and signals ---


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m v2g pki show --profiles --json | head -c 1", shell=True, capture_output=True, text=True, timeout=300
    )
    assert (done.stdout, done.stderr) == ("[", "")


@pytest.mark.parametrize("arguments", ["doctor --json", "pki show --profiles", "--help", "--version", "exi describe EVSEStatusType"])
def test_a_full_disk_is_said(arguments: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "v2g", *arguments.split()], stdout=full, stderr=subprocess.PIPE, text=True, timeout=300
        )
    done.stdout = ""
    assert "standard output: the disk is full; make room" in line(done)


@pytest.mark.parametrize(
    ("arguments", "sign", "code"),
    [
        ("csms --port 0", "listening on", 0),
        ("secc --no-tls --port 0 --auth EIM", "listening on", 0),
        ("ev --no-tls --connect 127.0.0.1:{}", "", 1),
        ("exi decode --jsonl", "", 130),
        ("demo --output {}", "OCPP 2.1 at", 130),
        ("demo --no-ocpp --output {} --auth eim", "loop", 130),
    ],
)
@again
def test_ctrl_c_is_at_most_one_line(arguments: str, sign: str, code: int, tmp_path: Path) -> None:
    """To the whole group, as a terminal sends it."""
    command = [sys.executable, "-m", "v2g", *arguments.replace("{}", str(tmp_path)).split()]
    pipe = subprocess.PIPE
    with ExitStack() as left:
        process = left.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True))
        left.callback(process.kill)  # one that does not hear must not be waited for without end
        assert process.stdout is not None
        assert process.stdin is not None
        if arguments.startswith("exi"):
            process.stdin.write('{"id": 1}\n')
            process.stdin.flush()
            process.stdout.readline()
        said: list[str] = []
        while sign and not (said and sign in said[-1]):
            said.append(process.stdout.readline())
            assert said[-1], "".join(said) + (process.stderr.read() if process.stderr else "")
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=300)
    if "--connect" in arguments:
        return
    assert process.returncode == code, err
    assert not any(word in err for word in FORBIDDEN), err
    assert code == 0 or err.splitlines()[-1:] == [f"v2g {arguments.split()[0]}{' decode' * arguments.startswith('exi')}: stopped"]


# --- the guard itself ---


@pytest.mark.parametrize("number", [n for n in errno.errorcode if isinstance(os.strerror(n), str)])
def test_no_number_of_an_error_is_shown(number: int) -> None:
    for error in (
        OSError(number, os.strerror(number)),
        OSError(number, os.strerror(number), "thing"),
        OSError(number, os.strerror(number), b"\xff"),
    ):
        if isinstance(error, BrokenPipeError):
            continue
        message, _ = words(error)
        assert message
        assert not re.search(r"\[|Errno|None", message), message
        assert error.filename != "thing" or message.startswith("thing: ")
    assert number not in SYSTEM or SYSTEM[number] in words(OSError(number, "x", "thing"))[0]


@pytest.mark.parametrize(
    ("error", "said", "code"),
    [
        (ModuleNotFoundError("No module named 'lxml'", name="lxml"), "lxml is not installed: pip install 'v2gkit[xml]'", 2),
        (ModuleNotFoundError("No module named 'ocpp.v21'", name="ocpp.v21"), "ocpp is not installed: pip install 'v2gkit[ocpp]'", 2),
        (ImportError("libx.so.1: cannot open", name="highspy._core"), "highspy cannot be loaded: libx.so.1", 2),
        (OSError("no number"), "no number", 2),
        (
            OSError(errno.EACCES, "error while attempting to bind on address ('::1', 80, 0, 0): permission denied"),
            "[::1]:80: permission denied; ports",
            2,
        ),
        (OSError(errno.ENOENT, "x", "a", None, "b"), "a to b: there is no such", 2),
        (b"\xff".decode, "UTF-8", 2),
        (RecursionError(), "nested too deeply", 2),
        (MemoryError(), "the memory is full", 2),
        (OverflowError("int too big"), "out of range: int too big", 2),
        (ExceptionGroup("several", [OSError(errno.ENOSPC, "x", "trace.jsonl")]), "trace.jsonl: the disk is full", 2),
        (KeyError("x"), "KeyError: 'x', nowhere; a fault of ours, please report it", 70),
        (AssertionError(), "AssertionError: no reason", 70),
        (KeyboardInterrupt(), "stopped", 130),
    ],
)
def test_the_words_for_an_exception(
    error: BaseException | Callable[[], str], said: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    if callable(error):
        with pytest.raises(UnicodeDecodeError) as raised:
            error()
        error = raised.value
    assert report_error(error, "v2g x") == code
    message = capsys.readouterr().err
    assert message.startswith("v2g x: ")
    assert said in message
    assert message.count("\n") == 1


def test_who_wants_the_way_to_a_fault_gets_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("V2GKIT_TRACEBACK", "1")
    assert report_error(KeyError("x"), "v2g x") == 70
    assert "KeyError" in capsys.readouterr().err.splitlines()[0]


# --- help ---


def parsers() -> list[Parser]:
    """The parser of every command and sub-command, however deep."""
    return list(every(whole()))


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("parser", parsers(), ids=lambda parser: parser.prog)
def test_help_fits_the_terminal(parser: Parser, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it: usage, options with their choices, prose and examples."""
    monkeypatch.setenv("COLUMNS", str(columns))
    text = parser.format_help()
    assert text.startswith(f"usage: {parser.prog}")
    assert not [line for line in text.splitlines() if len(line) > columns]
    assert "example" in text
    assert "exit codes" in text


def test_every_command_is_among_them() -> None:
    progs = {parser.prog for parser in parsers()}
    assert progs >= {"v2g", *(f"v2g {name}" for name in COMMANDS), "v2g pki create", "v2g sign explain", "v2g exi decode"}


@pytest.mark.parametrize("start", [["-m", "v2g"], ["-m", "v2gkit"]])
def test_every_way_to_start_it_says_its_version(start: list[str]) -> None:
    done = subprocess.run([sys.executable, *start, "--version"], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"v2gkit {version()}\n", "")


@pytest.mark.parametrize("script", ["v2g", "v2gkit"])
def test_both_scripts_are_installed(script: str) -> None:
    done = subprocess.run([Path(sys.executable).with_name(script), "--version"], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, f"v2gkit {version()}\n")


def test_files_run_out() -> None:
    """Where no descriptor is left, too, it is one line."""
    done = v2g("secc", "--no-tls", "--port", "0", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (7, 7)))
    assert "too many files are open" in line(done)
