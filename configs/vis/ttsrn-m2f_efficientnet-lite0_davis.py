# From the released model for objects of any kind to four classes, learnt from 12 real videos of one
# annotated object each. Validated on clips of several objects, tested on real videos, both of other
# objects in other places.
_base_ = [
    "../_base_/models/ttsrn-m2f_efficientnet-lite0.py",
    "../_base_/datasets/youtube_vis_tiny_augmented.py",
    "../_base_/schedules/schedule_one-cycle_2500-iters.py",
    "../_base_/iteration_runtime.py",
]

load_from = "ttsrn-m2f_efficientnet-lite0_objects"
model = dict(backbone=dict(init_cfg=None), head=dict(num_classes=4, num_instances=20))

dataset = dict(data_root="data/davis/", data_prefix=dict(img_path="JPEGImages"))
train_dataloader = dict(dataset=dict(ann_file="train.json", **dataset))
val_dataloader = dict(dataset=dict(ann_file="val_multi.json", **dataset))
test_dataloader = dict(dataset=dict(ann_file="val.json", **dataset))
val_evaluator = dict(class_agnostic=True)
test_evaluator = dict(class_agnostic=True)

# 15 minutes on one core.
train_cfg = dict(max_iters=1000)
