# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The quick walk over the grammar, compiled: the states and productions of `v2g.exi.grammar` as tables of C structures.

Like the generated Python of `straight_reader` and `straight_writer` it knows the usual way only and raises `Unclear` for anything else: an
undeclared event, a value out of range, a message that is not valid. The patient walk then decides.

A message is allocated empty and its slots are filled in place, which is what makes it quick: a msgspec.Struct has one slot for each field.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_Append, PyList_AsTuple, PyList_GET_SIZE
from cpython.long cimport PyLong_AsLongLong, PyLong_AsUnsignedLongLong, PyLong_CheckExact
from cpython.object cimport PyObject, PyTypeObject
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy

from v2g.exi import values
from v2g.exi.bounds import Spent
from v2g.exi.encoder import element_name
from v2g.exi.grammar import Event, QName
from v2g.exi.outline import Unclear
from v2g.exi.schema import fields

cdef extern from *:
    """
    #include <stddef.h>
    #include <structmember.h>

    /* Where a slot is in an instance; -1 if the attribute is no slot. */
    static Py_ssize_t v2g_offset(PyObject *descriptor) {
        if (!PyObject_TypeCheck(descriptor, &PyMemberDescr_Type)) return -1;
        PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        return member->type == T_OBJECT_EX ? member->offset : -1;
    }
    /* An instance with empty slots. */
    static inline PyObject *v2g_empty(PyObject *cls) {
        return ((PyTypeObject *)cls)->tp_alloc((PyTypeObject *)cls, 0);
    }
    #define V2G_SLOT(instance, offset) (*(PyObject **)((char *)(instance) + (offset)))
    static inline PyObject *v2g_get(PyObject *instance, Py_ssize_t offset) { return V2G_SLOT(instance, offset); }
    static inline void v2g_put(PyObject *instance, Py_ssize_t offset, PyObject *value) {
        PyObject *before = V2G_SLOT(instance, offset);
        Py_INCREF(value);
        V2G_SLOT(instance, offset) = value;
        Py_XDECREF(before);
    }
    static inline uint64_t v2g_load(const uint8_t *at) {
        uint64_t v = 0;
        for (int i = 0; i < 8; i++) v = v << 8 | at[i]; /* compilers make one load and one byte swap of it */
        return v;
    }
    """
    Py_ssize_t v2g_offset(object descriptor)
    object v2g_empty(object cls)
    PyObject *v2g_get(PyObject *instance, Py_ssize_t offset)
    void v2g_put(object instance, Py_ssize_t offset, object value)
    uint64_t v2g_load(const uint8_t *at)
    Py_ssize_t PY_SSIZE_T_MAX
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 maximum)
    object PyUnicode_FromKindAndData(int kind, const void *points, Py_ssize_t size)
    uint8_t *PyUnicode_1BYTE_DATA(object text)
    bint PyUnicode_CheckExact(object thing)
    bint PyUnicode_IS_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    PyTypeObject *Py_TYPE(PyObject *thing)

cdef enum:
    BOOLEAN, ENUMERATION, NBIT, UNSIGNED, SIGNED, BINARY, STRING, COMPLEX, END, REFUSED, UNBOUNDED
    MOST_FIELDS = 96
    PADDED = 8  # octets behind the end that may be loaded
    WIDEST = 4096  # bits of an integer without bounds: values.MAX_INTEGER_BITS

KINDS = {"boolean": BOOLEAN, "enumeration": ENUMERATION, "nbit": NBIT, "unsigned": UNSIGNED, "signed": SIGNED, "binary": BINARY, "string": STRING}

cdef struct Step:  # one production
    int kind
    int slot
    int width
    bint wrapped  # an element of simple type: a bit before the value and one after it
    bint repeated
    bint selective  # chosen by the class of the value
    bint negative  # an integer without bounds has a sign
    bint limited  # it has a minimum, `low`
    int64_t low
    uint64_t high
    Py_ssize_t minimum  # octets or characters
    Py_ssize_t maximum
    Py_ssize_t limit  # items of a list after which it is full
    Py_ssize_t most  # values that the field may hold, -1: as many as the schema says
    PyObject *members
    PyObject *content
    PyObject *plan
    PyObject *after
    PyObject *full


cdef class Node:
    """A state."""

    cdef Step *steps
    cdef int count
    cdef int width
    cdef object state

    def __dealloc__(self):
        free(self.steps)


