"""A foreign station that calls at a CSMS: the PyPI package `test-ocpp`, which negotiates 2.0.1, boots and says that it lives.

python -m v2gkit.peers.caller .interop
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

VERSION: Final = "1.0.0"


def folder(home: Path) -> Path:
    """The folder of the package, whether or not it is there: to be put before the path of an interpreter that has `websockets`."""
    return home.resolve() / f"test-ocpp-{VERSION}"


def install(home: Path) -> Path:
    """Install the package, without the library that both of us use; its folder. Raises subprocess.CalledProcessError."""
    if not (folder(home) / "test_ocpp").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--target", str(folder(home)), f"test-ocpp=={VERSION}"], check=True)  # noqa: S603 - our own words
    return folder(home)


if __name__ == "__main__":
    install(Path(sys.argv[1]))
