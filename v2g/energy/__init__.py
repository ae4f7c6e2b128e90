"""Prices, schedules and the scheduler: what energy is worth, and when it should flow. Plain numbers in SI units, no protocol.

Power in W, energy in Wh, time in epoch seconds or seconds, money in a currency, prices in that currency per kWh. **The sign convention of
the whole project is set here: + flows into the EV, - flows out of it.** Where a name says which way (charge, discharge, import, export) the
number is a magnitude. Intervals are half-open. There is no clock: `now` is an argument.
"""
