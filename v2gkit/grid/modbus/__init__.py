"""Modbus TCP as client, and the SunSpec models of meters, inverters and batteries on it. Everything here is pure."""
