# VidEoMT with DINOv2-L on OVIS.
_base_ = ["./videomt_dinov2-l_ytvis19.py"]

model = dict(head=dict(num_classes=25))

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
