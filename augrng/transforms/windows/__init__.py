"""Windows of a picture, drawn and resized to one size."""
