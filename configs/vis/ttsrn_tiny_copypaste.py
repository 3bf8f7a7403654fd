# Tiny TT-SRN on 20 training and 4 validation clips of real objects pasted on real videos, 1 to 4 a
# clip, entering, leaving and hiding one another.
_base_ = ["./ttsrn_tiny_shapes.py"]

model = dict(head=dict(num_classes=2))

dataset = dict(data_root="data/copypaste/", data_prefix=dict(img_path="JPEGImages"))
# Every frame once an epoch.
train_dataloader = dict(
    sampler=dict(_delete_=True, type="mmdet.TrackImgSampler"),
    dataset=dict(ann_file="train.json", **dataset),
)
val_dataloader = dict(dataset=dict(ann_file="val.json", **dataset))
test_dataloader = val_dataloader

max_iters = 2200
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(
        type="OneCycleLR",
        eta_max={{_base_.lr}},
        total_steps=max_iters,
        pct_start=0.1,
        by_epoch=False,
        begin=0,
        end=max_iters,
    )
]
default_hooks = dict(checkpoint=dict(interval=max_iters))
