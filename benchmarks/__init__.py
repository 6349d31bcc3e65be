"""Benchmarks: each module asks one question, in its docstring, and answers it with ``main(argv)``.

A benchmark takes ``--size small`` (seconds or less; the tests run it, so that none rots) or ``full``.
Begin one with an underscore to keep it off the list: that is for what they share.
"""
