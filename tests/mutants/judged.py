"""Mistakes that no test notices, and why that may be: each was looked at by somebody."""

from __future__ import annotations

from typing import Final

__all__ = ["JUDGED"]

JUDGED: Final[dict[str, str]] = {}
