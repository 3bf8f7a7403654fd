# Tiny TT-SRN with masked-attention instance queries on 20 training and 4 validation clips of real
# objects pasted on real videos, 1 to 4 a clip, entering, leaving and hiding one another.
_base_ = [
    "../_base_/models/ttsrn-m2f_tiny.py",
    "../_base_/datasets/youtube_vis_tiny_augmented.py",
    "../_base_/schedules/schedule_one-cycle.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(num_classes=2))

dataset = dict(data_root="data/copypaste/", data_prefix=dict(img_path="JPEGImages"))
train_dataloader = dict(dataset=dict(ann_file="train.json", **dataset))
val_dataloader = dict(dataset=dict(ann_file="val.json", **dataset))
test_dataloader = val_dataloader

max_iters = 4000
lr = 8e-4
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=lr, weight_decay=0.05))
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
custom_hooks = [
    dict(type="mmttsrn.SafeCheckpointHook"),
    dict(type="mmttsrn.ClassCountCheckHook"),
    dict(type="mmttsrn.HostMemoryHook"),
    dict(type="EMAHook", momentum=0.005),
]
log_processor = dict(by_epoch=False)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=max_iters, max_keep_ckpts=1),
)
