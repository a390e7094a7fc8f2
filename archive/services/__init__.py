"""All writes: one file per room, functions are verbs."""
