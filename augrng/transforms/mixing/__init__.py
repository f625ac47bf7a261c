"""One example made of several, its label of theirs."""
