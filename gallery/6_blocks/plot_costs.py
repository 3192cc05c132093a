"""
What blocks cost
================

Multiply-adds and weights of one layer, 64 to 128 channels on a 56×56 map, built in five ways.
"""

from convkit import viz

PLACES = 56 * 56
weights = {
    "standard 3×3": 128 * 64 * 9,
    "grouped 3×3, 4 groups": 128 * 16 * 9,
    "bottleneck 1×1, 3×3, 1×1": 64 * 32 + 32 * 32 * 9 + 32 * 128,
    "separable: depthwise 3×3, 1×1": 64 * 9 + 64 * 128,
    "pointwise 1×1": 64 * 128,
}
figure = viz.figure(5.3, 3.2)
ax = figure.subplots()
bars = ax.barh(list(weights), [w * PLACES / 1e6 for w in weights.values()], color="#0072b2")
ax.bar_label(bars, [f"{w:,} weights" for w in weights.values()], padding=4, fontsize=8)
ax.invert_yaxis()
ax.set_xlim(0, 390)
ax.tick_params(labelsize=8)
ax.set_xlabel("million multiply-adds")
figure.set_label(
    "Bars: "
    + ", ".join(f"{name} {w * PLACES / 1e6:.0f} million multiply-adds" for name, w in weights.items())
)
figure

# %%
# Depthwise kernels work on each channel alone, a 1×1 layer mixes them.
trace = viz.shape_trace("conv(64, 3, padding=1, groups=64) | conv(128, 1) | relu", (64, 56, 56))
trace
