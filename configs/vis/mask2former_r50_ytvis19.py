# Mask2Former for video with ResNet-50 on YouTube-VIS 2019.
_base_ = [
    "../_base_/models/mask2former_r50.py",
    "../_base_/datasets/youtube_vis_2019_640x360.py",
    "../_base_/schedules/schedule_6k-iters.py",
    "../_base_/iteration_runtime.py",
]

# A clip of each video in turn.
train_dataloader = dict(
    batch_size=2, sampler=dict(_delete_=True, type="DefaultSampler", shuffle=True)
)
default_hooks = dict(checkpoint=dict(interval=2000, max_keep_ckpts=3))
