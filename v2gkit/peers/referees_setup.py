"""Installs Beancount, which judges the export of the books, in an environment of its own: a tool under the GPL, never a dependency.

python -m v2gkit.peers.referees_setup .interop
"""

import subprocess
import sys
import venv
from pathlib import Path

PACKAGES = ("beancount==3.2.3",)


def python_of(home: Path) -> Path:
    """The path of the Python interpreter of the referees' environment, whether or not it is installed yet."""
    return home / "referees" / "bin" / "python"


def install(home: Path) -> Path:
    """Make the referees' environment if it is not there; the path of its interpreter. Raises subprocess.CalledProcessError."""
    python = python_of(home)
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES], check=True)  # noqa: S603 - our own words
    return python


if __name__ == "__main__":
    install(Path(sys.argv[1]))
