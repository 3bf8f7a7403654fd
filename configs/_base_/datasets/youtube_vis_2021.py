# YouTube-VIS 2021 as published: {train,valid}/instances.json beside {train,valid}/JPEGImages.
_base_ = "./youtube_vis_2019.py"

data_root = "data/youtube_vis_2021/"

train_dataloader = dict(dataset=dict(data_root=data_root, ann_file="train/instances.json"))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file="valid/instances.json"))
test_dataloader = val_dataloader
