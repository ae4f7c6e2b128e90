"""An outlet whose hardware is another program: firmware in C, C++ or anything that writes JSON lines to a Unix socket.

[hardware]
driver = "v2gkit.station.firmware.adapter:Firmware"
[hardware.options]
socket = "/run/v2gkit/outlet1.sock"

words      the lines of both directions, and their JSON schema
adapter    the outlet as a station sees it
v2gkit_evse.h, charger.c    a client in C99, and a charger made with it
"""
