"""Where bytes lie, written once."""
