"""Optional libraries, and the extra of v2gkit that installs each."""

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
    "aiomqtt": "mqtt",
    "rich": "terminal",
    "shtab": "terminal",
    "prometheus_client": "metrics",
    "sqlalchemy": "csms",
    "psycopg": "csms",
    "nats": "csms",
    "jwt": "fleet",
    "pyocmf": "ocmf",
}

ALSO = {"ui": "web"}  # extra -> the one that installs the same libraries, under the name of what they are for


def cure(module: str) -> str:
    """What to install for a missing library, as text for an error message."""
    return f"pip install 'v2gkit[{EXTRAS[module]}]'"


def missing(extras: Iterable[str]) -> str | None:
    """Which libraries of these extras are not installed, with the cure, as text; None: all are there."""
    names = {ALSO.get(extra, extra): extra for extra in extras}  # what is installed -> what was asked for
    absent = [module for module, extra in EXTRAS.items() if extra in names and util.find_spec(module) is None]
    if not absent:
        return None
    lacking = ",".join(dict.fromkeys(names[EXTRAS[module]] for module in absent))
    return f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not installed: pip install 'v2gkit[{lacking}]'"
