"""What ``J @ x`` means: coloured noise and memory, from averages over a population.

Read `order` first: every number that one site learns about all the others is the answer to a question, and kinds of
order parameters differ in how they answer.  Then `matrix`, where the formula of the single-site process stands, and
`tensor`, the same for p-spin couplings; `dense` has their finite counterparts, real matrices and tensors.  `written`
and `frozen` are the order parameters of an iteration, with `estimates`, what one iteration knows for the next;
`spectrum` finds the outliers of what products and updates have fixed of a matrix.  `schemes` has the steps of
differential equations, by themselves.

Nothing here knows programs, groups or records.  How rows of sites are multiplied and averaged is the business of the
tables below.
"""
