"""Where examples come from: records with ids."""
