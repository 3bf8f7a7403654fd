default_scope = "mmdet"
custom_imports = dict(imports=["mmttsrn"], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type="IterTimerHook"),  # seconds of a step, for the log
    logger=dict(type="LoggerHook", interval=50),  # a line every 50 steps
    param_scheduler=dict(type="ParamSchedulerHook"),  # steps the learning rate
    # A kill or a full disk leaves a readable checkpoint.
    checkpoint=dict(type="mmttsrn.SafeWriteCheckpointHook", interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type="DistSamplerSeedHook"),  # another order of the data in each epoch
    # Overlays; `tools/test.py --show-dir` draws them.
    visualization=dict(type="mmttsrn.VISVisualizationHook", draw=False),
)
custom_hooks = [
    # Launchers of other packages read checkpoints without running code from them, too.
    dict(type="mmttsrn.SafeCheckpointHook"),
    # A head with another number of classes than the data ends the run before it starts.
    dict(type="mmttsrn.ClassCountCheckHook"),
    # A resumed run draws the random numbers that it would have drawn without the stop.
    dict(type="mmttsrn.StepSeedHook"),
    # Ctrl-C and the signals of a scheduler end training after a step, with a checkpoint.
    dict(type="mmttsrn.StopHook"),
    # A loss that is not finite ends training before it reaches the weights; max_skipped steps are
    # left out first.
    dict(type="mmttsrn.FiniteLossHook", max_skipped=0),
    # Frames and time left in tests: MMEngine counts samples, which are whole videos here.
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
