"""What a fleet keeps, declared. Every row belongs to a tenant. Times are epoch s, energies Wh, powers W with + into the car."""

from typing import Final

from sqlalchemy import DDL, Connection, Index, Table, UniqueConstraint, event
from sqlalchemy import text as text_of
from sqlalchemy.schema import ExecutableDDLElement

from v2gkit.sql.schema import Again, Schema, number, real, text, whole


def _hurried(connection: Connection) -> None:
    """Version 2: orders that nobody has answered are found without reading those that were."""
    connection.execute(text_of("CREATE INDEX IF NOT EXISTS orders_open ON orders (state, tenant)"))


def _planned(connection: Connection) -> None:
    """Version 3: plans have a table, which is made with all others that are missing."""


def _priced(connection: Connection) -> None:
    """Version 4: so have prices."""


SCHEMA: Final = Schema("the fleet", version=4, firsts=frozenset({"received", "sent"}), steps={2: _hurried, 3: _planned, 4: _priced})
METADATA: Final = SCHEMA.metadata
_table = SCHEMA.table

DECLARED: Final = _table(  # a tenant, site, asset, contract or program, as JSON
    "declared",
    Again.NEWER,
    text("tenant", primary_key=True),
    text("kind", primary_key=True),
    text("id", primary_key=True),
    text("doc"),
    real("at"),
    whole("gone"),  # 1: it is declared no more
)
KEYS: Final = _table(
    "keys",
    Again.NEWER,
    text("digest", primary_key=True),  # SHA-256 of the key
    *map(text, ("tenant", "name", "role")),
    *map(real, ("made", "revoked")),
)
SIGNALS: Final = _table(
    "signals",
    Again.NEWER,
    text("tenant", primary_key=True),
    text("id", primary_key=True),
    real("version", primary_key=True),
    *map(text, ("source", "protocol", "kind", "fate", "by", "doc")),
    *map(real, ("received", "acknowledged", "start", "until")),
)
DECISIONS: Final = _table(
    "decisions",
    Again.SAME,
    text("tenant", primary_key=True),
    text("id", primary_key=True),
    text("site"),
    real("at"),
    *map(text, ("cause", "doc")),  # the question and the answer: whoever asks the first gets the second
    Index("decisions_at", "tenant", "at"),
)
ORDERS: Final = _table(  # the outbox: what each asset is told, until it answers
    "orders",
    Again.NEWER,
    text("tenant", primary_key=True),
    text("asset", primary_key=True),
    text("id", primary_key=True),
    text("decision"),
    *map(real, ("power", "cap", "safe", "lasts", "sent", "answered")),
    *map(text, ("state", "said")),  # open, done, refused, replaced
    Index("orders_open", "state", "tenant"),
)
PLANS: Final = _table(  # the newest plan of each site, as `v2gkit.fleet.plans.task.Planned`
    "plans", Again.NEWER, text("tenant", primary_key=True), text("site", primary_key=True), real("at"), text("doc")
)
PRICES: Final = _table(  # what energy costs at sites, by tariff, in the currency of the tenant for a kWh
    "prices",
    Again.NEWER,
    text("tenant", primary_key=True),
    text("tariff", primary_key=True),
    real("start", primary_key=True),
    *map(real, ("until", "import_price", "export_price")),
)
SHED: Final = _table(  # who had less than it wanted, and why
    "shed",
    Again.SAME,
    text("tenant", primary_key=True),
    text("decision", primary_key=True),
    text("asset", primary_key=True),
    text("site"),
    *map(real, ("at", "wanted", "given")),
    text("why"),
    Index("shed_at", "tenant", "at"),
)
REGISTERS: Final = _table(
    "registers",
    Again.SAME,
    text("tenant", primary_key=True),
    text("asset", primary_key=True),
    text("session", primary_key=True),
    real("at", primary_key=True),
    *map(real, ("imported", "exported")),
)
SESSIONS: Final = _table(
    "sessions",
    Again.NEWER,
    text("tenant", primary_key=True),
    text("asset", primary_key=True),
    text("id", primary_key=True),
    *map(text, ("contract", "viewer")),
    *map(real, ("began", "ended", "departure", "target", "settled")),  # settled: until when it is in the books
)
POWER: Final = _table(
    "power",
    Again.NEVER,
    number(),
    *map(text, ("tenant", "site")),
    *map(real, ("at", "power", "planned", "cap")),
    Index("power_at", "tenant", "at"),
)
AUDIT: Final = _table("audit", Again.NEVER, number(), text("tenant"), real("at"), *map(text, ("who", "role", "method", "path", "outcome")))
BOOKS: Final = _table(
    "books",
    Again.NEVER,
    text("tenant", primary_key=True),
    whole("number", primary_key=True),
    text("contract", nullable=False),
    whole("start", nullable=False),
    whole("end", nullable=False),
    whole("revision", nullable=False),
    *(text(name, nullable=False) for name in ("run", "postings", "bases", "before", "digest")),
    UniqueConstraint("tenant", "contract", "start", "end", "revision"),
    Index("books_interval", "tenant", "contract", "start"),
)
UNCHANGED: Final = "rows of the books are never changed"


def _unchanging(table: Table) -> None:
    """Let the database itself refuse whoever changes a row of the books or deletes it."""
    for verb in ("UPDATE", "DELETE"):
        lite = f"CREATE TRIGGER IF NOT EXISTS books_{verb} BEFORE {verb} ON books BEGIN SELECT RAISE(ABORT, '{UNCHANGED}'); END"
        _after(table, _ddl(lite), "sqlite")
    body = (
        f"CREATE OR REPLACE FUNCTION books_unchanged() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION '{UNCHANGED}'; END $$ LANGUAGE plpgsql"
    )
    _after(table, _ddl(body.replace("%", "%%")), "postgresql")
    trigger = "CREATE TRIGGER books_unchanged BEFORE UPDATE OR DELETE ON books FOR EACH ROW EXECUTE FUNCTION books_unchanged()"
    _after(table, _ddl(trigger), "postgresql")


def _ddl(statement: str) -> ExecutableDDLElement:
    return DDL(statement)  # type: ignore[no-untyped-call]


def _after(table: Table, ddl: ExecutableDDLElement, dialect: str) -> None:
    event.listen(table, "after_create", ddl.execute_if(dialect=dialect))


_unchanging(BOOKS)
