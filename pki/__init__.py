"""Certificates, signatures and keys of the V2G world: issued from one table, judged by one verifier.

Reading order: `profiles` (the table), `verify` (the verdict), `issue` (hierarchies from the table), `store` (the directory they lie in),
`signature` (XMLDSig over EXI), `authorization` (what a station answers to a contract).
"""
