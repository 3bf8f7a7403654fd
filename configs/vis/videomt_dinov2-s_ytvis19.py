# VidEoMT with DINOv2-S on YouTube-VIS 2019, to go on from published weights: see
# docs/pretrained_weights.md. Needs Transformers.
_base_ = [
    "../_base_/models/videomt_dinov2-s.py",
    "../_base_/datasets/youtube_vis_2019.py",
    "../_base_/schedules/schedule_6k-iters.py",
    "../_base_/iteration_runtime.py",
]

scale = (640, 640)
resize = dict(type="mmdet.Resize", scale=scale, keep_ratio=False)
pack_inputs = dict(type="mmdet.PackTrackInputs", default_meta_keys={{_base_.meta_keys}})
train_pipeline = [
    dict(type="mmttsrn.ClipSample", num_frames=5, stride=(1, 2)),
    dict(
        type="mmttsrn.ClipBroadcaster",
        transforms=[
            dict(type="mmttsrn.LoadVideoFrame", backend_args=None),
            dict(type="mmdet.LoadTrackAnnotations", with_mask=True),
            resize,
            dict(type="mmdet.RandomFlip", prob=0.5),
            dict(type="mmttsrn.DropInvisibleInstances"),
        ],
    ),
    pack_inputs,
]
test_pipeline = [
    dict(
        type="mmttsrn.ClipBroadcaster",
        transforms=[dict(type="mmttsrn.LoadVideoFrame", backend_args=None), resize],
    ),
    pack_inputs,
]
train_dataloader = dict(
    batch_size=1,
    sampler=dict(_delete_=True, type="DefaultSampler", shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(backbone=dict(recompute=True), head=dict(recompute=True))

# The learning rate falls by 0.6 from block to block, from the last one to the patches, as in the
# published trainings. Those have 40000 iterations from weights of the same model for images.
first = 9  # block of the head
decay = 0.6
depth = 12
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            "_delete_": True,
            "query_feat": dict(lr_mult=1.0, decay_mult=0.0),
            "backbone.embeddings": dict(lr_mult=decay**depth, decay_mult=0.0),
            **{f"backbone.layers.{i}.": dict(lr_mult=decay ** (depth - i)) for i in range(first)},
            **{
                f"head.blocks.layers.{i}.": dict(lr_mult=decay ** (depth - first - i))
                for i in range(depth - first)
            },
        }
    )
)
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(checkpoint=dict(interval=2000, max_keep_ckpts=3))
