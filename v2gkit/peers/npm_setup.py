"""Installs the foreign OCPP peers of npm in a folder: two CSMSs with strict validation of their own, and a second judge of frames.

python -m v2gkit.peers.npm_setup .interop

`ocpp-ws-io` wants a logger, `voltlog-io`, that the registry has not got: three lines of ours, which log nothing, stand in.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

PACKAGES: Final = {"ocpp-ws-io": "2.3.2", "ocpp-rpc": "2.2.1", "typed-ocpp": "1.6.2"}
LOGGER: Final = "voltlog-io"
SILENT: Final = """'use strict';
const logger = new Proxy({}, { get: (_, name) => (name === 'child' ? () => logger : () => {}) });
module.exports = { createLogger: () => logger, consoleTransport: () => {}, prettyTransport: () => {} };
"""
OPTIONS: Final = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev", "--legacy-peer-deps")
CSMS: Final = Path(__file__).parent / "csms.js"
JUDGE: Final = Path(__file__).parent / "judge.js"


class NpmMissing(Exception):
    """This machine cannot have the packages; the message says what is missing and how to get it."""


def folder(home: Path) -> Path:
    """The folder that holds their `node_modules`, whether or not it is there."""
    return home.resolve() / "npm"


def missing(home: Path) -> str:
    """Why the packages cannot be run, with the cure; empty: they can."""
    if not shutil.which("node"):
        return "there is no `node`: apt-get install nodejs"
    lacking = [name for name, version in PACKAGES.items() if _installed(home, name) != version]
    return f"{', '.join(lacking)} not in {folder(home)}: make interop" if lacking else ""


def install(home: Path) -> Path:
    """Install what is missing; the folder that holds `node_modules`. Raises NpmMissing."""
    if not missing(home):
        return folder(home)
    if not shutil.which("npm"):
        raise NpmMissing("there is no `npm`: apt-get install nodejs npm")
    logger = folder(home) / LOGGER
    logger.mkdir(parents=True, exist_ok=True)
    (logger / "package.json").write_text(json.dumps({"name": LOGGER, "version": "1.0.8", "main": "index.js"}))
    (logger / "index.js").write_text(SILENT)
    ours = {LOGGER: f"file:./{LOGGER}"}
    package = {"private": True, "dependencies": {**PACKAGES, **ours}, "overrides": ours}
    (folder(home) / "package.json").write_text(json.dumps(package))
    done = subprocess.run(["npm", "install", *OPTIONS], cwd=folder(home), capture_output=True, text=True)  # noqa: S603, S607 - looked for above
    if done.returncode:
        raise NpmMissing(f"`npm install` failed in {folder(home)}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
    return folder(home)


def _installed(home: Path, name: str) -> str:
    path = folder(home) / "node_modules" / name / "package.json"
    return str(json.loads(path.read_text())["version"]) if path.exists() else ""


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1]))
    except NpmMissing as error:
        print(f"no foreign CSMS of npm here: {error}", file=sys.stderr)  # their tests are skipped, and say so
