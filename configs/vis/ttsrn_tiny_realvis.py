# Tiny TT-SRN on two real videos with one object each (car-shadow of DAVIS 2016, chair of PUMaVOS)
# in YouTube-VIS format. Trained and tested on the same videos: shows that the model fits real
# video, not that it generalises.
_base_ = ["./ttsrn_tiny_shapes.py"]

model = dict(
    head=dict(num_classes=2, query_init="independent"),
    mask_head=dict(fpn_channels=[64, 32, 16], feat_channels=16),
)

dataset = dict(
    data_root="data/realvis/", ann_file="instances.json", data_prefix=dict(img_path="JPEGImages")
)
# Every frame once an epoch.
train_dataloader = dict(
    batch_size=1, sampler=dict(_delete_=True, type="mmdet.TrackImgSampler"), dataset=dataset
)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader

lr = 5e-4
train_cfg = dict(max_iters=2500)
optim_wrapper = dict(optimizer=dict(lr=lr, fused=False))
param_scheduler = [dict(type="OneCycleLR", eta_max=lr, pct_start=0.1, by_epoch=False)]
