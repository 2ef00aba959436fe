"""The committee at work: convened, seated at several sites, reviewing, scoring, reporting (评标).

Nothing enters `evaluation` from below: it fetches opened bids through `trading.handover` and drawn
experts through `expert_pool.drawing`, and brings its signed report back by the first of them.

Serves the Bidding Law (招标投标法) 37 to 45, its Implementing Regulation (实施条例) 46 to 53, and
the rules on remote evaluation at several sites (远程异地评标).
"""
