# configs/vis/ttsrn-m2f_tiny_shapes.py, the model of `make demo`, under MMTracking: the same model,
# data and schedule with its data pipeline, samplers and preprocessor. See docs/mmtrack.md.
_base_ = ["../vis/ttsrn-m2f_tiny_shapes.py"]

default_scope = "mmtrack"
custom_imports = dict(imports=["mmttsrn", "mmttsrn.hosts.mmtrack"], allow_failed_imports=False)

model = dict(
    type="mmttsrn.MMTrackTTSRN",
    data_preprocessor=dict(type="mmtrack.TrackDataPreprocessor"),
)

num_frames = 1  # of a clip, all of which are key frames
pack_inputs = dict(type="mmttsrn.MMTrackPackInputs", default_meta_keys=_base_.meta_keys)
train_pipeline = [
    {{_base_.train_transforms}},
    dict(num_key_frames=num_frames, **pack_inputs),
]
test_pipeline = [
    *_base_.test_pipeline[0]["transforms"],
    dict(pack_single_img=True, **pack_inputs),
]

dataset_type = "mmttsrn.MMTrackYouTubeVISDataset"
train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        ref_img_sampler=dict(num_frames=num_frames),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    sampler=dict(_delete_=True, type="VideoSampler"),
    batch_sampler=dict(type="EntireVideoBatchSampler"),
    dataset=dict(type=dataset_type, pipeline=test_pipeline),
)
test_dataloader = val_dataloader
