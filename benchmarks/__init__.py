"""Benchmarks: each module asks one question, in its docstring, and answers it with ``cases(size)``.

A case is one row of a table: what is measured, what it is read against, what is asked of it.  ``tiny`` cases
take no time, so that the tests can run them and none rots; ``small`` ones are a look, ``full`` ones quoted.
Begin a module with an underscore to keep it off the list: that is for what they share.
"""
