"""The vocabulary in which message classes are declared.

A class is an XSD complex type, an annotated field is one of its elements or attributes, and nothing about a message is written anywhere
else: codec, refusals, XML and JSON views, test generators and documentation read these declarations.

    @element
    class DC_CableCheckRes(V2GResponseType):
        EVSEProcessing: processingType

Elements come in the order of the fields, inherited ones first. A field that is `| None = None` may be absent, a
`Annotated[tuple[X, ...], Occurs(1, 3)]` repeats, `Attribute[X]` is an attribute, `Text[X]` the character content. A field annotated with
the class of a global element of the same name is a reference to that element, and accepts every member of its substitution group, unless
it is `Local`. What a plain sequence cannot say (choices, wildcards, groups that come together) is said above the class by `@choice` or
`@content`.

A module of messages is one namespace: it sets `NAMESPACE`, `PREFIX` and, where the schema qualifies attributes,
`ATTRIBUTES_QUALIFIED = True`.
"""

import enum
import sys
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin

import msgspec


@typing.dataclass_transform(kw_only_default=True, frozen_default=True)
class _Declaration(msgspec.StructMeta):
    """Makes every field keyword-only (a required field may follow an optional one), which msgspec does not inherit."""

    def __new__(mcls, name: str, bases: tuple[type, ...], body: dict[str, Any], **options: Any) -> Any:
        return super().__new__(mcls, name, bases, body, **{"kw_only": True, **options})


@typing.dataclass_transform(kw_only_default=True, frozen_default=True)  # type checkers look at the base before its metaclass
class Type(msgspec.Struct, metaclass=_Declaration, frozen=True, gc=False, omit_defaults=True):
    """Base of every declared complex type: an immutable value, compared by content.

    `gc=False` is sound because a message is a tree of values and can hold no cycle.
    """

    __elements__: ClassVar[tuple["Element", ...]] = ()
    __abstract__: ClassVar[bool] = False
    __mixed__: ClassVar[bool] = False
    __content__: ClassVar["Sequence | None"] = None


# --- simple types: what a value may be. The encoding follows from these facets (see `v2g.exi.values`). ---


class Integer(msgspec.Struct, frozen=True):
    """Inclusive bounds of an integer; None is unbounded."""

    minimum: int | None = None
    maximum: int | None = None


class String(msgspec.Struct, frozen=True):
    """Lengths in characters. `lexical` is the XSD base type, which matters to the XML view only."""

    min_length: int = 0
    max_length: int | None = None
    lexical: Literal["string", "anyURI", "ID", "IDREF"] = "string"


class Binary(msgspec.Struct, frozen=True):
    """Lengths in octets. `lexical` is the spelling in XML."""

    lexical: Literal["hexBinary", "base64Binary"]
    min_length: int = 0
    max_length: int | None = None


byte = Annotated[int, Integer(-(2**7), 2**7 - 1)]
short = Annotated[int, Integer(-(2**15), 2**15 - 1)]
int_ = Annotated[int, Integer(-(2**31), 2**31 - 1)]
long = Annotated[int, Integer(-(2**63), 2**63 - 1)]
integer = Annotated[int, Integer()]
unsignedByte = Annotated[int, Integer(0, 2**8 - 1)]
unsignedShort = Annotated[int, Integer(0, 2**16 - 1)]
unsignedInt = Annotated[int, Integer(0, 2**32 - 1)]
unsignedLong = Annotated[int, Integer(0, 2**64 - 1)]
boolean = bool
string = Annotated[str, String()]
anyURI = Annotated[str, String(lexical="anyURI")]
ID = Annotated[str, String(lexical="ID")]
IDREF = Annotated[str, String(lexical="IDREF")]
hexBinary = Annotated[bytes, Binary("hexBinary")]
base64Binary = Annotated[bytes, Binary("base64Binary")]

Facets = Integer | String | Binary | type[bool] | type[enum.Enum]


# --- fields ---


class Occurs(msgspec.Struct, frozen=True):
    """How often an element of a tuple field occurs; maximum None is unbounded."""

    minimum: int
    maximum: int | None


class _Role(enum.Enum):
    ATTRIBUTE = "attribute"
    TEXT = "text"
    REFERENCE = "reference"
    LOCAL = "local"


