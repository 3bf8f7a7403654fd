# Tiny TT-SRN with masked-attention instance queries on 20 training and 4 validation clips of real
# objects pasted on real videos, 1 to 4 a clip, entering, leaving and hiding one another.
_base_ = [
    "../_base_/models/ttsrn-m2f_tiny.py",
    "../_base_/datasets/youtube_vis_tiny_augmented.py",
    "../_base_/schedules/schedule_one-cycle_2500-iters.py",
    "../_base_/iteration_runtime.py",
]

model = dict(head=dict(num_classes=2))

dataset = dict(data_root="data/copypaste/", data_prefix=dict(img_path="JPEGImages"))
train_dataloader = dict(dataset=dict(ann_file="train.json", **dataset))
val_dataloader = dict(dataset=dict(ann_file="val.json", **dataset))
test_dataloader = val_dataloader
