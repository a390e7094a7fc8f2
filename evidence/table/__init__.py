"""The normalised columns, and Parquet with the same bytes for the same rows."""
