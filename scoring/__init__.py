"""Numbers from arrays: metrics with intervals. Imports numpy and scipy, nothing else."""
