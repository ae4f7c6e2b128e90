"""Known differences between families of encoders, as data. A schema set is built for one dialect, and its grammar is that family's.

| dialect | who | evidence |
|---|---|---|
| SCHEMA | what the schema says; EXIficient and all that is built on it | byte for byte over every schema set |
| CBEXIGEN | generated C of cbexigen: EVerest's cbV2G, tux-evse | its recorded output for the same messages |
"""

import msgspec


class Dialect(msgspec.Struct, frozen=True):
    """How the encoders of one family depart from the schema; the defaults are the schema itself."""

    name: str
    # global elements take their document codes in the order of their types' names: ACDP_DisconnectReq, whose type is that of
    # ACDP_ConnectReq, comes before ACDP_ConnectRes
    ordered_by_type: bool = False
    # a list that may hold so many or more goes on offering a start when it is full, so its end takes a bit more (cbexigen 86)
    endless_from: int | None = None
    # an optional list of unlimited appetite before an optional element: at most two items, and without items the element has no code
    optional_after_list: bool = False
    # an element with several types is a fragment of its complex type, not of the relaxed grammar: eMAID of -2 (cbexigen 60)
    typed_fragments: bool = False
    # an imported schema was merged into the importing one, so elements of one name count once in fragments: amendment 1
    merged_imports: bool = False


SCHEMA = Dialect("SCHEMA")
CBEXIGEN = Dialect("CBEXIGEN", ordered_by_type=True, endless_from=3, optional_after_list=True, typed_fragments=True, merged_imports=True)
DIALECTS = (SCHEMA, CBEXIGEN)
