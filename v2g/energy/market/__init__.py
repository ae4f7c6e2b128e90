"""Prices as markets and suppliers tell them, what a site pays besides, and what it could sell.

document     ENTSO-E, OpenADR 3, OCPP 2.1, aWATTar, Energy-Charts: a price document becomes a series
tariff       time of use with zones and clock changes, grid fees, demand charge, taxes: from a spot price to what a kWh costs
off_peak     hours in which charging begins by default, and the random delay
products     capacity, balancing and aFRR as offers: how much, when, at which cost and certainty
"""
