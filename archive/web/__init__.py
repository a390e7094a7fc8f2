"""The pages: server-rendered, read-only rows, services for every write."""
