"""Storage: files that are complete as soon as they have their name, and that are verified before they are read.

Read ``writing`` first (names until a file is complete, the full disk, the format), then ``sealed`` (single files:
checkpoints and NetCDF), ``manifest`` (what makes a Zarr store ours, and complete), ``storable`` (what a dataset may
hold), ``stores`` (results, and the public `save_result` and `open_result`), ``trajectories`` (a store that many workers
fill), ``folders`` (one run in each at a time, and what killed runs left), ``settings`` (what a run was asked for),
``purpose`` (what becomes of the run before) and ``journal`` (what a run keeps of its finished pieces).

What a dataset means is no business of this folder, nor when it is written, nor who computes it.
"""
