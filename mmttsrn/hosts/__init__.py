"""The code bases that the model is plugged into, a room for each."""
