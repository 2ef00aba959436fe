"""Who is barred, from what, until when, and by which decision (黑名单).

Everyone asks through one door, `standing`: is this party barred on this day from this act? A bar
exists only by a recorded decision of an authority, never by a signal or a suspicion.

Serves the Bidding Law (招标投标法) 50, 53, 54, 56 and 60, its Implementing Regulation (实施条例)
67, 68, 71 and 72, the Government Procurement Law (政府采购法) 22, 77 and 78, and its Implementing
Regulation 73 and 75.
"""
