"""Signed statements about derivations: in-toto Statements in DSSE envelopes."""
