# Mask2Former for video with Swin-L (window 12, 384 pixels, ImageNet-21k) on YouTube-VIS 2019: 6000
# iterations.
_base_ = ["./mask2former_swin-l_ytvis21.py"]

data_root = "data/youtube_vis_2019/"
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file="train.json"))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file="valid.json"))
test_dataloader = val_dataloader

train_cfg = dict(max_iters=6000)
param_scheduler = [dict(type="MultiStepLR", by_epoch=False, milestones=[4000], gamma=0.1)]
