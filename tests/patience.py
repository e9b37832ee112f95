"""How long a test waits for what must happen: the end of its patience, no claim about speed.

The tests share a machine with each other, and it may be a slow one. How fast a thing is, is
measured in `bench/`, side by side with its rival.
"""

# For what comes sooner or later, or hangs.
WAIT_S = 400.0
# Times what an idle machine needs, where the length means something: that a thing was stopped, and
# did not end by itself.
SLACK = 4.0
