"""The laws as tables: a row for each rule, with its source, the day from which it holds, what is looked at, and the check."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from v2gkit.regulation import checks, hours
from v2gkit.regulation.rule import Profile, Rule, paper

UK = "SI 2021/1467"
UK_SCP: Final = Profile(
    "uk-scp-2021",
    "The Electric Vehicles (Smart Charge Points) Regulations 2021 (Great Britain, private charge points below 50 kW)",
    "explanatory note and guides; regulation 11 from a third party's copy; the wording of 9, 10 and Schedule 1 is to be compared",
    (
        Rule("uk-5", f"{UK} reg. 5", "the rate of charging follows a signal", "traces", checks.follows, date(2022, 6, 30)),
        Rule(
            "uk-6", f"{UK} reg. 6", "another supplier loses no function", "documents", paper("supplier_change", "how suppliers are changed")
        ),
        Rule(
            "uk-7", f"{UK} reg. 7", "a car charges though the network is cut", "station file, traces", checks.on_its_own, date(2022, 6, 30)
        ),
        Rule(
            "uk-8",
            f"{UK} reg. 8",
            "unsafe commands are refused",
            "documents",
            paper("safety_test", "a report that unsafe commands are refused"),
        ),
        Rule("uk-9a", f"{UK} reg. 9", "energy both ways, start and end of each session", "traces", checks.measured, date(2022, 6, 30)),
        Rule("uk-9b", f"{UK} reg. 9", "sessions of twelve months can be read", "books", checks.kept_for_a_year, date(2022, 6, 30)),
        Rule("uk-9c", f"{UK} reg. 9", "power each second", "traces", checks.every_second, date(2022, 6, 30)),
        Rule("uk-9d", f"{UK} reg. 9", "error of at most 10 %", "documents", paper("meter_accuracy", "a comparison with a reference meter")),
        Rule(
            "uk-10",
            f"{UK} reg. 10",
            "off-peak by default: not Mon-Fri 8-11 and 16-22",
            "station file, traces, documents",
            hours.off_peak,
            date(2022, 6, 30),
        ),
        Rule(
            "uk-10a",
            f"{UK} reg. 10",
            "first use offers to accept, remove, change",
            "documents",
            paper("first_use", "what a driver is asked at first use"),
        ),
        Rule(
            "uk-11", f"{UK} reg. 11", "a random delay of 0 to 600 s, at most 1800", "station file, traces", hours.delayed, date(2022, 6, 30)
        ),
        Rule("uk-s1a", f"{UK} Sch. 1", "no shared password", "station file", checks.passwords, date(2022, 12, 30)),
        Rule("uk-s1b", f"{UK} Sch. 1", "communication is encrypted", "station file, traces", checks.confidential, date(2022, 12, 30)),
        Rule("uk-s1c", f"{UK} Sch. 1", "updates are signed and verified", "station file", checks.updates, date(2022, 12, 30)),
        Rule("uk-s1d", f"{UK} Sch. 1", "security events are logged and told", "traces", checks.security_events, date(2022, 12, 30)),
        Rule(
            "uk-s1e",
            f"{UK} Sch. 1",
            "tampering is noticed and told to the owner",
            "documents",
            paper("tamper_test", "a report on tampering"),
        ),
        Rule(
            "uk-13",
            f"{UK} reg. 13",
            "a statement of compliance",
            "documents",
            paper("statement_of_compliance", "the statement of compliance"),
        ),
        Rule("uk-13a", f"{UK} reg. 13", "a technical file", "documents", paper("technical_file", "the technical file")),
        Rule(
            "uk-14", f"{UK} reg. 14", "a register of sales for 10 years", "documents", paper("register_of_sales", "the register of sales")
        ),
    ),
)

AFIR_LAW, AFIR_ACT = "Regulation (EU) 2023/1804", "Regulation (EU) 2023/1804 as amended by (EU) 2025/656"
AFIR: Final = Profile(
    "afir",
    "Alternative fuels infrastructure (EU): public charge points, and -20 on public and private Mode 3",
    "headings in the Official Journal and trade press; articles are to be compared",
    (
        Rule("afir-2", AFIR_ACT, "ISO 15118-2 on new public AC points", "station file", checks.generation("2"), date(2026, 1, 8)),
        Rule(
            "afir-20",
            AFIR_ACT,
            "ISO 15118-20 on new public and private Mode 3 points",
            "station file",
            checks.generation("20"),
            date(2027, 1, 1),
        ),
        Rule("afir-20a", AFIR_ACT, "-20 is chosen where the car ranks it first", "traces", checks.prefers_20, date(2027, 1, 1)),
        Rule("afir-5a", f"{AFIR_LAW} Art. 5", "digitally connected", "station file, traces", checks.connected, date(2024, 4, 13)),
        Rule("afir-5b", f"{AFIR_LAW} Art. 5", "able to charge smartly", "traces", checks.steered, date(2024, 4, 13)),
        Rule(
            "afir-5c",
            f"{AFIR_LAW} Art. 5",
            "the price shown is the price billed, per kWh",
            "traces",
            checks.price_is_billed,
            date(2024, 4, 13),
        ),
        Rule(
            "afir-5d", f"{AFIR_LAW} Art. 5", "prices are shown before charging", "documents", paper("price_display", "how prices are shown")
        ),
        Rule(
            "afir-20b",
            f"{AFIR_LAW} Art. 20",
            "static and dynamic data at the access point",
            "documents",
            paper("data_access", "proof of the data feed"),
        ),
    ),
)

NC = "EU network code on demand response (ACER recommendation 01/2025, not adopted)"
NCDR: Final = Profile(
    "ncdr",
    "Demand response (EU): what a service provider keeps and hands over",
    "ACER's recommendation in summary; it is not law yet, and may change",
    (
        Rule("nc-1", NC, "each activation names unit, interval, volume, signal, baseline, meter values", "books", checks.activations),
        Rule("nc-2", NC, "settlement can be traced and was not changed", "books", checks.unbroken),
        Rule("nc-3", NC, "another provider gets everything, in an open format", "books", checks.exports_all),
        Rule("nc-4", NC, "units are registered", "documents", paper("unit_registration", "the registration of controllable units")),
        Rule("nc-5", NC, "the provider is qualified", "documents", paper("provider_qualification", "the qualification as provider")),
        Rule("nc-6", NC, "products are prequalified", "documents", paper("prequalification", "the prequalification of products")),
    ),
)

EICHRECHT: Final = Profile(
    "eichrecht",
    "Signed meter values (Germany, MessEG): every reading that is billed",
    "the checks of the package pyocmf; type approval and transparency software are not looked at",
    (
        Rule("eich-1", "MessEG/MessEV, OCMF 1.x", "every reading is signed, proven and fit for billing", "traces", checks.eichrecht),
        Rule("eich-2", "MessEG", "type approval", "documents", paper("type_approval", "the type examination certificate")),
    ),
)

PROFILES: Final[Mapping[str, Profile]] = {one.name: one for one in (UK_SCP, AFIR, NCDR, EICHRECHT)}
