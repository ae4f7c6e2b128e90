"""IEEE 2030.5 (Smart Energy Profile 2) with the CSIP-AUS limits: a client that follows DER controls, reports, and responds. Pure."""
