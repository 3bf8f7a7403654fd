"""The memory that training takes without an accelerator."""

from types import SimpleNamespace

import psutil
import pytest
import torch
from mmengine.logging import MessageHub

from mmttsrn.engine.hooks import HostMemoryHook


@pytest.mark.parametrize("accelerator", [True, False])
def test_peak_of_the_process_in_mib(monkeypatch, accelerator) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: accelerator)
    hub = MessageHub.get_instance(f"memory_{accelerator}")
    HostMemoryHook().after_train_iter(SimpleNamespace(message_hub=hub), 0)
    if accelerator:
        assert not hub.log_scalars
    else:
        resident = psutil.Process().memory_info().rss / 2**20
        # A peak is never below what is taken now; the system counts pages a little late.
        assert 0.9 * resident < hub.get_scalar("train/host_memory").current() < 100 * resident
