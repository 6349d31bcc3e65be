"""The journal: an append-only log of frames and a few sorted tables.  Bytes only; knows no actors."""
