"""What a CSMS keeps, declared: one SQLAlchemy Core table for each kind of thing. Times are epoch s, energies Wh, powers W.

A row that is met again is one of three kinds: it is the same (events come twice), it is renewed (a station), or there is no meeting
again because it has a number of its own.
"""

from typing import Final

from sqlalchemy import Column, Index, Integer, UniqueConstraint

from v2gkit.sql.schema import Again, Schema
from v2gkit.sql.schema import number as _number
from v2gkit.sql.schema import real as _real
from v2gkit.sql.schema import text as _text
from v2gkit.sql.schema import whole as _whole

SCHEMA: Final = Schema("the CSMS", version=1, firsts=frozenset({"first_seen", "began"}))
METADATA: Final = SCHEMA.metadata
_table = SCHEMA.table

STATIONS = _table(
    "stations",
    Again.NEWER,
    _text("id", primary_key=True),
    *map(_text, ("vendor", "model", "serial", "firmware", "version", "status", "connectors", "process")),
    *map(_real, ("first_seen", "last_seen")),
)
CONNECTIONS = _table(
    "connections",
    Again.NEWER,
    _text("id", primary_key=True),  # process and number
    _text("station", index=True),
    *map(_text, ("process", "version", "peer", "reason")),
    *map(_real, ("began", "ended")),
)
TRANSACTIONS = _table(
    "transactions",
    Again.NEWER,
    _text("station", primary_key=True),
    _text("id", primary_key=True),
    _whole("evse"),
    *map(_text, ("token", "token_type", "charging_state", "operation_mode", "stopped_reason", "viewer")),
    _real("began", index=True),
    _real("ended"),
    _real("updated"),
    *map(_whole, ("import_first_no", "import_last_no", "export_first_no", "export_last_no", "profile")),  # seqNo of the registers; id
    *map(_real, ("import_first", "import_last", "export_first", "export_last", "power")),
    Index("transactions_open", "station", "ended"),
)
EVENTS = _table(
    "events",
    Again.SAME,
    _number(),
    *map(_text, ("station", "transaction")),
    _whole("seq_no"),
    *map(_real, ("at", "received")),
    *map(_text, ("kind", "trigger")),
    Column("offline", Integer),
    _text("payload"),  # as it came, JSON
    UniqueConstraint("station", "transaction", "seq_no"),
)
SAMPLES = _table(
    "samples",
    Again.SAME,
    _number(),
    _text("station"),
    _text("transaction"),  # null: a value that belongs to none
    _whole("seq_no"),
    _whole("place"),  # among the values of its event
    _whole("evse"),
    _real("at"),
    *map(_text, ("measurand", "phase", "location", "context", "unit")),
    _real("value"),
    UniqueConstraint("station", "transaction", "seq_no", "place"),
)
PROFILES = _table(
    "profiles",
    Again.NEVER,
    _number(),
    _text("station", index=True),
    _text("transaction"),
    *map(_whole, ("evse", "id")),
    _text("kind"),  # sent: by the CSMS; chosen: what the car follows; needs: what it wants
    _real("at"),
    *map(_text, ("status", "payload")),
)
VARIABLES = _table(
    "variables",
    Again.NEWER,
    *(_text(name, primary_key=True) for name in ("station", "component", "variable", "attribute")),
    *map(_text, ("value", "mutability", "data_type")),
    _real("at"),
)
CERTIFICATES = _table(
    "certificates",
    Again.NEVER,
    _number(),
    _text("station", index=True),
    _real("at"),
    *map(_text, ("kind", "name", "serial", "status", "detail")),
)
SECURITY_EVENTS = _table(
    "security_events", Again.NEVER, _number(), _text("station", index=True), _real("at"), *map(_text, ("kind", "detail"))
)
MESSAGES = _table(  # reports and alarms that have no table of their own: monitoring, DER, limits, firmware, displays, events
    "messages", Again.NEVER, _number(), _text("station", index=True), _real("at"), *map(_text, ("action", "payload"))
)
STORY = _table("story", Again.NEVER, _number(), _text("station", index=True), _real("at"), *map(_text, ("topic", "text")))
POWER = _table(
    "power", Again.NEVER, _number(), _real("at", index=True), _text("process"), *map(_real, ("imported", "exported", "planned")),
    _whole("sessions"),
)  # fmt: skip
OPERATIONS = _table(
    "operations", Again.NEVER, _number(), _real("at"), *map(_text, ("who", "role", "operation", "station", "detail", "outcome"))
)
