"""Behaviours of the signals of the grid that a test must hold: what caps, what silence, replays and other tenants may not do."""

from fuzz.behaviours import Mutant

ROOM = "v2gkit/grid/"
BOOK, LINK = ROOM + "book.py", ROOM + "link.py"


def grid(module: str, *tests: str) -> tuple[str, ...]:
    return tuple(f"tests/v2gkit/grid/test_{module}.py::test_{test}" for test in tests)


HEEDING = "tests/v2gkit/csms/test_heeding.py::test_"
SIGNALS = (
    Mutant(
        "of caps the first holds",
        "flex",
        ROOM + "standing.py",
        "    least = min((value for value, _ in caps), default=inf)\n",
        "    least = caps[0][0] if caps else inf\n",
        grid("book", "the_lowest_cap_holds_and_is_named"),
        "a cap does not hold because another one was told before it",
    ),
    Mutant(
        "a cap of a lost source ends",
        "flex",
        LINK,
        "each if self._ends(each) or each.kind in told else _endless(each, now)",
        "each",
        grid("book", "without_a_fallback_the_last_cap_outlives_its_end_until_the_source_is_back"),
        "the end of a cap raises the limit while nobody can say the next one",
    ),
    Mutant(
        "a lost source has no fallback",
        "flex",
        LINK,
        "                if power is not None\n            ),",
        "                if power is None\n            ),",
        grid("book", "the_loss_of_a_link_never_raises_a_limit", "before_a_source_was_ever_heard_its_fallback_holds"),
        "silence leaves the limits as they were, whatever was agreed",
    ),
    Mutant(
        "a source that was never heard counts as heard",
        "flex",
        LINK,
        "        if self.state is State.HEARD:\n            return given",
        "        if self.state is not State.LOST:\n            return given",
        grid("book", "before_a_source_was_ever_heard_its_fallback_holds"),
        "everything is allowed until the first word",
    ),
    Mutant(
        "a setpoint without end outlives its source",
        "flex",
        LINK,
        "each.kind is not Kind.SETPOINT or each.power.duration < YEAR",
        "True",
        grid("book", "a_setpoint_without_end_is_followed_while_its_source_is_heard"),
        "cars discharge for a box that has been gone for days",
    ),
    Mutant(
        "an older version is taken",
        "flex",
        BOOK,
        "told.version < version:",
        "told.version < version - 1e9:",
        grid(
            "book",
            "what_a_hostile_server_says_is_one_clear_error_and_changes_nothing",
            "a_signal_that_was_withdrawn_does_not_come_back_by_a_replay",
        ),
        "a replayed signal takes the place of the newer one",
    ),
    Mutant(
        "another tenant's signal is taken",
        "flex",
        BOOK,
        "        if told.tenant and told.tenant != self.tenant:\n",
        "        if False:\n",
        grid("book", "what_a_hostile_server_says_is_one_clear_error_and_changes_nothing"),
        "one tenant's signal steers another one",
    ),
    Mutant(
        "a source counts as heard although a limit is lacking",
        "flex",
        BOOK,
        "        if whole:\n",
        "        if True:\n",
        grid("book", "more_signals_than_anybody_follows_are_a_fault_and_the_source_is_not_heard"),
        "what could not be read is taken for no limit",
    ),
    Mutant(
        "a meter that has fallen silent counts",
        "flex",
        ROOM + "modbus/headroom.py",
        "if now - at <= self._site.patience * LATE",
        "if True",
        grid("modbus", "chargers_may_have_what_the_connection_does_not_need"),
        "what is left is reckoned from a load of long ago",
    ),
    Mutant(
        "an answer of another transaction is taken",
        "flex",
        ROOM + "modbus/frames.py",
        "        if (transaction, unit) != (self._transaction, self._unit):\n",
        "        if unit != self._unit:\n",
        grid("modbus", "what_is_no_answer_is_told"),
        "an old reading is taken for the present one",
    ),
    Mutant(
        "the secret goes where the VTN says",
        "flex",
        ROOM + "openadr3/ven.py",
        "        if origin(where) != origin(access.url):\n",
        "        if False:\n",
        grid("openadr3", "a_vtn_that_lies_is_one_clear_error"),
        "a VTN sends the client's secret to another origin",
    ),
    Mutant(
        "a document type is read",
        "flex",
        ROOM + "openadr2/messages.py",
        'if "<!DOCTYPE" in text or "<!ENTITY" in text:',
        "if False:",
        grid("openadr2", "a_message_with_entities_is_refused_for_them"),
        "a message may declare entities",
    ),
    Mutant(
        "what a station holds that has gone is given to the others",
        "flex",
        "v2gkit/csms/bounds.py",
        "    return max(cap - kept, 0.0) / max(len(reached), 1)\n",
        "    return max(cap, 0.0) / max(len(reached), 1)\n",
        (HEEDING + "parts_that_fall_are_told_before_any_rises_and_who_is_deaf_costs_the_others",),
        "stations together take more than the limit",
    ),
    Mutant(
        "an export cap does not reach the cars",
        "flex",
        "v2gkit/csms/bounds.py",
        "export_limit=min(_least(strategy.site.export_limit), self.export_cap)",
        "export_limit=_least(strategy.site.export_limit)",
        (HEEDING + "bounds_bind_a_strategy",),
        "cars give back more than the grid takes",
    ),
)
