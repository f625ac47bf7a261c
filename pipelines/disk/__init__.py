"""Datasets built on disk, and verified."""
