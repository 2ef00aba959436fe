"""The pool of evaluation experts, and the draw that nobody can steer (评标专家库).

Experts are enrolled here and drawn from here. The door is `drawing`: it draws a committee's experts
across regions and publishes the proof. The pool does not know what is traded; the names to be
avoided come to it as plain values.

Serves the Bidding Law (招标投标法) 37 and its Implementing Regulation (实施条例) 45 to 47.
"""
