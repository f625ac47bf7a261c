"""A page on this machine alone, on which a recipe is tuned by eye."""
