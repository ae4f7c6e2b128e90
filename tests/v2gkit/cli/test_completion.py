"""What `v2g completion` writes, tried by the shells it is for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from v2gkit.cli.main import COMMANDS
from v2gkit.cli.pki import COMMANDS as PKI

COMPLETED = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_TYPE=9
_shtab_v2g
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = subprocess.run([sys.executable, "-m", "v2gkit", "completion", "bash"], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    file = tmp_path_factory.mktemp("completion") / "v2g.bash"
    file.write_text(done.stdout)
    return file


def completed(script: Path, *words: str) -> set[str]:
    """What bash offers for the last of these words."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash on this machine")
    command = [bash, "--noprofile", "--norc", "-c", COMPLETED, "bash", str(script), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=script.parent, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_bash_completes_commands_and_theirs(script: Path) -> None:
    assert completed(script, "v2g", "") >= set(COMMANDS)
    assert completed(script, "v2g", "rep") == {"replay", "report"}
    assert completed(script, "v2g", "pki", "") >= set(PKI)
    assert completed(script, "v2g", "pki", "st") == {"staple", "status"}


def test_bash_completes_options_and_choices(script: Path) -> None:
    assert completed(script, "v2g", "secc", "--iface", "eth0", "--time") == {"--time-scale"}
    assert completed(script, "v2g", "ev", "--service", "DC") == {"DC", "DC_BPT", "DC_ACDP", "DC_ACDP_BPT"}
    assert completed(script, "v2g", "pki", "verify", "x.pem", "--role", "se") == {"secc"}
    assert completed(script, "v2g", "completion", "") >= {"bash", "zsh"}


def test_bash_completes_files_where_a_file_is_wanted(script: Path) -> None:
    (script.parent / "station.toml").write_text("")
    (script.parent / "stations").mkdir(exist_ok=True)
    assert "station.toml" in completed(script, "v2g", "secc", "--config", "sta")
    assert completed(script, "v2g", "ev", "--pki", "sta") == {"stations"}


LISTED = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PROMPT=''; fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u; bindkey '^I' list-choices; print 'REA''DY'"
zpty -r -m shell said '*READY*'
zpty -w -n shell "$2"$'\t'
for n in {1..600}; do
    if zpty -r -t shell piece; then got+=$piece; [[ $got == *$3* ]] && break; else sleep 0.1; fi
done
print -r -- "$got"
"""


def test_zsh_completes_commands_and_choices(tmp_path: Path) -> None:
    """As a shell at a terminal does when its user presses Tab, with the file in a folder of its `fpath`."""
    done = subprocess.run([sys.executable, "-m", "v2gkit", "completion", "zsh"], capture_output=True, text=True, timeout=300)
    assert done.stdout.startswith("#compdef v2g\n")
    if (zsh := shutil.which("zsh")) is None:
        pytest.skip("there is no zsh on this machine; that it is one for zsh was seen")
    (tmp_path / "fpath").mkdir()
    (tmp_path / "fpath" / "_v2g").write_text(done.stdout)
    checked = subprocess.run([zsh, "-n"], input=done.stdout, capture_output=True, text=True, timeout=300)
    assert (checked.returncode, checked.stderr) == (0, "")
    for typed, wanted in (("v2g pki st", "staple"), ("v2g exi de", "describe"), ("v2g ev --service DC", "DC_BPT")):
        command = [zsh, "-f", "-c", LISTED, "zsh", str(tmp_path / "fpath"), typed, wanted]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, env={**os.environ, "TERM": "xterm"})
        assert wanted in done.stdout, f"{typed}: {done.stdout!r} {done.stderr}"
