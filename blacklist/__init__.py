"""Who is barred, from what, until when, and by which decision (黑名单).

Everyone asks through one door, `standing`: is this party barred on this day from this act? A bar
exists only by a recorded decision of an authority, never by a signal or a suspicion.

Serves the Bidding Law (招标投标法) 53, 54 and 60, its Implementing Regulation (实施条例) 67 and 68,
and the Government Procurement Law (政府采购法) 22 and 77.
"""
