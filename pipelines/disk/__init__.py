"""Datasets built on disk and verified; sources kept decoded."""
