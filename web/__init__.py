"""The house as people enter it: halls, desks and rooms, over HTTP, sockets, pages and a terminal.

Plumbing stands at the root, one file for each place in `routes/`. People act by HTTP, where every
act is judged, recorded and safely repeated; sockets only show what happened.
"""
