"""Certificates, signatures and keys of vehicle-to-grid communication: issued from one table, verified by one verifier.

Reading order: `profiles` (the table), `verify` (the verdict), `issue` (hierarchies from the table), `store` (the directory they lie in),
`signature` (XMLDSig over EXI), `authorization` (what a station answers to a contract).
"""
