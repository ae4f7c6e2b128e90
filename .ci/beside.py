"""The wheel beside strangers' packages of our names, in both orders: it works, or says in one line what replaced what, and the cure works.

usage: python beside.py WHEEL, in a folder where nothing of ours is. The strangers come from the package index: `dogtag-pki` brings a `pki`,
`lab`, `energy` and `evcc` have names that v2gkit had, or has.
"""

import json
import subprocess
import sys
from pathlib import Path

STRANGERS = ("dogtag-pki==11.2.1", "lab==8.10", "energy==0.1.9", "evcc==0.0.1")
SHARED = ("pki/__init__.py", "pki/system.py")  # files that both dogtag-pki and v2gkit install
HELLO = "8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040"


def ran(*command: str | Path, code: int = 0) -> str:
    """What a command says, on both streams; it must end with this code."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"{' '.join(map(str, command))}: {done.returncode}, not {code}\n{said}"
    assert "Traceback" not in said, said
    return said


class Place:
    """An environment, and what is done in it."""

    def __init__(self, name: str) -> None:
        ran(sys.executable, "-m", "venv", name)
        self.bin = Path(name, "bin").resolve()

    def strangers(self) -> None:
        """Install them, without what they need: their files are what matters."""
        ran(self.bin / "pip", "install", "--quiet", "--no-deps", *STRANGERS)

    def ours(self, wheel: Path, *how: str) -> None:
        """Install the wheel."""
        ran(self.bin / "pip", "install", "--quiet", *how, wheel)

    def v2g(self, *arguments: str, code: int = 0) -> str:
        """Run a command by the script that was installed."""
        return ran(self.bin / "v2g", *arguments, code=code)

    def verdicts(self) -> dict[str, tuple[str, str]]:
        """What the doctor says of packages: topic -> verdict and text. Its exit code is of certificates too, so any will do."""
        done = subprocess.run([str(self.bin / "v2g"), "doctor", "--json"], capture_output=True, text=True, timeout=300)
        found = json.loads(done.stdout)
        return {each["topic"]: (each["verdict"], each["found"]) for each in found if each["topic"].startswith("package")}

    def charges(self) -> None:
        """Certificates, and a session over TLS between a station and a car of two processes."""
        self.v2g("pki", "create", "certs", "--force")
        command = [str(self.bin / "v2g"), "secc", "--pki", "certs", "--port", "0", "--once", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as station:
            try:
                assert station.stdout is not None
                address = json.loads(station.stdout.readline())["address"]
                told = self.v2g("ev", "--connect", address, "--pki", "certs", "--auth", "pnc", "--loops", "3", "--json")
                assert station.wait(60) == 0
            finally:
                station.kill()
        said = json.loads(told.splitlines()[0])
        assert said["ok"] and said["energy_charged"] > 0, said  # noqa: PT018


def replaced(place: Place) -> None:
    """Theirs came last: whatever needs pki refuses in one line that names stranger, files and cure; what does not need it works."""
    assert place.v2g("--version").startswith("v2gkit ")
    place.v2g("exi", "json", HELLO)
    for command in (["doctor"], ["pki", "create", "certs"], ["secc", "--port", "0"], ["demo"]):
        (line,) = place.v2g(*command, code=2).splitlines()
        for word in ("dogtag-pki 11.2.1 writes into", *SHARED, "an environment of its own", "--force-reinstall"):
            assert word in line, f"v2g {' '.join(command)} does not say {word}: {line}"
    print(f"  {line}")


def main() -> None:
    """All of it."""
    wheel = Path(sys.argv[1]).resolve()
    print(" theirs after ours")
    last = Place("last")
    last.ours(wheel)
    last.charges()
    last.strangers()
    replaced(last)
    ran(last.bin / "pip", "uninstall", "--quiet", "--yes", "dogtag-pki")
    (line,) = last.v2g("pki", "show", "--profiles", code=2).splitlines()  # their files went, and ours do not come back by themselves
    assert "pki/system.py (gone)" in line, line
    print(f"  without them: {line}")
    last.ours(wheel, "--force-reinstall", "--no-deps")
    assert last.verdicts() == {"packages": ("ok", last.verdicts()["packages"][1])}
    last.charges()
    print("  installed anew: a car charges")

    print(" ours after theirs")
    first = Place("first")
    first.strangers()
    first.ours(wheel)
    first.charges()
    verdict, found = first.verdicts()["package pki"]
    assert verdict == "bad", found
    assert "dogtag-pki 11.2.1 writes into" in found, found
    print(f"  a car charges; doctor: {found}")


if __name__ == "__main__":
    main()
