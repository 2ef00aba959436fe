"""The rehearsal: one tender walks its whole life, played over HTTP as every participant.

It is the demonstration, the smoke test and the first journey at once. Each act is one file; what
must be true at its end is an expectation with its article, and one that is not met fails the run.
"""
