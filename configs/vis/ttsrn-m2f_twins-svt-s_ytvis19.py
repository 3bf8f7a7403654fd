# TT-SRN with masked-attention instance queries on YouTube-VIS 2019: clips of 8 frames.
_base_ = [
    "../_base_/models/ttsrn-m2f_twins-svt-s.py",
    "../_base_/datasets/youtube_vis_2019_640x360.py",
    "../_base_/schedules/schedule_18e.py",
    "../_base_/default_runtime.py",
]

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="mmttsrn.ClipSample", num_frames=8),
            {{_base_.train_transforms}},
            {{_base_.pack_inputs}},
        ]
    )
)
