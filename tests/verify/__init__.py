"""Tests of verifying: stores made by one version of an application, and verified with others."""