cdef class Plan:
    """A class in a schema set: where its slots are, and its states as far as they have been reached."""

    cdef object cls
    cdef Tables tables
    cdef int count
    cdef Py_ssize_t *offsets
    cdef tuple defaults
    cdef tuple repeated
    cdef dict places
    cdef dict nodes
    cdef list kept  # what steps point at
    cdef Node start

    def __cinit__(self, Tables tables, cls):
        self.cls = cls
        self.tables = tables
        declared = fields(cls)
        self.count = len(declared)
        if self.count > MOST_FIELDS or tables.set.grammar(cls).abstract:
            raise Unclear
        self.offsets = <Py_ssize_t *>malloc((self.count + 1) * sizeof(Py_ssize_t))
        for i, f in enumerate(declared):
            self.offsets[i] = v2g_offset(getattr(cls, f.name))
            if self.offsets[i] < 0:
                raise Unclear
        self.defaults = tuple(() if f.repeated else None for f in declared)
        self.repeated = tuple(f.repeated for f in declared)
        self.places = {f.name: i for i, f in enumerate(declared)}
        self.nodes = {}
        self.kept = []
        self.start = self.node(tables.set.grammar(cls).start)

    def __dealloc__(self):
        free(self.offsets)

    cdef Node node(self, state):
        found = self.nodes.get(id(state))
        if found is None:
            found = self.nodes[id(state)] = self.made(state)
        return found

    cdef Node made(self, state):
        cdef Node node = Node.__new__(Node)
        node.state = state
        node.count = len(state.productions)
        node.width = state.width
        node.steps = <Step *>calloc(node.count, sizeof(Step))
        for code, production in enumerate(state.productions):
            self.fill(&node.steps[code], production)
        return node

    cdef int fill(self, Step *step, production) except -1:
        if production.event is Event.END or production.field is None:
            step.kind = END if production.event is Event.END else REFUSED
            return 0
        field, content = production.field, production.content
        step.slot = self.places[field.name]
        step.repeated = field.repeated
        step.limit = production.limit or 0
        most = None if self.tables.bounds is None else self.tables.bounds.of(self.cls, field.name)
        step.most = -1 if most is None else most
        step.content = <PyObject *>content
        self.kept.append(content)
        if values.is_complex(content):
            step.kind = COMPLEX
            step.selective = isinstance(field.content, tuple) or field.reference
            return 0
        step.wrapped = field.role == "element"
        shape = values.representation(content)
        step.kind = KINDS[shape.kind]
        step.width = shape.width
        if shape.kind in ("nbit", "unsigned", "signed"):
            if content.maximum is None or content.maximum >= 1 << 64 or (shape.kind == "signed" and content.minimum != ~content.maximum):
                step.kind = UNBOUNDED if content.maximum is None else REFUSED  # what does not fit a register
                step.limited = content.minimum is not None
                step.low = content.minimum or 0
                step.negative = shape.kind == "signed"
            else:
                step.low = content.minimum
                step.high = content.maximum - content.minimum if shape.kind == "nbit" else content.maximum
        elif shape.kind in ("binary", "string"):
            step.minimum = content.min_length
            step.maximum = (1 << 40) if content.max_length is None else content.max_length
        else:
            self.kept.append(shape.members)
            step.members = <PyObject *>shape.members
        return 0

    cdef PyObject *link(self, Node node, int code, bint full) except NULL:
        """The state after a production, or the one after it that is reached when its list is full."""
        production = node.state.productions[code]
        cdef Node onward = self.node(production.full if full else production.after)  # kept alive by self.nodes
        if full:
            node.steps[code].full = <PyObject *>onward
        else:
            node.steps[code].after = <PyObject *>onward
        return <PyObject *>onward


cdef class Tables:
    """The plans of a schema set, each made on first use, and its codes of documents and fragments."""

    cdef object set
    cdef object bounds
    cdef dict plans
    cdef list roots
    cdef int width

    def __init__(self, schema_set, bounds=None):
        self.set = schema_set
        self.bounds = bounds
        self.plans = {}
        self.width = schema_set.document_width
        self.roots = [(QName(e.name, e.namespace), e.type) for e in schema_set.globals]

    cdef Plan plan(self, cls):
        found = self.plans.get(cls)
        if found is None:
            found = self.plans[cls] = Plan(self, cls)
        return found

    cdef PyObject *planned(self, Step *step) except NULL:
        cdef Plan plan = self.plan(<object>step.content)  # kept alive by self.plans
        step.plan = <PyObject *>plan
        return step.plan


