"""The XML view is valid against the schemas, for arbitrary messages of every set that has schemas at hand."""

import random
from pathlib import Path

import pytest
from lxml import etree

from fuzz.amendment import AMENDED, schema_text
from fuzz.differential import documents
from tests.v2g.messages import schemas
from v2g.exi.codec import encode
from v2g.exi.xml import from_xml, to_xml
from v2g.messages import schema_set

pytestmark = pytest.mark.skipif(schemas.FOLDER is None, reason="no schemas at hand (V2GKIT_ISO15118_SCHEMAS, or the package iso15118)")


def validator(name: str, folder: Path) -> etree.XMLSchema:
    """The schemas of a set; those of amendment 1 are written from our declarations, beside the schemas that they import."""
    if name not in AMENDED:
        return schemas.validator(name, folder)
    schemas.validator("ac", folder)
    file = folder / f"{name}.xsd"
    file.write_text(schema_text(name), encoding="utf-8")
    return etree.XMLSchema(etree.parse(str(file), schemas.parser()))


@pytest.mark.parametrize("name", [*schemas.FILES, *AMENDED])
def test_xml_is_valid(name: str, tmp_path: Path) -> None:
    chance, messages = random.Random(f"15118 {name}"), 0
    schema = validator(name, tmp_path)
    for _ in range(5):
        for _, message, _ in documents(schema_set(name), chance):
            xml = to_xml(message, schema_set(name))
            assert schema.validate(etree.fromstring(xml)), f"{schema.error_log} in {xml}"
            again, _ = from_xml(xml, schema_set(name))
            assert encode(again, schema_set(name)) == encode(message, schema_set(name))
            messages += 1
    print(f"{name}: {messages} documents valid")


@pytest.mark.parametrize("name", [*schemas.FILES, *AMENDED])
def test_the_validator_can_say_no(name: str, tmp_path: Path) -> None:
    schema = validator(name, tmp_path)
    _, message, _ = next(documents(schema_set(name), random.Random(1)))
    root = etree.fromstring(to_xml(message, schema_set(name)))
    etree.SubElement(root, "Nonsense")
    assert not schema.validate(root)
