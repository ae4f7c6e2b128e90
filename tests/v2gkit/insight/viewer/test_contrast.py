"""Colours of the viewer: text on what it stands on has the contrast of WCAG AA, and so have curves; light and dark."""

import re
from importlib.resources import files

import pytest

STYLE = (files("v2gkit.insight.viewer") / "assets" / "viewer.css").read_text(encoding="utf-8")
TEXT = 4.5  # WCAG 2.1, 1.4.3
GRAPHIC = 3.0  # 1.4.11
BRIGHTNESS = 2.0  # between charging and discharging: told apart without colour, on a bad print as well
SURFACES = ("paper", "wash", "chosen", "near", "bad-wash", "warn-wash")
WORDS = {
    "ink": SURFACES,
    "soft": SURFACES,
    "bad": ("paper", "wash", "chosen", "bad-wash"),
    "good": ("paper", "wash", "chosen"),
    "warn": ("paper", "wash", "chosen", "near", "warn-wash"),
    "accent": ("paper", "wash", "chosen"),
}
CURVES = ("charge", "discharge", "soc", "import", "export", "limit", "profile", "asked", "offer1", "offer2", "offer3", "offer4")
Palette = dict[str, str]


def palettes() -> dict[str, Palette]:
    light, dark = re.findall(r":root(?::not\(\[data-print\]\))? \{([^}]*--ink[^}]*)\}", STYLE)
    return {"light": dict(re.findall(r"--([\w-]+): (#\w{6})", light)), "dark": dict(re.findall(r"--([\w-]+): (#\w{6})", dark))}


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_formula_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_are_legible_on_everything_they_stand_on(theme: str) -> None:
    palette = palettes()[theme]
    found = {(word, on): contrast(palette[word], palette[on]) for word, places in WORDS.items() for on in places}
    found |= {("ink", band): contrast(palette["ink"], palette[band]) for band in palette if band.startswith("band")}
    found |= {("paper", "accent"): contrast(palette["paper"], palette["accent"])}  # octets of the selected step
    assert {pair: round(ratio, 2) for pair, ratio in found.items() if ratio < TEXT} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_curves_are_seen_and_charging_differs_from_discharging_in_brightness(theme: str) -> None:
    palette = palettes()[theme]
    found = {curve: contrast(palette[curve], palette["paper"]) for curve in CURVES}
    assert {curve: round(ratio, 2) for curve, ratio in found.items() if ratio < GRAPHIC} == {}
    assert contrast(palette["charge"], palette["discharge"]) >= BRIGHTNESS


def test_both_palettes_name_the_same_colours() -> None:
    light, dark = palettes().values()
    assert light.keys() == dark.keys()