T = TypeVar("T")
Attribute = Annotated[T, _Role.ATTRIBUTE]  # an XML attribute
Text = Annotated[T, _Role.TEXT]  # the character content of a simple-content type
Reference = Annotated[T, _Role.REFERENCE]  # a reference to a global element of simple type, named like the field
Local = Annotated[T, _Role.LOCAL]  # an element of its own, although the class has a global element of the same name


class Element(msgspec.Struct, frozen=True):
    """A global element: its qualified name, the class of its content, and the head of its substitution group."""

    name: str
    namespace: str
    type: type[Type]
    substitutes: str | None = None  # local name of the head
    abstract: bool = False


# --- content models ---


class Sequence(msgspec.Struct, frozen=True):
    """Particles one after the other.

    A particle is the name of a field or one of these. Named by the class itself a field has its own occurrence; within a group it stands
    for exactly one element, and what is optional or repeated is the group.
    """

    particles: tuple["Particle", ...]
    minimum: int = 1
    maximum: int | None = 1


class Choice(msgspec.Struct, frozen=True):
    """One of the particles, as `xs:choice` declares it."""

    particles: tuple["Particle", ...]
    minimum: int = 1
    maximum: int | None = 1


class Wildcard(msgspec.Struct, frozen=True):
    """Any element of other namespaces. The grammar must count it; no ISO 15118 message uses it, so the codec refuses one."""

    minimum: int = 1
    maximum: int | None = 1


Particle = str | Sequence | Choice | Wildcard


def sequence(*particles: Particle, minimum: int = 1, maximum: int | None = 1) -> Sequence:
    """An `xs:sequence`, for the content of a class (`@content`)."""
    return Sequence(particles, minimum, maximum)


def one_of(*particles: Particle, minimum: int = 1, maximum: int | None = 1) -> Choice:
    """An `xs:choice`, for the content of a class (`@content`)."""
    return Choice(particles, minimum, maximum)


def wildcard(minimum: int = 1, maximum: int | None = 1) -> Wildcard:
    """An `xs:any`, for the content of a class (`@content`)."""
    return Wildcard(minimum, maximum)


# --- declarations above a class ---

C = TypeVar("C", bound=type[Type])


def declared_elements(cls: type) -> tuple[Element, ...]:
    """The global elements that have exactly this class as their type."""
    return tuple(cls.__dict__.get("__elements__", ()))


@typing.overload
def element(cls: C, /) -> C: ...
@typing.overload
def element(name: str | None = None, /, *, substitutes: str | None = None, abstract: bool = False) -> Callable[[C], C]: ...
def element(name: Any = None, /, *, substitutes: str | None = None, abstract: bool = False) -> Any:
    """Declare the global element that has this class as its type; its name is the class's unless given."""

    def declare(cls: C) -> C:
        local = name if isinstance(name, str) else cls.__name__
        cls.__elements__ = (*declared_elements(cls), Element(local, namespace_of(cls), cls, substitutes, abstract))
        return cls

    return declare(name) if isinstance(name, type) else declare


def abstract(cls: C) -> C:
    """The complex type itself is abstract: a message holds one of its extensions."""
    cls.__abstract__ = True
    return cls


def mixed(cls: C) -> C:
    """The complex type admits text between its elements. The grammar must count it; the codec refuses such text."""
    cls.__mixed__ = True
    return cls


def choice(*names: str, minimum: int = 1) -> Callable[[C], C]:
    """The named fields, which follow each other, are alternatives; `minimum=0` admits none of them."""

    def declare(cls: C) -> C:
        model = cls.__dict__.get("__content__") or Sequence(tuple(f.name for f in own_fields(cls) if f.role == "element"))
        at = model.particles.index(names[0])
        if model.particles[at : at + len(names)] != names:
            raise TypeError(f"{cls.__name__}: the alternatives {names} must be consecutive fields")
        cls.__content__ = Sequence((*model.particles[:at], Choice(names, minimum), *model.particles[at + len(names) :]))
        return cls

    return declare


def content(*particles: Particle) -> Callable[[C], C]:
    """State the content model of a class that is not a plain sequence of its fields."""

    def declare(cls: C) -> C:
        cls.__content__ = Sequence(tuple(particles))
        return cls

    return declare


# --- reading the declarations ---


