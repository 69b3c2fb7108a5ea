"""Where a program is said: at N = infinity, in a finite network, or in a rehearsal.

A world decides how many sites a group has, how its random vectors are drawn, and what a matrix and a tensor are; all
else is common.  Read `ensemble` first (N = infinity), then `finite`; `rehearsal` runs a program with a handful of sites
to learn what it says, and `replay` runs it again, from the `tape` of its rehearsal, to see that its sites know nothing
of each other but through words.  `execute` runs it in any world and names the line of the user's program that went
wrong, in words of ours where the error was `foreign`.

How replicas, chunks and points are run is not known here.
"""
