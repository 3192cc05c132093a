"""Compiled kernel families. `convkit._dispatch` alone imports the modules in here."""
