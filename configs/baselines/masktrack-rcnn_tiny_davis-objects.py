# MMTracking's MaskTrack R-CNN, its own config with ResNet-18 and width 64, from nothing, beside
# ttsrn-m2f_tiny_davis-objects.py: 4 pairs of key and reference frame a step. Needs
# `make setup-mmtrack`.
_base_ = ["mmtrack::vis/masktrack_rcnn/masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019.py"]

custom_imports = dict(imports=["mmttsrn", "mmttsrn.hosts.mmtrack"], allow_failed_imports=False)

width = 64
model = dict(
    detector=dict(
        backbone=dict(depth=18, frozen_stages=-1, norm_eval=False, init_cfg=None),
        neck=dict(in_channels=[64, 128, 256, 512], out_channels=width),
        rpn_head=dict(in_channels=width, feat_channels=width),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=width),
            bbox_head=dict(in_channels=width, fc_out_channels=256, num_classes=1),
            mask_roi_extractor=dict(out_channels=width),
            mask_head=dict(in_channels=width, conv_out_channels=width, num_classes=1),
        ),
        init_cfg=None,
    ),
    track_head=dict(
        roi_extractor=dict(out_channels=width),
        embed_head=dict(in_channels=width, fc_out_channels=256),
    ),
)

data = dict(
    type="mmttsrn.MMTrackYouTubeVISDataset",
    data_root="data/davis/",
    data_prefix=dict(img_path="JPEGImages"),
    class_agnostic=True,
)
train_pipeline = [
    dict(
        type="mmttsrn.ClipBroadcaster",
        transforms=[
            dict(type="mmttsrn.LoadVideoFrame"),
            dict(type="mmdet.LoadTrackAnnotations", with_mask=True),
            dict(
                type="RandomResize",
                resize_type="mmdet.Resize",
                scale=(320, 180),
                ratio_range=(0.55, 1.4),
                keep_ratio=True,
            ),
            dict(
                type="mmdet.RandomCrop",
                crop_size=(160, 96),
                allow_negative_crop=True,
                recompute_bbox=True,
            ),
            dict(type="mmdet.RandomFlip", prob=0.5),
            dict(type="mmttsrn.ClipPhotoMetricDistortion"),
            dict(type="mmttsrn.DropInvisibleInstances"),
        ],
    ),
    dict(type="mmttsrn.MMTrackPackInputs", num_key_frames=1),
]
test_pipeline = [
    dict(type="mmttsrn.LoadVideoFrame"),
    dict(type="mmdet.Resize", scale=(192, 108), keep_ratio=True),
    dict(type="mmttsrn.MMTrackPackInputs", pack_single_img=True),
]
train_dataloader = dict(
    _delete_=True,
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(
        type="ConcatDataset",
        datasets=[
            dict(
                ann_file=ann_file,
                pipeline=train_pipeline,
                ref_img_sampler=dict(num_ref_imgs=1, frame_range=6, method="uniform"),
                **data,
            )
            for ann_file in ("train_multi.json", "train.json")
        ],
        ignore_keys=["ann_file"],
    ),
)
val_dataloader = dict(
    _delete_=True,
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="VideoSampler"),
    dataset=dict(ann_file="val_multi.json", pipeline=test_pipeline, test_mode=True, **data),
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type="mmttsrn.MMTrackYouTubeVISMetric")
test_evaluator = val_evaluator

max_iters = 2500
lr = 4e-4
train_cfg = dict(
    _delete_=True, type="IterBasedTrainLoop", max_iters=max_iters, val_interval=max_iters
)
# As the models beside it: with its own SGD, the loss of the embeddings diverges at this size.
optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=lr, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=1.0, norm_type=2),
)
param_scheduler = [
    dict(
        type="OneCycleLR",
        eta_max=lr,
        total_steps=max_iters,
        pct_start=0.1,
        by_epoch=False,
        begin=0,
        end=max_iters,
    )
]
log_processor = dict(by_epoch=False)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=max_iters))
