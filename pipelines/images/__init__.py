"""Encoded images to pixels, only what is needed."""
