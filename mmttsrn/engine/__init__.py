"""What takes part in the training and test loops of the runner."""
