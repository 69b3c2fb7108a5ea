"""Results: what chunks and replicas recorded, as one labelled dataset with errors, and what such datasets say together.

Read ``combine`` first (chunks to a population, replicas to a dataset with standard errors), then ``compare`` (what a
difference or an error means), then ``provenance`` (the attributes that say where a result came from).

What a variable means is settled where it is recorded, and results do not know files.
"""
