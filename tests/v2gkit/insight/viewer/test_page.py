"""The page in one file: its policy lets run and style what it was written with, and nothing else."""

import re
from base64 import b64encode
from hashlib import sha256

from v2gkit.insight.viewer.page import page


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_the_policy_names_script_and_styles_by_their_hashes() -> None:
    html = page([], "<p>plain</p>", "a title")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert "unsafe" not in policy
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == " ".join(map(_hash, re.findall(r'<script type="module">(.*?)</script>', html, re.DOTALL)))
    assert rules["style-src"] == " ".join(map(_hash, re.findall(r"<style>(.*?)</style>", html, re.DOTALL)))
    assert html.index("Content-Security-Policy") < html.index("<style>")
    assert not re.search(r"<[a-z][^>]*\sstyle=", html), "no hash allows a style attribute"
