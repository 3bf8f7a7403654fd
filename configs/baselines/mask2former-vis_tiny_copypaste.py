# mmdet's Mask2Former for videos beside ttsrn-m2f_tiny_copypaste.py: the same data, iterations and
# schedule.
#
#   python tools/train.py configs/baselines/mask2former-vis_tiny_copypaste.py
#   python tools/test.py configs/baselines/mask2former-vis_tiny_copypaste.py \
#       work_dirs/mask2former-vis_tiny_copypaste/iter_2500.pth
_base_ = ["../_base_/models/mask2former-vis_tiny.py", "../vis/ttsrn-m2f_tiny_copypaste.py"]

num_classes = 2
model = dict(_delete_=True, **_base_.mask2former)
model["track_head"]["num_classes"] = num_classes
model["track_head"]["loss_cls"]["class_weight"] = [1.0] * num_classes + [0.1]
