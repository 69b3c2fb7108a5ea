"""What a program may say: the words of ``net``, and what is known of a program before it runs.

Read `network` first, the words themselves; `groups`, `coupling` and `tensor_coupling` are what they return.  All of
them stand on a `stage`: the script that is followed, the loops and the place in them, and the order parameters that are
asked.  `script` has the events that a program says and the plan that its rehearsal makes of them, `loops` the clocks,
`sources` the perturbations by which responses are found.  `flow` is the loop over a state that moves by an `equation`.

Nothing here knows whether the number of sites is finite: what a group draws and what a matrix is comes from a world.
"""
