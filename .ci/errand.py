"""Put an installed v2gkit to work, away from any clone: fails when anything is not as it should be.

usage: ENVIRONMENT/bin/python errand.py --engine compiled|straight [--without EXTRA ...]
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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


def charged(service: str, auth: str) -> None:
    """A station and a car of two processes, over TLS."""
    command = [Path(sys.executable).with_name("v2g"), "secc", "--pki", "certs", "--port", "0", "--services", service, "--once", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as station:
        assert station.stdout is not None
        address = json.loads(station.stdout.readline())["address"]
        told = v2g("ev", "--connect", address, "--pki", "certs", "--service", service, "--auth", auth, "--loops", "10", "--json").stdout
        assert station.wait(60) == 0
    said = json.loads(told)
    assert said["ok"], said
    assert said["energy_charged"] > 0, said
    print(f"  {service} {auth}: {said['loops']} loops, {said['tls']}, {said['ended']}")


def main(argv: Sequence[str] | None = None) -> None:
    """The errand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--without", nargs="*", default=[])
    options = parser.parse_args(argv)
    import lab
    from v2g.exi import engine

    assert Path(lab.__file__).is_relative_to(sys.prefix), f"{lab.__file__} is not what was installed"
    assert engine.used() == options.engine, f"the {engine.used()} walk is used"
    print(f"  {v2g('--version').stdout.strip()}, {engine.used()} walk")
    v2g("doctor")
    v2g("exi", "json", HELLO)
    v2g("pki", "create", "certs", "--force")
    charged("DC_BPT", "pnc")
    charged("AC", "eim")
    for extra in options.without:
        said = v2g(*WANTS[extra], code=2).stderr
        assert f"pip install 'v2gkit[{extra}]'" in said, said
        print(f"  {said.strip()}")
    if not options.without:
        v2g("exi", "decode", HELLO)
        outcome = json.loads(v2g("demo", "--json", "--output", "demo", "--seconds", "30").stdout)
        assert outcome["well"], outcome
        print(f"  demo: {outcome['car']['loops']} loops, {outcome['car']['ended']}")


if __name__ == "__main__":
    main()
