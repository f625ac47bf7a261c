"""What is done to levels and colours, in integers."""
