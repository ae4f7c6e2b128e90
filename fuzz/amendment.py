"""The schemas of amendment 1 as XSD, written from our declarations: no package has them, and the tools of others judge by schemas.

    print(schema_text("ac_der_iec"))

What they import are the schemas of the standard, which the PyPI package `iso15118` has. A comparison by such a schema shows that grammars
and views follow from the declarations as they should; that the declarations are right, only recorded vectors show.
"""

import enum
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

from v2g.exi import schema
from v2g.exi.schema import Binary, Choice, Field, Integer, Sequence, String, Type, own_fields
from v2g.exi.values import is_complex
from v2g.messages import MODULES, schema_set

XS = "http://www.w3.org/2001/XMLSchema"
FILES = {
    "urn:iso:std:iso:15118:-20:AC": "V2G_CI_AC.xsd",
    "urn:iso:std:iso:15118:-20:CommonTypes": "V2G_CI_CommonTypes.xsd",
    "http://www.w3.org/2000/09/xmldsig#": "xmldsig-core-schema.xsd",
}
AMENDED = tuple(name for name, modules in MODULES.items() if name == modules[0] and name.startswith("ac_der"))
ET.register_namespace("xs", XS)
BUILTIN = {
    (facets.minimum, facets.maximum): name
    for name in ("byte", "short", "int", "long", "unsignedByte", "unsignedShort", "unsignedInt", "unsignedLong", "integer")
    if isinstance(facets := schema.facets(getattr(schema, {"int": "int_"}.get(name, name))), Integer)
}


def schema_text(name: str) -> str:
    """The schema of one of AMENDED, to stand beside FILES."""
    modules = schema_set(name).modules
    return ET.tostring(_Schema(modules[0], modules[1:]).root, encoding="unicode")


class _Schema:
    """One schema document. Simple types get a name by what they allow: equal ones are one type, whoever uses them."""

    def __init__(self, module: ModuleType, imported: tuple[ModuleType, ...]) -> None:
        self.module = module
        self.prefixes = {m.NAMESPACE: f"n{at}" for at, m in enumerate((module, *imported))}
        self.root = ET.Element(f"{{{XS}}}schema", targetNamespace=module.NAMESPACE, elementFormDefault="qualified")
        self.root.set("attributeFormDefault", "qualified")
        for namespace, prefix in self.prefixes.items():
            self.root.set(f"xmlns:{prefix}", namespace)
        for m in imported:
            _add(self.root, "import", namespace=m.NAMESPACE, schemaLocation=FILES[m.NAMESPACE])
        self.simple: dict[str, Any] = {}
        for cls in vars(module).values():
            if isinstance(cls, type) and issubclass(cls, Type) and cls.__module__ == module.__name__:
                self._class(cls)
        for e in schema.elements(module):
            node = _add(self.root, "element", name=e.name, type=self._type(e.type), abstract=str(e.abstract).lower())
            if e.substitutes:
                node.set("substitutionGroup", self._head(e.substitutes, (module, *imported)))

    def _head(self, name: str, modules: tuple[ModuleType, ...]) -> str:
        return next(f"{self.prefixes[m.NAMESPACE]}:{name}" for m in modules if any(e.name == name for e in schema.elements(m)))

    def _type(self, cls: type[Type]) -> str:
        name = cls.__name__ if cls.__name__.endswith("Type") else f"{cls.__name__}Type"
        return f"{self.prefixes[schema.namespace_of(cls)]}:{name}"

    def _class(self, cls: type[Type]) -> None:
        node = _add(
            self.root, "complexType", name=self._type(cls).partition(":")[2], abstract=str(bool(cls.__dict__.get("__abstract__"))).lower()
        )
        base = cls.__mro__[1]
        if base is not Type:
            node = _add(_add(node, "complexContent"), "extension", base=self._type(base))
        named = {f.name: f for f in own_fields(cls)}
        content = cls.__dict__.get("__content__") or Sequence(tuple(f.name for f in named.values() if f.role == "element"))
        self._particle(node, content, named, False)
        for field in named.values():
            if field.role == "attribute":
                use = "required" if field.minimum else "optional"
                _add(node, "attribute", name=field.name, type=self._simple_type(field.content), use=use)

    def _particle(self, parent: ET.Element, particle: Any, named: dict[str, Field], grouped: bool) -> None:
        if isinstance(particle, str):
            self._element(parent, named[particle], grouped)
            return
        assert isinstance(particle, Choice | Sequence), f"{particle} is not in amendment 1"
        node = _add(parent, "choice" if isinstance(particle, Choice) else "sequence", **_occurrence(particle.minimum, particle.maximum))
        for inner in particle.particles:
            self._particle(node, inner, named, grouped or isinstance(particle, Choice))

    def _element(self, parent: ET.Element, field: Field, grouped: bool) -> None:
        occurs = {} if grouped else _occurrence(field.minimum, field.maximum)
        content: Any = field.content
        if field.reference:
            _add(parent, "element", ref=f"{self.prefixes[field.namespace]}:{field.name}", **occurs)
        else:
            held = self._type(content) if is_complex(content) else self._simple_type(content)
            _add(parent, "element", name=field.name, type=held, **occurs)

    def _simple_type(self, facets: Any) -> str:
        """The name of a simple type, defined when it is first used."""
        if facets is bool:
            return "xs:boolean"
        if isinstance(facets, Integer) and (facets.minimum, facets.maximum) in BUILTIN:
            return f"xs:{BUILTIN[facets.minimum, facets.maximum]}"
        name, base, limits = _restriction(facets)
        if name not in self.simple:
            self.simple[name] = facets
            node = _add(_add(self.root, "simpleType", name=name), "restriction", base=f"xs:{base}")
            for facet, value in limits:
                _add(node, facet, value=str(value))
        assert self.simple[name] == facets
        return f"{self.prefixes[self.module.NAMESPACE]}:{name}"


def _restriction(facets: Any) -> tuple[str, str, list[tuple[str, Any]]]:
    """Name, base and limits of a simple type."""
    match facets:
        case Integer(low, high):
            return f"from{low}to{high}".replace("-", "m"), "integer", _limits("minInclusive", low, "maxInclusive", high)
        case String(low, high, lexical) | Binary(lexical, low, high):
            return f"{lexical}{low}to{high}", lexical, _limits("minLength", low or None, "maxLength", high)
    assert issubclass(facets, enum.Enum)
    return facets.__name__, "string", [("enumeration", member.value) for member in facets]


def _limits(lower: str, low: Any, upper: str, high: Any) -> list[tuple[str, Any]]:
    return [(facet, value) for facet, value in ((lower, low), (upper, high)) if value is not None]


def _occurrence(minimum: int, maximum: int | None) -> dict[str, str]:
    return {"minOccurs": str(minimum), "maxOccurs": "unbounded" if maximum is None else str(maximum)}


def _add(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, f"{{{XS}}}{tag}", attributes)
