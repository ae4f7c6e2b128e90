"""The kept inputs of the coverage-guided target, and how it is run where atheris is missing."""

import importlib.util
from pathlib import Path

import pytest

from fuzz import __main__ as command
from fuzz import corpus
from fuzz.promise import judge
from fuzz.seeds import seeds
from v2g.messages import MODULES, schema_set

ROOM = 200_000  # octets that all corpora together may take


@pytest.mark.parametrize("name", MODULES)
def test_the_promise_holds_for_every_kept_input(name: str) -> None:
    inputs = corpus.kept(name)
    assert len(inputs) > 50
    assert {judge(octets, schema_set(name), fragment, views=True) for fragment, octets in map(corpus.parts, inputs)} >= {
        "message",
        "refused",
    }


def test_the_corpora_are_small() -> None:
    assert sum(file.stat().st_size for file in corpus.KEPT.iterdir()) < ROOM
    assert {file.stem for file in corpus.KEPT.iterdir()} == set(MODULES)


def test_unpacking_gives_what_is_kept_and_what_is_generated(tmp_path: Path) -> None:
    count = corpus.unpack("app", tmp_path)
    written = {file.read_bytes() for file in tmp_path.iterdir()}
    assert len(written) == count
    assert written >= set(corpus.kept("app"))
    assert {s.octets for s in seeds("app")} <= {octets for _, octets in map(corpus.parts, written)}


def test_the_shortest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "KEPT", tmp_path)
    monkeypatch.setattr(corpus, "MOST", 60)
    assert corpus.keep("app", [b"\0" + b"long" * 9, b"\1\x80\x7a", b"\0\x80", b"\0\x80", b"\0" * 999]) == 2
    assert (tmp_path / "app.txt").read_text() == "document 80\nfragment 807a\n"
    assert corpus.kept("app") == [b"\0\x80", b"\1\x80\x7a"]


def test_without_atheris(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    assert command.main(["dc"]) == 2
    assert "pip install 'v2gkit[fuzz]'" in capsys.readouterr().err


def test_a_run_tells_what_it_did(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def ran(name: str, inputs: Path, *options: str) -> str:
        prefix = next(o.partition("=")[2] for o in options if o.startswith("-artifact_prefix"))
        (Path(prefix).parent / "broken" / "crash-1").write_bytes(b"\1\x80\x01")
        return "#2\tINITED cov: 10 ft: 20 corp: 3/4b\n#1024\tpulse  cov: 965 ft: 2224 corp: 141/5420b\nBroken: because\n"

    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: True)
    monkeypatch.setattr(command, "_target", ran)
    assert command.main(["app"]) == 1
    told = capsys.readouterr()
    assert "1024 inputs,   965 edges,   2224 features" in told.out
    assert "BROKEN app fragment 8001" in told.err
    assert "because" in told.err


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed: pip install 'v2gkit[fuzz]'")
def test_the_target_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["app", "--seconds", "1"]) == 0
    assert " 0 broken" in capsys.readouterr().out