# --- octets to messages ---

cdef struct Source:
    const uint8_t *octets
    Py_ssize_t size  # bits
    Py_ssize_t at
    Py_ssize_t items  # elements of complex type and items of lists that may still come


cdef inline int missing() except -1:
    raise Unclear


cdef inline uint64_t take(Source *s, int width) except? 0xFFFFFFFFFFFFFFFF:
    """The next bits, at most 57; the buffer is padded, so eight octets can always be loaded."""
    cdef uint64_t window
    if s.at + width > s.size:
        missing()
    window = v2g_load(s.octets + (s.at >> 3)) << (s.at & 7)
    s.at += width
    return window >> (64 - width) if width else 0


cdef inline uint64_t groups(Source *s) except? 0xFFFFFFFFFFFFFFFF:
    """An Unsigned Integer of at most 64 bits without superfluous groups."""
    cdef uint64_t group = take(s, 8), value
    cdef int shift = 0
    if group < 128:
        return group
    value = group & 127
    while group >= 128:
        group = take(s, 8)
        shift += 7
        if shift > 63 or (shift == 63 and group > 1):
            missing()
        value |= (group & 127) << shift
    if group == 0:
        missing()
    return value


cdef object unbounded(Source *s, Step *step):
    """An integer of any size up to WIDEST bits, without superfluous groups: eight groups at a time, since each piece costs the whole."""
    cdef uint64_t sign = take(s, 1) if step.negative else 0
    cdef uint64_t group = 128, chunk
    cdef int shift = 0, inner
    value = 0
    while group >= 128:
        chunk = 0
        inner = 0
        while inner < 56 and group >= 128:
            group = take(s, 8)
            chunk |= (group & 127) << inner
            inner += 7
        value |= <object>chunk << shift
        shift += inner
        if shift > WIDEST + 63:
            missing()
    if (group == 0 and shift > 7) or value.bit_length() > WIDEST or shift - 7 > WIDEST:
        missing()
    if sign:
        value = ~value
    if step.limited and value < step.low:
        missing()
    return value


cdef object characters(Source *s, Py_ssize_t count):
    """A string that has more than ASCII: each character is an Unsigned Integer of one to three groups."""
    cdef uint64_t point
    cdef Py_ssize_t i
    cdef uint32_t *points = <uint32_t *>malloc(count * sizeof(uint32_t))
    if points == NULL:
        raise MemoryError
    try:
        for i in range(count):
            point = groups(s)
            if point > 0x10FFFF or 0xD800 <= point < 0xE000:
                missing()
            points[i] = <uint32_t>point
        return PyUnicode_FromKindAndData(4, points, count)
    finally:
        free(points)


cdef int copy(Source *s, uint8_t *out, Py_ssize_t count) except -1:
    """Octets from any bit on, eight at a time. Returns whether one has its highest bit set."""
    cdef const uint8_t *from_ = s.octets + (s.at >> 3)
    cdef int shift = s.at & 7
    cdef Py_ssize_t i = 0
    cdef uint64_t word, high = 0
    cdef int j
    s.at += count * 8
    if shift == 0:
        memcpy(out, from_, count)
        while i + 8 <= count:
            high |= v2g_load(out + i)
            i += 8
        while i < count:
            high |= out[i]
            i += 1
        return (high & 0x8080808080808080) != 0
    while i + 8 <= count:
        word = v2g_load(from_ + i) << shift | from_[i + 8] >> (8 - shift)
        high |= word
        for j in range(8):
            out[i + j] = <uint8_t>(word >> (56 - 8 * j))
        i += 8
    while i < count:
        out[i] = <uint8_t>(from_[i] << shift | from_[i + 1] >> (8 - shift))
        high |= out[i]
        i += 1
    return (high & 0x8080808080808080) != 0


cdef inline Py_ssize_t length(Source *s, Step *step, int offset) except -1:
    """An announced length, held against what the type allows and against what is left."""
    cdef uint64_t announced = groups(s)
    if announced < <uint64_t>offset or announced - offset < <uint64_t>step.minimum or announced - offset > <uint64_t>step.maximum:
        missing()
    announced -= offset
    if announced > <uint64_t>((s.size - s.at) >> 3):
        missing()
    return <Py_ssize_t>announced


