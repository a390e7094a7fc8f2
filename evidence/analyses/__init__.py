"""One file a question, as an expression that any engine can run."""
