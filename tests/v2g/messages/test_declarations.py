"""Every declared class against the schema it stands for: names, order, occurrence, groups, facets, attributes, substitution."""

import enum
from functools import cache
from importlib import import_module
from typing import Any

import pytest
from lxml import etree

from tests.v2g.messages import schemas
from v2g.exi import schema
from v2g.exi.schema import Binary, Choice, Integer, Sequence, String, Type, Wildcard
from v2g.exi.typenames import declared_types
from v2g.messages import schema_set

XS = schemas.XS
RANGES = {f"{'unsigned' if u else ''}{n.capitalize() if u else n}": (0 if u else -(2 ** (b - 1)), 2 ** (b if u else b - 1) - 1)
          for n, b in (("byte", 8), ("short", 16), ("int", 32), ("long", 64)) for u in (False, True)}  # fmt: skip
RANGES["integer"] = (None, None)  # type: ignore[assignment]
OCCURS = {"unbounded": None}

pytestmark = pytest.mark.skipif(schemas.FOLDER is None, reason="no schemas at hand (V2GKIT_ISO15118_SCHEMAS, or the package iso15118)")


# --- what a schema file says, in the shape of `declared` below ---


def qualified(node: Any, name: str) -> tuple[str, str]:
    """(namespace, local name) of a name used in a schema."""
    prefix, _, local = name.rpartition(":")
    return node.nsmap.get(prefix or None, ""), local


@cache
def by_namespace() -> dict[str, Any]:
    return {root.get("targetNamespace"): root for root in map(schemas.document, schemas.BY_MODULE.values())}


def definition(node: Any, name: str, tag: str) -> Any:
    """The top-level definition that a name refers to; None if it is one of XML Schema itself."""
    namespace, local = qualified(node, name)
    root = by_namespace().get(namespace)
    return None if root is None else next((d for d in root.findall(XS + tag) if d.get("name") == local), None)


def occurrence(node: Any) -> tuple[int, int | None]:
    high = node.get("maxOccurs", "1")
    return int(node.get("minOccurs", "1")), OCCURS.get(high, None if high == "unbounded" else int(high))


def facets_of(node: Any, name: str | None) -> Any:
    """The simple type as facets: (base, limits) or the list of an enumeration's values."""
    if name is not None and definition(node, name, "simpleType") is None:
        return builtin(qualified(node, name)[1])
    simple = definition(node, name, "simpleType") if name is not None else node.find(XS + "simpleType")
    restriction = simple.find(XS + "restriction")
    values = [e.get("value") for e in restriction.findall(XS + "enumeration")]
    if values:
        return values
    kind, low, high = facets_of(restriction, restriction.get("base"))
    for facet in restriction:
        if not isinstance(facet.tag, str):
            continue
        number = int(facet.get("value"))
        match etree.QName(facet).localname:
            case "minInclusive" | "minLength":
                low = number
            case "maxInclusive" | "maxLength":
                high = number
            case "minExclusive":
                low = number + 1
            case "maxExclusive":
                high = number - 1
            case "length":
                low = high = number
            case other:
                raise AssertionError(f"facet {other}")
    return kind, low, high


def builtin(name: str) -> Any:
    if name in RANGES:
        return ("integer", *RANGES[name])
    if name == "boolean":
        return "boolean"
    return ("string" if name in ("NMTOKEN", "token") else name, 0, None)


def element_content(node: Any) -> Any:
    """What an element holds: the name of its complex type, or the facets of its simple one."""
    name = node.get("type")
    if name is None:
        return ("complex", node.get("name")) if node.find(XS + "complexType") is not None else facets_of(node, None)
    if definition(node, name, "complexType") is not None:
        return "complex", qualified(node, name)[1]
    return facets_of(node, name)


def particle(node: Any) -> Any:
    low, high = occurrence(node)
    match etree.QName(node).localname:
        case "element" if node.get("ref"):
            namespace, local = qualified(node, node.get("ref"))
            target = definition(node, node.get("ref"), "element")
            return ("element", local, namespace, element_content(target), low, high)
        case "element":
            root = node.getroottree().getroot()
            namespace = root.get("targetNamespace") if root.get("elementFormDefault") == "qualified" else ""
            return ("element", node.get("name"), namespace, element_content(node), low, high)
        case "any":
            return ("any", low, high)
        case kind:
            return simplified(kind, [particle(c) for c in node if isinstance(c.tag, str) and c.tag != XS + "annotation"], low, high)


