"""The viewer's modules: how long they may be, that names and types fit together, that nothing makes markup of what was recorded."""

import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from v2gkit.insight.viewer.page import script

ASSETS = Path(str(files("v2gkit.insight.viewer") / "assets"))
MODULES = sorted(ASSETS.glob("*.js"))
STRICT = {
    "checkJs": True,
    "allowJs": True,
    "noEmit": True,
    "strict": True,
    "noImplicitAny": False,
    "target": "es2022",
    "module": "es2022",
    "types": [],
}
LIBRARIES = ["es2022", "dom", "dom.iterable", "dom.asynciterable"]


def test_all_modules_together_have_at_most_1200_lines_of_140_columns() -> None:
    lines = [line for module in MODULES for line in module.read_text(encoding="utf-8").splitlines()]
    assert len(lines) <= 1200
    assert [line for line in lines if len(line) > 140] == []


def test_no_module_makes_markup_of_text_or_runs_it() -> None:
    """What was recorded is hostile: it becomes text nodes and attributes, by `dom.js` alone."""
    makes = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|cssText|setAttribute\(\"(?:style|on|href)"
    )
    for module in MODULES:
        assert makes.findall(module.read_text(encoding="utf-8")) == [], module.name
        assert "http" not in module.read_text(encoding="utf-8"), f"{module.name} names something of the network"


def test_the_page_has_no_style_or_handler_that_its_policy_forbids() -> None:
    html = (ASSETS / "viewer.html").read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|\son[a-z]+=|<script|<style|javascript:", html)


def test_names_of_all_modules_differ_because_one_page_has_them_all() -> None:
    names = re.findall(r"^(?:async )?(?:function\*?|class|const|let) ([A-Za-z_]\w*)", script(), re.MULTILINE)
    assert sorted(names) == sorted(set(names))


def test_each_id_that_a_module_asks_for_is_in_the_page() -> None:
    html = (ASSETS / "viewer.html").read_text(encoding="utf-8")
    asked = {name for module in MODULES for name in re.findall(r'byId\("([\w-]+)"\)', module.read_text(encoding="utf-8"))}
    assert asked - set(re.findall(r'id="([\w-]+)"', html)) == set()


def test_types_of_the_modules_fit_together(tmp_path: Path) -> None:
    tsc = shutil.which("tsc")
    if tsc is None:
        pytest.skip("no tsc to check the types with: npm install --global typescript")
    (tmp_path / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": {**STRICT, "lib": LIBRARIES}, "files": [str(module) for module in MODULES]})
    )
    done = subprocess.run([tsc, "--project", str(tmp_path)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
