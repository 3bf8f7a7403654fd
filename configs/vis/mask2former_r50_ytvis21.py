# Mask2Former for video with ResNet-50 on YouTube-VIS 2021: 8000 iterations.
_base_ = ["./mask2former_r50_ytvis19.py"]

data_root = "data/youtube_vis_2021/"
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file="train/instances.json"))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file="valid/instances.json"))
test_dataloader = val_dataloader

train_cfg = dict(max_iters=8000)
param_scheduler = [dict(type="MultiStepLR", by_epoch=False, milestones=[5500], gamma=0.1)]
