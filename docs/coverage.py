"""Which actions of OCPP the station and the CSMS know, and the test that proves it: read from schemas, tables, code and tests."""

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from ocpp_bridge.blocks import elsewhere
from ocpp_bridge.table import REQUESTS
from ocpp_bridge.wire.schemas import actions

ROOT: Final = Path(__file__).parents[1]
STATION: Final = frozenset(
    {
        "Authorize",
        "BatterySwap",
        "BootNotification",
        "ClearedChargingLimit",
        "ClosePeriodicEventStream",
        "FirmwareStatusNotification",
        "Get15118EVCertificate",
        "GetCertificateChainStatus",
        "GetCertificateStatus",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "NotifyChargingLimit",
        "NotifyCustomerInformation",
        "NotifyDERAlarm",
        "NotifyDERStartStop",
        "NotifyDisplayMessages",
        "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule",
        "NotifyEvent",
        "NotifyMonitoringReport",
        "NotifyPeriodicEventStream",
        "NotifyPriorityCharging",
        "NotifyReport",
        "NotifySettlement",
        "OpenPeriodicEventStream",
        "PublishFirmwareStatusNotification",
        "PullDynamicScheduleUpdate",
        "ReportChargingProfiles",
        "ReportDERControl",
        "ReservationStatusUpdate",
        "SecurityEventNotification",
        "SignCertificate",
        "StatusNotification",
        "TransactionEvent",
        "VatNumberValidation",
    }
)
"""Actions that a station calls; all others are the CSMS's, and DataTransfer is both's."""
CASES: Final[Mapping[str, str]] = {
    "A": "CertificateSigned (A02, A03) SecurityEventNotification (A04) SignCertificate (A02, A03)",
    "B": "BootNotification (B01 to B03) GetBaseReport (B07) GetReport (B08) GetVariables (B06) NotifyReport (B07, B08) "
    "Reset (B11 to B13) SetNetworkProfile (B09) SetVariables (B05)",
    "C": "Authorize (C01 to C09) ClearCache (C11) NotifySettlement (C19 to C22) NotifyWebPaymentStarted (C25) "
    "VatNumberValidation (C18, C24)",
    "D": "GetLocalListVersion (D02) SendLocalList (D01)",
    "E": "GetTransactionStatus (E14) TransactionEvent (E01 to E17)",
    "F": "RequestStartTransaction (F01, F02, F07) RequestStopTransaction (F03, F04) TriggerMessage (F06) UnlockConnector (F05)",
    "G": "ChangeAvailability (G03, G04) Heartbeat (G02) StatusNotification (G01)",
    "H": "CancelReservation (H02) ReservationStatusUpdate (H04) ReserveNow (H01)",
    "I": "ChangeTransactionTariff (I11) ClearTariffs (I10) CostUpdated (I02) GetTariffs (I09) SetDefaultTariff (I07)",
    "J": "MeterValues (J01)",
    "K": "ClearChargingProfile (K10) ClearedChargingLimit (K13) GetChargingProfiles (K09) GetCompositeSchedule (K08) "
    "NotifyChargingLimit (K11, K12, K29) NotifyEVChargingNeeds (K15, K17 to K20) NotifyEVChargingSchedule (K15 to K19) "
    "NotifyPriorityCharging (K22) PullDynamicScheduleUpdate (K28) ReportChargingProfiles (K09) SetChargingProfile (K01) "
    "UpdateDynamicSchedule (K28) UsePriorityCharging (K21)",
    "L": "FirmwareStatusNotification (L01, L02) PublishFirmware (L03) PublishFirmwareStatusNotification (L03) UnpublishFirmware (L04) "
    "UpdateFirmware (L01, L02)",
    "M": "DeleteCertificate (M04) Get15118EVCertificate (M01, M02) GetCertificateChainStatus (M07) GetCertificateStatus (M06) "
    "GetInstalledCertificateIds (M03) InstallCertificate (M05)",
    "N": "AdjustPeriodicEventStream (N14) ClearVariableMonitoring (N06) ClosePeriodicEventStream (N13) CustomerInformation (N09, N10) "
    "GetMonitoringReport (N02) GetPeriodicEventStream (N12) GetLog (N01) LogStatusNotification (N01) NotifyCustomerInformation (N09) "
    "NotifyEvent (N07, N08) NotifyMonitoringReport (N02) NotifyPeriodicEventStream (N15) OpenPeriodicEventStream (N11) "
    "SetMonitoringBase (N03) SetMonitoringLevel (N05) SetVariableMonitoring (N04)",
    "O": "ClearDisplayMessage (O05) GetDisplayMessages (O03, O04) NotifyDisplayMessages (O03, O04) SetDisplayMessage (O01, O02, O06)",
    "P": "DataTransfer (P01, P02)",
    "Q": "AFRRSignal (Q08) NotifyAllowedEnergyTransfer (Q02)",
    "R": "ClearDERControl (R04) GetDERControl (R04) NotifyDERAlarm (R05) NotifyDERStartStop (R04) ReportDERControl (R04) "
    "SetDERControl (R04)",
    "S": "BatterySwap (S01 to S03) RequestBatterySwap (S02)",
}
"""Functional block -> its actions, with the use cases that are theirs alone, as public status lists of other stations number them."""
TESTS: Final = ("tests/ocpp_bridge", "tests/v2gkit/csms", "tests/integration")


