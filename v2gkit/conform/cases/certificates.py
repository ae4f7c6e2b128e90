"""Every certificate chain that is broken on purpose, before the verifier of a station: vehicles, contracts, provisioning certificates."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from pki.profiles import Role
from v2gkit.conform import chains, forging, forging2
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.installation import by, chain_of, request
from v2gkit.conform.cases.iso2_contract import unbelieved
from v2gkit.conform.cases.tls import completed, refused, shaken
from v2gkit.conform.forging import Moment
from v2gkit.conform.judging import not_authorized, nothing, polled
from v2gkit.conform.verdict import Outcome, judged, passed
from v2gkit.conform.wire import Wire

Script = Callable[[AtStation], Awaitable[Outcome]]
NOBODY = "no rule: stacks differ on it"
PATHS = "path validation (RFC 5280, 6)"
PROFILES = {"20": "the certificate profiles of ISO 15118-20, Annex B", "2": "the certificate profiles of ISO 15118-2, Annex F"}


async def _vehicle(bench: AtStation) -> Any:
    return await shaken(bench, bench.offer(bench.wallet.tls(Role.VEHICLE, bench.wallet.broken(Role.VEHICLE, bench.part))))


async def vehicle_taken(bench: AtStation) -> Outcome:
    """A vehicle chain that is in order."""
    return completed(await _vehicle(bench))


async def vehicle_refused(bench: AtStation) -> Outcome:
    """A vehicle chain that is not."""
    return await refused(bench, await _vehicle(bench))


async def vehicle_borne(bench: AtStation) -> Outcome:
    """A vehicle chain of which nobody says whether it is."""
    found = await _vehicle(bench)
    return passed("taken" if isinstance(found, Wire) else f"refused: {found}")


async def _contract(bench: AtStation) -> tuple[Any, Any]:
    visit = await bench.at("Authorization", authorization="PnC")
    return visit, forging.chain(bench.part)(Moment(bench.wallet, visit.challenge))


async def contract_taken(bench: AtStation) -> Outcome:
    """A contract chain that is in order."""
    visit, message = await _contract(bench)
    reply = await polled(visit, message)
    return judged(reply.ok, str(reply))


async def contract_refused(bench: AtStation) -> Outcome:
    """A contract chain that is not."""
    return await not_authorized(bench, *await _contract(bench))


async def contract_borne(bench: AtStation) -> Outcome:
    """A contract chain of which nobody says whether it is."""
    visit, message = await _contract(bench)
    return passed(str(await polled(visit, message)))


async def _provisioned(bench: AtStation) -> Any:
    visit = await bench.at("Authorization")
    chain = chain_of(bench.wallet.broken(Role.PROVISIONING, bench.part))
    return await polled(visit, by(request(bench), chain, bench.wallet.credential(Role.PROVISIONING).key))


async def provisioning_taken(bench: AtStation) -> Outcome:
    """A provisioning chain that is in order."""
    reply = await _provisioned(bench)
    return judged(reply.ok, str(reply))


async def provisioning_refused(bench: AtStation) -> Outcome:
    """A provisioning chain that is not."""
    return nothing(await _provisioned(bench))


async def provisioning_borne(bench: AtStation) -> Outcome:
    """A provisioning chain of which nobody says whether it is."""
    return passed(str(await _provisioned(bench)))


async def contract2_taken(bench: AtStation) -> Outcome:
    """A contract chain of -2 that is in order."""
    visit = await bench.at2("PaymentDetails", authorization="PnC")
    reply = await visit.ask(forging2.chain(bench.part)(visit.wallet))
    return judged(reply.ok, str(reply))


async def contract2_refused(bench: AtStation) -> Outcome:
    """A contract chain of -2 that is not. That it is answered before the connection ends is another question [V2G2-736]: S2-PNC-05."""
    return await unbelieved(bench, forging2.chain(bench.part), closes=True)


async def contract2_borne(bench: AtStation) -> Outcome:
    """A contract chain of -2 of which nobody says whether it is."""
    visit = await bench.at2("PaymentDetails", authorization="PnC")
    return passed(str(await visit.ask(forging2.chain(bench.part)(visit.wallet))))


def four(first: int, what: str, role: Role, where: str, scripts: tuple[Script, Script, Script], **fields: Any) -> tuple[Case, ...]:
    """The four cases of a role: what is taken, what path validation and what the profile refuse, and what may not harm."""
    letter = fields.pop("letter", "S")
    older, taken, (takes, refuses, bears) = letter == "S2", f"{letter}-CRT-{first:02}", scripts
    case = partial(Case, role="station", domain="CMN", requirement=(), within=90.0, condition=fields.pop("condition"))
    return (
        case(
            id=taken, kind=Kind.POSITIVE, purpose=f"A {what} that is in order is taken", basis=PATHS,
            script=takes, stimulus=f"{where}: issued anew, with what path validation bears", expected=("it is taken",),
            parts=chains.sound(role, older), **fields,
        ),
        case(
            id=f"{letter}-CRT-{first + 1:02}", kind=Kind.NEGATIVE, purpose=f"A {what} whose path is not valid is refused", basis=PATHS,
            script=refuses, stimulus=f"{where}, which path validation refuses in the way that the part names", expected=("it is refused",),
            parts=chains.refused(role, older), control=taken, **fields,
        ),
        case(
            id=f"{letter}-CRT-{first + 2:02}", kind=Kind.NEGATIVE, purpose=f"A {what} that is none by its profile is refused",
            script=refuses, basis=PROFILES["2" if older else "20"], stimulus=f"{where} with another purpose, usage or algorithm",
            expected=("it is refused",), parts=chains.unfit(role, older), control=taken, **fields,
        ),
        case(
            id=f"{letter}-CRT-{first + 3:02}", kind=Kind.ROBUSTNESS, purpose=f"No {what}, however odd, harms the verifier", script=bears,
            basis=NOBODY,
            stimulus=f"{where} with odd names, numbers, extensions or octets", control=taken,
            expected=("taken or refused; a good car is served afterwards",), parts=chains.open_ones(role, older), lasts=1.0,
        ),
    )  # fmt: skip


CASES = (
    *four(
        1, "vehicle chain", Role.VEHICLE, "a vehicle chain in TLS", (vehicle_taken, vehicle_refused, vehicle_borne), condition=("tls",),
        claim="connection",
    ),
    *four(
        5, "contract chain", Role.CONTRACT, "a contract chain in AuthorizationReq", (contract_taken, contract_refused, contract_borne),
        condition=("pnc",), lasts=1.0,
    ),
    *four(
        9, "provisioning chain", Role.PROVISIONING, "a provisioning chain in CertificateInstallationReq",
        (provisioning_taken, provisioning_refused, provisioning_borne), condition=("certificate_installation",), lasts=1.0,
    ),
    *four(
        1, "contract chain", Role.CONTRACT, "a contract chain in PaymentDetailsReq", (contract2_taken, contract2_refused, contract2_borne),
        condition=("generation_2", "pnc", "tls12"), letter="S2", lasts=1.0,
    ),
)  # fmt: skip
