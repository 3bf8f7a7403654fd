"""Random inputs of the readers, and what has to hold of each."""
