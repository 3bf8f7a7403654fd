"""Analysis of evaluations: what costs AP, tables, plots and checks of results files."""
