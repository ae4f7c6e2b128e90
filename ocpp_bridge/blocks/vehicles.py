"""Whether vehicles' certificates are revoked, by the CSMS (GetCertificateChainStatus, 2.1): asked of each car that shows a chain in TLS.

What it says is put into the station's store, by which the next handshake of that car is judged; the car that is there is refused, or asked
to stop. Where the CSMS says nothing, `Vetted.demanded` decides.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from ocpp_bridge.block import Block
from ocpp_bridge.blocks import authorization
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.errand import Errand
from ocpp_bridge.model.variables import ORDERED, Row, list_of
from ocpp_bridge.model.vetting import MOST, SOURCES, Question, Vetting, Word, questions_of, words_of
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload
from pki.certificate import facts, read
from pki.status_book import Told
from secc.station import AuthorizationWanted, StopAsked, Vehicle

NAME: Final = "vehicle/"
AGAIN: Final = 3_600.0  # s until a CSMS that said nothing of a revoked certificate is asked about it once more
REVOKED_MAXIMUM: Final = 200  # that are asked about again; others stay revoked until their car's owner has that changed in the store


def vet(charger: Charger, evse: Evse, vehicle: Vehicle, now: float) -> None:
    """Look at the certificates of a car that has introduced itself: what is known decides at once, for the rest the CSMS is asked."""
    session = evse.session
    assert session is not None
    questions = questions_of(vehicle.chain, charger.variables.words("ISO15118Ctrlr.CertificateStatusSource"))
    session.vetting = Vetting(questions)
    known = {each: charger.vetted.status(each, charger.wall(now)) for each in questions}
    if revoked := [each for each, status in known.items() if status == "Revoked"]:
        _refuse(charger, evse, f"the CSMS says that {_name(revoked[0])} is revoked")
        return
    unknown = tuple(each for each, status in known.items() if not status)
    asked = tuple(each for each in unknown if each.info is not None)
    payload = {"certificateStatusRequests": [each.info for each in asked]}
    session.vetting.open = bool(asked) and charger.call(
        "GetCertificateChainStatus", payload, evse=evse.id, about=(session.vetting, asked), urgent=True
    )
    if unknown and not session.vetting.open:
        silent = next((each for each in unknown if each.info is None), None)
        why = "the CSMS is not there" if silent is None else f"{_name(silent)} names neither responder nor list to ask"
        _unheard(charger, evse, why)


def authorization_wanted(charger: Charger, evse: Evse, want: AuthorizationWanted, now: float) -> None:
    """Pass the session's question on, once the car's certificates are vetted where that is demanded."""
    vetting = evse.session.vetting if evse.session is not None else None
    if vetting is not None and vetting.open and charger.vetted.demanded:
        vetting.waiting = want  # the car polls meanwhile
    else:
        authorization.authorize(charger, evse, want, now)


def answered(charger: Charger, call: Call, response: Payload, now: float) -> None:
    """Take the words of the CSMS: keep them, and decide about the car that waits for them."""
    vetting, asked = call.about
    found = words_of(asked, response, charger.wall(now))
    for question, word in found:
        _learn(charger, question, word, now)
    evse = charger.evses.get(call.evse)
    if evse is not None and evse.session is not None and vetting is evse.session.vetting:
        said = {question: word.status for question, word in found}
        _decide(charger, evse, asked, said, now)


def failed(charger: Charger, call: Call, code: str, now: float) -> None:
    """Note that the CSMS said nothing: of the car that is there, or of one that was revoked."""
    vetting, _ = call.about
    evse = charger.evses.get(call.evse)
    if evse is None:
        charger.vetted.due = now + AGAIN
    elif evse.session is not None and vetting is evse.session.vetting:
        _unheard(charger, evse, f"the CSMS does not answer for its certificates: {code}", now)


def _decide(charger: Charger, evse: Evse, asked: Sequence[Question], said: Mapping[Question, str], now: float) -> None:
    revoked = next((question for question in asked if said.get(question) == "Revoked"), None)
    silent = next((question for question in asked if question not in said), None)
    if revoked is not None:
        _refuse(charger, evse, f"the CSMS says that {_name(revoked)} is revoked")
    elif silent is not None:
        _unheard(charger, evse, f"the CSMS knows nothing of {_name(silent)}", now)
    else:
        _go_on(charger, evse, now)


def _unheard(charger: Charger, evse: Evse, why: str, now: float | None = None) -> None:
    """Nobody says whether the car's certificates are good: by the rule it is refused, or goes on."""
    if charger.vetted.demanded:
        _refuse(charger, evse, f"{why}, and [ocpp] vehicle_status demands its word")
    elif now is not None:
        _go_on(charger, evse, now)


