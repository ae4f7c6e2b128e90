"""Put an installed v2gkit to work, away from any clone: fails when anything is not as it should be.

usage: ENVIRONMENT/bin/python errand.py --engine compiled|straight [--without EXTRA ...] [--document secc.md]
"""

import argparse
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# of 0.5 s: a machine may have no processor to spare for so long; the last is the demo's word, at its scale
TIMERS = (
    "V2G_EVCC_Msg_Timeout",
    "V2G_SECC_Sequence_Timeout",
    "the firmware said nothing for",
    "this side was late",
    "the machine stood still",
    "pages may lack what came last",
)
ATTEMPTS = 6
HELLO = "8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040"
WANTS = {  # extra -> a command that wants it
    "xml": ["exi", "decode", HELLO],
    "energy": ["demo", "--no-ocpp", "--output", "demo"],
    "ocpp": ["csms", "--port", "0"],
}


def v2g(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command by the script that was installed."""
    done = subprocess.run([Path(sys.executable).with_name("v2gkit"), *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"v2g {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def again(errand: Callable[..., None], *given: Any) -> None:
    """Run an errand between processes; once more where it failed because a timer of the standard ran out, by what the parties said."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            errand(*given)
            return
        except AssertionError as error:
            said = f"{error}{Path('station.err').read_text()}"
            if attempt == ATTEMPTS or not any(timer in said for timer in TIMERS):
                raise AssertionError(said) from error


def charged(service: str, auth: str) -> None:
    """A station and a car of two processes, over TLS."""
    command = [Path(sys.executable).with_name("v2g"), "secc", "--pki", "certs", "--port", "0", "--services", service, "--once", "--json"]
    with Path("station.err").open("w") as err, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True) as station:
        assert station.stdout is not None
        try:
            address = json.loads(station.stdout.readline())["address"]
            told = v2g("ev", "--connect", address, "--pki", "certs", "--service", service, "--auth", auth, "--loops", "10", "--json").stdout
            assert station.wait(60) == 0
        finally:
            station.kill()
    said = json.loads(told)
    assert said["ok"], said
    assert said["energy_charged"] > 0, said
    print(f"  {service} {auth}: {said['loops']} loops, {said['tls']}, {said['ended']}")


def embedded(document: Path) -> None:
    """The station that a document embeds in a program, line by line, charges a car of another process; on a port that is free here."""
    (lines,) = re.findall(r"^```python\n# embedded.py\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE)
    assert lines.count("\n") == 10, lines
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        port = str(probe.getsockname()[1])
    assert "15118)" in lines
    Path("embedded.py").write_text(lines.replace("15118)", f"{port})"))
    command = [sys.executable, "embedded.py"]
    with Path("station.err").open("w") as err, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True) as station:
        try:
            said = driven(port, station)
            told, _ = station.communicate(timeout=60)
        finally:
            station.kill()
    assert station.returncode == 0, told
    assert "Terminate" in told, told
    assert said["energy_charged"] > 0, said
    print(f"  ten lines of {document.name}: {said['auth']}, {said['loops']} loops, {said['tls']}, {told.strip()}")


def driven(port: str, station: "subprocess.Popen[str]") -> dict[str, Any]:
    """What a car says that drove to a station as soon as that listened."""
    command = [Path(sys.executable).with_name("v2g"), "ev", "--connect", f"[::1]:{port}", "--pki", "certs", "--auth", "pnc", "--json"]
    for _ in range(100):
        done = subprocess.run([*command, "--service", "DC", "--loops", "3"], capture_output=True, text=True, timeout=300)
        if done.returncode == 0:
            said: dict[str, Any] = json.loads(done.stdout)
            return said
        # it listened, and something else is wrong
        assert not done.stdout or not json.loads(done.stdout).get("tls"), f"{done.stdout}{done.stderr}"
        assert station.poll() is None, f"the station ended with {station.returncode}"
        time.sleep(0.2)
    raise AssertionError(done.stderr)


def demonstrated() -> None:
    """The demo, with everything that is in it."""
    outcome = json.loads(v2g("demo", "--json", "--output", "demo", "--seconds", "30").stdout)
    assert outcome["well"], outcome
    print(f"  demo: {outcome['car']['loops']} loops, {outcome['car']['ended']}")


def main(argv: Sequence[str] | None = None) -> None:
    """The errand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--without", nargs="*", default=[])
    parser.add_argument("--document", type=Path)
    options = parser.parse_args(argv)
    import v2gkit
    from v2g.exi import engine

    assert Path(v2gkit.__file__).is_relative_to(sys.prefix), f"{v2gkit.__file__} is not what was installed"
    assert engine.used() == options.engine, f"the {engine.used()} walk is used"
    print(f"  {v2g('--version').stdout.strip()}, {engine.used()} walk")
    v2g("doctor")
    v2g("exi", "json", HELLO)
    v2g("pki", "create", "certs", "--force")
    again(charged, "DC_BPT", "pnc")
    again(charged, "AC", "eim")
    if options.document is not None:
        again(embedded, options.document)
    for extra in options.without:
        said = v2g(*WANTS[extra], code=2).stderr
        assert f"pip install 'v2gkit[{extra}]'" in said, said
        print(f"  {said.strip()}")
    if not options.without:
        v2g("exi", "decode", HELLO)
        again(demonstrated)


if __name__ == "__main__":
    main()