cdef object read_value(Source *s, Step *step):
    cdef uint64_t number, sign
    cdef Py_ssize_t count
    if step.kind == NBIT:
        number = take(s, step.width)
        if number > step.high:
            missing()
        return <int64_t>number + step.low
    if step.kind == SIGNED:
        sign = take(s, 1)
        number = groups(s)
        if number > step.high:
            missing()
        return -<int64_t>number - 1 if sign else <int64_t>number
    if step.kind == UNSIGNED:
        number = groups(s)
        if number > step.high or number < <uint64_t>step.low:
            missing()
        return number
    if step.kind == BOOLEAN or step.kind == ENUMERATION:
        number = take(s, step.width)
        if number >= <uint64_t>PyTuple_GET_SIZE(<object>step.members):
            missing()
        return <object>PyTuple_GET_ITEM(<object>step.members, <Py_ssize_t>number)
    if step.kind == BINARY:
        count = length(s, step, 0)
        octets = PyBytes_FromStringAndSize(NULL, count)
        copy(s, <uint8_t *>PyBytes_AS_STRING(octets), count)
        return octets
    if step.kind == STRING:
        count = length(s, step, 2)
        if count == 0:
            return ""
        text = PyUnicode_New(count, 127)
        if copy(s, PyUnicode_1BYTE_DATA(text), count):  # a character beyond ASCII takes more than one octet
            s.at -= count * 8
            return characters(s, count)
        return text
    if step.kind == UNBOUNDED:
        return unbounded(s, step)
    raise Unclear


cdef inline int spend(Source *s) except -1:
    """Take one of the items that may still come."""
    s.items -= 1
    if s.items < 0:
        raise Spent
    return 0


cdef int bounded(Step *step, PyObject *held) except -1:
    """Whether a field may hold one more value: `held` is what it has, a list if it repeats."""
    if step.most == 0 or (held != NULL and step.repeated and PyList_GET_SIZE(<object>held) >= step.most):
        missing()
    return 0


cdef object read_plan(Source *s, Plan plan):
    cdef Node node = plan.start
    cdef Step *step
    cdef uint64_t code
    cdef Py_ssize_t held, offset
    cdef PyObject *onward
    cdef int i
    spend(s)
    message = v2g_empty(plan.cls)
    while True:
        code = take(s, node.width)
        if code >= <uint64_t>node.count:
            missing()
        step = &node.steps[code]
        if step.kind == END:
            break
        offset = plan.offsets[step.slot]
        if step.most >= 0:
            bounded(step, v2g_get(<PyObject *>message, offset))
        if step.repeated and step.kind != COMPLEX:
            spend(s)
        if step.kind == COMPLEX:
            value = read_plan(s, <Plan>(step.plan if step.plan != NULL else plan.tables.planned(step)))
        elif step.wrapped:
            if take(s, 1):
                missing()
            value = read_value(s, step)
            if take(s, 1):
                missing()
        else:
            value = read_value(s, step)
        if step.repeated:
            if v2g_get(<PyObject *>message, offset) == NULL:
                v2g_put(message, offset, [])
            items = <object>v2g_get(<PyObject *>message, offset)
            PyList_Append(items, value)
            held = PyList_GET_SIZE(items)
            if step.limit and held >= step.limit:
                onward = step.full if step.full != NULL else plan.link(node, <int>code, True)
                node = <Node>onward
                continue
        else:
            v2g_put(message, offset, value)
        onward = step.after if step.after != NULL else plan.link(node, <int>code, False)
        node = <Node>onward
    for i in range(plan.count):
        offset = plan.offsets[i]
        if v2g_get(<PyObject *>message, offset) == NULL:
            v2g_put(message, offset, <object>PyTuple_GET_ITEM(plan.defaults, i))
        elif <object>PyTuple_GET_ITEM(plan.repeated, i) is True:
            v2g_put(message, offset, PyList_AsTuple(<object>v2g_get(<PyObject *>message, offset)))
    return message


