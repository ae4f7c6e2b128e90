"""Fetches the schema by which Jenkins' xUnit plugin reads JUnit XML (junit-10.xsd, MIT), which the sources of pytest carry, into a folder.

python -m v2gkit.peers.junit_setup .interop

It is a stranger's, and in no repository of ours: the tests of junit.xml read it where it was fetched.
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "9.2.0"  # of pytest, whose sources are asked for
NAME: Final = "junit-10.xsd"
WITHIN: Final = f"pytest-{VERSION}/testing/example_scripts/{NAME}"


class SchemaMissing(Exception):
    """The schema cannot be had; the message says why."""


def schema(home: Path) -> Path:
    """Where the schema lies below a folder, whether or not it is there."""
    return home.resolve() / "junit" / NAME


def install(home: Path) -> Path:
    """Fetch the schema where it is missing; its path. Raises SchemaMissing."""
    target = schema(home)
    if target.exists():
        return target
    with tempfile.TemporaryDirectory() as scratch:
        wanted = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", "pytest", "--dest", scratch, f"pytest=={VERSION}")
        done = subprocess.run([sys.executable, "-m", "pip", "download", *wanted], capture_output=True, text=True)  # noqa: S603 - our interpreter
        if done.returncode:
            raise SchemaMissing(
                f"pip cannot fetch the sources of pytest {VERSION}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}"
            )
        with tarfile.open(next(Path(scratch).glob("pytest-*.tar.gz"))) as sources:
            found = sources.extractfile(WITHIN)
            if found is None:
                raise SchemaMissing(f"the sources of pytest {VERSION} have no {WITHIN}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(found.read())
    return target


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1]))
    except (SchemaMissing, KeyError) as error:
        print(f"no schema of JUnit here: {error}", file=sys.stderr)  # its test is skipped, and says so
