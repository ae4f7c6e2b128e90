"""Libraries that not everybody needs: which extra of v2gkit brings each."""

from collections.abc import Iterable
from importlib import util

EXTRAS = {
    "lxml": "xml",
    "highspy": "energy",
    "websockets": "ocpp",
    "ocpp": "ocpp",
    "jsonschema_rs": "ocpp",
    "starlette": "web",
    "uvicorn": "web",
    "pkcs11": "hsm",
}


def cure(module: str) -> str:
    """What to install for a library that is missing."""
    return f"pip install 'v2gkit[{EXTRAS[module]}]'"


def missing(extras: Iterable[str]) -> str | None:
    """What is wrong, and the cure, where a library of these extras is not there."""
    wanted = set(extras)
    absent = [module for module, extra in EXTRAS.items() if extra in wanted and util.find_spec(module) is None]
    if not absent:
        return None
    lacking = ",".join(dict.fromkeys(EXTRAS[module] for module in absent))
    return f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not installed: pip install 'v2gkit[{lacking}]'"
