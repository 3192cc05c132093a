"""Pictures of images, kernels, convolutions and networks, with matplotlib (imported on first use).

Each function draws into what it is given (``ax=``, or ``figure=`` where it needs several axes) or into a new
figure, and returns the figure. A notebook shows it as the last expression of a cell; elsewhere nothing is
shown, and pyplot is left alone: ``figure.savefig(path)`` writes it. `alt_text` says in words what a figure
shows.
"""

from convkit.viz.compare import compare
from convkit.viz.diagram import layout_diagram
from convkit.viz.edges import edges_overlay
from convkit.viz.frequency import frequency_response
from convkit.viz.geometry import conv_animation, conv_geometry
from convkit.viz.impulse import kernel_of
from convkit.viz.kernels import kernel, kernel_bank
from convkit.viz.networks import feature_maps, history, receptive_field, weights
from convkit.viz.orientation import orientation
from convkit.viz.render import rendered
from convkit.viz.sheet import contact_sheet
from convkit.viz.show import show
from convkit.viz.steps import Step, trace_steps
from convkit.viz.strip import shape_trace
from convkit.viz.style import alt_text, figure

__all__ = [
    "Step",
    "alt_text",
    "compare",
    "contact_sheet",
    "conv_animation",
    "conv_geometry",
    "edges_overlay",
    "feature_maps",
    "figure",
    "frequency_response",
    "history",
    "kernel",
    "kernel_bank",
    "kernel_of",
    "layout_diagram",
    "orientation",
    "receptive_field",
    "rendered",
    "shape_trace",
    "show",
    "trace_steps",
    "weights",
]
