# Tiny TT-SRN with the decoder of the paper on the generated moving shapes.
_base_ = [
    "../_base_/models/ttsrn_tiny.py",
    "../_base_/datasets/youtube_vis_tiny.py",
    "../_base_/schedules/schedule_one-cycle.py",
    "../_base_/iteration_runtime.py",
]
