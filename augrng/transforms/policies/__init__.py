"""Policies: operations drawn from published lists, with published strengths."""
