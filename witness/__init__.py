"""A witness for transparency logs: one small process that remembers of each log the checkpoint it cosigned last."""
