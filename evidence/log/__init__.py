"""The ledger: an RFC 6962 tree, its C2SP tiles, notes, checkpoints, policies and proofs."""
