"""What trains: runs that can be repeated, and the feed for Keras."""
