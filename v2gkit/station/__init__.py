"""Assembles a station from its configuration: hardware, certificates, OCSP stapling, CSMS, service manager."""
