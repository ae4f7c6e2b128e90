"""What is installed, built and shipped: the lock file against the declarations."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from v2gkit.shadow import OURS

ROOT = Path(__file__).parents[1]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = [Requirement(entry.split("--hash")[0].strip(" \\\n")) for entry in re.split(r"\n(?=[a-z])", LOCK) if entry[0] != "#"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def wanted() -> list[Requirement]:
    """Everything that `make` needs: to build, to run with all extras, to develop."""
    extras = DECLARED["project"]["optional-dependencies"]
    named = [*DECLARED["build-system"]["requires"], *DECLARED["project"]["dependencies"], *extras["dev"]]
    every = re.fullmatch(r"v2gkit\[(.*)\]", extras["all"][0])
    assert every is not None
    return [Requirement(one) for one in [*named, *(one for extra in every[1].split(",") for one in extras[extra])]]


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_the_lock_satisfies_what_is_declared(requirement: Requirement) -> None:
    """`make lock` renews it after a dependency was added or raised."""
    pins = [one for one in LOCKED if canonicalize_name(one.name) == canonicalize_name(requirement.name)]
    for python in PYTHONS:
        here = {"python_version": python, "python_full_version": f"{python}.5", "sys_platform": "linux"}
        (pin,) = [one for one in pins if one.marker is None or one.marker.evaluate(here)]
        (version,) = [one.version for one in pin.specifier]
        assert requirement.specifier.contains(version), f"{pin} of requirements.lock is not {requirement}"


def test_every_pin_is_exact_and_has_hashes() -> None:
    entries = [entry for entry in re.split(r"\n(?=[a-z])", LOCK) if entry[0] != "#"]
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==[^\s;]+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_no_index_is_named() -> None:
    """Where packages come from is decided by whoever installs."""
    assert not re.findall(r"://|--(extra-)?index|--find-links|-e |\.(org|io|com)\b", LOCK)


def cloned(folder: Path) -> list[str]:
    """Copy what git knows into `clone` of a folder; the names."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git, or no clone: there is nothing to build from")
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in files:
        (folder / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "clone" / name)
    return files


def packages(names: Iterable[str]) -> list[str]:
    """The folders that declare themselves typed, and so are installed as packages."""
    return [name.removesuffix("/py.typed") for name in names if name.endswith("/py.typed")]


def test_the_wheel_brings_our_packages_and_no_other_name(tmp_path: Path) -> None:
    """A generic name (lab, energy, tests) would lie in a user's site-packages beside a stranger's."""
    files = cloned(tmp_path)
    build = "from setuptools import build_meta; build_meta.build_wheel('../dist')"
    environment = {**os.environ, "V2GKIT_PURE": "1"}
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path / "clone", capture_output=True, check=True, env=environment)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    assert sorted({name.partition("/")[0] for name in names if ".dist-info/" not in name}) == sorted(OURS)
    assert sorted(packages(names)) == sorted(OURS)
    assert all(f"{name}/__init__.py" in names for name in OURS)
    assert {name for name in files if name.split("/")[0] in OURS and name.endswith(".py")} - set(names) == set()


def test_the_source_distribution_is_the_repository(tmp_path: Path) -> None:
    """Who has it can test, measure and document as in a clone; built from what is committed, away from here."""
    files = cloned(tmp_path)
    build = "from setuptools import build_meta; build_meta.build_sdist('../dist')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path / "clone", capture_output=True, check=True)
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        held = {name.partition("/")[2] for name in packed.getnames()}
    assert sorted(packages(held)) == sorted(OURS)
    assert set(files) - held == set()
    assert not [name for name in held - set(files) if name.endswith((".so", ".c", ".pyc", ".pem"))]


def test_a_compiler_is_not_demanded() -> None:
    """`optional` must be said to what `cythonize` returns; CI installs the source distribution without a compiler."""
    script = (
        "import setuptools; setuptools.setup = lambda ext_modules: print(*(e.optional for e in ext_modules)); exec(open('setup.py').read())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"
