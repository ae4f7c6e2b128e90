"""Installs foreign counterparts of the grid's protocols in an environment of their own.

python -m v2gkit.peers.grid_setup .interop
"""

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
MODBUS = Path(__file__).parent / "grid_modbus.py"
OPENADR3 = Path(__file__).parent / "grid_openadr3.py"
S2 = Path(__file__).parent / "grid_s2.py"
OPENADR2 = Path(__file__).parent / "grid_openadr2.py"


def python_of(home: Path) -> Path:
    """The path of the Python interpreter of the counterparts' environment, whether or not it is installed yet."""
    return home / "grid" / "bin" / "python"


def install(home: Path) -> Path:
    """Make the environment if it is not there; the path of its interpreter. Raises subprocess.CalledProcessError."""
    python = python_of(home)
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
    subprocess.run((str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES), check=True)  # noqa: S603 - our own words
    return python


if __name__ == "__main__":
    install(Path(sys.argv[1]))
