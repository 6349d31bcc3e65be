"""Which real faults are tried, by which tests, how often; and whether those tests could fail."""
