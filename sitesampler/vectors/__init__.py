"""Tables of site vectors: everything that differs from one array library, or one machine, to another.

A vector over the sites of one group (or over the samples that stand for them) is a row; what the engine does with rows
is done here.  Read `layout` first (how the array of a program becomes rows, and what a perturbed twin is), then `table`
(rows that are kept, and the two passes over them), `gram_schmidt` (orthonormal tables), `draws` (random rows), and at
the bottom `arrays` (making arrays and averaging over sites), `kernels` (Numba) and `threads`.  Elsewhere site vectors
are only sliced, and taken through functions that act element by element.

Nothing here knows networks, couplings or what a vector means.
"""
