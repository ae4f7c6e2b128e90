"""What keeps a station's transactions and its CSMS's events over the end of its process; rows as in `fuzz.safeguards`."""

from fuzz.behaviours import Mutant

OUTBOX, RESUMPTION = "ocpp_bridge/wire/outbox.py", "ocpp_bridge/blocks/resumption.py"


def keeping(*tests: str) -> tuple[str, ...]:
    return tuple(f"tests/ocpp_bridge/test_keeping.py::test_{test}" for test in tests)


KEPT = (
    Mutant(
        "an event is sent before it is on the disk",
        "12",
        OUTBOX,
        "if now < call.due or call.rests_on > self.durable:",
        "if now < call.due:",
        keeping("a_station_that_is_killed_anywhere_loses_and_doubles_nothing", "nothing_leaves_before_the_commit_of_what_it_rests_on"),
        "after a kill one number names two events",
    ),
    Mutant(
        "an answer goes before what it promises is on the disk",
        "12",
        "ocpp_bridge/charge_point.py",
        "            await self._keeping.landed()  # what was accepted outlives us before that is said\n",
        "",
        keeping("an_answer_waits_for_the_disk_and_no_session_waits_for_either"),
        "a profile that was accepted is gone after a kill",
    ),
    Mutant(
        "the number of the next event is not kept",
        "12",
        RESUMPTION,
        '"id", "started", "seq", ',
        '"id", "started", ',
        keeping(
            "a_transaction_goes_on_after_a_restart_where_its_car_is_still_there",
            "a_station_that_is_killed_anywhere_loses_and_doubles_nothing",
        ),
        "events after a restart bear numbers that the CSMS knows",
    ),
    Mutant(
        "a transaction goes on with another car",
        "12",
        RESUMPTION,
        "(go_on if resumed or evccid == evse.interrupted.transaction.evccid else give_up)(charger, evse, now)",
        "go_on(charger, evse, now)",
        keeping("a_transaction_whose_car_is_gone_ends_with_its_last_register_and_the_time_of_it"),
        "one driver pays for the energy of another",
    ),
    Mutant(
        "being hung counts as an attempt",
        "12",
        OUTBOX,
        "        if code == CONNECTION_LOST or (code == TIMEOUT and call.action == EVENT):\n",
        "        if code == CONNECTION_LOST:\n",
        keeping("being_hung_is_no_attempt_and_being_refused_is"),
        "three minutes of a CSMS that hangs lose the end of a transaction",
    ),
    Mutant(
        "a CSMS that ignores a message is asked for ever",
        "12",
        OUTBOX,
        "        if code == CONNECTION_LOST or (code == TIMEOUT and call.action == EVENT):\n",
        "        if code in (CONNECTION_LOST, TIMEOUT):\n",
        keeping("a_csms_that_does_not_know_security_events_hears_of_transactions", "a_notice_that_was_cut_off_is_sent_again"),
        "every event of a transaction waits half a minute behind what nobody answers",
    ),
)
