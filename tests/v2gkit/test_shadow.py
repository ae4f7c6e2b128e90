"""A foreign package under one of our names is named, with the cure, by `v2g` at its start and by the doctor; never a traceback."""

import hashlib
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from v2gkit import shadow

ROOT = Path(__file__).parents[2]
NAMES = [name for name in shadow.OURS if name != "v2gkit"]
START = "import sys; sys.path[:0] = sys.argv[1].split(':'); from v2gkit.start import main; sys.exit(main(sys.argv[2:]))"
ALONE = "import sys; sys.meta_path = [each for each in sys.meta_path if 'editable' not in repr(each)]; "  # it finds what is gone


def started(path: str, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """`v2g` where Python looks into these folders first."""
    command = [sys.executable, "-c", before + START, path, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd="/")


def foreign(folder: Path, name: str, title: str) -> Path:
    """A distribution of a stranger with a package of this name, as pip leaves it."""
    package, info = folder / name, folder / f"{title}-11.5.dist-info"
    package.mkdir(parents=True, exist_ok=True)
    info.mkdir()
    (package / "__init__.py").write_text("VERSION = 'theirs'\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {title}\nVersion: 11.5\n")
    (info / "RECORD").write_text(f"{name}/__init__.py,,\n{title}-11.5.dist-info/METADATA,,\n")
    return folder


def ours(folder: Path) -> Path:
    """Ours as a wheel leaves it, without what is installed beside."""
    for name in shadow.OURS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_package_that_comes_first_is_named_at_the_start(name: str, tmp_path: Path) -> None:
    theirs = foreign(tmp_path, name, f"strange-{name}")
    done = started(str(theirs), "--help")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"v2g: {name} is imported from {tmp_path / name}, which is not v2gkit's: that one is {ROOT / name}")
    assert f"strange-{name} 11.5" in line
    assert "an environment of its own" in line


@pytest.mark.parametrize("name", ["pki", "v2g"])
def test_a_module_or_a_bare_folder_is_named_as_well(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("")
    assert f"{name} is imported from {tmp_path / name}.py" in started(str(tmp_path), "--version").stderr


def test_files_of_a_stranger_among_ours_are_named(tmp_path: Path) -> None:
    """Installed into the same folder after ours, dogtag's `pki/__init__.py` replaces ours."""
    both = foreign(ours(tmp_path), "pki", "dogtag-pki")
    (tmp_path / "pki" / "certificate.py").write_text("import requests_that_nobody_has\n")
    done = started(str(both), "pki", "show", "--profiles")
    assert done.returncode == 2, done.stderr
    assert f"dogtag-pki 11.5 writes into {tmp_path / 'pki'} too" in done.stderr
    assert "Traceback" not in done.stderr


def test_files_of_a_stranger_where_it_all_begins_are_named(tmp_path: Path) -> None:
    both = foreign(ours(tmp_path), "v2g", "strange")
    (tmp_path / "v2g" / "legible.py").write_text("")
    done = started(str(both), "--help")
    assert done.returncode == 2, done.stderr
    assert f"strange 11.5 writes into {tmp_path / 'v2g'} too" in done.stderr
    assert "Traceback" not in done.stderr


def recorded(folder: Path) -> Path:
    """Ours with the list of files and digests that pip leaves."""
    ours(folder)
    info = folder / "v2gkit-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: v2gkit\nVersion: 0.1.0\n")
    files = [path for name in shadow.OURS for path in sorted((folder / name).rglob("*")) if path.is_file()]
    lines = [f"{path.relative_to(folder)},sha256={_digest(path)},{path.stat().st_size}" for path in files]
    (info / "RECORD").write_text("\n".join(lines) + "\n")
    return folder


def _digest(path: Path) -> str:
    return urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()


@pytest.mark.parametrize("gone", [False, True])
def test_files_that_were_replaced_or_left_with_another_are_named(tmp_path: Path, gone: bool) -> None:
    """Removing the stranger removes what both had: ours does not come back, which is said with the cure for it."""
    recorded(tmp_path)
    assert started(str(tmp_path), "pki", "show", "--profiles", before=ALONE).returncode == 0  # as installed, nothing is wrong
    (tmp_path / "pki" / "system.py").unlink() if gone else (tmp_path / "pki" / "system.py").write_text("")
    done = started(str(tmp_path), "pki", "show", "--profiles", before=ALONE)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert f"in {tmp_path / 'pki'} files of v2gkit are replaced or gone: pki/system.py{' (gone)' if gone else ''};" in line
    assert "pip install --force-reinstall --no-deps v2gkit" in line


def test_many_files_that_are_gone_are_counted(tmp_path: Path) -> None:
    recorded(tmp_path)
    shutil.rmtree(tmp_path / "pki")
    done = started(str(tmp_path), "pki", "show", "--profiles", before=ALONE)
    assert done.returncode == 2, done.stderr
    assert " more; " in done.stderr
    assert len(done.stderr) < 1200


def test_one_that_comes_behind_ours_is_only_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign(tmp_path, "pki", "dogtag-pki")
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path, str(tmp_path)])
    (noted,) = shadow.mixed()
    assert (noted.name, noted.bad) == ("pki", False)
    assert "dogtag-pki 11.5 brings a pki too" in noted.found
    assert shadow.refusal() is None


def test_the_doctor_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from v2gkit.lab.doctor import examine

    (sound,) = [finding for finding in examine(tmp_path) if finding.topic.startswith("package")]
    assert (sound.topic, sound.verdict) == ("packages", "ok")
    foreign(tmp_path, "evcc", "evcc")
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path, str(tmp_path)])
    (found,) = [finding for finding in examine(tmp_path) if finding.topic.startswith("package")]
    assert (found.topic, found.verdict) == ("package evcc", "note")
    assert "environment of its own" in found.cure


def test_nothing_shadows_ours_here() -> None:
    assert shadow.elsewhere() == []
