"""What a run keeps: the values that a program hands to ``net.record``, as labelled arrays of one replica.

Read `names` first: the registry of everything that a result can hold, and the rule that a name is taken once.  Then
`contents` (what a program records, learnt from its rehearsal) and `recorder` (the records of one run), which keeps
numbers in `numbers` and site vectors in `vectors`; `responses` are read with the probes of sources and tensor
couplings.  `variable` is what all of it ends as.

How replicas become a dataset with errors is not decided here, nor what the values of a program mean.
"""
