"""EXIficient as a filter: lines of JSON in, lines of JSON out, like `v2g exi --jsonl`.

Runs under the interpreter of the environment that holds the package `iso15118`: its JAR contains EXIficient and the package the schemas.
EXIficient compiles its own grammars from those schemas, with the options of ISO 15118 (bit-packed, not strict, no value partitions). It
shares nothing with our codec.

Sets that the package has no schema of are given as arguments, SET=FILE.

    {"id", "set", "xml", "fragment"} -> {"id", "exi"}      {"id", "set", "exi", "fragment"} -> {"id", "xml"}      or {"id", "error"}
"""

# mypy: disable-error-code="import-not-found,import-untyped"

import json
import re
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from iso15118.shared.settings import JAR_FILE_PATH
from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JJavaError

SCHEMAS = Path(JAR_FILE_PATH).parent / "schemas"
ENTRIES = {
    "app": "V2G_CI_AppProtocol.xsd",
    "xmldsig": "xmldsig-core-schema.xsd",
    "common": "iso15118_20/V2G_CI_CommonMessages.xsd",
    "ac": "iso15118_20/V2G_CI_AC.xsd",
    "dc": "iso15118_20/V2G_CI_DC.xsd",
    "wpt": "iso15118_20/V2G_CI_WPT.xsd",
    "acdp": "iso15118_20/V2G_CI_ACDP.xsd",
    "iso2": "iso15118_2/V2G_CI_MsgDef.xsd",
    "din": "din_spec/V2G_CI_MsgDef.xsd",
}


class Exificient:
    """EXIficient, reached through a py4j gateway."""

    def __init__(self, folder: Path, given: dict[str, Path]) -> None:
        self.folder = folder
        self.entries = {name: SCHEMAS / file for name, file in ENTRIES.items()} | given
        self.gateway = JavaGateway.launch_gateway(classpath=JAR_FILE_PATH, die_on_exit=True)
        self.exi = self.gateway.jvm.com.siemens.ct.exi
        self.java = self.gateway.jvm.java
        self.javax = self.gateway.jvm.javax

    def _staged(self, name: str) -> str:
        """The schemas of a set in one folder, as they import each other, and without the document type that asks the network."""
        entry, place = self.entries[name], self.folder / name
        place.mkdir()
        neighbours = entry.parent if name in ENTRIES else SCHEMAS / "iso15118_20"
        for file in {*neighbours.glob("*.xsd"), SCHEMAS / ENTRIES["xmldsig"], entry}:
            text = re.sub(r"<!DOCTYPE.*?\]>", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
            (place / file.name).write_text(text.replace('schemaLocation="../', 'schemaLocation="'), encoding="utf-8")
        return str(place / entry.name)

    @cache  # noqa: B019 (one instance for the life of the process)
    def grammars(self, name: str) -> Any:
        """EXIficient's grammars of a schema set, made from its schema files."""
        return self.exi.grammars.GrammarFactory.newInstance().createGrammars(self._staged(name))

    @cache  # noqa: B019
    def factory(self, name: str, fragment: bool) -> Any:
        """An EXIficient factory with the options of ISO 15118, for documents or fragments of a set."""
        factory = self.exi.core.helpers.DefaultEXIFactory.newInstance()
        factory.setCodingMode(self.exi.core.CodingMode.BIT_PACKED)
        factory.setFidelityOptions(self.exi.core.FidelityOptions.createDefault())
        factory.setValuePartitionCapacity(0)
        factory.setMaximumNumberOfBuiltInElementGrammars(0)
        factory.setMaximumNumberOfBuiltInProductions(0)
        factory.setFragment(fragment)
        factory.setGrammars(self.grammars(name))
        return factory

    def encode(self, name: str, xml: str, fragment: bool) -> str:
        """XML as EXI in hex, by EXIficient."""
        result = self.exi.main.api.sax.EXIResult(self.factory(name, fragment))
        sink = self.java.io.ByteArrayOutputStream()
        result.setOutputStream(sink)
        parsers = self.javax.xml.parsers.SAXParserFactory.newInstance()
        parsers.setNamespaceAware(True)
        reader = parsers.newSAXParser().getXMLReader()
        reader.setContentHandler(result.getHandler())
        reader.parse(self.gateway.jvm.org.xml.sax.InputSource(self.java.io.StringReader(xml)))
        return bytes(sink.toByteArray()).hex()

    def decode(self, name: str, octets: bytes, fragment: bool) -> str:
        """EXI as XML, by EXIficient."""
        source = self.exi.main.api.sax.EXISource(self.factory(name, fragment))
        reader = source.getXMLReader()
        stream = self.gateway.jvm.org.xml.sax.InputSource(self.java.io.ByteArrayInputStream(octets))
        text = self.java.io.StringWriter()
        transformer = self.javax.xml.transform.TransformerFactory.newInstance().newTransformer()
        transformer.setOutputProperty("omit-xml-declaration", "yes")
        transformer.transform(self.javax.xml.transform.sax.SAXSource(reader, stream), self.javax.xml.transform.stream.StreamResult(text))
        return str(text.toString())


def answer(exificient: Exificient, request: dict[str, Any]) -> dict[str, Any]:
    """The answer of EXIficient to one line of input."""
    try:
        if "xml" in request:
            return {"exi": exificient.encode(request["set"], request["xml"], request["fragment"])}
        return {"xml": exificient.decode(request["set"], bytes.fromhex(request["exi"]), request["fragment"])}
    except Py4JJavaError as error:
        return {"error": str(error.java_exception)}


def main() -> None:
    """Answer lines of JSON with EXIficient until standard input ends."""
    with tempfile.TemporaryDirectory() as folder:
        given = dict(argument.split("=", 1) for argument in sys.argv[1:])
        exificient = Exificient(Path(folder), {name: Path(file) for name, file in given.items()})
        try:
            for line in sys.stdin:
                request = json.loads(line)
                print(json.dumps({"id": request["id"], **answer(exificient, request)}), flush=True)
        finally:
            exificient.gateway.shutdown()


if __name__ == "__main__":
    main()
