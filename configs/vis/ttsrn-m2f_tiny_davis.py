# Tiny TT-SRN with masked-attention instance queries on 12 real videos of one annotated object each,
# of four classes; objects of the other videos are pasted on the fly. Validated on clips of several
# objects, tested on real videos; neither shows an object or place of the training videos.
_base_ = ["./ttsrn-m2f_tiny_copypaste.py"]

model = dict(head=dict(num_classes=4))

dataset = dict(data_root="data/davis/")
train_dataloader = dict(dataset=dict(**dataset))
val_dataloader = dict(dataset=dict(ann_file="val_multi.json", **dataset))
test_dataloader = dict(dataset=dict(ann_file="val.json", **dataset))
val_evaluator = dict(class_agnostic=True)
test_evaluator = dict(class_agnostic=True)
