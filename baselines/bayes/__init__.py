"""Distributions over the weights of any torch module, and how much is known where an object lies."""
