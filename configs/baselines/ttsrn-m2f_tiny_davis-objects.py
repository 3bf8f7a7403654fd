# Tiny TT-SRN on the data that the baselines beside it have: 8 single frames a step.
_base_ = [
    "../_base_/models/ttsrn-m2f_tiny.py",
    "../_base_/datasets/davis_objects.py",
    "../_base_/schedules/schedule_one-cycle_2500-iters.py",
]

model = dict(head=dict(num_classes=1))
