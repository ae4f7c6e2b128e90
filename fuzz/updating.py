"""What keeps foreign firmware out of a station, and cars from charging unproved by its CSMS; rows as in `fuzz.safeguards`."""

from fuzz.behaviours import Mutant

BLOCK, MODEL, SHELL, TRANSFER = (
    "ocpp_bridge/blocks/firmware.py",
    "ocpp_bridge/model/firmware.py",
    "ocpp_bridge/installing.py",
    "ocpp_bridge/transfer.py",
)
AUTHORIZATION = "ocpp_bridge/blocks/authorization.py"


def frames(*tests: str) -> tuple[str, ...]:
    return tuple(f"tests/ocpp_bridge/test_firmware_updates.py::test_{test}" for test in tests)


def sockets(*tests: str) -> tuple[str, ...]:
    return tuple(f"tests/ocpp_bridge/test_installing.py::test_{test}" for test in tests)


def rules(*tests: str) -> tuple[str, ...]:
    return tuple(f"tests/ocpp_bridge/test_authorization_rules.py::test_{test}" for test in tests)


UPDATES = (
    Mutant(
        "firmware is taken whoever has signed it",
        "12",
        BLOCK,
        '        why = "" if proved else "the signature is not one over this file"\n',
        '        why = ""\n',
        frames("a_signature_that_is_not_one_over_the_file_ends_it_with_an_event"),
        "a CSMS that somebody has broken into installs what it likes",
    ),
    Mutant(
        "a certificate for firmware may be of anybody",
        "12",
        MODEL,
        "    if issuer is None:\n",
        "    if issuer is None and not roots:\n",
        frames("a_certificate_that_signs_no_firmware_is_refused_and_an_event"),
        "a signature proves nothing about who made the file",
    ),
    Mutant(
        "unsigned firmware is taken",
        "12",
        BLOCK,
        "if len(given) == 1 or not (given or firmware.unsigned):",
        "if len(given) == 1:",
        frames("unsigned_firmware_is_taken_where_the_owner_says_so_alone"),
        "no signature is as good as one",
    ),
    Mutant(
        "the file is not looked at again before it is installed",
        "12",
        SHELL,
        "why = await asyncio.to_thread(_changed, file, update.digest) or await",
        "why = await",
        sockets("a_file_that_was_changed_on_the_disk_is_not_installed"),
        "what was proved is not what is installed",
    ),
    Mutant(
        "firmware is fetched from anywhere",
        "12",
        BLOCK,
        'if why := objection(wanted["location"], firmware.hosts, "firmware is fetched from"):',
        'if why := "":',
        frames("firmware_is_fetched_from_the_csms_and_whom_the_owner_names"),
        "a CSMS knocks at every door of the station's network",
    ),
    Mutant(
        "a file may be as long as it likes",
        "12",
        TRANSFER,
        "if not 0 < int(text) <= maximum:",
        "if not 0 < int(text):",
        sockets("what_is_no_whole_file_is_an_error_and_no_more"),
        "a file fills the disk on which transactions are kept",
    ),
    Mutant(
        "firmware is installed under a car",
        "12",
        BLOCK,
        "    return any(evse.transaction or evse.session or evse.interrupted for evse in charger.evses.values())\n",
        "    return False\n",
        frames("it_is_installed_once_nobody_charges_and_new_cars_wait_unless_they_may_come"),
        "a car loses its station in the midst of a charge",
    ),
    Mutant(
        "a contract is asked about without proof",
        "12",
        AUTHORIZATION,
        "        if want.chain and not proved and charger.accepted:  # [C07.FR.02] [C07.FR.06]\n",
        "        if False:\n",
        rules("c07_fr_02_and_06_a_contract_that_cannot_be_proved_is_refused_before_the_csms_is_asked"),
        "the CSMS says of an account what nobody has proved of the car",
    ),
    Mutant(
        "a contract needs no root where there is no CSMS",
        "12",
        AUTHORIZATION,
        '    if want.authorization == "PnC" and want.chain and not rooted(want.chain, charger.roots):  # [C07.FR.08]\n',
        "    if False:\n",
        rules("what_decides_without_the_csms"),
        "whoever makes a contract of his own charges offline",
    ),
    Mutant(
        "a token that is known to be refused is a stranger's",
        "12",
        AUTHORIZATION,
        "    before = known(charger, shown, now)\n    if before is None:\n",
        '    before = known(charger, shown, now) if variables.yes("AuthCtrlr.LocalAuthorizeOffline") else None\n    if before is None:\n',
        rules("what_decides_without_the_csms"),
        "a blocked card charges while the CSMS is away",
    ),
    Mutant(
        "an invalid token has its power all the same",
        "12",
        "ocpp_bridge/smart/planning.py",
        "    if evse.transaction is not None and evse.transaction.spent:\n        return replace(said, period=NOTHING)\n",
        "",
        rules("e05_fr_01_where_it_does_not_end_it_power_is_suspended_at_once"),
        "energy flows that nobody pays",
    ),
)
