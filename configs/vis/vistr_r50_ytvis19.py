# VisTR with ResNet-50 on YouTube-VIS 2019, the baseline: data and schedule of ttsrn_ytvis19.
_base_ = [
    "../_base_/models/vistr_r50.py",
    "../_base_/datasets/youtube_vis_2019.py",
    "../_base_/schedules/schedule_18e.py",
    "../_base_/default_runtime.py",
]
