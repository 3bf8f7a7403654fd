# Tiny TT-SRN with masked-attention instance queries on generated moving shapes: the configuration
# of `make demo`.
_base_ = [
    "../_base_/models/ttsrn-m2f_tiny.py",
    "../_base_/datasets/youtube_vis_tiny.py",
    "../_base_/schedules/schedule_one-cycle_2500-iters.py",
    "../_base_/iteration_runtime.py",
]

# Single frames of many clips instead of many frames of few: what is alike in the frames of a clip
# teaches little about classes, and queries that find an object find it in all frames of a clip.
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        pipeline=[
            dict(type="mmttsrn.ClipSample", num_frames=1),
            {{_base_.train_transforms}},
            {{_base_.pack_inputs}},
        ]
    ),
)
