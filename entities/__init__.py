"""Worked examples of entities, written against ``import actorflow`` alone: copy one and begin."""
