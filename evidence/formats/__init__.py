"""One file a log format: each reads bytes into columns in which every row knows its line and byte range."""
