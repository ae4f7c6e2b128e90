"""Certificate services for a laboratory: CAs with a register, OCSP, contract provisioning, enrolment, and chains broken on purpose."""
