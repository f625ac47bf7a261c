"""Pictures for people who want to see what is done."""
