"""Broken and odd inputs of the commands, and what becomes of them."""
