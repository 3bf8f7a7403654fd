"""How a training is asked to stop, and how it says that it has."""

from pathlib import Path


class TrainingStopped(Exception):
    """A training has ended before its time, as it was asked to, and can be gone on with."""

    def __init__(self, steps: int, checkpoint: Path) -> None:
        super().__init__(f"stopped after {steps} iterations; saved {checkpoint}")


class StopRequest:
    """Whether (``is_set``) the training of this process is to stop after the step that it is at."""

    is_set = False


stop_request = StopRequest()