cdef class Readers:
    """Octets to messages of a schema set. Raises `Unclear` where the usual way ends."""

    cdef Tables tables

    def __init__(self, schema_set, bounds=None):
        self.tables = Tables(schema_set, bounds)

    def document(self, octets, Py_ssize_t items=PY_SSIZE_T_MAX):
        cdef Source s
        padded = self.opened(octets, &s)
        s.items = items
        cdef uint64_t code = take(&s, self.tables.width)
        if code >= <uint64_t>PyList_GET_SIZE(self.tables.roots):
            raise Unclear
        name, cls = self.tables.roots[code]
        message = read_plan(&s, self.tables.plan(cls))
        return name, message, self.closed(&s)

    def fragment(self, octets, Py_ssize_t items=PY_SSIZE_T_MAX):
        cdef Source s
        padded = self.opened(octets, &s)
        s.items = items
        schema_set = self.tables.set
        names = schema_set.fragment_names
        cdef int width = schema_set.fragment_width
        cdef uint64_t code = take(&s, width)
        content = schema_set.fragment_content(names[code]) if code < <uint64_t>len(names) else None
        if not values.is_complex(content):
            raise Unclear
        message = read_plan(&s, self.tables.plan(content))
        if take(&s, width) != <uint64_t>(len(names) + 1):
            raise Unclear
        return names[code], message, self.closed(&s)

    cdef object opened(self, octets, Source *s):
        """The octets with something behind them that may be loaded; whoever reads keeps them."""
        cdef bytes padded = bytes(octets) + b"\0\0\0\0\0\0\0\0\0"
        s.octets = <const uint8_t *>PyBytes_AS_STRING(padded)
        s.size = (PyBytes_GET_SIZE(padded) - 9) * 8
        s.at = 0
        if take(s, 8) != 0x80:
            raise Unclear
        return padded

    cdef Py_ssize_t closed(self, Source *s) except -1:
        """How many octets 0x00 are left; anything else that is left is unusual."""
        cdef Py_ssize_t i, left
        if take(s, <int>((s.size - s.at) & 7)):
            raise Unclear
        left = (s.size - s.at) >> 3
        for i in range(left):
            if s.octets[(s.at >> 3) + i]:
                raise Unclear
        return left


# --- messages to octets ---

cdef struct Sink:
    uint8_t *octets
    Py_ssize_t room
    Py_ssize_t count
    uint64_t pending
    int bits  # pending, fewer than 32


cdef int grow(Sink *s, Py_ssize_t more) except -1:
    cdef Py_ssize_t room = (s.count + more + 8) * 2
    cdef uint8_t *octets = <uint8_t *>realloc(s.octets, room)
    if octets == NULL:
        raise MemoryError
    s.octets = octets
    s.room = room
    return 0


cdef inline int put(Sink *s, uint64_t value, int width) except -1:
    """At most 32 bits."""
    cdef int i
    s.pending = s.pending << width | value
    s.bits += width
    if s.bits >= 32:
        if s.count + 4 > s.room:
            grow(s, 4)
        s.bits -= 32
        for i in range(4):
            s.octets[s.count + i] = <uint8_t>(s.pending >> (s.bits + 24 - 8 * i))
        s.count += 4
    return 0


cdef inline int put_groups(Sink *s, uint64_t value) except -1:
    while value > 127:
        put(s, value & 127 | 128, 8)
        value >>= 7
    return put(s, value, 8)


cdef int put_octets(Sink *s, const uint8_t *octets, Py_ssize_t count) except -1:
    cdef Py_ssize_t i = 0
    if s.count + count + 8 > s.room:
        grow(s, count + 8)
    while i + 4 <= count:
        put(s, v2g_load4(octets + i), 32)
        i += 4
    while i < count:
        put(s, octets[i], 8)
        i += 1
    return 0


cdef inline uint64_t v2g_load4(const uint8_t *at):
    return <uint64_t>at[0] << 24 | <uint64_t>at[1] << 16 | <uint64_t>at[2] << 8 | at[3]


cdef int write_value(Sink *s, Step *step, object value) except -1:
    cdef int64_t number
    cdef uint64_t wide
    cdef Py_ssize_t i, count
    if step.kind == BOOLEAN or step.kind == ENUMERATION:
        count = PyTuple_GET_SIZE(<object>step.members)
        for i in range(count):
            if PyTuple_GET_ITEM(<object>step.members, i) == <PyObject *>value:
                return put(s, i, step.width)
        raise Unclear
    if step.kind == NBIT or step.kind == SIGNED:
        if not PyLong_CheckExact(value):
            raise Unclear
        number = PyLong_AsLongLong(value)
        if step.kind == NBIT:
            if number < step.low or <uint64_t>(number - step.low) > step.high:
                raise Unclear
            return put(s, <uint64_t>(number - step.low), step.width)
        wide = <uint64_t>(~number if number < 0 else number)
        if wide > step.high:
            raise Unclear
        put(s, number < 0, 1)
        return put_groups(s, wide)
    if step.kind == UNSIGNED:
        if not PyLong_CheckExact(value):
            raise Unclear
        wide = PyLong_AsUnsignedLongLong(value)
        if wide > step.high or wide < <uint64_t>step.low:
            raise Unclear
        return put_groups(s, wide)
    if step.kind == BINARY:
        if not PyBytes_CheckExact(value):
            raise Unclear
        count = PyBytes_GET_SIZE(value)
        if count < step.minimum or count > step.maximum:
            raise Unclear
        put_groups(s, count)
        return put_octets(s, <const uint8_t *>PyBytes_AS_STRING(value), count)
    if step.kind == STRING:
        if not PyUnicode_CheckExact(value) or not PyUnicode_IS_ASCII(value):
            raise Unclear
        count = PyUnicode_GET_LENGTH(value)
        if count < step.minimum or count > step.maximum:
            raise Unclear
        put_groups(s, count + 2)
        return put_octets(s, PyUnicode_1BYTE_DATA(value), count)
    raise Unclear


