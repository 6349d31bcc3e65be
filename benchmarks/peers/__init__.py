"""The same cart, messages and callers in actorflow and in its peers, one after the other on this machine.

``make bench-peers`` runs it; the README beside this file says what is measured, and what cannot be
compared. Each ``in_…`` drives one system and runs in a Python of its own, so it imports nothing that
another one needs: from ``_work`` it has the questions.  ``_peer`` installs, starts and ends it, and
``_table`` shows what it said.
"""
