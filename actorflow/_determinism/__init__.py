"""The determinism nets: what a handler must not touch, and the four ways to notice that it did.

``forbidden`` is the table, ``lint`` reads the source when a class is defined, ``guard`` watches a handler run
in strict mode, ``fingerprint`` tells whether two states were computed by the same code (the step itself
refuses foreign awaitables, and replay compares).  Knows the standard library, attrs and ``actorflow.errors``;
nothing of actors, journals or trio.
"""
