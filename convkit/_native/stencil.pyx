"""Placeholder until the stencils land in the next commit."""
