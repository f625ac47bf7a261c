"""From decisions to one sample, in integers."""