def simplified(kind: str, parts: list[Any], low: int, high: int | None) -> Any:
    """A group; one that holds a single part and adds nothing but its occurrence is that part with this occurrence."""
    if len(parts) == 1 and (parts[0][-2:] == (1, 1) or (low, high) == (1, 1)):
        return (*parts[0][:-2], *((low, high) if parts[0][-2:] == (1, 1) else parts[0][-2:]))
    return (kind, tuple(parts), low, high)


def stated(complex_type: Any) -> dict[str, Any]:
    """A complex type: its base, attributes, content."""
    inner, base, text = complex_type, None, None
    derived = complex_type.find(f"{XS}complexContent/{XS}extension")
    simple = complex_type.find(f"{XS}simpleContent/{XS}extension")
    if derived is not None:
        inner, base = derived, qualified(derived, derived.get("base"))[1]
    if simple is not None:
        inner, text = simple, facets_of(simple, simple.get("base"))
    groups = [g for g in inner if g.tag in (XS + "sequence", XS + "choice")]
    content = particle(groups[0]) if groups else ("sequence", (), 1, 1)
    return {
        "base": base,
        "abstract": complex_type.get("abstract") == "true",
        "mixed": complex_type.get("mixed") == "true",
        "attributes": {a.get("name"): (facets_of(a, a.get("type")), a.get("use") == "required") for a in inner.findall(XS + "attribute")},
        "text": text,
        "content": flat(content),
    }


def flat(content: Any) -> tuple[Any, ...]:
    """The parts of the outermost sequence, however the schema nests it."""
    if content[0] == "sequence" and content[-2:] == (1, 1):
        return tuple(inner for part in content[1] for inner in flat(part))
    return (content,)


# --- what a class declares, in the same shape ---


def shown(content: Any) -> Any:
    match content:
        case Integer(low, high):
            return "integer", low, high
        case String(low, high, lexical) | Binary(lexical, low, high):
            return lexical, low, high
    if content is bool:
        return "boolean"
    if issubclass(content, enum.Enum):
        return [m.value for m in content]
    texts = [f for f in schema.fields(content) if f.role == "text"]
    if texts and len(schema.fields(content)) == 1 and not content.__name__.endswith("Type"):
        return shown(texts[0].content)  # a global element of simple type
    if not schema.declared_elements(content) and not schema.own_fields(content) and content.__mro__[1] is not Type:
        return shown(content.__mro__[1])  # it gives its type another name, to stand in a repeated choice
    return "complex", content.__name__


def element(field: schema.Field, once: bool) -> Any:
    occurs = (1, 1) if once else (field.minimum, field.maximum)
    if isinstance(field.content, tuple):
        return simplified("choice", [one(c) for c in field.content], *occurs)
    return ("element", field.name, field.namespace, shown(field.content), *occurs)


def one(cls: type[Type]) -> Any:
    found = schema.declared_elements(cls)
    name, namespace = (found[0].name, found[0].namespace) if found else (cls.__name__, schema.namespace_of(cls))
    return ("element", name, namespace, shown(cls), 1, 1)


def declared_particle(p: Any, named: dict[str, schema.Field], once: bool) -> Any:
    match p:
        case str():
            return element(named[p], once)
        case Wildcard(low, high):
            return ("any", low, high)
        case Choice(parts, low, high) if any(isinstance(q, str) and isinstance(named[q].content, tuple) for q in parts):
            inner = [declared_particle(q, named, True) for q in parts]  # the classes of `items` are alternatives beside the others
            spread = [r for q in inner for r in (q[1] if q[0] == "choice" else (q,))]
            return simplified("choice", spread, low, high)
        case Choice(parts, low, high) | Sequence(parts, low, high):
            kind = "choice" if isinstance(p, Choice) else "sequence"
            return simplified(kind, [declared_particle(q, named, True) for q in parts], low, high)
    raise AssertionError(p)


def declared(cls: type[Type]) -> dict[str, Any]:
    own = {f.name: f for f in schema.own_fields(cls)}
    names = tuple(f.name for f in own.values() if f.role == "element")
    model = cls.__dict__.get("__content__") or Sequence(names)
    base = cls.__mro__[1]
    parts = [declared_particle(p, own, False) for p in model.particles]
    return {
        "base": None if base is Type else base.__name__,
        "abstract": bool(cls.__dict__.get("__abstract__")),
        "mixed": bool(cls.__dict__.get("__mixed__")),
        "attributes": {f.name: (shown(f.content), bool(f.minimum)) for f in own.values() if f.role == "attribute"},
        "text": next((shown(f.content) for f in own.values() if f.role == "text"), None),
        "content": flat(simplified("sequence", parts, 1, 1)),
    }


