"""What the commands have in common: arguments, configs, errors in one line."""
