# Tiny TT-SRN on two real videos with one object each (car-shadow of DAVIS 2016, chair of PUMaVOS)
# in YouTube-VIS format. Trained and tested on the same videos: shows that the model fits real
# video, not that it generalises.
_base_ = ["./ttsrn_tiny_shapes.py"]

model = dict(head=dict(num_classes=2))

dataset = dict(
    data_root="data/realvis/", ann_file="instances.json", data_prefix=dict(img_path="JPEGImages")
)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
