"""What each operation computes, and how its gradient comes back: on arrays alone, without a tape.

A rule takes `needs`, one bool for each input, then the inputs, and gives a `Result`. Numbers of Python's stay
what they are, so that they take an array's dtype and not the other way round.
"""
