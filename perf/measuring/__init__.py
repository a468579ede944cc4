"""What the scripts beside this package share.

What goes wrong is a line of the log, and here much goes wrong on purpose. The lines are
made, so that they cost what they cost, and not written.
"""

import logging

logging.getLogger("airssys").addHandler(logging.NullHandler())
