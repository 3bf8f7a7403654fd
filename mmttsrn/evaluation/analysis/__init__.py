"""What an evaluation means: tables, plots, parts of the data, errors and checks of results."""
