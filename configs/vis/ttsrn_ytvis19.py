# TT-SRN on YouTube-VIS 2019 with the model and the schedule of the paper: 8 GPUs x 1 clip.
_base_ = [
    "../_base_/models/ttsrn_twins-svt-s.py",
    "../_base_/datasets/youtube_vis_2019.py",
    "../_base_/schedules/schedule_18e.py",
    "../_base_/default_runtime.py",
]
