# OVIS as published: annotations_{train,valid}.json beside the frame folders {train,valid}.
_base_ = "./youtube_vis_2019.py"

data_root = "data/ovis/"

train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file="annotations_train.json",
        data_prefix=dict(img_path="train"),
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file="annotations_valid.json",
        data_prefix=dict(img_path="valid"),
    )
)
test_dataloader = val_dataloader
