# The same with all classes as one: which things are objects, not what they are.
_base_ = ["./ttsrn-m2f_tiny_davis.py"]

model = dict(head=dict(num_classes=1))
train_dataloader = dict(dataset=dict(class_agnostic=True))
val_dataloader = dict(dataset=dict(class_agnostic=True))
test_dataloader = dict(dataset=dict(class_agnostic=True))
