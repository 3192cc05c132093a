"""Sizes of convolutions, by arithmetic alone."""
