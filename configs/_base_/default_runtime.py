default_scope = "mmdet"
custom_imports = dict(imports=["mmttsrn"], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=50),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="mmttsrn.SafeWriteCheckpointHook", interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    visualization=dict(type="mmttsrn.VISVisualizationHook", draw=False),
)
custom_hooks = [
    dict(type="mmttsrn.SafeCheckpointHook"),
    dict(type="mmttsrn.ClassCountCheckHook"),
    dict(type="mmttsrn.StepSeedHook"),
    dict(type="mmttsrn.StopHook"),
    # max_skipped: steps with a loss that is not finite that are left out before training ends.
    dict(type="mmttsrn.FiniteLossHook", max_skipped=0),
    dict(type="mmttsrn.PredictionProgressHook"),
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
)
randomness = dict(seed=None, deterministic=False)

vis_backends = [dict(type="LocalVisBackend")]
visualizer = dict(type="mmttsrn.VISLocalVisualizer", vis_backends=vis_backends, name="visualizer")
log_processor = dict(type="LogProcessor", window_size=50, by_epoch=True)
log_level = "INFO"
load_from = None
resume = False