def _refuse(charger: Charger, evse: Evse, why: str) -> None:
    assert evse.session is not None
    evse.session.vetting = Vetting()
    charger.tell(evse, StopAsked(why))


def _go_on(charger: Charger, evse: Evse, now: float) -> None:
    assert evse.session is not None
    vetting, evse.session.vetting = evse.session.vetting, Vetting()
    if vetting is not None and vetting.waiting is not None:
        authorization.authorize(charger, evse, vetting.waiting, now)


# --- what is kept of it ---


def _learn(charger: Charger, question: Question, word: Word, now: float) -> None:
    """Keep a word: here, in the store by which handshakes are judged, and a revocation to be asked about again."""
    vetted = charger.vetted
    vetted.take(question, word)
    name = question.name
    told = Told(word.status == "Revoked", "the CSMS", charger.wall(now) - charger.skew, word.until - charger.skew)
    if charger.safe.cabinet is not None:
        keep = partial(charger.safe.cabinet.keep_told, question.certificate, question.issuer, told)
        charger.errands.append(Errand(keep, lambda _, __: None, partial(_unkept, charger, question)))
    if told.revoked and (name in vetted.revoked or len(vetted.revoked) < REVOKED_MAXIMUM):
        vetted.revoked[name] = question
        charger.keep(NAME + name, {"certificate": question.certificate.hex(), "issuer": question.issuer.hex(), "until": word.until})
        due = charger.moment(word.until)
        vetted.due = due if vetted.due is None else min(due, vetted.due)
    elif not told.revoked and vetted.revoked.pop(name, None) is not None:
        charger.keep(NAME + name, None)


def _unkept(charger: Charger, question: Question, why: str, now: float) -> Payload:
    charger.note(f"what the CSMS says of {_name(question)} cannot be kept, and counts until the station restarts: {why}")
    return {}


def due(charger: Charger) -> float | None:
    """When a certificate that the CSMS called revoked is asked about again."""
    return charger.vetted.due if charger.vetted.revoked and charger.accepted else None


def tick(charger: Charger, now: float) -> None:
    """Ask about certificates again that were revoked, once the word on them has ended: some revocations do."""
    vetted, wall = charger.vetted, charger.wall(now)
    if vetted.due is None or now < vetted.due or not charger.accepted:
        return
    later = {name: word.until for name in vetted.revoked if (word := vetted.words.get(name)) is not None and word.until > wall}
    over = [question for name, question in vetted.revoked.items() if name not in later]
    asked = tuple(question for question in over if question.info is not None)[:MOST]
    if asked:
        payload = {"certificateStatusRequests": [each.info for each in asked]}
        charger.call("GetCertificateChainStatus", payload, about=(None, asked))
    vetted.due = now + AGAIN if over else min((charger.moment(until) for until in later.values()), default=None)


def restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    """Take up what was revoked before the restart."""
    sources = charger.variables.words("ISO15118Ctrlr.CertificateStatusSource")
    for said in kept.values():
        (question,) = questions_of((bytes.fromhex(said["certificate"]), bytes.fromhex(said["issuer"])), sources)
        charger.vetted.revoked[question.name] = question
        charger.vetted.take(question, Word("Revoked", said["until"]))
        charger.vetted.due = -math.inf


def _name(question: Question) -> str:
    return facts(read(question.certificate)).name


BLOCK: Final = Block(
    answers={"GetCertificateChainStatus": answered},
    failures={"GetCertificateChainStatus": failed},
    due=due,
    tick=tick,
    keeps=NAME.rstrip("/"),
    restore=restore,
    variables=(Row("ISO15118Ctrlr", "CertificateStatusSource", ",".join(SOURCES), ORDERED, list_of(SOURCES), values=SOURCES),),
)
