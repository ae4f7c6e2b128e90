"""What a forge does with a clone, what a distribution makes of it, and the bill of its materials: held to what they name."""

import hashlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from tests.test_packaging import DECLARED, LOCKED, ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
YOCTO = ROOT / "packaging" / "yocto"
RECIPE = YOCTO / f"python3-v2gkit_{DECLARED['project']['version']}.bb"
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path.stem}:{name}", job) for path in WORKFLOWS for name, job in read(path)["jobs"].items()]


def steps() -> list[tuple[str, dict[str, Any]]]:
    return [(name, step) for name, job in jobs() for step in job["steps"]]


# --- the workflows of a forge ---


def test_what_a_workflow_runs_is_there() -> None:
    commands = [(name, line) for name, step in steps() for line in step.get("run", "").splitlines() if line]
    assert len(commands) > 8
    for name, line in commands:
        words = shlex.split(line)
        if words[0] == "make":
            assert set(words[1:]) <= TARGETS, f"{name}: {line}"
        elif words[0].startswith(".ci/"):
            assert (ROOT / words[0]).stat().st_mode & 0o100, f"{name}: {line}"
        else:
            assert words[0] in ("python", "sudo", "v2g"), f"{name}: {line}: give it a target of the Makefile"
        for word in words:
            if word.startswith(("tests/", "bench/", "fuzz/")):
                assert (ROOT / word).exists(), f"{name}: {word}"


def test_actions_are_pinned_and_given_little() -> None:
    used = [(name, step["uses"]) for name, step in steps() if "uses" in step]
    assert len(used) > 10
    for name, action in used:
        assert re.fullmatch(r"[\w.-]+(/[\w.-]+)+@(v\d+\.\d+\.\d+|[0-9a-f]{40})", action), f"{name}: {action} is not pinned by version"
    for path in WORKFLOWS:
        assert read(path)["permissions"] == {"contents": "read"}, f"{path.name}: more is given to single jobs, each with its reason"
    writing = {name: job["permissions"] for name, job in jobs() if "permissions" in job}
    assert set(writing) == {"release:publish"}
    assert all(job["timeout-minutes"] <= 90 for _, job in jobs())


def test_no_script_holds_what_a_stranger_names() -> None:
    """A branch or a title in a `run` line is a shell command of whoever chose it: such values come by the environment."""
    for name, step in steps():
        assert not re.search(r"\$\{\{(?!\s*matrix\.)", step.get("run", "")), f"{name}: {step['run']}"


