"""What a transaction costs by its tariff (pure, exact): every reading and every change of state adds the piece of time since the last one.

A piece in which a condition of a price begins or ceases to hold is cut there; within it energy is taken to flow evenly. Amounts are rounded
when they are told, never before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from ocpp_bridge.model.tariff import PRICES, Moment, edges, exact, price_at, with_tax
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp
from secc.station import Cost, CostParts

PERIODS_MAXIMUM: Final = 200  # of a transaction in costDetails, 30 kB: beyond it the last one goes on
DECIMALS: Final = 6  # of amounts of money and energy that are told
SIMPLE: Final = (  # fields that are JSON as they are
    *("transaction", "tariff", "direct", "started", "offset", "ahead", "at"),
    *("charging", "charging_time", "idle_time", "idle_run", "reserved", "power", "voltage"),
)
FEES: Final = ("fixedFee", "reservationTime", "reservationFixed")
KWH: Final = 1_000_000  # mWh
MINUTE: Final = 60_000  # ms


def told(value: Fraction) -> float:
    """An amount rounded half up, to be written as a decimal."""
    scaled = value * 10**DECIMALS
    whole = (abs(scaled) + Fraction(1, 2)).__floor__()
    return float(Fraction(whole if scaled >= 0 else -whole, 10**DECIMALS))


def _cost(amount: Fraction, units: Fraction) -> Cost:
    return Cost(told(amount), told(amount / units) if units else 0.0)


@dataclass(slots=True)
class Account:
    """The account of one transaction. `net` and `gross` are what each element of the tariff has cost so far, before and with its taxes."""

    transaction: str
    tariff: Payload
    direct: bool  # the EVSE gives no current of the mains
    started: int  # ms since the epoch
    payment: tuple[tuple[str, str], ...] = ()
    offset: int = 0  # ms that local time is ahead of UTC
    ahead: int = 0  # ms that the clock of the CSMS is ahead of the one by which all times here are
    at: int = 0  # ms, up to when it goes
    registers: tuple[int, int] | None = None  # mWh imported and exported at that time
    charging: bool = False  # energy flows from then on
    power: float = 0.0  # W, as last measured, signed
    voltage: float = 0.0  # V, of one phase
    energy: tuple[Fraction, Fraction] = (Fraction(0), Fraction(0))  # mWh taken and given
    charging_time: int = 0  # ms
    idle_time: int = 0  # ms
    idle_run: int = 0  # ms of the present pause
    reserved: int = 0  # ms
    net: dict[str, Fraction] = field(default_factory=dict)
    gross: dict[str, Fraction] = field(default_factory=dict)
    periods: list[dict[str, Any]] = field(default_factory=list)
    due: float | None = None  # monotonic s, when the CSMS is told the running cost; not kept
    look: float = 0.0  # monotonic s, when the meter is looked at next; not kept

    def __post_init__(self) -> None:
        self.at = self.at or self.started

    # --- what happens ---

    def begin(self, reserved: int | None) -> None:
        """Charge what is due at the beginning; `reserved` is how long (ms) the EVSE was held for the car, None: it was not."""
        moment = self._moment()
        if (fee := price_at(self.tariff, "fixedFee", moment)) is not None:
            self._owe("fixedFee", fee[1])
        if reserved is None:
            return
        self.reserved = reserved
        if (fee := price_at(self.tariff, "reservationFixed", moment)) is not None:
            self._owe("reservationFixed", fee[1])
        if (fee := price_at(self.tariff, "reservationTime", moment)) is not None:
            self._owe("reservationTime", fee[1] * reserved / MINUTE)

    def advance(self, at: int, registers: tuple[int, int] | None, charging: bool) -> None:
        """Bill up to `at` (ms) with these registers (mWh; None: not read), by the state that held so far; `charging` holds from then on.

        A clock or a register that goes back bills nothing.
        """
        span = max(at - self.at, 0)
        taken, given = self._flow(registers)
        if span or taken or given:
            self._bill(span, taken, given)
        if span and not self.charging:
            self.idle_run += span
        if self.charging:
            self.idle_run = 0
        self.at, self.charging = max(at, self.at), charging
        self.registers = registers or self.registers

    def change(self, tariff: Payload) -> None:
        """Go on by another tariff; what was billed stays."""
        self.tariff = tariff

    def _flow(self, registers: tuple[int, int] | None) -> tuple[int, int]:
        if registers is None or self.registers is None:
            return 0, 0
        taken, given = registers[0] - self.registers[0], registers[1] - self.registers[1]
        return (taken, given) if taken >= 0 and given >= 0 else (0, 0)

    def _bill(self, span: int, taken: int, given: int) -> None:
        for gives, amount in ((False, taken), (True, given)):
            if amount:
                self._bill_energy(span, amount, gives)
        self._bill_time(span)
        self.energy = self.energy[0] + taken, self.energy[1] + given
        if self.charging:
            self.charging_time += span
        else:
            self.idle_time += span

    def _bill_energy(self, span: int, amount: int, gives: bool) -> None:
        for share, moment in self._pieces(span, amount, gives):
            price = price_at(self.tariff, "energy", moment)
            self._note(moment, ("energy", None if price is None else price[0]), "Energy", share * amount / KWH * (-1 if gives else 1))
            if price is not None:
                self._owe("energy", price[1] * share * amount / KWH * (-1 if gives else 1))

    def _bill_time(self, span: int) -> None:
        element, dimension = ("chargingTime", "ChargingTime") if self.charging else ("idleTime", "IdleTIme")  # as the schema spells it
        for share, moment in self._pieces(span, 0, self.power < 0) if span else ():
            price = price_at(self.tariff, element, moment)
            self._note(moment, (element, None if price is None else price[0]), dimension, share * span / 1000)
            if price is not None:
                self._owe(element, price[1] * share * span / MINUTE)

    def _pieces(self, span: int, amount: int, gives: bool) -> Iterator[tuple[Fraction, Moment]]:
        """The pieces of a span within which the same prices hold: the share of each, and the moment at which it begins."""
        since, until = self._moment(gives=gives), self._moment(span, amount, gives=gives)
        cuts = edges(self.tariff, since, until)
        for first, last in pairwise(cuts):
            ahead = {name: int(getattr(until, name) - getattr(since, name)) for name in ("wall", "time", "charging_time", "idle_time")}
            moved = {name: getattr(since, name) + -(-first * gain // 1) for name, gain in ahead.items()}
            yield last - first, replace(since, energy=since.energy + first * amount, **moved)

    def _moment(self, span: int = 0, amount: int = 0, gives: bool = False) -> Moment:
        power = abs(exact(round(self.power, 3)))
        current = power / exact(round(self.voltage, 3)) if self.voltage > 0 else Fraction(0)
        charging, idle = (span, 0) if self.charging else (0, span)
        return Moment(
            self.at + span,
            self.offset + self.ahead,
            self.direct,
            gives,
            self.energy[gives] + amount,
            power,
            current,
            self.at + span - self.started,
            self.charging_time + charging,
            self.idle_run + idle if not self.charging else 0,
            self.payment,
        )

    def _owe(self, element: str, amount: Fraction) -> None:
        tax = with_tax(self.tariff[element].get("taxRates", ()))
        self.net[element] = self.net.get(element, Fraction(0)) + amount
        self.gross[element] = self.gross.get(element, Fraction(0)) + amount * tax

    def _note(self, moment: Moment, price: tuple[str, int | None], dimension: str, volume: Fraction) -> None:
        """Add a volume to the period of the same prices, or begin one."""
        by = [self.tariff["tariffId"], *price]
        last = self.periods[-1] if self.periods else None
        fits = last is not None and last["prices"].get(price[0], by) == by and last["tariff"] == by[0]
        if last is None or not (fits or len(self.periods) >= PERIODS_MAXIMUM):
            last = {"at": int(moment.wall), "tariff": by[0], "prices": {}, "volumes": {}}
            self.periods.append(last)
        last["prices"][price[0]] = by
        last["volumes"][dimension] = last["volumes"].get(dimension, Fraction(0)) + volume

    # --- what is told ---

    @property
    def total(self) -> tuple[Fraction, Fraction | None, str]:
        """What is owed before and with taxes, within the least and the most of the tariff, and which of them it is: typeOfCost."""
        net, gross = sum(self.net.values(), Fraction(0)), sum(self.gross.values(), Fraction(0))
        for name, kind, sign in (("minCost", "MinCost", 1), ("maxCost", "MaxCost", -1)):
            bound = self.tariff.get(name, {})
            least = {part: exact(bound[part]) for part in ("exclTax", "inclTax") if part in bound}
            if sign * least.get("exclTax", net) > sign * net or sign * least.get("inclTax", gross) > sign * gross:
                tax = with_tax(bound.get("taxRates", ()))
                excl = least["exclTax"] if "exclTax" in least else least["inclTax"] / tax
                known = "inclTax" in least or "taxRates" in bound
                return excl, (least.get("inclTax", excl * tax) if known else None), kind
        return net, gross, "NormalCost"

    @property
    def owed(self) -> Fraction:
        """What the driver owes so far: with taxes, where they are known."""
        net, gross, _ = self.total
        return net if gross is None else gross

    @property
    def parts(self) -> CostParts:
        """What is owed, in parts; what the least or the most of the tariff changes is in the energy."""
        net, gross, _ = self.total
        kwh, minutes, idle = (self.energy[0] - self.energy[1]) / KWH, Fraction(self.charging_time, MINUTE), Fraction(self.idle_time, MINUTE)
        fees = sum((self.net[name] for name in FEES if name in self.net), Fraction(0))
        energy = net - sum((amount for name, amount in self.net.items() if name != "energy"), Fraction(0))
        return CostParts(
            energy=_cost(energy, kwh),
            time=_cost(self.net["chargingTime"], minutes) if "chargingTime" in self.net else None,
            idle=_cost(self.net["idleTime"], idle) if "idleTime" in self.net else None,
            fees=_cost(fees, Fraction(1)) if fees else None,
            taxes=0.0 if gross is None else told(gross - net),
        )

    def details(self, *, whole: bool) -> Payload:
        """CostDetailsType up to now, `whole` with the chargingPeriods."""
        net, gross, kind = self.total
        cost: Payload = {"currency": self.tariff["currency"], "typeOfCost": kind, "total": {"exclTax": told(net)}}
        if gross is not None:
            cost["total"]["inclTax"] = told(gross)
        for element, amount in self.net.items():
            cost[PRICES[element][1]] = {"exclTax": told(amount), "inclTax": told(self.gross[element])}
        usage = {"energy": told((self.energy[0] - self.energy[1]) / KWH)}
        usage |= {"chargingTime": self.charging_time // 1000, "idleTime": self.idle_time // 1000}
        usage |= {"reservationTime": self.reserved // 1000} if self.reserved else {}
        return {"totalCost": cost, "totalUsage": usage} | (
            {"chargingPeriods": list(self._told_periods())} if whole and self.periods else {}
        )

    def _told_periods(self) -> Iterator[Payload]:
        for period in self.periods:
            dimensions = [{"type": name, "volume": told(volume)} for name, volume in period["volumes"].items()]
            yield {"tariffId": period["tariff"], "startPeriod": timestamp((period["at"] + self.ahead) / 1000), "dimensions": dimensions}

    # --- over a restart ---

    def saved(self) -> Payload:
        """The account as JSON."""
        amounts = {name: {key: str(amount) for key, amount in getattr(self, name).items()} for name in ("net", "gross")}
        periods = [period | {"volumes": {key: str(amount) for key, amount in period["volumes"].items()}} for period in self.periods]
        more = {"payment": [list(pair) for pair in self.payment], "energy": [str(part) for part in self.energy], "periods": periods}
        registers = None if self.registers is None else list(self.registers)
        return {name: getattr(self, name) for name in SIMPLE} | amounts | more | {"registers": registers}

    @classmethod
    def of(cls, saved: Payload) -> "Account":
        """The account that was saved."""
        amounts = {name: {key: Fraction(amount) for key, amount in saved[name].items()} for name in ("net", "gross")}
        volumes = [{key: Fraction(amount) for key, amount in period["volumes"].items()} for period in saved["periods"]]
        periods = [period | {"volumes": volume} for period, volume in zip(saved["periods"], volumes, strict=True)]
        registers = None if saved["registers"] is None else (saved["registers"][0], saved["registers"][1])
        read: dict[str, Any] = {
            "payment": tuple((pair[0], pair[1]) for pair in saved["payment"]),
            "energy": (Fraction(saved["energy"][0]), Fraction(saved["energy"][1])),
            "periods": periods,
            "registers": registers,
        }
        return cls(**(saved | amounts | read))
