"""Byte for byte against an independent encoder: vectors kept outside the repository, looked for beside the checkout."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from v2g.exi.codec import encode, encode_fragment, read
from v2g.exi.json import from_json, to_json
from v2g.exi.xml import from_xml, to_xml
from v2g.messages import MODULES, schema_set

FOLDER = Path(os.environ.get("V2GKIT_SHARED", Path(__file__).parents[4] / "shared")) / "vectors"
FILES = sorted(FOLDER.glob("*.jsonl"))

pytestmark = [
    pytest.mark.skipif(not FILES, reason="no vectors beside the checkout (V2GKIT_SHARED)"),
    pytest.mark.usefixtures("each_engine"),
]


@cache
def vectors(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for file in FILES if file.name.startswith(f"{name}.") for line in file.read_text().splitlines()]


@pytest.fixture(params=MODULES)
def vector_set(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    found = vectors(request.param)
    assert found, f"no vectors for {request.param}"
    return found


def written(message: Any, vector: dict[str, Any]) -> str:
    schemas = schema_set(vector["set"])
    octets = encode_fragment(message, schemas, vector["root"]) if vector["fragment"] else encode(message, schemas)
    return octets.hex()


def test_octets_decode_and_encode_to_themselves(vector_set: list[dict[str, Any]]) -> None:
    for vector in vector_set:
        reading = read(bytes.fromhex(vector["exi"]), schema_set(vector["set"]), fragment=vector["fragment"])
        assert reading.name.local == vector["root"]
        assert not reading.findings
        assert written(reading.message, vector) == vector["exi"], vector["id"]


def test_xml_encodes_to_the_octets(vector_set: list[dict[str, Any]]) -> None:
    for vector in vector_set:
        message, name = from_xml(vector["xml"], schema_set(vector["set"]), fragment=vector["fragment"])
        assert name.local == vector["root"]
        assert written(message, vector) == vector["exi"], vector["id"]


def test_octets_decode_to_the_xml(vector_set: list[dict[str, Any]]) -> None:
    for vector in vector_set:
        schemas = schema_set(vector["set"])
        reading = read(bytes.fromhex(vector["exi"]), schemas, fragment=vector["fragment"])
        assert content(to_xml(reading.message, schemas, reading.name)) == content(vector["xml"]), vector["id"]


def content(xml: str) -> Any:
    """What an XML document says, whatever its prefixes and the line breaks in its base64."""

    def of(node: Any) -> Any:
        return node.tag, sorted(node.attrib.items()), [of(child) for child in node] or (node.text or "").replace("\n", "")

    return of(etree.fromstring(xml))


def test_json_keeps_the_message(vector_set: list[dict[str, Any]]) -> None:
    for vector in vector_set:
        schemas = schema_set(vector["set"])
        reading = read(bytes.fromhex(vector["exi"]), schemas, fragment=vector["fragment"])
        text = to_json(reading.message, schemas, reading.name)
        assert from_json(text, schemas, fragment=vector["fragment"]) == (reading.message, reading.name), vector["id"]


@pytest.mark.parametrize("key", ["exi_value_partitions", "exi_undeclared_ee"])
def test_other_legal_encodings_decode_to_the_same_message_and_are_reported(key: str) -> None:
    found = [v for name in MODULES for v in vectors(name) if key in v]
    assert found
    for vector in found:
        schemas = schema_set(vector["set"])
        usual = read(bytes.fromhex(vector["exi"]), schemas, fragment=vector["fragment"])
        other = read(bytes.fromhex(vector[key]), schemas, fragment=vector["fragment"])
        assert other.message == usual.message, vector["id"]
        assert other.findings, vector["id"]
