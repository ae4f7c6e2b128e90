"""Matching on the power line (ISO 15118-3, HomePlug Green PHY SLAC): which EVSE the car's cable leads to, found by attenuation.

    frames     the management messages, read and written (pure)
    timing     every time and count of Annex A
    key        a network key, and the network id that follows from it
    station    the EVSE's side of matching (pure)
    car        the EV's side of matching (pure)
    wire       raw Ethernet (Linux), and the pump around either side: the only module that touches the system

The modem is an Ethernet device with management messages of its own: it measures the sounds, and it is told the key of the network to be in.
Nothing here is authenticated. What matching yields is a link, never an identity: TLS decides whom one speaks with.
"""
