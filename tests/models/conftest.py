"""Makes the modules beside this file importable by name."""
