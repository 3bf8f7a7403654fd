# Tiny TT-SRN with masked-attention instance queries on 12 real videos of one annotated object each,
# of four classes; objects of the other videos are pasted on the fly. Validated on clips of several
# objects, tested on real videos; neither shows an object or place of the training videos.
_base_ = ["./ttsrn-m2f_tiny_copypaste.py"]

model = dict(head=dict(num_classes=4))

dataset = dict(data_root="data/davis/")
# Objects fill much of the frame.
test_pipeline = [
    dict(
        type="mmttsrn.ClipBroadcaster",
        transforms=[
            dict(type="mmttsrn.LoadVideoFrame"),
            dict(type="mmdet.Resize", scale=(192, 108), keep_ratio=True),
        ],
    ),
    {{_base_.pack_inputs}},
]
train_dataloader = dict(dataset=dict(**dataset))
val_dataloader = dict(dataset=dict(ann_file="val_multi.json", pipeline=test_pipeline, **dataset))
test_dataloader = dict(dataset=dict(ann_file="val.json", pipeline=test_pipeline, **dataset))
val_evaluator = dict(class_agnostic=True)
test_evaluator = dict(class_agnostic=True)
