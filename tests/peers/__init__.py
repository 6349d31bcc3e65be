"""The driver of the peers' benchmark, with fakes in the place of the peers."""
