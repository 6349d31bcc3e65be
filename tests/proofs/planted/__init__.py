"""A catalogue of bugs: in each module one that is ``Planted``, and beside it the entity as it is ``Mended``.

``SAYS`` is in what a search says of the first; ``OPTIONS`` are given to both searches.
"""
