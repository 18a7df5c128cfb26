"""The contract: what is given, what is asked and how it is judged."""
