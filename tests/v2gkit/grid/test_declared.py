"""grid.toml: strict, and meters that do not add up are refused."""

from pathlib import Path

import pytest

from v2g.settings.strict import ConfigError
from v2gkit.grid import declared
from v2gkit.grid.link import Promise

FILE = """
tenant = "depot"
[site]
import_limit = 40000
fallback_import = 4000
[[modbus]]
name = "load"
address = "127.0.0.1:5020"
role = "load"
sunspec = true
[[modbus]]
name = "box"
address = "127.0.0.1:5021"
role = "signal"
fallback_import = 11000
[[modbus.register]]
reads = "import_cap"
at = 7
type = "uint32"
words = "little"
"""


def read(text: str, folder: Path) -> declared.Grid:
    (folder / "grid.toml").write_text(text)
    return declared.read(folder / "grid.toml")


def test_a_file_says_sources_and_what_holds_in_their_silence(tmp_path: Path) -> None:
    grid = read(FILE, tmp_path)
    assert (grid.tenant, [each.name for each in grid.modbus]) == ("depot", ["load", "box"])
    assert grid.modbus[1].register == (declared.Register("import_cap", 7, "uint32", "little"),)
    assert grid.promises == {"site": Promise(10.0, 4_000.0, 0.0), "box": Promise(10.0, 11_000.0, None)}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("tenant", "tennant", "unknown key tennant"),
        ("sunspec = true", "sunspec = false", "load: give sunspec = true, or a table"),
        ("role = \"load\"", "role = \"connection\"", "do not say what is left for chargers"),
        ("import_limit = 40000", "", "no limit of the connection"),
        ("import_limit = 40000", "import_limit = -1", "import_limit is -1"),
        ("name = \"box\"", "name = \"load\"", "a source is named 'load'"),
        ("name = \"box\"", "name = \"site\"", "a source is named 'site'"),
        ("127.0.0.1:5021", "127.0.0.1", "is no address"),
        ("at = 7", "at = 65535", "registers are 0 to 65535"),
        ("reads = \"import_cap\"", "reads = \"power\"", "the role signal reads import_cap"),
        ("role = \"signal\"", "role = \"load\"", "the role load reads power"),
        ("type = \"uint32\"", "type = \"uint33\"", "is none of the choices"),
        ("role = \"signal\"", "role = \"signal\"\nunit = 300", "unit is 300"),
        ("role = \"signal\"", "role = \"signal\"\nevery = 0", "every 0"),
        ("fallback_import = 11000", "fallback_import = -5", "fallback_import is -5"),
        ("role = \"load\"", "role = \"load\"\npack = \"pack\"", "pack is 'pack', of a load"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_its_name(before: str, after: str, said: str, tmp_path: Path) -> None:
    assert before in FILE
    with pytest.raises(ConfigError, match=said):
        read(FILE.replace(before, after, 1), tmp_path)
