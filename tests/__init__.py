"""Tests, by the question they ask."""