def use_cases(action: str) -> str:
    """The functional block of an action, with its use cases as far as they are its own."""
    for block, listed in CASES.items():
        for one in listed.replace(") ", ")\n").replace(" (", "\t(").split():
            if one == action:
                _, _, rest = listed.partition(action)
                return rest[2 : rest.index(")")] if rest.startswith(" (") else block
    raise KeyError(action)


def known() -> dict[str, frozenset[str]]:
    """The actions of each version."""
    return {"2.1": actions("ocpp2.1"), "2.0.1": actions("ocpp2.0.1")}


@cache
def named(folder: str, without: str = "") -> frozenset[str]:
    """The actions that stand as words in the code of a folder."""
    every = actions("ocpp2.1") | actions("ocpp2.0.1")
    files = [path for path in (ROOT / folder).rglob("*.py") if not without or without not in str(path.relative_to(ROOT))]
    return frozenset(word for path in files for word in _words(ast.parse(path.read_text(encoding="utf-8"))) if word in every)


def _words(tree: ast.AST) -> Iterable[str]:
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


Named = dict[str, tuple[set[str], set[str]]]  # name -> words that stand in its definition, names that it uses


@cache
def proofs() -> Mapping[str, tuple[str, ...]]:
    """Action -> the tests that name it: first those that do so themselves, then those by a function or constant that they use."""
    files = sorted({path for folder in TESTS for path in (ROOT / folder).rglob("*.py")})
    definitions = {path: _definitions(path) for path in files}
    shared = {name: each for path, those in definitions.items() if not path.name.startswith("test_") for name, each in those.items()}
    found: dict[str, list[tuple[bool, str]]] = {}
    for path, those in definitions.items():
        for name in those:
            if path.name.startswith("test_") and name.startswith("test_"):
                for word in _reached(name, {**shared, **those}):
                    found.setdefault(word, []).append((word not in those[name][0], f"{path.relative_to(ROOT)}::{name}"))
    return {word: tuple(test for _, test in sorted(tests)) for word, tests in found.items()}


def _definitions(path: Path) -> Named:
    """What a module defines: functions, methods, constants."""
    found: Named = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        parts = node.body if isinstance(node, ast.ClassDef) else [node]
        for part in parts:
            names = [part.name] if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) else _assigned(part)
            uses = {each.id for each in ast.walk(part) if isinstance(each, ast.Name)}
            uses |= {each.attr for each in ast.walk(part) if isinstance(each, ast.Attribute)}
            found |= {name: (set(_words(part)) | uses, uses) for name in names}  # a foreign library names a call by its class
    return found


def _assigned(node: ast.AST) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [each.id for each in targets if isinstance(each, ast.Name)]


def _reached(name: str, those: Named) -> set[str]:
    """The words of a definition and of those that it uses."""
    seen, waiting, words = {name}, [name], set[str]()
    while waiting:
        here, uses = those[waiting.pop()]
        words |= here
        further = {each for each in uses if each in those and not each.startswith("test_")} - seen
        seen |= further
        waiting += further
    return words


def state(action: str) -> str:
    """What the station does with an action."""
    if action in STATION:
        return "sent" if action in named("ocpp_bridge", "wire/") else "not sent"
    return "NotSupported" if action in elsewhere.WHY or action not in REQUESTS else "answered"


def rows() -> Iterable[tuple[str, str, str, str, str, str, str]]:
    """For each action: name, versions, from whom, use cases, what the station does, what `v2g csms` does, the first test."""
    versions = known()
    for action in sorted(versions["2.1"] | versions["2.0.1"]):
        which = " ".join(name for name, those in versions.items() if action in those)
        way = "both" if action == "DataTransfer" else "station" if action in STATION else "CSMS"
        csms = ("heard" if action in STATION else "sent") if action in named("v2gkit/csms") else ""
        test = next(iter(proofs().get(action, ())), "")
        yield action, which, way, use_cases(action), state(action), csms, test


def unproven() -> list[str]:
    """Actions that no test names, whether they are answered, sent, heard or refused."""
    return sorted(row[0] for row in rows() if not row[6])