# --- the comparison ---


def type_name(root: Any, cls: type[Type]) -> str | None:
    """The name of the complex type that a class stands for: its own, or that of the element it is called by."""
    names = {t.get("name") for t in root.findall(XS + "complexType")}
    if cls.__name__ in names:
        return cls.__name__
    return next(
        (qualified(e, e.get("type"))[1] for e in root.findall(XS + "element") if e.get("name") == cls.__name__ and e.get("type")), None
    )


def classes(module: str) -> list[type[Type]]:
    found = vars(import_module(module)).values()
    return [v for v in found if isinstance(v, type) and issubclass(v, Type) and v.__module__ == module]


CASES = [(m, c) for m in schemas.BY_MODULE for c in classes(m)]


def renamed(found: Any, root: Any, module: str) -> Any:
    """The schema's statement with the names of our classes: a message's class bears the name of its element."""
    by_type = {name: c.__name__ for c in classes(module) if (name := type_name(root, c))}

    def of(value: Any) -> Any:
        if isinstance(value, tuple) and len(value) == 2 and value[0] == "complex":
            return "complex", by_type.get(value[1], value[1])
        return tuple(of(v) for v in value) if isinstance(value, tuple) else value

    return {**found, "content": of(found["content"]), "base": by_type.get(found["base"], found["base"])}


@pytest.mark.parametrize(("module", "cls"), CASES, ids=[f"{m.removeprefix('v2g.messages.')}.{c.__name__}" for m, c in CASES])
def test_class_agrees_with_schema(module: str, cls: type[Type]) -> None:
    root = schemas.document(schemas.BY_MODULE[module])
    name = type_name(root, cls)
    found = next((t for t in root.findall(XS + "complexType") if t.get("name") == name), None)
    local = next((e for e in root.iter(XS + "element") if e.get("name") == cls.__name__), None)
    if found is None and local is not None:
        found = local.find(XS + "complexType")
    if name == cls.__mro__[1].__name__:  # two elements of one type: each class only adds a name to it
        assert not schema.own_fields(cls)
    elif found is not None:
        assert declared(cls) == renamed(stated(found), root, module)
    else:  # an element of simple type that is global, or stands in a repeated choice
        assert local is not None, f"{module} has no type or element {cls.__name__}"
        content = element_content(local)
        assert content in (shown(cls), ("complex", cls.__mro__[1].__name__))


@pytest.mark.parametrize("module", schemas.BY_MODULE)
def test_no_type_is_missing(module: str) -> None:
    root = schemas.document(schemas.BY_MODULE[module])
    assert {t.get("name") for t in root.findall(XS + "complexType")} <= {type_name(root, c) for c in classes(module)}


@pytest.mark.parametrize("module", schemas.BY_MODULE)
def test_global_elements_agree(module: str) -> None:
    root = schemas.document(schemas.BY_MODULE[module])
    stated_elements = {
        (e.get("name"), qualified(e, e.get("substitutionGroup", ""))[1] or None, e.get("abstract") == "true")
        for e in root.findall(XS + "element")
    }
    ours = {(e.name, e.substitutes, e.abstract) for e in schema.elements(import_module(module))}
    assert ours == stated_elements


@pytest.mark.parametrize("name", schemas.FILES)
def test_the_names_of_types_agree(name: str) -> None:
    modules = schema_set(name).modules
    for at, module in enumerate(modules):
        root = schemas.document(schemas.BY_MODULE[module.__name__])
        stated_names = {t.get("name") for t in root if t.tag in (XS + "complexType", XS + "simpleType")}
        assert set(declared_types(modules[at:])) == stated_names, module.__name__


@pytest.mark.parametrize("module", schemas.BY_MODULE)
def test_simple_types_agree(module: str) -> None:
    """Those that no element uses matter too: they are part of the vocabulary that others import."""
    root = schemas.document(schemas.BY_MODULE[module])
    for simple in root.findall(XS + "simpleType"):
        ours = getattr(import_module(module), simple.get("name"), None)
        assert ours is not None, f"{module} lacks {simple.get('name')}"
        assert shown(schema.facets(ours)) == facets_of_definition(simple), simple.get("name")


def facets_of_definition(simple: Any) -> Any:
    holder = etree.Element("holder", nsmap=simple.nsmap)
    holder.append(etree.fromstring(etree.tostring(simple)))
    return facets_of(holder, None)