def test_every_python_that_is_promised_is_tested_and_built() -> None:
    least = Requirement(f"python{DECLARED['project']['requires-python']}").specifier
    tested = read(GITHUB / "workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert tested == ["3.11", "3.12", "3.13", "3.14"]
    assert all(least.contains(f"{one}.0") for one in tested)
    assert not least.contains("3.10.99")
    assert DECLARED["tool"]["cibuildwheel"]["build"] == [f"cp{one.replace('.', '')}-*" for one in tested]


def test_the_release_is_of_every_system() -> None:
    release = read(GITHUB / "workflows/release.yml")["jobs"]
    runners = release["wheels"]["strategy"]["matrix"]["runner"]
    assert {one.split("-")[0] for one in runners} == {"ubuntu", "macos", "windows"}
    assert [one for one in runners if one.startswith("ubuntu") and one.endswith("-arm")], "aarch64"
    assert set(release["publish"]["needs"]) == set(release) - {"publish"}
    uploaded = {name: step["with"]["path"] for name, step in steps() if "upload-artifact" in step.get("uses", "")}
    assert "dist/v2gkit.cdx.json" in uploaded["release:pure"]


@pytest.mark.parametrize("path", sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem)
def test_an_issue_form_asks_for_something(path: Path) -> None:
    form = read(path)
    if path.stem == "config":
        return
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert form["name"]
    assert form["description"]
    assert [field for field in asked if field.get("validations", {}).get("required")]
    assert len({field["id"] for field in asked}) == len(asked)
    assert all(field["attributes"]["label"] for field in asked)


def test_who_reports_in_private_is_told_how() -> None:
    assert "SECURITY.md" in (GITHUB / "ISSUE_TEMPLATE/fault.yml").read_text()
    assert [update["package-ecosystem"] for update in read(GITHUB / "dependabot.yml")["updates"]] == ["github-actions"]


# --- the recipe ---


def assigned(path: Path) -> dict[str, str]:
    """Every variable that a recipe sets, lines that go on joined."""
    text = re.sub(r"\\\n", " ", path.read_text())
    return {name: " ".join(value.split()) for name, value in re.findall(r'^([\w:${}\[\]]+) *[?+]*= *"([^"]*)"', text, re.MULTILINE)}


def recipes(requirements: list[str]) -> set[str]:
    return {f"python3-{Requirement(one).name.lower()}" for one in requirements}


def test_the_recipe_is_of_this_version_and_licence() -> None:
    assert RECIPE.exists(), "the name of the recipe holds the version of pyproject.toml"
    said = assigned(RECIPE)
    (checksum,) = re.fullmatch(r"file://LICENSE;md5=([0-9a-f]{32})", said["LIC_FILES_CHKSUM"]).groups()  # type: ignore[union-attr]
    assert checksum == hashlib.md5((ROOT / "LICENSE").read_bytes(), usedforsecurity=False).hexdigest()
    assert said["LICENSE"] == DECLARED["project"]["license"]
    assert said["DESCRIPTION"] == DECLARED["project"]["description"]
    assert said["PYPI_PACKAGE"] == DECLARED["project"]["name"]


def test_the_recipe_wants_what_is_declared() -> None:
    project, said = DECLARED["project"], assigned(YOCTO / "v2gkit-dependencies.inc")
    assert set(said["RDEPENDS:${PN}"].split()) == recipes(project["dependencies"]) | {"python3-modules"}
    build = [one for one in DECLARED["build-system"]["requires"] if Requirement(one).name != "setuptools"]  # the class brings it
    assert set(said["DEPENDS"].split()) == {f"{one}-native" for one in recipes(build)}
    extras = {name: recipes(of) for name, of in project["optional-dependencies"].items() if name not in ("all", "dev", "fuzz")}
    packaged = {name[14:-1]: set(value.lstrip(",").split()) for name, value in said.items() if name.startswith("PACKAGECONFIG[")}
    assert packaged == extras


def test_what_the_recipe_installs_is_there() -> None:
    text = RECIPE.read_text()
    taken = re.findall(r"\$\{S\}/(\S+)", text)
    assert taken
    assert all((ROOT / one).is_file() for one in taken)
    (required,) = re.findall(r"^require (\S+)$", text, re.MULTILINE)
    assert (YOCTO / required).is_file()


# --- the bill of materials ---


def bill(folder: Path) -> bytes:
    """What `make sbom` makes, by its own command."""
    (made,) = re.findall(r"^\t\$\(VENV\)/bin/python (-W ignore -m cyclonedx_py .*\\\n.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    target = folder / "bill.json"
    words = [str(target) if word == "dist/v2gkit.cdx.json" else word for word in shlex.split(made.replace("\\\n", " "))]
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
    return target.read_bytes()


def test_the_bill_names_exactly_what_the_lock_names(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, second = bill(tmp_path), bill(tmp_path / "again")
    assert first == second, "the same lock, other octets"
    said = json.loads(first)
    assert said["bomFormat"] == "CycloneDX"
    assert "timestamp" not in said["metadata"]
    assert "serialNumber" not in said
    assert {(one["name"], one["version"]) for one in said["components"]} == {
        (pin.name, version.version) for pin in LOCKED for version in pin.specifier
    }
    assert len(said["components"]) == len(LOCKED)
    assert all(re.fullmatch(r"pkg:pypi/[a-z0-9.-]+@\S+", one["purl"]) for one in said["components"])
    main = said["metadata"]["component"]
    assert (main["name"], main["version"]) == (DECLARED["project"]["name"], DECLARED["project"]["version"])
