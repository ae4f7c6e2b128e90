"""The module of the fleet's page: its size, its types, that it makes no markup of what stations say."""

import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tests.v2gkit.insight.viewer.test_modules import ASSETS, LIBRARIES, STRICT
from v2gkit.csms.page import assets

PAGE = Path(str(files("v2gkit.csms.page")))
MODULE = (PAGE / "csms.js").read_text(encoding="utf-8")


def test_the_module_has_at_most_400_lines_of_140_columns() -> None:
    lines = MODULE.splitlines()
    assert len(lines) <= 400
    assert [line for line in lines if len(line) > 140] == []


def test_nothing_makes_markup_or_asks_elsewhere() -> None:
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|cssText", MODULE)
    assert "//" not in re.sub(r"^\s*//.*$|; //.*$|https\?:\\/\\/", "", MODULE, flags=re.MULTILINE)
    html = (PAGE / "csms.html").read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|\son[a-z]+=|<script>|<style|javascript:|http", html)
    assert set(re.findall(r'byId\("([\w-]+)"\)', MODULE)) <= set(re.findall(r'id="([\w-]+)"', html))


def test_names_differ_from_those_of_the_viewer_because_one_script_has_them_all() -> None:
    names = re.findall(r"^(?:async )?(?:function\*?|class|const|let) ([A-Za-z_]\w*)", assets()["/csms.js"][1], re.MULTILINE)
    assert sorted(names) == sorted(set(names))


def test_its_types_fit_together_with_those_of_the_viewer(tmp_path: Path) -> None:
    if (tsc := shutil.which("tsc")) is None:
        pytest.skip("no tsc to check the types with: npm install --global typescript")
    for module in (*ASSETS.glob("*.js"), PAGE / "csms.js"):
        shutil.copy(module, tmp_path)
    told = {"compilerOptions": {**STRICT, "lib": LIBRARIES}, "files": ["csms.js"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(told))
    done = subprocess.run([tsc, "--project", str(tmp_path)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