class Field(msgspec.Struct, frozen=True):
    """A field of a class, with everything that its declaration says of it.

    `content` is the facets of a simple value, the class of a complex one, or for a repeated choice the tuple of the classes that may
    stand in it (each the content of an element named like the class).
    """

    name: str
    role: Literal["element", "attribute", "text"]
    namespace: str
    content: "Facets | type[Type] | tuple[type[Type], ...]"
    minimum: int
    maximum: int | None
    repeated: bool  # the value is a tuple
    reference: bool  # the element is a global one, so members of its substitution group fit too


def namespace_of(cls: type) -> str:
    """The target namespace of the module that declares a class."""
    return str(sys.modules[cls.__module__].NAMESPACE)


def _attribute_namespace(cls: type) -> str:
    return namespace_of(cls) if getattr(sys.modules[cls.__module__], "ATTRIBUTES_QUALIFIED", False) else ""


def _element_namespace(cls: type) -> str:
    return namespace_of(cls) if getattr(sys.modules[cls.__module__], "ELEMENTS_QUALIFIED", True) else ""


def _unwrap(hint: Any, metadata: tuple[Any, ...] = ()) -> tuple[Any, tuple[Any, ...], bool]:
    """Annotation -> (bare type, metadata innermost first, optional)."""
    optional = False
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            hint, extra = hint.__origin__, hint.__metadata__
            metadata = (*extra, *metadata)
        elif origin in (types.UnionType, typing.Union) and type(None) in get_args(hint):
            rest = tuple(a for a in get_args(hint) if a is not type(None))
            hint, optional = (rest[0] if len(rest) == 1 else typing.Union[rest]), True  # noqa: UP007
        else:
            return hint, metadata, optional


def _facets(hint: Any, metadata: tuple[Any, ...]) -> Any:
    # the last stated facets are the narrowest: an alias of an alias restates the whole
    stated = [m for m in metadata if isinstance(m, Integer | String | Binary)]
    return stated[-1] if stated else hint


def facets(hint: Any) -> Any:
    """The facets of a simple type that is declared by an alias, such as `percentValueType`."""
    bare, metadata, _ = _unwrap(hint)
    return _facets(bare, metadata)


def _field(cls: type[Type], name: str, hint: Any) -> Field:
    hint, metadata, optional = _unwrap(hint)
    occurs = next((m for m in metadata if isinstance(m, Occurs)), Occurs(0 if optional else 1, 1))
    repeated = get_origin(hint) is tuple
    if repeated:
        hint, inner, _ = _unwrap(get_args(hint)[0])
        metadata = (*inner, *metadata)
    union = get_origin(hint) in (types.UnionType, typing.Union)
    held: Any = get_args(hint) if union else _facets(hint, metadata)
    if _Role.ATTRIBUTE in metadata:
        return Field(name, "attribute", _attribute_namespace(cls), held, occurs.minimum, 1, False, False)
    if _Role.TEXT in metadata:
        return Field(name, "text", "", held, 1, 1, False, False)
    target = None
    if isinstance(held, type) and _Role.LOCAL not in metadata:
        target = next((e for e in declared_elements(held) if e.name == name), None)
    reference = target is not None or _Role.REFERENCE in metadata
    namespace = target.namespace if target is not None else _element_namespace(cls)
    return Field(name, "element", namespace, held, occurs.minimum, occurs.maximum, repeated, reference)


@cache
def own_fields(cls: type[Type]) -> tuple[Field, ...]:
    """The fields that a class adds to its base."""
    return tuple(_field(cls, name, hint) for name, hint in cls.__annotations__.items())


def lineage(cls: type[Type]) -> tuple[type[Type], ...]:
    """The declared classes from the root base down to the class itself."""
    return tuple(c for c in reversed(cls.__mro__) if issubclass(c, Type) and c is not Type)


@cache
def fields(cls: type[Type]) -> tuple[Field, ...]:
    """All fields of a class in schema order, inherited ones first."""
    return tuple(field for base in lineage(cls) for field in own_fields(base))


@cache
def model(cls: type[Type]) -> Sequence:
    """The content model of a class: its base's content, then its own (XSD extension)."""
    parts = []
    for base in lineage(cls):
        own = base.__dict__.get("__content__") or Sequence(tuple(f.name for f in own_fields(base) if f.role == "element"))
        if own.particles:
            parts.append(own)
    return Sequence(tuple(parts))


def elements(module: types.ModuleType) -> tuple[Element, ...]:
    """The global elements that a module of messages declares."""
    declared = (v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Type) and v.__module__ == module.__name__)
    return tuple(e for cls in declared for e in declared_elements(cls))
