"""The same cart, messages and callers in actorflow and in its peers, one after the other on this machine.

``make bench-peers`` runs it; the README beside this file says what is measured, and what cannot be compared.
Each system is a module that runs in a Python of its own, so nothing here may import what the others need: from
``_work`` they know the questions, and ``_peer`` starts and ends them.
"""
