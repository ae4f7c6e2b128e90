"""The messages of every schema set, one module per XSD, one class per complex type."""

from functools import cache
from importlib import import_module
from typing import Final

from v2g.exi.dialect import SCHEMA, Dialect
from v2g.exi.grammar import SchemaSet

_ISO20 = ("common_types", "xmldsig")
_MSG = ("msg_def", "msg_body", "msg_header", "msg_data_types")

# entry schema first, then what it imports
MODULES: Final[dict[str, tuple[str, ...]]] = {
    "app": ("app_protocol",),
    "xmldsig": ("xmldsig",),
    "common": ("common_messages", *_ISO20),
    "ac": ("ac", *_ISO20),
    "dc": ("dc", *_ISO20),
    "wpt": ("wpt", *_ISO20),
    "acdp": ("acdp", *_ISO20),
    "ac_der_iec": ("ac_der_iec", "ac", *_ISO20),
    "ac_der_sae": ("ac_der_sae", "ac", *_ISO20),
    "iso2": (*(f"iso2.{m}" for m in _MSG), "xmldsig"),
    "din": (*(f"din.{m}" for m in _MSG), "xmldsig"),
}


@cache
def schema_set(name: str, dialect: Dialect = SCHEMA) -> SchemaSet:
    """The schema set of that name, its modules imported on first use. Raises KeyError for a name that is not in MODULES."""
    if name not in MODULES:
        raise KeyError(f"no schema set {name!r}; there are {', '.join(MODULES)}")
    return SchemaSet(name, tuple(import_module(f"{__name__}.{module}") for module in MODULES[name]), dialect)
