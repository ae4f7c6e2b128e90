"""vtn.toml and the sources of OpenADR in grid.toml: strict, secrets by file, none in clear over a network."""

from pathlib import Path

import pytest

from v2g.settings.strict import ConfigError
from v2gkit.cli.main import main
from v2gkit.grid import clients
from v2gkit.grid.declared import OpenAdr

CLIENT = '[[client]]\nid = "utility"\nsecret_file = "utility.txt"\nrole = "bl"\n'


def test_clients_are_read_with_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "vtn.toml").write_text(CLIENT)
    (tmp_path / "utility.txt").write_text(" 0123456789abcdef\n")
    (client,) = clients.read(tmp_path / "vtn.toml").values()
    assert (client.id, client.secret, client.role) == ("utility", "0123456789abcdef", "bl")
    assert "0123" not in repr(client)


@pytest.mark.parametrize(
    ("text", "secret", "said"),
    [
        (CLIENT, "short", "a secret of 5 characters"),
        (CLIENT * 2, "long enough", r"client has the ids \['utility', 'utility'\]"),
        ("", "long enough", "give one or more"),
        (CLIENT.replace('"bl"', '"boss"'), "long enough", "none of the choices"),
    ],
)
def test_clients_that_cannot_be_meant_are_refused(text: str, secret: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "vtn.toml").write_text(text)
    (tmp_path / "utility.txt").write_text(secret)
    with pytest.raises(ConfigError, match=said):
        clients.read(tmp_path / "vtn.toml")


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "vtn.toml").write_text("")
    assert main(["vtn", str(tmp_path / "vtn.toml")]) == 2
    assert "v2g vtn: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "http://vtn.example/3.1"}, "in clear"),
        ({"token_url": "http://vtn.example/token"}, "in clear"),
        ({"url": "https://user:word@vtn.example"}, "holds credentials"),
        ({"url": "ftp://vtn.example"}, "begin it with"),
        ({"simple": (-1.0,)}, "simple is"),
        ({"timeout": 0.0}, "timeout 0.0 s"),
        ({"ven": ""}, "give client_id"),
        ({"fallback_import": -1.0}, "fallback_import is -1"),
    ],
)
def test_a_vtn_that_cannot_be_meant_is_refused(changed: dict[str, object], said: str) -> None:
    given = {"name": "dso", "url": "https://vtn.example/3.1", "client_id": "a", "secret_file": "b", "ven": "c"}
    assert OpenAdr(**given).promise.patience == 300  # type: ignore[arg-type]
    assert OpenAdr(**given | {"url": "http://[::1]:80"}).ven == "c"  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=said):
        OpenAdr(**given | changed)  # type: ignore[arg-type]
