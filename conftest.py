"""The examples of one module alone run as those of all do.

pytest imports a module that nobody has imported yet by itself, and sets it over the function that its package
gives the same name, as `nn.summary`.
"""

import convkit.filters
import convkit.nn
import convkit.viz  # noqa: F401
