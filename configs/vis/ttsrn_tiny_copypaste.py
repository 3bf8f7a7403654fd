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

train_cfg = dict(max_iters=2200)
