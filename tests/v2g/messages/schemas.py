"""Where the schemas are, if they are at hand: they may be used, not redistributed. The PyPI package `iso15118` carries them."""

import importlib.util
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from v2g.messages import MODULES

XS = "{http://www.w3.org/2001/XMLSchema}"
FILES = {
    "app": "V2G_CI_AppProtocol.xsd",
    "xmldsig": "xmldsig-core-schema.xsd",
    "common": "iso15118_20/V2G_CI_CommonMessages.xsd",
    "ac": "iso15118_20/V2G_CI_AC.xsd",
    "dc": "iso15118_20/V2G_CI_DC.xsd",
    "wpt": "iso15118_20/V2G_CI_WPT.xsd",
    "acdp": "iso15118_20/V2G_CI_ACDP.xsd",
    "iso2": "iso15118_2/V2G_CI_MsgDef.xsd",
    "din": "din_spec/V2G_CI_MsgDef.xsd",
}  # amendment 1 is in no package
IMPORTED = {
    "v2g.messages.common_types": "iso15118_20/V2G_CI_CommonTypes.xsd",
    **{f"v2g.messages.iso2.{m.lower()}": f"iso15118_2/V2G_CI_{x}.xsd" for m, x in (("msg_body", "MsgBody"), ("msg_header", "MsgHeader"))},
    **{f"v2g.messages.din.{m.lower()}": f"din_spec/V2G_CI_{x}.xsd" for m, x in (("msg_body", "MsgBody"), ("msg_header", "MsgHeader"))},
    "v2g.messages.iso2.msg_data_types": "iso15118_2/V2G_CI_MsgDataTypes.xsd",
    "v2g.messages.din.msg_data_types": "din_spec/V2G_CI_MsgDataTypes.xsd",
}
BY_MODULE = {**{f"v2g.messages.{MODULES[name][0]}": file for name, file in FILES.items()}, **IMPORTED}


def _folders() -> list[Path]:
    checkout = Path(__file__).parents[3]
    package = importlib.util.find_spec("iso15118")
    places = [Path(os.environ["V2GKIT_ISO15118_SCHEMAS"])] if "V2GKIT_ISO15118_SCHEMAS" in os.environ else []
    if package and package.origin:
        places.append(Path(package.origin).parent / "shared" / "schemas")
    return places + sorted(checkout.glob(".interop/venv/lib/*/site-packages/iso15118/shared/schemas"))


FOLDER = next((f for f in _folders() if (f / FILES["app"]).exists()), None)


def parser() -> etree.XMLParser:
    """One that never asks the network, which the document type of xmldsig would have it do."""
    return etree.XMLParser(load_dtd=False, no_network=True, resolve_entities=False)


@cache
def document(file: str) -> Any:
    assert FOLDER is not None
    return etree.parse(str(FOLDER / file), parser()).getroot()


def validator(name: str, folder: Path) -> etree.XMLSchema:
    """The schemas of a set as a validator. They import each other as neighbours, so they are copied into one (temporary) folder."""
    assert FOLDER is not None
    entry = FOLDER / FILES[name]
    for file in {*entry.parent.glob("*.xsd"), FOLDER / FILES["xmldsig"]}:
        text = re.sub(r"<!DOCTYPE.*?\]>", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)  # it points at the network
        (folder / file.name).write_text(text.replace('schemaLocation="../', 'schemaLocation="'), encoding="utf-8")
    return etree.XMLSchema(etree.parse(str(folder / entry.name), parser()))
