"""How fast: beside peers, on data of one's own, on a GPU."""
