# VidEoMT with DINOv2-L on YouTube-VIS 2021.
_base_ = ["./videomt_dinov2-l_ytvis19.py"]

data_root = "data/youtube_vis_2021/"
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file="train/instances.json"))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file="valid/instances.json"))
test_dataloader = val_dataloader
