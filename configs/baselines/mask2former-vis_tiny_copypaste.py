# mmdet's Mask2Former for videos beside ttsrn-m2f_tiny_copypaste.py: the same data, iterations,
# frames in an iteration and schedule. Its head does not take single frames.
#
#   python tools/train.py configs/baselines/mask2former-vis_tiny_copypaste.py
#   python tools/test.py configs/baselines/mask2former-vis_tiny_copypaste.py \
#       work_dirs/mask2former-vis_tiny_copypaste/iter_2500.pth
_base_ = ["../_base_/models/mask2former-vis_tiny.py", "../vis/ttsrn-m2f_tiny_copypaste.py"]

num_classes = 2
model = dict(_delete_=True, **_base_.mask2former)
model["track_head"]["num_classes"] = num_classes
model["track_head"]["loss_cls"]["class_weight"] = [1.0] * num_classes + [0.1]

train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        pipeline=[
            dict(type="mmttsrn.ClipSample", num_frames=2, stride=(1, 6)),
            {{_base_.load_frames}},
            {{_base_.paste_objects}},
            {{_base_.augment}},
            {{_base_.pack_inputs}},
        ]
    ),
)
