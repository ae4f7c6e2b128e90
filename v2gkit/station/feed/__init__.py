"""What is told a station beside its cars, by meters, an energy management, a grid operator: modes of OCPP 2.1 follow it.

words     the lines, and their JSON schema
hearing   from a line to the charge point
unix      a socket
mqtt      a broker
"""
