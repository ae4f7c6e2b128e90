"""The outlets of one station in several processes: hardware and sessions in workers; discovery, OCPP and what is planned for all in one."""
