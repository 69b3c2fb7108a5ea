"""Compute: who does independent work, here or on a cluster, with the same bits wherever and however often it runs.

Read ``workers`` first (how a caller has tasks run and led, and gets what is finished while the rest goes on), then
``task_graph`` (what a call becomes for dask: tasks, merges, progress), ``clusters`` (how a scheduler is reached, and
reached again), and ``progress`` (the bar, and how a task that still runs is told to end).

What a task does, and what its result means, is said by callers; nothing here writes a file.
"""