cdef int write_plan(Sink *s, Plan plan, object message) except -1:
    """The events of a message in schema order: at each state the first production for which a value is left, the end once none is."""
    cdef Py_ssize_t present[MOST_FIELDS]
    cdef Py_ssize_t taken[MOST_FIELDS]
    cdef Py_ssize_t left = 0
    cdef PyObject *slot
    cdef PyObject *value
    cdef Node node = plan.start
    cdef Step *step
    cdef int i, code
    if <PyObject *>Py_TYPE(<PyObject *>message) != <PyObject *>plan.cls:
        raise Unclear
    for i in range(plan.count):
        slot = v2g_get(<PyObject *>message, plan.offsets[i])
        if slot == NULL:
            raise Unclear
        taken[i] = 0
        if <object>PyTuple_GET_ITEM(plan.repeated, i) is True:
            if not PyTuple_CheckExact(<object>slot):
                raise Unclear
            present[i] = PyTuple_GET_SIZE(<object>slot)
        else:
            present[i] = slot != <PyObject *>None
        left += present[i]
    while True:
        for code in range(node.count):
            step = &node.steps[code]
            if step.kind == END:
                if left == 0:
                    return put(s, code, node.width)
                continue
            if step.kind == REFUSED or taken[step.slot] >= present[step.slot]:
                continue
            value = v2g_get(<PyObject *>message, plan.offsets[step.slot])
            if step.repeated:
                value = PyTuple_GET_ITEM(<object>value, taken[step.slot])
            if not step.selective or <PyObject *>Py_TYPE(value) == step.content:
                break
        else:
            raise Unclear
        taken[step.slot] += 1
        left -= 1
        put(s, code, node.width)
        if step.kind == COMPLEX:
            write_plan(s, <Plan>(step.plan if step.plan != NULL else plan.tables.planned(step)), <object>value)
        elif step.wrapped:
            put(s, 0, 1)
            write_value(s, step, <object>value)
            put(s, 0, 1)
        else:
            write_value(s, step, <object>value)
        if step.limit and taken[step.slot] >= step.limit:
            node = <Node>(step.full if step.full != NULL else plan.link(node, code, True))
        else:
            node = <Node>(step.after if step.after != NULL else plan.link(node, code, False))


cdef class Writers:
    """Messages to octets in a schema set. Raises `Unclear` where the usual way ends."""

    cdef Tables tables

    def __init__(self, schema_set):
        self.tables = Tables(schema_set)

    def document(self, message):
        schema_set = self.tables.set
        found = schema_set.document_code(type(message))
        if found is None:
            raise Unclear
        return self.written(message, found[0], schema_set.document_width, -1)

    def fragment(self, message, element):
        schema_set = self.tables.set
        name = element_name(message, schema_set, element)
        if schema_set.fragment_content(name) is None:
            raise Unclear
        codes = schema_set.fragment_codes
        return self.written(message, codes[name], schema_set.fragment_width, len(codes) + 1)

    cdef object written(self, message, int code, int width, int end):
        cdef Sink s
        s.room = 512
        s.octets = <uint8_t *>malloc(s.room)
        s.count = s.bits = 0
        s.pending = 0
        try:
            put(&s, 0x80, 8)
            put(&s, code, width)
            write_plan(&s, self.tables.plan(type(message)), message)
            if end >= 0:
                put(&s, end, width)
            put(&s, 0, -s.bits & 7)
            while s.bits:
                s.bits -= 8
                s.octets[s.count] = <uint8_t>(s.pending >> s.bits)
                s.count += 1
            return PyBytes_FromStringAndSize(<char *>s.octets, s.count)
        finally:
            free(s.octets)
