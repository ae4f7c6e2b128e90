"""The generations that a scripted station speaks, by the names that a case knows them by."""

from typing import Final

from v2gkit.conform.scripted.good import ISO20
from v2gkit.conform.scripted.good_din import DIN
from v2gkit.conform.scripted.good_iso2 import ISO2
from v2gkit.conform.scripted.speech import Speech

SPEECHES: Final[dict[str, Speech]] = {"20": ISO20, "2": ISO2, "DIN": DIN}
