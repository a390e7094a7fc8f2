"""Ours against a third party's view."""
