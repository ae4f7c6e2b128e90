"""Installs those who judge money: Beancount (PyPI) the export of the books, @road-labs/ocmf (npm) signed meter values.

python -m v2gkit.peers.referees_setup .interop

Beancount is under the GPL: a tool, never a dependency.
"""

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

PACKAGES: Final = ("beancount==3.2.3",)
NPM: Final = {"@road-labs/ocmf": "0.0.9", "@road-labs/ocmf-crypto-noble": "0.0.9"}
OPTIONS: Final = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev")
OCMF: Final = Path(__file__).parent / "ocmf.js"


def python_of(home: Path) -> Path:
    """The path of the Python interpreter of the referees' environment, whether or not it is installed yet."""
    return home / "referees" / "bin" / "python"


def npm_of(home: Path) -> Path:
    """The folder that holds the `node_modules` of the referee for OCMF, whether or not it is there."""
    return home.resolve() / "referees" / "npm"


def missing_npm(home: Path) -> str:
    """Why the referee for OCMF cannot be run, with the cure; empty: it can."""
    if not shutil.which("node"):
        return "there is no `node`: apt-get install nodejs"
    lacking = [name for name in NPM if not (npm_of(home) / "node_modules" / name / "package.json").exists()]
    return f"{', '.join(lacking)} not in {npm_of(home)}: make interop" if lacking else ""


def install(home: Path) -> Path:
    """Make the referees' environment if it is not there; the path of its interpreter. Raises subprocess.CalledProcessError."""
    python = python_of(home)
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
    command = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES)
    subprocess.run(command, check=True)  # noqa: S603 - our own words
    if shutil.which("npm") and missing_npm(home):
        npm_of(home).mkdir(parents=True, exist_ok=True)
        (npm_of(home) / "package.json").write_text(json.dumps({"private": True, "dependencies": NPM}))
        subprocess.run(["npm", "install", *OPTIONS], cwd=npm_of(home), check=True)  # noqa: S603, S607 - looked for above
    return python


if __name__ == "__main__":
    install(Path(sys.argv[1]))
