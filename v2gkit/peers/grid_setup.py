"""Installs foreign counterparts of the grid's protocols in an environment of their own.

python -m v2gkit.peers.grid_setup .interop
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

PACKAGES = (
    "pymodbus==3.16.1",
    "pysunspec2==1.3.7",
    "openadr3==0.5.0",
    "openleadr==0.5.36",
    "s2-python==0.11.1",
    "websockets==17.4",
    "envoy-schema==2.7.0",
)
CSIP = ("cactus-client==1.3.3", "cactus-test-definitions==1.15.0")  # they want another envoy-schema than the rest
HOOKS = ("--no-deps", "cactus-client-notifications==0.1.0")  # its webhooks; it names an older cactus-schema, whose words have not changed
REPORTS = ("openadr3-client==2.4.2",)  # which wants Python 3.12 as well
MODBUS = Path(__file__).parent / "grid_modbus.py"
OPENADR3 = Path(__file__).parent / "grid_openadr3.py"
S2 = Path(__file__).parent / "grid_s2.py"
OPENADR2 = Path(__file__).parent / "grid_openadr2.py"
REPORTS3 = Path(__file__).parent / "grid_reports3.py"


def python_of(home: Path) -> Path:
    """The path of the Python interpreter of the counterparts' environment, whether or not it is installed yet."""
    return home / "grid" / "bin" / "python"


def csip_of(home: Path) -> Path:
    """The path of the interpreter of the environment with the procedures of CSIP-AUS and their client, whether or not it is there."""
    return home / "csip" / "bin" / "python"


def reports_of(home: Path) -> Path:
    """The path of the interpreter of the environment with `openadr3-client`, whether or not it is there."""
    return home / "openadr" / "bin" / "python"


def install(home: Path) -> Path:
    """Make the environments if they are not there; the path of the first one's interpreter. Raises subprocess.CalledProcessError.

    The second and the third want Python 3.12 or later on this machine; without it, they are left out, and what needs them is skipped.
    """
    python = python_of(home)
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
    _filled(python, PACKAGES)
    newer = newer_python()
    for other, packages in ((csip_of(home), CSIP), (reports_of(home), REPORTS)):
        if other.exists() or newer is not None:
            _made(other, newer, packages)
    if csip_of(home).exists():
        _filled(csip_of(home), HOOKS)
    return python


def _made(python: Path, newer: str | None, packages: tuple[str, ...]) -> None:
    if not python.exists():
        subprocess.run((str(newer), "-m", "venv", str(python.parents[1])), check=True)  # noqa: S603 - our own words
    _filled(python, packages)


def newer_python() -> str | None:
    """An interpreter of Python 3.12 to 3.14 that runs; None where there is none."""
    beside = sorted(Path(sys.base_prefix).parent.glob("3.1[234]*/bin/python3"))  # as pyenv puts them
    for name in (sys.executable, *(shutil.which(f"python3.{minor}") for minor in (12, 13, 14)), *map(str, beside)):
        if name is None:
            continue
        said = subprocess.run((name, "-c", "import sys; print(sys.version_info >= (3, 12))"), capture_output=True, check=False)  # noqa: S603
        if said.stdout.strip() == b"True":
            return name
    return None


def _filled(python: Path, packages: tuple[str, ...]) -> None:
    subprocess.run((str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages), check=True)  # noqa: S603 - our own words


if __name__ == "__main__":
    install(Path(sys.argv[1]))
