"""Messages as XML documents and back. The XML is what the schema prescribes, so any validator of the schemas can judge it."""

from collections.abc import Iterator
from typing import Any

from lxml import etree

from v2g.exi import lexical, values
from v2g.exi.encoder import element_name
from v2g.exi.errors import EncodeError
from v2g.exi.events import events
from v2g.exi.grammar import Event, Production, QName, SchemaSet, State
from v2g.exi.schema import Type

INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


# --- message to XML ---


def to_xml(message: Type, schema_set: SchemaSet, name: QName | None = None, *, pretty: bool = False, lenient: bool = False) -> str:
    """A message as XML text; `name` is its element where its class has several. `lenient` shows what `interop` mode has tolerated.

    Raises EncodeError for a message that is not valid in the set, or holds a character that XML cannot carry.
    """
    name = name or element_name(message, schema_set)
    root = etree.Element(_tag(name), nsmap={m.PREFIX: m.NAMESPACE for m in schema_set.modules})
    try:
        _fill(root, message, schema_set, lenient)
    except EncodeError as error:
        error.within(name.local)
        raise
    etree.cleanup_namespaces(root)
    return str(etree.tostring(root, encoding="unicode", pretty_print=pretty))


def _fill(node: Any, message: Type, schema_set: SchemaSet, lenient: bool) -> None:
    for _, _, production, value in events(message, type(message), schema_set, lenient):
        match production.event:
            case Event.ATTRIBUTE:
                node.set(_tag(production.name), _text(production.content, value, lenient))
            case Event.TEXT:
                node.text = _text(production.content, value, lenient)
            case Event.ELEMENT:
                _child(etree.SubElement(node, _tag(production.name)), production, value, schema_set, lenient)


def _child(node: Any, production: Production, value: Any, schema_set: SchemaSet, lenient: bool) -> None:
    try:
        if isinstance(value, Type):
            _fill(node, value, schema_set, lenient)
        else:
            node.text = _text(production.content, value, lenient)
    except EncodeError as error:
        assert production.name is not None
        error.within(production.name.local)
        raise


def _text(content: Any, value: Any, lenient: bool) -> str:
    text = lexical.spell(content, value, lenient)
    if lexical.UNWRITABLE.search(text):
        raise EncodeError(f"{text!r} holds a character that XML cannot carry")
    return text


def _tag(name: QName | None) -> str:
    assert name is not None
    return f"{{{name.namespace}}}{name.local}" if name.namespace else name.local


# --- XML to message ---


def from_xml(text: str | bytes, schema_set: SchemaSet, *, fragment: bool = False) -> tuple[Type, QName]:
    """The message in XML text, and the name of its element. Raises EncodeError for text that is not XML or not valid in the set."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(text.encode() if isinstance(text, str) else text, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise EncodeError(f"not XML: {error}") from None
    if root.getroottree().docinfo.doctype:
        raise EncodeError("a document type declaration has no place in a message")
    name = _name(root)
    cls = next((c for n, c in schema_set.roots(fragment) if n == name), None)
    if cls is None:
        raise EncodeError(f"{_tag(name)} is no {'element of complex type' if fragment else 'global element'} in the set {schema_set.name}")
    return _message(root, cls, schema_set), name


def _name(node: Any) -> QName:
    if not isinstance(node.tag, str):
        raise EncodeError("an entity reference has no place in a message")
    found = etree.QName(node)
    return QName(found.localname, found.namespace or "")


def _message(node: Any, cls: type[Type], schema_set: SchemaSet) -> Type:
    try:
        return _build(node, cls, schema_set)
    except EncodeError as error:
        error.within(_name(node).local)
        raise


def _build(node: Any, cls: type[Type], schema_set: SchemaSet) -> Type:
    grammar = schema_set.grammar(cls)
    if grammar.abstract:
        raise EncodeError(f"{cls.__name__} is abstract")
    state, held = grammar.start, dict[str, Any]()
    for event, name, found in _content(node, state):
        production = _matching(state, event, name)
        field = production.field
        assert field is not None
        value = _value(found, production, schema_set)
        if field.repeated:
            held[field.name] = (*held.get(field.name, ()), value)
        else:
            held[field.name] = value
        state = production.next(len(held[field.name]) if field.repeated else 1)
    if not any(p.event is Event.END for p in state.productions):
        raise EncodeError(f"incomplete: {' or '.join(p.name.local for p in state.productions if p.name)} is expected")
    return cls(**held)


def _content(node: Any, start: State) -> Iterator[tuple[Event, QName | None, Any]]:
    """Attributes in code order, then the text or the children."""
    attributes = ((etree.QName(key), text) for key, text in node.attrib.items())
    own = sorted((QName(key.localname, key.namespace or ""), text) for key, text in attributes if key.namespace != INSTANCE)
    yield from ((Event.ATTRIBUTE, name, text) for name, text in own)
    children = list(node)
    texts = [node.text or "", *(child.tail or "" for child in children)]
    if not children and Event.TEXT in _reachable(start):
        yield Event.TEXT, None, texts[0]
    elif any(text.strip(lexical.BLANK) for text in texts):
        raise EncodeError(f"text {''.join(texts).strip(lexical.BLANK)!r} where only elements are expected")
    yield from ((Event.ELEMENT, _name(child), child) for child in children)


def _reachable(state: State) -> set[Event]:
    """The kinds of events from here on, up to the first that is no attribute."""
    found = {p.event for p in state.productions}
    for production in state.productions:
        if production.event is Event.ATTRIBUTE:
            found |= _reachable(production.after)
    return found


def _matching(state: State, event: Event, name: QName | None) -> Production:
    for production in state.productions:
        if production.event is event and production.field and (event is Event.TEXT or _same(production.name, name)):
            return production
    names = [p.name.local if p.name else p.event.name.lower() for p in state.productions]
    raise EncodeError(f"{name.local if name else 'text'} where {' or '.join(names)} is expected")


def _same(declared: QName | None, found: QName | None) -> bool:
    # the two revisions of V2G_CI_AppProtocol differ in whether local elements are qualified, and encode alike
    return declared == found or (declared is not None and found is not None and not declared.namespace and declared.local == found.local)


def _value(found: Any, production: Production, schema_set: SchemaSet) -> Any:
    content: Any = production.content
    if values.is_complex(content):
        return _message(found, content, schema_set)
    if isinstance(found, str):
        return lexical.parse(content, found)
    try:
        if len(found):
            raise EncodeError("elements where a simple value is expected")
        return lexical.parse(content, found.text or "")
    except EncodeError as error:
        error.within(_name(found).local)
        raise
