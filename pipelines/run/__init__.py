"""What is trained on: in order, whatever fails, on every host and device."""
