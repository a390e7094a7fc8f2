"""A monitor for transparency logs: fetches a whole log, checks it, and remembers what it saw."""
