"""The life of a tender: announced, bid for under seal, opened in public, awarded.

`lots` is the only hand that moves a lot, and `rules/lot_lifecycle` says which moves are lawful.
Evaluation comes in by one door, `handover`: it takes opened bids out and brings its report back.

Serves the Bidding Law (招标投标法), its Implementing Regulation (实施条例), the Measures for
Electronic Bidding (电子招标投标办法), and the Government Procurement Law (政府采购法).
"""
