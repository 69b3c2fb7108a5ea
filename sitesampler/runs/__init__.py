"""Runs: what `sample`, `simulate` and `diagnose` do with what they are asked for.

Read ``calls`` first (the public calls), then ``kinds`` and ``options`` (what they may be asked for, as values) and
``run`` (the one way from a request to a dataset).  ``pieces`` says what a run is made of and how pieces are kept,
``task`` how one of them runs a program in its world; ``march`` are independent replicas; ``chunks``, ``iteration`` and
``change`` the iteration of order parameters over chunks of a population; ``states`` what of both a journal keeps.
``footprint`` is the memory that a run will need, ``trajectories`` the store for those of a whole population, and
``diagnosis`` several runs that tell the errors of one.

Who does the work, and how files survive, is no business of this folder; nor is what a study file may say.
"""
