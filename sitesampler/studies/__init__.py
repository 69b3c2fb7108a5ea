"""Studies: files that say what to run, and grids of parameters.

Read ``study_file`` first (what a file may say), then ``program`` (the program that it names), ``grid`` (swept values
and their points as one dataset), ``sweep`` (a call at every point, and the public `sweep`), and ``run`` (a study in its
folder, with its datasets and its figure).

What happens in a call is no business of this folder.
"""
