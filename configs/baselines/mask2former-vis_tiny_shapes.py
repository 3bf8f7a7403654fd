# mmdet's Mask2Former for videos beside ttsrn-m2f_tiny_shapes.py: the same data, iterations,
# frames in an iteration and schedule. Its head does not take single frames.
#
#   python tools/dataset_converters/make_moving_shapes.py --train-clips 400 data/moving_shapes
#   python tools/train.py configs/baselines/mask2former-vis_tiny_shapes.py
#   python tools/test.py configs/baselines/mask2former-vis_tiny_shapes.py \
#       work_dirs/mask2former-vis_tiny_shapes/iter_2500.pth
#
# Another learning rate needs both of
#   --cfg-options optim_wrapper.optimizer.lr=5e-4 param_scheduler.0.eta_max=5e-4
_base_ = ["../_base_/models/mask2former-vis_tiny.py", "../vis/ttsrn-m2f_tiny_shapes.py"]

model = dict(_delete_=True, **_base_.mask2former)

train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        pipeline=[
            dict(type="mmttsrn.ClipSample", num_frames=2, stride=(1, 6)),
            {{_base_.train_transforms}},
            {{_base_.pack_inputs}},
        ]
    ),
)
