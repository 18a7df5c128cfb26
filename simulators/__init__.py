"""Physics: from visits and galaxies to the pixels of individual exposures.

Knows nothing of challenges, methods or scores.
"""
